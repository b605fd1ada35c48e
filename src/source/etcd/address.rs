//! Where the members of an etcd are, whom its client trusts, and how it authenticates.

use std::path::Path;

use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use rustls::ClientConfig;
use secrecy::SecretString;

use super::super::objects::settings::read_file;
use super::config::Config;
use crate::tls::{self, ClientFiles, Shown, Trust};

/// The port of etcd's clients.
const PORT: u16 = 2379;

/// What a client of an etcd is made of.
pub struct Address {
    pub members: Vec<Uri>,
    pub trust: Trust,
    /// Without ALPN.
    pub tls: ClientConfig,
    /// What `tls` did not trust last.
    pub shown: Shown,
    pub server_name: Option<String>,
    pub user: Option<(String, SecretString)>,
    pub has_certificate: bool,
}

/// `http://host:port` or `https://host:port`.
pub fn url(member: &Uri) -> String {
    member.to_string().trim_end_matches('/').to_owned()
}

/// Whether anybody on the way can read what is sent.
pub fn is_open(member: &Uri) -> bool {
    let host = member.host().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    member.scheme() != Some(&Scheme::HTTPS) && !is_here
}

impl Address {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    ///
    /// One line: what is wrong with which file or setting, and what to do.
    pub fn find(config: &Config, insecure: bool) -> Result<Address, String> {
        config.check()?;
        let members = config.endpoints.iter().map(|text| member(text));
        let members = members.collect::<Result<Vec<Uri>, String>>()?;
        let user = match (&config.user, &config.password_file) {
            (Some(user), Some(path)) => Some((user.clone(), password(path)?)),
            _ => None,
        };
        let open = members.iter().find(|member| is_open(member));
        if let (Some(open), true) = (open, user.is_some() && !config.insecure && !insecure) {
            return Err(format!(
                "the password would be sent to {} without TLS, to whoever answers: use https:// with ca_file, or set \
                 insecure = true if that is acceptable",
                url(open)
            ));
        }
        let trust = match &config.ca_file {
            None => Trust::System,
            Some(path) => Trust::Certificates {
                from: path.display().to_string(),
                pem: read_file("ca_file", path)?,
            },
        };
        let shown = Shown::default();
        Ok(Address {
            members,
            tls: tls(config, &trust, &shown)?,
            trust,
            shown,
            server_name: config.tls_server_name.clone(),
            user,
            has_certificate: config.certificate_file.is_some(),
        })
    }
}

fn tls(config: &Config, trust: &Trust, shown: &Shown) -> Result<ClientConfig, String> {
    let files = ClientFiles {
        ca_file: config.ca_file.clone(),
        certificate_file: config.certificate_file.clone(),
        key_file: config.key_file.clone(),
    };
    let one_line = |error: tls::Error| error.to_string();
    let mut tls = tls::Client::load(&files).map_err(one_line)?.config();
    // The same trust, which also notes what it rejects.
    let verifier = trust.verifier(shown).map_err(one_line)?;
    tls.dangerous().set_certificate_verifier(verifier);
    Ok(tls)
}

fn member(text: &str) -> Result<Uri, String> {
    let odd = || format!("endpoint {text:?} is no address: use one like https://10.0.0.1:{PORT}");
    let uri: Uri = text.parse().map_err(|_| odd())?;
    let is_scheme = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    let authority = uri.authority().ok_or_else(odd)?;
    let is_bare = uri.path().trim_end_matches('/').is_empty() && uri.query().is_none();
    if !is_scheme || !is_bare || authority.as_str().contains('@') {
        return Err(odd());
    }
    let authority = match authority.port() {
        Some(_) => authority.clone(),
        None => format!("{authority}:{PORT}")
            .parse::<Authority>()
            .map_err(|_| odd())?,
    };
    let mut parts = uri.into_parts();
    parts.authority = Some(authority);
    parts.path_and_query = Some(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|_| odd())
}

fn password(path: &Path) -> Result<SecretString, String> {
    let place = path.display();
    let text = String::from_utf8(read_file("password_file", path)?);
    let text = text.map_err(|_| format!("password_file {place}: is not text"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("password_file {place}: is empty")),
        password => Ok(SecretString::from(password.to_owned())),
    }
}
