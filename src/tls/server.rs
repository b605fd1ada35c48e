//! TLS for a listener.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Error, both, pem, provider};
use crate::reload::{Content, Reloaded};

/// The files of a listener.
#[derive(Clone, Debug, Default)]
pub struct ServerFiles {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is rejected in the handshake.
    pub client_certificate_required: bool,
}

/// TLS of a listener; a clone shares it.
#[derive(Clone)]
pub struct Server {
    config: Arc<Reloaded<ServerConfig>>,
    client_ca: bool,
}

impl Server {
    /// Reads the files. `None` where no certificate is named: the listener is plain then.
    ///
    /// # Errors
    ///
    /// When only one of certificate and key is named, a client CA without them, or a file can't
    /// be used.
    pub fn load(files: &ServerFiles) -> Result<Option<Server>, Error> {
        let pair = both(
            ("tls_certificate_file", &files.certificate),
            ("tls_key_file", &files.key),
        )?;
        let required = files.client_certificate_required;
        let Some((certificate, key)) = pair else {
            if files.client_ca.is_some() || required {
                return Err(Error::Without("client_ca_file"));
            }
            return Ok(None);
        };
        if required && files.client_ca.is_none() {
            return Err(Error::Half {
                present: "client_certificate_required",
                absent: "client_ca_file",
            });
        }
        let paths = [certificate, key].into_iter().chain(&files.client_ca);
        let make = move |contents: &[Content]| config(contents, required);
        let config = Reloaded::load("tls certificate", paths.cloned().collect(), make)?;
        Ok(Some(Server {
            config: Arc::new(config),
            client_ca: files.client_ca.is_some(),
        }))
    }

    /// Whether client certificates are looked at.
    pub fn asks_for_certificates(&self) -> bool {
        self.client_ca
    }

    /// An acceptor for one connection, with what the files say now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.now())
    }

    /// Reads the files again every so often, until `stop`.
    pub async fn keep(self, every: Duration, stop: CancellationToken) {
        self.config.keep(every, stop).await;
    }
}

fn config(contents: &[Content], required: bool) -> Result<ServerConfig, String> {
    let [certificate, key, ca @ ..] = contents else {
        return Err("a certificate and a key are required".to_owned());
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match ca.first() {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(pem::roots(ca)?), provider());
            let verifier = match required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            let verifier = verifier
                .build()
                .map_err(|error| format!("{}: {error}", ca.path.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let pair = pem::pair(certificate, key)?;
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    if !ca.is_empty() {
        // A resumed session is not verified again: it would outlive its client's certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
