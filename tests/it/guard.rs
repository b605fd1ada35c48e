//! How those who send under load reach the webhook: scheme, trust and identity, all of it here.
//!
//! [`arguments`] start a bygone that has TLS and a token on its ingest listener; [`sender`] speaks to
//! it.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use bygone::tls::{Client, ClientFiles};
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::listener::pki::Authority;

/// Header fields of every request.
pub const CREDENTIALS: &[(&str, &str)] = &[("authorization", "Bearer load-secret-0123456789")];

const TOKEN: &str = "load-secret-0123456789";

const CONFIG: &str = r#"
[ingest]
tls_certificate_file = "{dir}/server.crt"
tls_key_file = "{dir}/server.key"
client_ca_file = "{dir}/ca.crt"
[[access.ingest]]
token_file = "{dir}/token"
clusters = ["demo"]
"#;

struct Guard {
    config_file: String,
    trusts: ClientConfig,
    ca_file: PathBuf,
    _folder: TempDir,
}

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let authority = Authority::new(dir, "ca");
    authority.issue(dir, "server", None);
    std::fs::write(dir.join("token"), TOKEN).expect("written");
    let config_file = dir.join("bygone.toml");
    let dir = dir.to_str().expect("UTF-8");
    std::fs::write(&config_file, CONFIG.replace("{dir}", dir)).expect("written");
    let files = ClientFiles {
        ca_file: Some(authority.file.clone()),
        ..ClientFiles::default()
    };
    Guard {
        config_file: config_file.to_str().expect("UTF-8").to_owned(),
        trusts: Client::load(&files).expect("TLS").config(),
        ca_file: authority.file,
        _folder: folder,
    }
});

/// The arguments of a bygone that is guarded so.
pub fn arguments() -> [&'static str; 2] {
    ["--config", &GUARD.config_file]
}

/// TLS that trusts the guarded bygone, for clients that are no reqwest.
pub fn trusts() -> ClientConfig {
    GUARD.trusts.clone()
}

/// TLS with a certificate that nobody vouches for.
pub fn stranger() -> ClientConfig {
    let folder = tempfile::tempdir().expect("a folder");
    let other = Authority::new(folder.path(), "other");
    let pair = other.issue(folder.path(), "stranger", None);
    let files = ClientFiles {
        ca_file: Some(GUARD.ca_file.clone()),
        certificate_file: Some(pair.certificate),
        key_file: Some(pair.key),
    };
    Client::load(&files).expect("TLS").config()
}

/// A client with connections of its own, as each API server has. Like those it speaks HTTP/2 and
/// waits 30 s for an answer.
pub fn sender() -> reqwest::Client {
    let headers = CREDENTIALS
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("text")))
        .collect();
    let mut trusts = GUARD.trusts.clone();
    trusts.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(trusts)
        .default_headers(headers)
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client")
}
