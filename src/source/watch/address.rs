//! Where the API server of a watch is, whom its client trusts, and how it authenticates.

use std::path::{Path, PathBuf};

use hyper::Uri;
use kube_client::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use secrecy::SecretString;

use super::super::objects::settings::read_file;
use super::config::Config;
use super::proxy::{self, Proxy};
use crate::tls::Trust;

/// Where pods have the token and the CA of their service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Contexts that are named where one is missing.
const CONTEXTS_NAMED_MAX: usize = 10;

/// What a client of an API server is made of.
pub struct Address {
    pub kube: kube_client::Config,
    pub trust: Trust,
    /// The proxy on the way, and which setting has it.
    pub proxy: Option<(Proxy, &'static str)>,
    /// The setting with the CA, for messages.
    pub ca_from: String,
    /// What to renew when the API server rejects the credentials.
    pub credentials: String,
}

impl Address {
    /// `https://host:port`.
    pub fn url(&self) -> String {
        self.kube
            .cluster_url
            .to_string()
            .trim_end_matches('/')
            .to_owned()
    }

    /// Whether a program has to be run for the credentials.
    pub fn has_plugin(&self) -> bool {
        let auth = &self.kube.auth_info;
        auth.exec.is_some() || auth.auth_provider.is_some()
    }

    /// Whether credentials are sent.
    pub fn has_credentials(&self) -> bool {
        let auth = &self.kube.auth_info;
        auth.token.is_some()
            || auth.token_file.is_some()
            || auth.password.is_some()
            || auth.exec.is_some()
            || auth.auth_provider.is_some()
            || auth.client_certificate.is_some()
            || auth.client_certificate_data.is_some()
    }

    /// What makes the connection unsafe.
    pub fn danger(&self) -> Option<&'static str> {
        match (is_https(&self.kube.cluster_url), &self.trust) {
            (false, _) => Some("no TLS"),
            (true, Trust::Anyone) => Some("certificate not verified"),
            _ => None,
        }
    }

    /// Reads the files that the configuration names, and the environment.
    ///
    /// # Errors
    ///
    /// One line: what is wrong with which file or setting, and what to do.
    pub async fn find(
        config: &Config,
        insecure: bool,
        variable: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Address, String> {
        config.check()?;
        let mut address = match (&config.kubeconfig, &config.address) {
            (Some(path), _) => of_kubeconfig(path, config.context.as_deref()).await?,
            (None, Some(address)) => {
                let url = url("address", address)?;
                of_files(url, config.token_file.clone(), config.ca_file.clone())?
            }
            (None, None) => of_environment(config, variable)?,
        };
        read_token(&mut address.kube)?;
        if let Some(name) = &config.tls_server_name {
            address.kube.tls_server_name = Some(name.clone());
        }
        if let Some(pin) = config.pin()? {
            address.trust = Trust::Pinned(pin);
        }
        if config.insecure_skip_tls_verify {
            address.trust = Trust::Anyone;
        }
        let is_open = address.trust == Trust::Anyone || !is_https(&address.kube.cluster_url);
        if is_open && address.has_credentials() && !config.insecure && !insecure {
            let why = match is_https(&address.kube.cluster_url) {
                true => "without verifying its certificate (insecure_skip_tls_verify)",
                false => "without TLS",
            };
            return Err(format!(
                "credentials would be sent to {} {why}, to whoever answers: set ca_file, tls_server_name or \
                 certificate_sha256 instead, or insecure = true if that is acceptable",
                address.url()
            ));
        }
        address.proxy = proxy_of(config, &address.kube, variable)?;
        Ok(address)
    }
}

/// Reads the token of a token file: kube would send the line break at its end, too, which is no header.
fn read_token(kube: &mut kube_client::Config) -> Result<(), String> {
    let auth = &mut kube.auth_info;
    let Some(file) = auth.token_file.take().filter(|_| auth.token.is_none()) else {
        return Ok(());
    };
    let token = read_file("token_file", Path::new(&file))?;
    let token = String::from_utf8(token).unwrap_or_default();
    let token = token.trim();
    if token.is_empty() || token.chars().any(|c| !c.is_ascii_graphic()) {
        let what = if token.is_empty() {
            "is empty"
        } else {
            "contains no token"
        };
        return Err(format!("token_file {file}: {what}"));
    }
    auth.token = Some(SecretString::from(token.to_owned()));
    Ok(())
}

fn is_https(url: &Uri) -> bool {
    url.scheme_str() == Some("https")
}

fn proxy_of(
    config: &Config,
    kube: &kube_client::Config,
    variable: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<Option<(Proxy, &'static str)>, String> {
    if let Some(text) = &config.proxy_url {
        let proxy = Proxy::parse(&text.0).map_err(|cause| format!("proxy_url {cause}"))?;
        return Ok(Some((proxy, "proxy_url")));
    }
    if let Some(uri) = &kube.proxy_url {
        let proxy = Proxy::parse(&uri.to_string());
        let proxy = proxy.map_err(|cause| format!("proxy-url of the kubeconfig {cause}"))?;
        return Ok(Some((proxy, "the kubeconfig's proxy-url")));
    }
    let found = proxy::of_environment(&kube.cluster_url, &|name| variable(name))?;
    Ok(found.map(|proxy| (proxy, "HTTPS_PROXY and NO_PROXY")))
}

/// The URL of an API server, with its port.
fn url(key: &str, text: &str) -> Result<Uri, String> {
    let invalid = || format!("invalid {key} {text:?}: use one like https://10.0.0.1:6443");
    let uri: Uri = text.trim().parse().map_err(|_| invalid())?;
    let port = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => return Err(invalid()),
    };
    let authority = uri.authority().ok_or_else(invalid)?;
    if authority.as_str().contains('@') {
        return Err(format!("{key} contains a user: set token_file instead"));
    }
    // SOCKS wants a port in any case.
    let port = authority.port_u16().unwrap_or(port);
    let scheme = uri.scheme_str().unwrap_or_default();
    let full = format!("{scheme}://{}:{port}{}", authority.host(), uri.path());
    full.parse().map_err(|_| invalid())
}

fn of_files(
    url: Uri,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
) -> Result<Address, String> {
    let mut kube = kube_client::Config::new(url);
    let mut credentials = "set token_file: it has no credentials".to_owned();
    if let Some(path) = token_file {
        credentials = format!("renew the token in {}", path.display());
        kube.auth_info.token_file = Some(path.display().to_string());
    }
    let (trust, ca_from) = match ca_file {
        None => (Trust::System, "ca_file".to_owned()),
        Some(path) => {
            let pem = read_file("ca_file", &path)?;
            let from = path.display().to_string();
            let ca_from = format!("ca_file {from}");
            (Trust::Certificates { from, pem }, ca_from)
        }
    };
    Ok(Address {
        kube,
        trust,
        proxy: None,
        ca_from,
        credentials,
    })
}

fn of_environment(
    config: &Config,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Address, String> {
    let set = |name: &str| {
        variable(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            format!(
                "in_cluster is set and the variable {name} is not: run in a pod, set it, or set address instead"
            )
        })
    };
    let host = set("KUBERNETES_SERVICE_HOST")?;
    let port = variable("KUBERNETES_SERVICE_PORT_HTTPS")
        .filter(|port| !port.is_empty())
        .map_or_else(|| set("KUBERNETES_SERVICE_PORT"), Ok)?;
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host,
    };
    let url = url("KUBERNETES_SERVICE_HOST", &format!("https://{host}:{port}"))?;
    let of_account = |name: &str| {
        let path = Path::new(SERVICE_ACCOUNT).join(name);
        path.exists().then_some(path)
    };
    let token_file = config.token_file.clone().or_else(|| of_account("token"));
    let ca_file = config.ca_file.clone().or_else(|| of_account("ca.crt"));
    of_files(url, token_file, ca_file)
}

