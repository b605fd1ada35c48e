//! Which proxy leads to an API server.
//!
//! A `proxy_url`, of ours or of the kubeconfig, is used as it is. Without one the environment decides, as it does for
//! kubectl (Go's `httpproxy`): HTTPS_PROXY, or HTTP_PROXY for an `http://` address, unless NO_PROXY names the API
//! server, or it is on loopback.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use percent_encoding::percent_decode_str;

/// A proxy. Its credentials are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub kind: Kind,
    /// Scheme, host and port.
    pub uri: Uri,
    user: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CONNECT, over plain TCP or over TLS.
    Http,
    Https,
    Socks5,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let uri = self.uri.to_string();
        f.write_str(uri.trim_end_matches('/'))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl Proxy {
    /// Reads `http://user:password@host:port`. Without a scheme it is `http`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without repeating it: it may hold a password.
    pub fn parse(text: &str) -> Result<Proxy, String> {
        let invalid = || "is no URL: use one like http://proxy.example:3128".to_owned();
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (kind, port) = match &*scheme.to_ascii_lowercase() {
            "http" => (Kind::Http, 80),
            "https" => (Kind::Https, 443),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err("has an unknown scheme: use http, https or socks5".to_owned()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let scheme = match kind {
            Kind::Http | Kind::Socks5 => "http",
            Kind::Https => "https",
        };
        let uri: Uri = format!("{scheme}://{host}")
            .parse()
            .map_err(|_| invalid())?;
        let name = uri
            .host()
            .filter(|name| !name.is_empty())
            .ok_or_else(invalid)?;
        let port = uri.port_u16().unwrap_or(port);
        let scheme = if kind == Kind::Socks5 {
            "socks5"
        } else {
            scheme
        };
        let uri = format!("{scheme}://{name}:{port}").parse();
        let user = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            (decoded(name), decoded(password))
        });
        Ok(Proxy {
            kind,
            uri: uri.map_err(|_| invalid())?,
            user,
        })
    }

    /// User and password.
    pub fn user(&self) -> Option<&(String, String)> {
        self.user.as_ref()
    }

    /// The value of `Proxy-Authorization`.
    pub fn basic(&self) -> Option<String> {
        let (user, password) = self.user.as_ref()?;
        let pair = STANDARD.encode(format!("{user}:{password}"));
        Some(format!("Basic {pair}"))
    }
}

