//! The configuration of one cluster that is read from its etcd: an `[[etcd]]` block.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::objects::settings::check_cluster;

/// An etcd to read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The name of the cluster in answers: the same as in the path of its audit webhook, where both are used.
    pub cluster: String,
    /// `https://host:port` of its members: one is read, the others stand in for it.
    pub endpoints: Vec<String>,
    /// What keys begin with: the API server's `--etcd-prefix`; `kubernetes.io` with OpenShift.
    pub prefix: String,
    /// A user of etcd, where it has authentication.
    pub user: Option<String>,
    /// A file with its password. Read again with each new connection.
    pub password_file: Option<PathBuf>,
    /// PEM file with the CA of the members, or their own certificates; unset: the system's CAs.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate and its chain.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the certificate's key.
    pub key_file: Option<PathBuf>,
    /// The name that the members' certificates must have, if that is not the one in their addresses.
    pub tls_server_name: Option<String>,
    /// Send a user and its password without TLS.
    pub insecure: bool,
    /// Read everything once, as it was when it was written, and watch nothing: for the etcd of a restored snapshot.
    pub once: bool,
    /// The uid of the namespace kube-system, which tells clusters apart. Set it if a cluster was rebuilt, and its
    /// history goes on under the same name.
    pub cluster_uid: Option<String>,
    /// A watch without a message for this long is begun anew, in seconds. etcd is asked for one every third of it.
    pub silence_seconds_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            cluster: String::new(),
            endpoints: Vec::new(),
            prefix: "/registry".to_owned(),
            user: None,
            password_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            tls_server_name: None,
            insecure: false,
            once: false,
            cluster_uid: None,
            silence_seconds_max: 90,
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
        if self.endpoints.is_empty() {
            return Err("no endpoints: set the addresses of etcd's members".to_owned());
        }
        if self.prefix().is_empty() {
            return Err(
                "prefix is empty: set it to the API server's --etcd-prefix, which is /registry by default"
                    .to_owned(),
            );
        }
        let alone = match (&self.user, &self.password_file) {
            (Some(_), None) => Some("user"),
            (None, Some(_)) => Some("password_file"),
            _ => None,
        };
        if let Some(key) = alone {
            return Err(format!(
                "{key} is set alone: user and password_file belong together"
            ));
        }
        if self.silence_seconds_max == 0 {
            return Err("silence_seconds_max must be at least 1".to_owned());
        }
        Ok(())
    }

    /// Without slashes at its end.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.trim_end_matches('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_named_with_what_to_do() {
        for (toml, expected) in [
            ("cluster = 'p'\nendpoints = ['https://a:2379']", ""),
            (
                "endpoints = ['https://a:2379']",
                "cluster \"\" is no name: use letters, digits and -_./",
            ),
            (
                "cluster = 'p'",
                "no endpoints: set the addresses of etcd's members",
            ),
            (
                "cluster = 'p'\nendpoints = ['a']\nprefix = '/'",
                "prefix is empty: set it to the API server's --etcd-prefix, which is /registry by default",
            ),
            (
                "cluster = 'p'\nendpoints = ['a']\nuser = 'u'",
                "user is set alone: user and password_file belong together",
            ),
            (
                "cluster = 'p'\nendpoints = ['a']\npassword_file = 'f'",
                "password_file is set alone: user and password_file belong together",
            ),
        ] {
            let config: Config = toml::from_str(toml).expect("TOML of known keys");
            let line = config.check().err().unwrap_or_default();
            assert_eq!(line, expected, "{toml}");
        }
    }
}
