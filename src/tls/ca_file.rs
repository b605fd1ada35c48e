//! The servers that a CA file vouches for.
//!
//! rustls trusts who shows a chain up to one of its certificates. That leaves out the certificate that a server signed
//! itself: it is its own CA, and webpki takes none for a server's (`CaUsedAsEndEntity`); nor does it take a certificate
//! whose issuer is not in the file (`UnknownIssuer`). Who puts the very certificate of a server into the file trusts
//! it, so it is taken here, if it is byte for byte the same, valid now, and for the name that was asked for.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

use super::{pem, provider};
use crate::reload::Content;

/// Trusts the certificates of a file, and what they signed.
#[derive(Debug)]
pub struct CaFile {
    certificates: Vec<CertificateDer<'static>>,
    by_chain: Arc<WebPkiServerVerifier>,
}

impl CaFile {
    pub fn read(content: &Content) -> Result<CaFile, String> {
        let roots = Arc::new(pem::roots(content)?);
        let by_chain = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
        Ok(CaFile {
            certificates: pem::certificates(content)?,
            by_chain: by_chain.map_err(|error| format!("{}: {error}", content.path.display()))?,
        })
    }

    fn holds(&self, certificate: &CertificateDer) -> bool {
        self.certificates.iter().any(|own| own == certificate)
    }
}

/// Whether the certificate itself is valid, and only its chain is not. webpki checks the time first; a test ensures
/// that.
fn is_only_its_chain(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => matches!(
            other.0.downcast_ref(),
            Some(webpki::Error::CaUsedAsEndEntity)
        ),
        _ => false,
    }
}

impl ServerCertVerifier for CaFile {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer,
        intermediates: &[CertificateDer],
        name: &ServerName,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.by_chain
                .verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            Err(error) if is_only_its_chain(&error) && self.holds(certificate) => {
                let parsed = ParsedCertificate::try_from(certificate)?;
                rustls::client::verify_server_name(&parsed, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    const NOW: i32 = 2026;

    fn params(is_ca: IsCa, (from, to): (i32, i32)) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["bygone.example".to_owned()]).unwrap();
        params.is_ca = is_ca;
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params
    }

    fn self_signed(is_ca: IsCa, years: (i32, i32)) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let made = params(is_ca, years).self_signed(&key);
        made.unwrap().der().clone()
    }

    fn ca() -> IsCa {
        IsCa::Ca(BasicConstraints::Unconstrained)
    }

    /// The error for a server with another certificate than the one in the file.
    fn check(file: &CertificateDer<'static>, shown: &CertificateDer, name: &str) -> String {
        let roots = Arc::new({
            let mut roots = rustls::RootCertStore::empty();
            roots.add(file.clone()).unwrap();
            roots
        });
        let by_chain = WebPkiServerVerifier::builder_with_provider(roots, provider());
        let file = CaFile {
            certificates: vec![file.clone()],
            by_chain: by_chain.build().unwrap(),
        };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let years = u64::try_from(NOW - 1970).unwrap();
        let now =
            UnixTime::since_unix_epoch(Duration::from_secs(years * 31_557_600 + 180 * 86_400));
        match file.verify_server_cert(shown, &[], &name, &[], now) {
            Ok(_) => "trusted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_certificate_that_is_in_the_file_itself() {
        let valid = (NOW - 1, NOW + 1);
        let host = "bygone.example";
        for is_ca in [ca(), IsCa::ExplicitNoCa, IsCa::NoCa] {
            let own = self_signed(is_ca, valid);
            assert_eq!(check(&own, &own, host), "trusted", "{is_ca:?}");
            let said = check(&own, &own, "other.example");
            assert!(said.contains("not valid for name"), "{is_ca:?}: {said}");
            let old = self_signed(is_ca, (NOW - 3, NOW - 2));
            let said = check(&old, &old, host);
            assert!(said.contains("expired"), "{is_ca:?}: {said}");
            let early = self_signed(is_ca, (NOW + 1, NOW + 2));
            let said = check(&early, &early, host);
            assert!(said.contains("not valid yet"), "{is_ca:?}: {said}");
            // Another one with the same names and another key.
            let other = self_signed(is_ca, valid);
            assert_ne!(check(&own, &other, host), "trusted", "{is_ca:?}");
        }
    }

    #[test]
    fn a_certificate_of_a_ca_that_is_not_in_the_file() {
        let valid = (NOW - 1, NOW + 1);
        let issuer =
            CertifiedIssuer::self_signed(params(ca(), valid), KeyPair::generate().unwrap())
                .unwrap();
        let issued = |names: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = params(IsCa::NoCa, valid);
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, names);
            params.signed_by(&key, &issuer).unwrap().der().clone()
        };
        let (one, other) = (issued("one"), issued("other"));
        assert_eq!(check(issuer.der(), &one, "bygone.example"), "trusted");
        assert_eq!(check(&one, &one, "bygone.example"), "trusted");
        let said = check(&one, &other, "bygone.example");
        assert!(said.contains("UnknownIssuer"), "{said}");
    }
}
