//! What can go wrong between us and a member of an etcd: one line each, with what to do.

use std::error::Error;
use std::io;

use hyper::Uri;
use tonic::{Code, Status};

use super::super::objects::failure::{
    Failure, Next, Peer, chain, cut, of_io, of_tls, speaks_no_tls,
};
use super::address::{self, Address};
use super::messages::{MESSAGE_BYTES_MAX, WatchResponse};
use crate::tls::{Shown, Trust};

/// How tonic refuses a message that is too large.
const TOO_LARGE: &str = "decoded message length too large";

/// How hyper and h2 say that a connection that had come about was ended, or did not speak HTTP/2: which of these is a
/// matter of timing.
const ENDED: [&str; 4] = [
    "client error (SendRequest)",
    "connection was not ready",
    "connection closed",
    "frame with invalid size",
];

/// What a message names.
#[derive(Clone, Debug)]
pub struct Place {
    /// `https://host:port`.
    pub url: String,
    host: String,
    trust: Trust,
    ca_from: String,
    /// What to do when it rejects our certificate.
    credentials: &'static str,
    user: Option<String>,
    shown: Shown,
}

impl Place {
    pub fn of(address: &Address, member: &Uri) -> Place {
        let ca_from = match &address.trust {
            Trust::Certificates { from, .. } => format!("ca_file {from}"),
            _ => String::new(),
        };
        let host = member.host().unwrap_or_default();
        Place {
            url: address::url(member),
            host: address.server_name.as_deref().unwrap_or(host).to_owned(),
            trust: address.trust.clone(),
            ca_from,
            credentials: match address.has_certificate {
                true => "renew certificate_file, signed by etcd's --trusted-ca-file",
                false => "set certificate_file and key_file, signed by etcd's --trusted-ca-file",
            },
            user: address.user.as_ref().map(|(name, _)| name.clone()),
            shown: address.shown.clone(),
        }
    }

    /// An answer that is not that of an etcd.
    pub fn odd(&self, what: &str) -> Failure {
        Failure::new(
            Next::Reconnect,
            format!("{} {what}: is it the client port of an etcd?", self.url),
        )
    }

    /// Others may answer.
    pub fn broke_off(&self) -> Failure {
        let line = format!("{} broke off its answer", self.url);
        Failure::new(Next::Reconnect, line)
    }

    fn peer(&self) -> Peer<'_> {
        Peer {
            url: &self.url,
            host: &self.host,
            trust: &self.trust,
            ca_from: &self.ca_from,
            pin: None,
            renew: "renew it there, like \"kubeadm certs renew etcd-server\" does",
            credentials: self.credentials,
        }
    }

    /// Why a watch was ended by the member.
    pub fn canceled(&self, response: &WatchResponse) -> Failure {
        if response.compact_revision > 0 {
            return compacted();
        }
        // `rpc error: code = PermissionDenied desc = etcdserver: permission denied`
        let reason = &response.cancel_reason;
        let message = reason.rsplit_once("desc = ").map_or(&**reason, |it| it.1);
        self.of_message(message).unwrap_or_else(|| {
            let reason = cut(message);
            Failure::new(
                Next::Reconnect,
                format!("{} ended the watch: {reason}", self.url),
            )
        })
    }

    /// By what etcd says (`api/v3rpc/rpctypes/error.go`): its codes are the same for different things.
    fn of_message(&self, message: &str) -> Option<Failure> {
        let url = &self.url;
        let user = self.user.as_deref().unwrap_or("this client");
        let (next, line) = match message.strip_prefix("etcdserver: ")? {
            "permission denied" => (Next::Forbidden, format!("{user} may not read this")),
            "authentication failed, invalid user ID or password" => (
                Next::Reconnect,
                format!(
                    "{url} rejects the user {user} or the password: check user and password_file"
                ),
            ),
            "user name is empty" => (
                Next::Reconnect,
                format!("{url} requires a user: set user and password_file"),
            ),
            "authentication is not enabled" => (
                Next::Reconnect,
                format!("{url} has no authentication: remove user and password_file"),
            ),
            "invalid auth token" | "revision of auth store is old" => return Some(outdated(url)),
            "no leader" | "leader changed" => (Next::Reconnect, no_leader(url)),
            "too many requests" => (
                Next::Retry,
                format!("{url} has too many requests: see what else reads it"),
            ),
            "mvcc: required revision has been compacted" => return Some(compacted()),
            "mvcc: required revision is a future revision" => {
                (Next::List, "the revision went back".to_owned())
            }
            "rpc not supported for learner" => (Next::Reconnect, learner(url)),
            other => (Next::Reconnect, format!("{url} failed: {}", cut(other))),
        };
        Some(Failure::new(next, line))
    }
}

/// The revision is no longer there.
fn compacted() -> Failure {
    Failure::new(Next::List, "the revision is compacted")
}

/// The token is.
fn outdated(url: &str) -> Failure {
    Failure::new(
        Next::Reconnect,
        format!("{url} no longer accepts the token: authenticating again"),
    )
}

pub fn learner(url: &str) -> String {
    format!("{url} is a learner, which serves no reads: name the other members")
}

pub fn no_leader(url: &str) -> String {
    format!("{url} has no leader: most members are away, see \"etcdctl endpoint status --cluster\"")
}

/// A call that failed; `has_answered`: whether the member has answered one before.
pub fn of(place: &Place, status: &Status, has_answered: bool) -> Failure {
    if let Some(failure) = place.of_message(status.message()) {
        return failure;
    }
    if status.message().contains(TOO_LARGE) {
        return Failure::too_large(MESSAGE_BYTES_MAX);
    }
    let Some(source) = status.source() else {
        return of_code(place, status);
    };
    let chain = chain(source);
    let tls = chain
        .iter()
        .find_map(|it| it.downcast_ref::<rustls::Error>());
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    let says = |text: &str| texts.iter().any(|it| it.contains(text));
    let url = &place.url;
    let has_ended = ENDED.iter().any(|text| says(text));
    let line = if has_ended && has_answered {
        return place.broke_off();
    } else if says("tls handshake eof") {
        speaks_no_tls(url)
    } else if has_ended && url.starts_with("https:") {
        // With TLS 1.3 a client's certificate is judged when the client takes itself to be connected.
        format!(
            "{url} ended the connection: it does not accept this client's certificate, or is not the client port of an \
             etcd: {}",
            place.credentials
        )
    } else if has_ended {
        format!(
            "{url} ended the connection: it needs https://, or is not the client port of an etcd"
        )
    } else if let Some(error) = tls {
        of_tls(place.peer(), error, place.shown.rejected())
    } else {
        let cause = match chain.iter().find_map(|it| it.downcast_ref::<io::Error>()) {
            Some(error) => of_io(error),
            None => texts.last().map(|text| cut(text)).unwrap_or_default(),
        };
        format!("{url} cannot be reached: {cause}: check the address, firewalls, and the member")
    };
    Failure::new(Next::Reconnect, line)
}

fn of_code(place: &Place, status: &Status) -> Failure {
    let url = &place.url;
    match status.code() {
        Code::Unauthenticated => outdated(url),
        Code::Unimplemented => place.odd("does not know this call"),
        Code::Unavailable => place.broke_off(),
        _ => place.odd(&format!("failed ({})", cut(status.message()))),
    }
}
