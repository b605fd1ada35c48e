//! Access: who may send events, and who may query what.
//!
//! In: what a connection and a request tell about the client: a [`Peer`] and an `Authorization` header. Out: the
//! clusters and namespaces that it may access; or [`Denied`].
//!
//! - [`Ingest`]: client certificates or bearer tokens; each may write some clusters.
//! - [`Api`]: bearer tokens; each may read some clusters and namespaces.
//! - [`check_exposure`]: whether an address may be listened on with what is configured.
//!
//! Where no authentication is required, requests from web pages are rejected (`browser`).
//!
//! A list of names holds exact names, or the one name `*`, which matches all. Where no credential is configured
//! everyone may do everything; `check_exposure` allows that on loopback only.
//!
//! What can go wrong: [`Denied::Unknown`] (401) for a client without a known credential, [`Denied::Forbidden`] (403)
//! for a known client without the permission. Neither tells which part was wrong.
//!
//! Never here: a token in `Debug`, a log or an error. Tokens are kept as SHA-256 digests only and
//! compared in constant time.

mod api;
mod browser;
mod exposure;
mod ingest;
mod names;
mod peer;
mod tokens;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

pub use api::{Api, ApiCredential, Reader, Scope};
pub use browser::is_loopback;
pub use exposure::{Exposed, Exposure, check_exposure};
pub use ingest::{Ingest, IngestCredential};
pub use peer::{CertificateNames, Peer};

/// Permissions. Without a credential for a listener everyone has access, on loopback.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Listen beyond loopback without TLS and authentication. For trusted networks only.
    pub insecure: bool,
    /// Who may send audit events.
    pub ingest: Vec<IngestCredential>,
    /// Who may query.
    pub api: Vec<ApiCredential>,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("authentication required: send a bearer token or a known client certificate")]
    Unknown,
    #[error("these credentials do not allow this: request what they cover, or use others")]
    Forbidden,
}

impl Denied {
    pub fn status(self) -> StatusCode {
        match self {
            Denied::Unknown => StatusCode::UNAUTHORIZED,
            Denied::Forbidden => StatusCode::FORBIDDEN,
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let body = format!("{self}\n");
        match self {
            Denied::Unknown => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
                (self.status(), challenge, body).into_response()
            }
            Denied::Forbidden => (self.status(), body).into_response(),
        }
    }
}

/// Why the configured credentials can't be used: one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{list} credential {number}: {cause}")]
    Credential {
        list: &'static str,
        /// Counted from 1, in the order of the configuration.
        number: usize,
        cause: &'static str,
    },
    #[error(transparent)]
    Tokens(#[from] crate::reload::Error),
}

#[cfg(test)]
mod tests;
