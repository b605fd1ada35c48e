//! Which server certificates an API server's client trusts, and what was wrong with the last one.
//!
//! Clusters have certificates that their administrators made themselves. What is offered for them, best first: their
//! CA, the name that the certificate has, the SHA-256 of the certificate itself, and nothing at all. The last one
//! exists because it was asked for; who may use it is decided by the caller, which refuses it where credentials would
//! be sent.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::ca_file::CaFile;
use super::pinned::{Pinned, sha256};
use super::{Error, provider};
use crate::reload::Content;

/// Whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// What the machine trusts.
    System,
    /// PEM certificates, of CAs or of the server itself, and the file that they are from.
    Certificates { from: String, pem: Vec<u8> },
    /// The one certificate with this SHA-256, by whatever name, also if it has expired.
    Pinned([u8; 32]),
    /// Whoever answers.
    Anyone,
}

/// The certificate that was shown last, if it was not trusted.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<Option<[u8; 32]>>>);

impl Shown {
    /// Its SHA-256.
    pub fn rejected(&self) -> Option<[u8; 32]> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, sha256: Option<[u8; 32]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sha256;
    }
}

impl Trust {
    /// The verifier, which also notes what it rejects.
    ///
    /// # Errors
    ///
    /// When certificates can't be used, or the machine's can't be loaded.
    pub fn verifier(&self, shown: &Shown) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let inner: Arc<dyn ServerCertVerifier> = match self {
            Trust::System => {
                let system = Verifier::new(provider());
                Arc::new(system.map_err(|error| Error::Roots(error.to_string()))?)
            }
            Trust::Certificates { from, pem } => {
                let file = CaFile::read(&Content {
                    path: Path::new(from),
                    bytes: pem.clone(),
                    failure: None,
                });
                Arc::new(file.map_err(crate::reload::Error::Content)?)
            }
            Trust::Pinned(sha256) => Arc::new(Pinned::to(*sha256)),
            Trust::Anyone => Arc::new(Pinned::to_any()),
        };
        Ok(Arc::new(Noting {
            inner,
            shown: shown.clone(),
        }))
    }
}

/// Notes the certificate that is not trusted.
struct Noting {
    inner: Arc<dyn ServerCertVerifier>,
    shown: Shown,
}

impl fmt::Debug for Noting {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer,
        intermediates: &[CertificateDer],
        name: &ServerName,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .inner
            .verify_server_cert(certificate, intermediates, name, ocsp, now);
        self.shown
            .set(verified.is_err().then(|| sha256(certificate)));
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
