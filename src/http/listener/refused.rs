//! Who was refused: all of it in a counter, the first of each kind in the log.
//!
//! In: each refusal with the address that it went to. Out: `bygone_listener_refused_total`, and a line a minute for each
//! address and reason.
//!
//! Anybody who reaches a port can be refused, as often as they like and from as many addresses as they have. So there are
//! [`PAIRS_MAX`] of these lines a minute, one that says that there are more, and nothing is kept beyond that.
//!
//! Never here: tokens, bodies, what follows a `?`. What a request or a certificate says is escaped and cut.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use tokio::time::Instant;
use tracing::warn;

use super::why::Why;
use crate::access::Peer;
use crate::telemetry;

/// Pairs of an address and a reason that are told in a minute.
const PAIRS_MAX: usize = 32;

const LINE_EVERY: Duration = Duration::from_secs(60);

/// Characters of a path or of a certificate's name that are told.
const TEXT_CHARS_MAX: usize = 100;

/// Names of a certificate that are told.
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

    /// Counts a connection that came to nothing, and tells the log when that is due.
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
            Line::Of { untold } => {
                let (what, text, more) = (what(), why.text, More(untold));
                warn!(listener = role, peer = %ip, why = why.label, "{role} refused {ip}: {what}{text}{more}");
            }
            Line::OfOthers { untold } => {
                let more = More(untold);
                warn!(
                    listener = role,
                    "{role} refuses more than {PAIRS_MAX} kinds of requests and addresses a minute: the others are counted by \
                     {} alone{more}",
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
            untold => write!(f, " ({untold} more since the last such line)"),
        }
    }
}

/// Which lines were written lately.
#[derive(Default)]
struct Lines {
    of: HashMap<(IpAddr, &'static str), Written>,
    of_others: Option<Written>,
}

struct Written {
    at: Instant,
    /// What happened since without a line.
    untold: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    None,
    Of { untold: u64 },
    OfOthers { untold: u64 },
}

impl Lines {
    fn due(&mut self, key: (IpAddr, &'static str), now: Instant) -> Line {
        if !self.of.contains_key(&key) && self.of.len() >= PAIRS_MAX {
            self.of.retain(|_, written| !written.is_old(now));
        }
        if let Some(written) = self.of.get_mut(&key) {
            return match written.again(now) {
                None => Line::None,
                Some(untold) => Line::Of { untold },
            };
        }
        let written = Written { at: now, untold: 0 };
        if self.of.len() < PAIRS_MAX {
            self.of.insert(key, written);
            return Line::Of { untold: 0 };
        }
        let Some(others) = &mut self.of_others else {
            self.of_others = Some(written);
            return Line::OfOthers { untold: 0 };
        };
        match others.again(now) {
            None => Line::None,
            Some(untold) => Line::OfOthers { untold },
        }
    }
}

impl Written {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= LINE_EVERY
    }

    /// Where a line is due: how often it happened without one.
    fn again(&mut self, now: Instant) -> Option<u64> {
        if !self.is_old(now) {
            self.untold += 1;
            return None;
        }
        self.at = now;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        assert_eq!(due(1, "a", 0), Line::Of { untold: 0 });
        assert_eq!(due(1, "a", 1), Line::None);
        assert_eq!(due(1, "a", 59), Line::None);
        assert_eq!(due(1, "b", 59), Line::Of { untold: 0 });
        assert_eq!(due(2, "a", 59), Line::Of { untold: 0 });
        assert_eq!(due(1, "a", 60), Line::Of { untold: 2 });
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
            let minute = minute.take_while(|before| at.duration_since(**before) < LINE_EVERY);
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
