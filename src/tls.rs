//! TLS: rustls for our listeners and for our clients.
//!
//! In: PEM files. Out: a [`Server`] that hands out acceptors, a [`Client`] that hands out
//! configurations. Both read their files again when these change; connections that are open stay
//! as they are. TLS 1.2 and 1.3, ALPN for HTTP/2 and HTTP/1.1.
//!
//! A CA file vouches for what its certificates signed, and for each of them as a server's own (`ca_file`).
//!
//! What can go wrong: files that are missing or no PEM, a key that is not the certificate's. One
//! line names the file. After the start that leaves the old files' content in use: [`crate::reload`].
//!
//! The cryptography is aws-lc-rs, for all of bygone: it is what rustls itself defaults to and is
//! looked after by a paid team; it builds with a C compiler alone (no cmake) and agrees on keys that
//! a later quantum computer does not break (X25519MLKEM768).
//!
//! Absent on purpose: revocation lists (certificates in a cluster are short-lived; take the name
//! off `certificate_names` instead), and a switch that turns the verification off for our listeners, ClickHouse, log
//! stores or Kafka. API servers are the exception (`trust`): people watch clusters whose certificates they can't fix.

mod ca_file;
mod client;
mod pem;
mod pinned;
mod server;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::{Client, ClientFiles};
pub use server::{Server, ServerFiles};
pub use trust::{Shown, Trust};

/// Why TLS could not be set up: one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    File(#[from] crate::reload::Error),
    #[error("a certificate and its key belong together: {present} is set, {absent} is not")]
    Half {
        present: &'static str,
        absent: &'static str,
    },
    #[error("{0} needs a certificate and a key: set them too")]
    Without(&'static str),
    #[error("the system's CA certificates: {0}: set a ca_file")]
    Roots(String),
}

/// The one provider of cryptography. Named wherever rustls wants one, so that no other crate's
/// choice of a process-wide default can change ours.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Checks that both are set or none; the keys are named for the message.
fn both<'a>(
    certificate: (&'static str, &'a Option<PathBuf>),
    key: (&'static str, &'a Option<PathBuf>),
) -> Result<Option<(&'a PathBuf, &'a PathBuf)>, Error> {
    match (certificate.1, key.1) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::Half {
            present: certificate.0,
            absent: key.0,
        }),
        (None, Some(_)) => Err(Error::Half {
            present: key.0,
            absent: certificate.0,
        }),
    }
}
