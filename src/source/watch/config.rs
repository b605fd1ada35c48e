//! The configuration of one watched cluster: a `[[watch]]` block.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use super::super::objects::settings::check_cluster;

/// An API server to watch. It is found in one of three ways: `in_cluster`, `kubeconfig`, or `address`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The name of the cluster in answers: the same as in the path of its audit webhook, where both are used.
    pub cluster: String,
    /// Use KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT with the service account's token and CA, or with
    /// `token_file` and `ca_file`: also outside of a pod.
    pub in_cluster: bool,
    /// A kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; unset: its current one.
    pub context: Option<String>,
    /// `https://host:port`.
    pub address: Option<String>,
    /// A file with a bearer token. Read again with each new watch.
    pub token_file: Option<PathBuf>,
    /// PEM file with the CA of the API server, or its own certificate; unset: the system's CAs.
    pub ca_file: Option<PathBuf>,
    /// The name that the API server's certificate must have, if that is not the one in its address.
    pub tls_server_name: Option<String>,
    /// The SHA-256 of the API server's certificate in hex, as `openssl x509 -fingerprint -sha256` prints it: this
    /// certificate is trusted, and no other.
    pub certificate_sha256: Option<String>,
    /// Trust any certificate: whoever is on the way can read and forge everything.
    pub insecure_skip_tls_verify: bool,
    /// Send credentials to an API server whose certificate is not verified.
    pub insecure: bool,
    /// `http://`, `https://` or `socks5://`, with `user:password@` where it wants that. Unset: the kubeconfig's, else
    /// HTTPS_PROXY and NO_PROXY.
    pub proxy_url: Option<ProxyUrl>,
    /// The uid of the namespace kube-system, which tells clusters apart. Set it if a cluster was rebuilt, and its
    /// history goes on under the same name.
    pub cluster_uid: Option<String>,
    /// A watch without a message for this long is begun anew, in seconds. API servers send one a minute.
    pub silence_seconds_max: u64,
}

/// The URL of a proxy, which is shown without its user and password.
#[derive(Clone, Deserialize)]
pub struct ProxyUrl(pub String);

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0.rsplit_once('@') {
            None => f.write_str(&self.0),
            Some((before, host)) => {
                let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
                write!(f, "{scheme}://(not shown)@{host}")
            }
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cluster: String::new(),
            in_cluster: false,
            kubeconfig: None,
            context: None,
            address: None,
            token_file: None,
            ca_file: None,
            tls_server_name: None,
            certificate_sha256: None,
            insecure_skip_tls_verify: false,
            insecure: false,
            proxy_url: None,
            cluster_uid: None,
            silence_seconds_max: 150,
        }
    }
}

impl Config {
    /// Checks what does not depend on files.
    ///
    /// # Errors
    ///
    /// One line: the key, and what to do.
    pub(super) fn check(&self) -> Result<(), String> {
        check_cluster(&self.cluster)?;
        let ways = [
            self.in_cluster,
            self.kubeconfig.is_some(),
            self.address.is_some(),
        ];
        match ways.into_iter().filter(|way| *way).count() {
            1 => {}
            0 => {
                return Err(
                    "no API server: set kubeconfig, or address, or in_cluster = true".to_owned(),
                );
            }
            _ => {
                return Err(
                    "in_cluster, kubeconfig and address cannot be combined: keep one".to_owned(),
                );
            }
        }
        if self.kubeconfig.is_none() && self.context.is_some() {
            return Err("context is set without a kubeconfig".to_owned());
        }
        for (key, is_set) in [
            ("token_file", self.token_file.is_some()),
            ("ca_file", self.ca_file.is_some()),
        ] {
            if self.kubeconfig.is_some() && is_set {
                return Err(format!(
                    "{key} cannot be combined with kubeconfig: set it there"
                ));
            }
        }
        let verified = [
            ("ca_file", self.ca_file.is_some()),
            ("tls_server_name", self.tls_server_name.is_some()),
            ("certificate_sha256", self.certificate_sha256.is_some()),
        ];
        let verified = verified.into_iter().find(|(_, is_set)| *is_set);
        if let (true, Some((key, _))) = (self.insecure_skip_tls_verify, verified) {
            return Err(format!(
                "insecure_skip_tls_verify makes {key} pointless: remove one of them"
            ));
        }
        if self.silence_seconds_max == 0 {
            return Err("silence_seconds_max must be at least 1".to_owned());
        }
        self.pin().map(|_| ())
    }

    /// `certificate_sha256` as bytes.
    pub(super) fn pin(&self) -> Result<Option<[u8; 32]>, String> {
        let Some(text) = &self.certificate_sha256 else {
            return Ok(None);
        };
        let bare = text.rsplit('=').next().unwrap_or_default();
        let digits: String = bare.chars().filter(|c| !":- ".contains(*c)).collect();
        let mut hash = [0; 32];
        match hex::decode_to_slice(digits, &mut hash) {
            Ok(()) => Ok(Some(hash)),
            Err(_) => Err(format!(
                "invalid certificate_sha256 {text:?}: use 64 hex digits, as printed by \
                 \"openssl x509 -in FILE -noout -fingerprint -sha256\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(toml: &str) -> String {
        let config: Config = toml::from_str(toml).expect("TOML of known keys");
        config.check().err().unwrap_or_default()
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let config: Config = toml::from_str("proxy_url = 'http://user:secret@p:3128'").unwrap();
        let shown = [format!("{config:?}"), toml::to_string(&config).unwrap()];
        for text in shown {
            assert!(text.contains("http://(not shown)@p:3128"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn slips_are_named_with_what_to_do() {
        let pin = "AB:".repeat(31) + "AB";
        for (toml, expected) in [
            ("cluster = 'p'\naddress = 'https://a'".to_owned(), ""),
            (
                "cluster = 'p'\nin_cluster = true\ntoken_file = 'f'".to_owned(),
                "",
            ),
            (
                "cluster = 'p'\nkubeconfig = 'f'\ncontext = 'c'".to_owned(),
                "",
            ),
            (
                format!(
                    "cluster = 'p'\naddress = 'a'\ncertificate_sha256 = 'sha256 Fingerprint={pin}'"
                ),
                "",
            ),
            (
                "address = 'https://a'".to_owned(),
                "cluster \"\" is no name: use letters, digits and -_./",
            ),
            (
                "cluster = 'p'".to_owned(),
                "no API server: set kubeconfig, or address, or in_cluster = true",
            ),
            (
                "cluster = 'p'\naddress = 'https://a'\nin_cluster = true".to_owned(),
                "in_cluster, kubeconfig and address cannot be combined: keep one",
            ),
            (
                "cluster = 'p'\naddress = 'https://a'\ncontext = 'c'".to_owned(),
                "context is set without a kubeconfig",
            ),
            (
                "cluster = 'p'\nkubeconfig = 'f'\ntoken_file = 't'".to_owned(),
                "token_file cannot be combined with kubeconfig: set it there",
            ),
            (
                "cluster = 'p'\naddress = 'a'\nca_file = 'f'\ninsecure_skip_tls_verify = true"
                    .to_owned(),
                "insecure_skip_tls_verify makes ca_file pointless: remove one of them",
            ),
            (
                "cluster = 'p'\naddress = 'a'\ncertificate_sha256 = 'AB:CD'".to_owned(),
                "invalid certificate_sha256 \"AB:CD\": use 64 hex digits, as printed by \
                 \"openssl x509 -in FILE -noout -fingerprint -sha256\"",
            ),
        ] {
            assert_eq!(checked(&toml), expected, "{toml}");
        }
    }
}
