//! Trust in one certificate itself, by its hash, or in any.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};

use super::provider;

/// The SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` computes it.
pub fn sha256(certificate: &CertificateDer) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// Trusts a certificate whatever its name and age, and so every server with its key. The server still has to prove that
/// it has the key.
#[derive(Debug)]
pub struct Pinned {
    /// The one that is trusted; `None` is any.
    sha256: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    pub fn to(sha256: [u8; 32]) -> Pinned {
        Pinned {
            sha256: Some(sha256),
            provider: provider(),
        }
    }

    pub fn to_any() -> Pinned {
        Pinned {
            sha256: None,
            provider: provider(),
        }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.sha256 {
            Some(pinned) if pinned != sha256(certificate) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