async fn of_kubeconfig(path: &Path, context: Option<&str>) -> Result<Address, String> {
    let place = || format!("kubeconfig {}", path.display());
    read_file("kubeconfig", path)?;
    let file = Kubeconfig::read_from(path).map_err(|error| failure(&place(), &error))?;
    let known: Vec<String> = file.contexts.iter().map(|it| it.name.clone()).collect();
    let name = context.map(str::to_owned).or(file.current_context.clone());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(format!("{}: has no current context: set context", place()));
    };
    if !known.contains(&name) {
        let listed = known.iter().take(CONTEXTS_NAMED_MAX).cloned();
        let listed = listed.collect::<Vec<_>>().join(", ");
        return Err(format!(
            "{}: has no context {name:?}: it has {}",
            place(),
            if listed.is_empty() { "none" } else { &listed }
        ));
    }
    let contexts = file.contexts.iter().find(|it| it.name == name);
    let context = contexts.and_then(|it| it.context.clone());
    let cluster = context
        .as_ref()
        .map(|it| it.cluster.clone())
        .unwrap_or_default();
    let user = context.and_then(|it| it.user).unwrap_or_default();
    let clusters = file.clusters.iter().find(|it| it.name == cluster);
    let own_proxy = clusters
        .and_then(|it| it.cluster.as_ref()?.proxy_url.clone())
        .filter(|url| !url.is_empty());
    let options = KubeConfigOptions {
        context: Some(name),
        ..KubeConfigOptions::default()
    };
    let made = kube_client::Config::from_custom_kubeconfig(file, &options).await;
    let mut kube = made.map_err(|error| failure(&place(), &error))?;
    kube.cluster_url = url(
        &format!("server of {}", place()),
        &kube.cluster_url.to_string(),
    )?;
    // kube asks NO_PROXY about the proxy, and takes HTTPS_PROXY for ours.
    if own_proxy.is_none() {
        kube.proxy_url = None;
    }
    let trust = match (kube.accept_invalid_certs, &kube.root_cert) {
        (true, _) => Trust::Anyone,
        (false, None) => Trust::System,
        (false, Some(der)) => Trust::Certificates {
            from: place(),
            pem: pem(der),
        },
    };
    Ok(Address {
        kube,
        trust,
        proxy: None,
        ca_from: format!(
            "the certificate-authority of cluster {cluster:?} in {}",
            place()
        ),
        credentials: format!("renew those of user {user:?} in {}", place()),
    })
}

fn pem(certificates: &[Vec<u8>]) -> Vec<u8> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let mut text = String::new();
    for der in certificates {
        let body = STANDARD.encode(der);
        text += &format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

/// Why a kubeconfig can't be used. Parsers quote what they stumbled over, which may be a key: so their words are left
/// out.
fn failure(place: &str, error: &KubeconfigError) -> String {
    let cause = match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(_) => {
            "is no valid kubeconfig: try \"kubectl config view\"".to_owned()
        }
        KubeconfigError::LoadClusterOfContext(name) => format!("has no cluster {name:?}"),
        KubeconfigError::MissingClusterUrl => "its cluster has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "the server of its cluster is no URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "the proxy-url of its cluster is no URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "its certificate-authority cannot be read".to_owned()
        }
        KubeconfigError::LoadClientCertificate(_) => {
            "its client-certificate cannot be read".to_owned()
        }
        KubeconfigError::LoadClientKey(_) => "its client-key cannot be read".to_owned(),
        _ => "cannot be used: try \"kubectl config view\"".to_owned(),
    };
    format!("{place}: {cause}")
}
