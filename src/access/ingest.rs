//! Who may send audit events, and for which clusters.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::names::Names;
use super::tokens::{Own, Tokens};
use super::{Denied, Error, Peer, browser};
use crate::reload::Reloaded;

/// A sender. Either `token_file` or `certificate_names` identifies it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestCredential {
    /// Clusters that may be written; `["*"]` for all.
    pub clusters: Vec<String>,
    /// A file with bearer tokens, one a line. Read again when it changes.
    pub token_file: Option<PathBuf>,
    /// Names in a client certificate (common name, DNS or URI) that `client_ca_file` vouches for;
    /// `["*"]` for every certificate.
    pub certificate_names: Vec<String>,
}

/// The senders.
pub struct Ingest {
    tokens: Option<Arc<Reloaded<Tokens>>>,
    /// The clusters of each token file.
    token_clusters: Vec<Names>,
    certificates: Vec<(CertificateRule, Names)>,
    own: Option<Own>,
}

enum CertificateRule {
    Any,
    Named(BTreeSet<String>),
}

impl Ingest {
    /// Reads the credentials. `client_ca` tells whether the listener requests certificates.
    ///
    /// # Errors
    ///
    /// When a credential is incomplete or contradictory, or a token file can't be used.
    pub fn load(credentials: &[IngestCredential], client_ca: bool) -> Result<Ingest, Error> {
        let mut files = Vec::new();
        let mut token_clusters = Vec::new();
        let mut certificates = Vec::new();
        for (index, credential) in credentials.iter().enumerate() {
            let slip = |cause| Error::Credential {
                list: "ingest",
                number: index + 1,
                cause,
            };
            let clusters = Names::parse(&credential.clusters)
                .ok_or_else(|| slip("clusters must be exact names, or [\"*\"] for all"))?;
            let named = !credential.certificate_names.is_empty();
            match (&credential.token_file, named) {
                (Some(file), false) => {
                    files.push(file.clone());
                    token_clusters.push(clusters);
                }
                (None, true) if !client_ca => {
                    return Err(slip(
                        "certificate_names needs client_ca_file on the listener",
                    ));
                }
                (None, true) => {
                    let rule = match Names::parse(&credential.certificate_names) {
                        Some(Names::All) => CertificateRule::Any,
                        // A wildcard certificate's name has a star, and only matches itself.
                        _ => CertificateRule::Named(
                            credential.certificate_names.iter().cloned().collect(),
                        ),
                    };
                    certificates.push((rule, clusters));
                }
                _ => return Err(slip("set either token_file or certificate_names")),
            }
        }
        let tokens = match files.is_empty() {
            true => None,
            false => Some(Arc::new(Tokens::load("ingest tokens", files)?)),
        };
        Ok(Ingest {
            tokens,
            token_clusters,
            certificates,
            own: None,
        })
    }

    /// The same, with a token of this process that may write every cluster.
    #[must_use]
    pub fn with_own_token(self, token: &SecretString) -> Ingest {
        Ingest {
            own: Some(Own::of(token)),
            ..self
        }
    }

    /// Whether authentication is required.
    pub fn has_identity(&self) -> bool {
        self.tokens.is_some() || !self.certificates.is_empty()
    }

    /// Whether this peer, with this header, may write this cluster.
    ///
    /// # Errors
    ///
    /// See [`Denied`].
    pub fn may_write(
        &self,
        peer: &Peer,
        authorization: Option<&HeaderValue>,
        cluster: &str,
    ) -> Result<(), Denied> {
        let is_own = |own: &Own| own.is(authorization);
        if !self.has_identity() || self.own.as_ref().is_some_and(is_own) {
            return Ok(());
        }
        let tokens = self.tokens.as_ref().map(|tokens| tokens.now());
        let by_token = tokens.and_then(|tokens| tokens.find(authorization));
        let by_token = by_token.and_then(|file| self.token_clusters.get(file));
        let by_certificate = self
            .certificates
            .iter()
            .filter(|(rule, _)| rule.fits(peer))
            .map(|(_, clusters)| clusters);
        let mut known = false;
        for clusters in by_token.into_iter().chain(by_certificate) {
            if clusters.have(cluster) {
                return Ok(());
            }
            known = true;
        }
        Err(if known {
            Denied::Forbidden
        } else {
            Denied::Unknown
        })
    }

    /// The routes, each of which must have `{cluster}` in its path, behind the question
    /// [`Ingest::may_write`]. It is asked before the body is read.
    pub fn guard(self: Arc<Self>, routes: Router) -> Router {
        let is_open = !self.has_identity();
        let routes = routes.route_layer(middleware::from_fn_with_state(self, ask));
        match is_open {
            true => browser::guard(routes),
            false => routes,
        }
    }

    /// Reads the token files again every so often, until `stop`.
    pub async fn keep(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        if let Some(tokens) = &self.tokens {
            Arc::clone(tokens).keep(every, stop).await;
        }
    }
}

impl CertificateRule {
    fn fits(&self, peer: &Peer) -> bool {
        match (self, &peer.certificate) {
            (_, None) => false,
            (CertificateRule::Any, Some(_)) => true,
            (CertificateRule::Named(wanted), Some(names)) => {
                names.iter().any(|name| wanted.contains(name))
            }
        }
    }
}

async fn ask(
    State(ingest): State<Arc<Ingest>>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let cluster = params.iter().find(|(name, _)| *name == "cluster");
    let anonymous = Peer::unknown();
    let peer = request.extensions().get::<Peer>().unwrap_or(&anonymous);
    let authorization = request.headers().get(header::AUTHORIZATION);
    let cluster = cluster.map_or("", |(_, cluster)| cluster);
    match ingest.may_write(peer, authorization, cluster) {
        Ok(()) => next.run(request).await,
        Err(denied) => denied.into_response(),
    }
}
