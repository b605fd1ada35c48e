//! Certificates for the tests, in PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, string,
};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub file: PathBuf,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = dir.join(format!("{name}.crt"));
        fs::write(&file, issuer.pem()).unwrap();
        Authority { issuer, file }
    }

    /// A certificate for `localhost` and `127.0.0.1` with this common name and URI, as files.
    pub fn issue(&self, dir: &Path, name: &str, uri: Option<&str>) -> Pair {
        let mut params = params(name);
        if let Some(uri) = uri {
            let uri = string::Ia5String::try_from(uri).unwrap();
            params.subject_alt_names.push(SanType::URI(uri));
        }
        self.sign(dir, name, params)
    }

    /// The same, good to the end of the year before this one.
    pub fn issue_until(&self, dir: &Path, name: &str, year: i32) -> Pair {
        let mut params = params(name);
        params.not_before = rcgen::date_time_ymd(year - 2, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        self.sign(dir, name, params)
    }

    fn sign(&self, dir: &Path, name: &str, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pair = Pair {
            certificate: dir.join(format!("{name}.crt")),
            key: dir.join(format!("{name}.key")),
        };
        fs::write(&pair.certificate, certificate.pem()).unwrap();
        fs::write(&pair.key, key.serialize_pem()).unwrap();
        pair
    }
}

fn params(name: &str) -> CertificateParams {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "system:masters");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
