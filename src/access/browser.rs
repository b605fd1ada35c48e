//! Web pages: they may make the browser of somebody on this machine send what they like to loopback, and read the
//! answer where a name of theirs leads there (DNS rebinding). Where nobody has to say who they are, that would be all
//! of them.
//!
//! So a request without a login has to be for this machine by a name of its own, and must not come from a page of
//! somewhere else. Programs send none of these headers.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::Peer;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What a page may send without asking first: the content types of a form.
const FORMS: [&str; 3] = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
];

/// The routes, for those who don't come from a web page of somewhere else.
pub(super) fn guard(routes: Router) -> Router {
    routes.layer(middleware::from_fn(ask))
}

async fn ask(request: Request, next: Next) -> Response {
    let is_local = request
        .extensions()
        .get::<Peer>()
        .is_none_or(Peer::is_local);
    match refusal(request.uri(), request.headers(), is_local) {
        Some((status, why)) => (status, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    }
}

/// Why not. `is_local`: it came over loopback.
fn refusal(uri: &Uri, headers: &HeaderMap, is_local: bool) -> Option<(StatusCode, &'static str)> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // HTTP/2 has it in the URI.
    let authority = uri.authority().map(|authority| authority.as_str());
    let host = authority
        .or_else(|| text(&header::HOST))
        .unwrap_or_default();
    if is_local && !host.is_empty() && !is_loopback(host) {
        let why = "without authentication only the host names 127.0.0.1 and localhost are served: use one of them";
        return Some((StatusCode::MISDIRECTED_REQUEST, why));
    }
    let from_elsewhere = text(&header::ORIGIN).is_some_and(|origin| !is_origin_of(origin, host))
        || text(&SEC_FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if from_elsewhere {
        let why = "requests from other web sites are rejected";
        return Some((StatusCode::FORBIDDEN, why));
    }
    let is_browser = text(&SEC_FETCH_MODE).is_some()
        || text(&header::ORIGIN).is_some()
        || text(&header::USER_AGENT).is_some_and(|agent| agent.starts_with("Mozilla/"));
    let kind = text(&header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if is_browser && FORMS.iter().any(|form| kind.eq_ignore_ascii_case(form)) {
        let why = "send application/json";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    None
}

/// Whether `name` or `name:port` is this machine's own.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn is_origin_of(origin: &str, host: &str) -> bool {
    let name = origin.split_once("://").map_or("", |(_, name)| name);
    !host.is_empty() && name.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a refusal of a request over loopback.
    fn refused(headers: &[(&'static str, &str)]) -> Option<StatusCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        refusal(&Uri::from_static("/x"), &map, true).map(|(status, _)| status)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for own in [
            "127.0.0.1:7070",
            "localhost",
            "LOCALHOST:7070",
            "[::1]:7070",
            "[::ffff:127.0.0.1]:7070",
            "127.8.9.1",
        ] {
            assert_eq!(refused(&[("host", own)]), None, "{own}");
        }
        for other in [
            "evil.example:7070",
            "127.0.0.1.evil.example",
            "localhost.evil.example:7070",
            "10.0.0.1:7070",
            "0.0.0.0:7070",
            "[::2]",
        ] {
            let misdirected = Some(StatusCode::MISDIRECTED_REQUEST);
            assert_eq!(refused(&[("host", other)]), misdirected, "{other}");
        }
        assert_eq!(refused(&[]), None);
    }

    #[test]
    fn pages_of_elsewhere_are_refused() {
        let forbidden = Some(StatusCode::FORBIDDEN);
        for (name, value, expected) in [
            ("origin", "http://evil.example", forbidden),
            ("origin", "null", forbidden),
            ("origin", "http://localhost:2", forbidden),
            ("origin", "http://localhost:1", None),
            ("sec-fetch-site", "cross-site", forbidden),
            ("sec-fetch-site", "same-site", forbidden),
            ("sec-fetch-site", "same-origin", None),
            // Typed in by hand.
            ("sec-fetch-site", "none", None),
        ] {
            let told = refused(&[("host", "localhost:1"), (name, value)]);
            assert_eq!(told, expected, "{name}: {value}");
        }
    }

    #[test]
    fn browsers_send_no_forms() {
        let form = Some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let browser = ("user-agent", "Mozilla/5.0");
        let page = ("sec-fetch-mode", "no-cors");
        let program = ("user-agent", "curl/8");
        for (who, kind, expected) in [
            (browser, "text/plain;charset=UTF-8", form),
            (page, "Multipart/Form-Data; boundary=x", form),
            (browser, "application/json", None),
            (program, "application/x-www-form-urlencoded", None),
        ] {
            let told = refused(&[("host", "localhost"), who, ("content-type", kind)]);
            assert_eq!(told, expected, "{who:?} {kind}");
        }
    }

    /// If an operator listens beyond loopback without authentication, deliberately, it has a name there.
    #[test]
    fn beyond_loopback_there_are_other_names() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "audit.example".parse().unwrap());
        assert!(refusal(&Uri::from_static("/x"), &headers, false).is_none());
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        assert!(refusal(&Uri::from_static("/x"), &headers, false).is_some());
    }

    #[test]
    fn http2_has_the_name_in_its_uri() {
        let uri = Uri::from_static("http://evil.example/x");
        assert!(refusal(&uri, &HeaderMap::new(), true).is_some());
        assert!(
            refusal(
                &Uri::from_static("http://localhost:1/x"),
                &HeaderMap::new(),
                true
            )
            .is_none()
        );
    }
}
