//! Rejected clients: all of them in a counter, the first of each kind in the log.
//!
//! In: each refusal with the address that it went to. Out: `bygone_listener_refused_total`, and a line a minute for
//! each address and reason.
//!
//! Anyone who reaches a port can be rejected, as often as they like and from as many addresses as they have. So there
//! are [`PAIRS_MAX`] of these lines a minute, one line that there are more, and nothing is kept beyond that.
//!
//! Never here: tokens, bodies, query strings. Texts from a request or a certificate are escaped and cut.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use tokio::time::Instant;
use tracing::warn;

use super::why::Why;
use crate::access::Peer;
use crate::telemetry;
use crate::throttle::Throttle;

/// Pairs of an address and a reason that are logged in a minute.
const PAIRS_MAX: usize = 32;

/// Characters of a path or of a certificate's name that are logged.
const TEXT_CHARS_MAX: usize = 100;

/// Names of a certificate that are logged.
const NAMES_MAX: usize = 3;

/// Which listener it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Audit events are posted to it.
    Ingest,
    /// Questions are asked of it.
    Api,
}

impl Role {
    /// Its table in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Api => "api",
        }
    }
}

/// The refusals of a listener.
pub struct Refused {
    pub role: Role,
    lines: Mutex<Lines>,
}

impl Refused {
    pub fn new(role: Role) -> Refused {
        Refused {
            role,
            lines: Mutex::default(),
        }
    }

    /// Counts a connection that failed, and logs it when that is due.
    pub fn connection(&self, from: SocketAddr, why: Why) {
        self.note(from, why, String::new);
    }

    /// The same of an answer to a request.
    pub fn request(&self, peer: &Peer, why: Why, answer: Answer) {
        self.note(peer.address, why, || said(peer, &answer));
    }

    fn note(&self, from: SocketAddr, why: Why, what: impl FnOnce() -> String) {
        let role = self.role.name();
        metrics::counter!(telemetry::LISTENER_REFUSED, "listener" => role, "why" => why.label)
            .increment(1);
        let ip = from.ip().to_canonical();
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.due((ip, why.label), Instant::now())
        };
        match line {
            Line::None => {}
            Line::Of { more } => {
                let (what, text, more) = (what(), why.text, More(more));
                warn!(listener = role, peer = %ip, why = why.label, "{role} rejected {ip}: {what}{text}{more}");
            }
            Line::OfOthers { more } => {
                let more = More(more);
                warn!(
                    listener = role,
                    "{role} rejects more than {PAIRS_MAX} kinds of requests and addresses a minute: further \
                     ones are only counted, in {}{more}",
                    telemetry::LISTENER_REFUSED
                );
            }
        }
    }
}

/// What was answered to what.
pub struct Answer<'a> {
    pub status: StatusCode,
    pub method: &'a Method,
    pub path: &'a str,
}

/// `401 to POST /v1/audit/prod with the certificate "kube-apiserver": `.
fn said(peer: &Peer, answer: &Answer) -> String {
    let names: Vec<String> = match &peer.certificate {
        None => Vec::new(),
        Some(names) => names
            .iter()
            .take(NAMES_MAX)
            .map(|name| format!("\"{}\"", cut(name)))
            .collect(),
    };
    let with = match names.is_empty() {
        true => String::new(),
        false => format!(" with the certificate {}", names.join(", ")),
    };
    let status = answer.status.as_u16();
    let method = cut(answer.method.as_str());
    format!("{status} to {method} {}{with}: ", cut(answer.path))
}

/// What others wrote, fit for a line of a log.
fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(TEXT_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

/// How often it happened without a line.
struct More(u64);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more since the last such line)"),
        }
    }
}

/// Which lines were written lately.
#[derive(Default)]
struct Lines {
    of: HashMap<(IpAddr, &'static str), Throttle>,
    of_others: Throttle,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    None,
    /// `more`: what happened since the last one.
    Of {
        more: u64,
    },
    OfOthers {
        more: u64,
    },
}

impl Lines {
    fn due(&mut self, key: (IpAddr, &'static str), now: Instant) -> Line {
        if !self.of.contains_key(&key) && self.of.len() >= PAIRS_MAX {
            self.of.retain(|_, line| !line.is_idle(now));
        }
        if self.of.contains_key(&key) || self.of.len() < PAIRS_MAX {
            return match self.of.entry(key).or_default().due(1, now) {
                None => Line::None,
                Some(count) => Line::Of { more: count - 1 },
            };
        }
        match self.of_others.due(1, now) {
            None => Line::None,
            Some(count) => Line::OfOthers { more: count - 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::access::CertificateNames;

    fn address(number: usize) -> IpAddr {
        let [.., high, low] = number.to_be_bytes();
        IpAddr::from([10, 0, high, low])
    }

    #[test]
    fn a_line_a_minute_for_each_address_and_reason() {
        let mut lines = Lines::default();
        let begin = Instant::now();
        let mut due = |number, why, second| {
            let now = begin + Duration::from_secs(second);
            lines.due((address(number), why), now)
        };
        assert_eq!(due(1, "a", 0), Line::Of { more: 0 });
        assert_eq!(due(1, "a", 1), Line::None);
        assert_eq!(due(1, "a", 59), Line::None);
        assert_eq!(due(1, "b", 59), Line::Of { more: 0 });
        assert_eq!(due(2, "a", 59), Line::Of { more: 0 });
        assert_eq!(due(1, "a", 60), Line::Of { more: 2 });
        assert_eq!(due(1, "a", 61), Line::None);
    }

    /// However many addresses there are, and for however long.
    #[test]
    fn lines_and_memory_are_limited() {
        let mut lines = Lines::default();
        let begin = Instant::now();
        let mut written = Vec::new();
        for count in 0..100_000 {
            let now = begin + Duration::from_millis(count as u64 * 3);
            if lines.due((address(count % 50_000), "a"), now) != Line::None {
                written.push(now);
            }
            assert!(lines.of.len() <= PAIRS_MAX);
        }
        for (number, at) in written.iter().enumerate() {
            let minute = written[..number].iter().rev();
            let minute =
                minute.take_while(|before| at.duration_since(**before) < Duration::from_secs(60));
            assert!(minute.count() <= PAIRS_MAX);
        }
        // Five minutes, each with one line about the others.
        assert_eq!(written.len(), 5 * (PAIRS_MAX + 1));
    }

    #[test]
    fn what_others_wrote_is_escaped_and_cut() {
        let names = CertificateNames {
            common_name: Some("kube\u{1b}[31m\napiserver".to_owned()),
            dns: vec!["x".repeat(300), "b".to_owned(), "c".to_owned()],
            uris: Vec::new(),
        };
        let mut peer = Peer::unknown();
        let answer = Answer {
            status: StatusCode::UNAUTHORIZED,
            method: &Method::POST,
            path: "/v1/audit/prod",
        };
        assert_eq!(said(&peer, &answer), "401 to POST /v1/audit/prod: ");
        peer.certificate = Some(Arc::new(names));
        let x = "x".repeat(100);
        assert_eq!(
            said(&peer, &answer),
            format!(
                "401 to POST /v1/audit/prod with the certificate \"kube\\u{{1b}}[31m\\napiserver\", \"{x}…\", \"b\": "
            )
        );
    }
}
