//! PEM to what rustls takes. Errors are one line that names the file, never its content.

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::reload::Content;

/// The most certificates in one file: the largest public bundles have about 150.
const CERTIFICATES_MAX: usize = 1000;

/// All certificates of a file; at least one.
pub fn certificates(content: &Content) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_slice_iter(&content.bytes)
        .take(CERTIFICATES_MAX)
        .collect::<Result<Vec<_>, _>>();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(format!(
            "{}: contains no PEM certificate",
            content.path.display()
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{}: {}", content.path.display(), reason(&error))),
    }
}

/// A certificate with its chain, and the key that belongs to it.
pub fn pair(certificate: &Content, key: &Content) -> Result<CertifiedKey, String> {
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_slice(&key.bytes)
        .map_err(|error| format!("{}: {}", key.path.display(), reason(&error)))?;
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|error| {
        let cause = match error {
            rustls::Error::InconsistentKeys(_) => "is not the key of the certificate".to_owned(),
            error => format!("can't be used: {error}"),
        };
        format!(
            "{}: {cause} in {}",
            key.path.display(),
            certificate.path.display()
        )
    })
}

/// A CA bundle.
pub fn roots(content: &Content) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(content)? {
        roots.add(certificate).map_err(|error| {
            format!(
                "{}: a certificate can't be used: {error}",
                content.path.display()
            )
        })?;
    }
    Ok(roots)
}

/// Some of these errors quote the line that they stumbled over: it may be part of a key.
fn reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "contains no usable PEM block",
        pem::Error::Base64Decode(_) => "contains PEM with invalid base64",
        _ => "contains invalid PEM",
    }
}