/// Undoes percent-encoding. What is not encoded rightly stays as it is.
fn decoded(text: &str) -> String {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// The proxy by the environment for an API server.
///
/// # Errors
///
/// When a variable can't be read: which one, and why.
pub fn of_environment(
    target: &Uri,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, String> {
    let set = |name: &'static str| {
        let names = [name.to_owned(), name.to_lowercase()];
        let mut values = names.into_iter().map(|name| (variable(&name), name));
        values.find_map(|(value, name)| Some((value.filter(|it| !it.trim().is_empty())?, name)))
    };
    let is_plain = target.scheme_str() == Some("http");
    let name = if is_plain {
        "HTTP_PROXY"
    } else {
        "HTTPS_PROXY"
    };
    let Some((proxy, name)) = set(name) else {
        return Ok(None);
    };
    let host = target.host().unwrap_or_default();
    let port = target.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    let except = set("NO_PROXY").map(|(list, _)| list).unwrap_or_default();
    if is_loopback(host) || is_excepted(&except, host, port) {
        return Ok(None);
    }
    let proxy = Proxy::parse(&proxy).map_err(|cause| format!("{name} {cause}"))?;
    Ok(Some(proxy))
}

fn ip(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ip(host).is_some_and(|ip| ip.is_loopback())
}

/// Whether the list NO_PROXY names a host and port.
fn is_excepted(list: &str, host: &str, port: u16) -> bool {
    let entries = list.split(',').map(str::trim);
    let mut entries = entries.filter(|entry| !entry.is_empty());
    entries.any(|entry| {
        names(
            &entry.to_ascii_lowercase(),
            &host.to_ascii_lowercase(),
            port,
        )
    })
}

fn names(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Some(ip)) = (entry.split_once('/'), ip(host)) {
        return holds(network, bits, ip).unwrap_or(false);
    }
    let is_bare_ipv6 = entry.parse::<IpAddr>().is_ok();
    let (name, of_port) = match entry.rsplit_once(':') {
        Some((name, digits)) if !is_bare_ipv6 => match digits.parse::<u16>() {
            Ok(of_port) => (name, Some(of_port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    };
    if of_port.is_some_and(|of_port| of_port != port) {
        return false;
    }
    if let Some(own) = ip(name) {
        return ip(host) == Some(own);
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    match name.strip_prefix('.') {
        Some(_) => host.ends_with(name),
        None => {
            let above = host.strip_suffix(name);
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        }
    }
}

/// Whether a network has an address.
fn holds(network: &str, bits: &str, ip: IpAddr) -> Option<bool> {
    let bits: u32 = bits.parse().ok()?;
    let (network, ip, all) = match (network.parse().ok()?, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => (
            u128::from(u32::from(network)),
            u128::from(u32::from(ip)),
            32_u32,
        ),
        (IpAddr::V6(network), IpAddr::V6(ip)) => (u128::from(network), u128::from(ip), 128),
        _ => return Some(false),
    };
    let other = all.checked_sub(bits)?;
    Some((network ^ ip).checked_shr(other).unwrap_or(0) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_and_never_show_their_password() {
        for (text, shown, basic) in [
            ("http://p.example:3128", "http://p.example:3128", None),
            ("p.example:3128", "http://p.example:3128", None),
            ("HTTP://p.example", "http://p.example:80", None),
            ("https://p.example/", "https://p.example:443", None),
            ("socks5://p.example", "socks5://p.example:1080", None),
            ("socks5h://[::1]:99", "socks5://[::1]:99", None),
            (
                "http://user:pa%40ss%3Aword%@p.example:3128",
                "http://p.example:3128",
                Some("user:pa@ss:word%"),
            ),
        ] {
            let proxy = Proxy::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
            let expected = basic.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
            assert_eq!(proxy.basic(), expected);
        }
        for text in [
            "",
            "ftp://p",
            "http://",
            "http://user:secret@",
            "http://a b",
        ] {
            let error = Proxy::parse(text).expect_err(text);
            assert!(!error.contains("secret"), "{error}");
        }
    }

    const TARGET: &str = "https://api.prod.example:6443";

    /// An API server, HTTPS_PROXY, NO_PROXY, and whether the proxy is used.
    const CASES: &[(&str, &str, &str, bool)] = &[
        (TARGET, "", "", false),
        (TARGET, "http://proxy.example:1", "", true),
        // kube-client 5 compares this with the proxy's own name.
        (TARGET, "http://proxy.example:1", "proxy.example", true),
        (TARGET, "http://proxy.example:1", "api.prod.example", false),
        (TARGET, "http://proxy.example:1", "prod.example", false),
        (TARGET, "http://proxy.example:1", ".prod.example", false),
        (TARGET, "http://proxy.example:1", "*.prod.example", false),
        (TARGET, "http://proxy.example:1", "od.example", true),
        (TARGET, "http://proxy.example:1", "PROD.example:6443", false),
        (TARGET, "http://proxy.example:1", "prod.example:443", true),
        (TARGET, "http://proxy.example:1", "a, *", false),
        (
            "https://10.2.3.4:6443",
            "proxy.example:1",
            "10.0.0.0/8",
            false,
        ),
        (
            "https://10.2.3.4:6443",
            "proxy.example:1",
            "10.3.0.0/16",
            true,
        ),
        (
            "https://10.2.3.4:6443",
            "proxy.example:1",
            "10.2.3.4",
            false,
        ),
        (
            "https://10.2.3.4:6443",
            "proxy.example:1",
            "10.2.3.4:443",
            true,
        ),
        (
            "https://[fd00::1]:6443",
            "proxy.example:1",
            "fd00::/8",
            false,
        ),
        (
            "https://[fd00::1]:6443",
            "proxy.example:1",
            "fd00::1",
            false,
        ),
        (
            "https://[fd00::1]:6443",
            "proxy.example:1",
            "fd00::/200",
            true,
        ),
        ("https://127.0.0.1:6443", "proxy.example:1", "", false),
        ("https://localhost:6443", "proxy.example:1", "", false),
        ("http://api.example:80", "proxy.example:1", "", false),
    ];

    #[test]
    fn the_environment_decides_about_the_api_server_and_not_about_the_proxy() {
        for (target, https, none, expected) in CASES {
            let variable = |name: &str| match name {
                "https_proxy" => Some((*https).to_owned()),
                "NO_PROXY" => Some((*none).to_owned()),
                _ => None,
            };
            let found = of_environment(&target.parse().unwrap(), &variable).unwrap();
            assert_eq!(found.is_some(), *expected, "{target} {https} {none}");
        }
        let broken = |name: &str| (name == "HTTPS_PROXY").then(|| "ftp://u:secret@p".to_owned());
        let error = of_environment(&TARGET.parse().unwrap(), &broken).unwrap_err();
        assert_eq!(
            error,
            "HTTPS_PROXY has an unknown scheme: use http, https or socks5"
        );
    }
}
