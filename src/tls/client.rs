//! TLS for what we call: ClickHouse, and a bygone that runs elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::ca_file::CaFile;
use super::pinned::{Pinned, sha256};
use super::{Error, both, pem, provider};
use crate::reload::{Content, Reloaded};

/// How long a connection may take to come about.
const CONNECT_SECONDS_MAX: u64 = 10;

/// What keeps a connection known to the firewalls on its way; the driver's own figure.
const KEEPALIVE_SECONDS: u64 = 60;

/// The files of a client. Without any: the machine's own CA certificates, and no certificate.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientFiles {
    /// PEM file with the certificates that are trusted, of CAs or of the server itself, and no others. Read at the
    /// start.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate and its chain. Read again when it changes.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the certificate's key.
    pub key_file: Option<PathBuf>,
}

/// TLS of a client; a clone shares it.
#[derive(Clone)]
pub struct Client {
    config: ClientConfig,
    pair: Option<Arc<Reloaded<CertifiedKey>>>,
}

impl Client {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When only one of certificate and key is named, or a file can't be used.
    pub fn load(files: &ClientFiles) -> Result<Client, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Roots(error.to_string()))?;
        let builder = match &files.ca_file {
            None => builder
                .with_platform_verifier()
                .map_err(|error| Error::Roots(error.to_string()))?,
            Some(path) => {
                let make = |contents: &[Content]| CaFile::read(&contents[0]);
                let trusted = Reloaded::load("ca certificates", vec![path.clone()], make)?;
                let builder = builder.dangerous();
                builder.with_custom_certificate_verifier(trusted.now())
            }
        };
        let pair = both(
            ("certificate_file", &files.certificate_file),
            ("key_file", &files.key_file),
        )?;
        let Some((certificate, key)) = pair else {
            return Ok(Client {
                config: builder.with_no_client_auth(),
                pair: None,
            });
        };
        let make = |contents: &[Content]| pem::pair(&contents[0], &contents[1]);
        let paths = vec![certificate.clone(), key.clone()];
        let pair = Arc::new(Reloaded::load("client certificate", paths, make)?);
        let mut config = builder.with_client_cert_resolver(Arc::new(Newest(Arc::clone(&pair))));
        // A resumed session goes on under the certificate that it began with.
        config.resumption = Resumption::disabled();
        Ok(Client {
            config,
            pair: Some(pair),
        })
    }

    /// Trusts the one server whose certificate is the first in this PEM file, by whatever name it is called: a server
    /// that was found by a file of its own. Its key is checked as always.
    ///
    /// # Errors
    ///
    /// When the file can't be used.
    pub fn of_server(certificate: &Path) -> Result<Client, Error> {
        let make = |contents: &[Content]| pem::certificates(&contents[0]);
        let read = Reloaded::load("server certificate", vec![certificate.to_owned()], make)?;
        // There is at least one.
        let only = Pinned::to(sha256(&read.now()[0]));
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Roots(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(only))
            .with_no_client_auth();
        Ok(Client { config, pair: None })
    }

    /// For `reqwest::ClientBuilder::tls_backend_preconfigured` and the like.
    ///
    /// It offers no ALPN: an HTTP/2 client sets that itself.
    pub fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// For hyper-util's client, and with it for `clickhouse::Client::with_http_client`. It takes
    /// `http://` addresses too, and speaks HTTP/1.1.
    pub fn connector(&self) -> HttpsConnector<HttpConnector> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(CONNECT_SECONDS_MAX)));
        tcp.set_keepalive(Some(Duration::from_secs(KEEPALIVE_SECONDS)));
        HttpsConnectorBuilder::new()
            .with_tls_config(self.config())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp)
    }

    /// Reads our certificate again every so often, until `stop`.
    pub async fn keep(self, every: Duration, stop: CancellationToken) {
        if let Some(pair) = self.pair {
            pair.keep(every, stop).await;
        }
    }
}

/// Answers a server's wish for a certificate with the newest one.
struct Newest(Arc<Reloaded<CertifiedKey>>);

impl ResolvesClientCert for Newest {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.now())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Newest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Newest")
    }
}
