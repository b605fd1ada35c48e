//! Who may query what.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::names::Names;
use super::tokens::{Own, Tokens};
use super::{Denied, Error, browser};
use crate::reload::Reloaded;

/// A reader. Nothing has a default: each field must be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiCredential {
    /// A file with bearer tokens, one a line. Read again when it changes.
    pub token_file: PathBuf,
    /// Clusters that may be asked about; `["*"]` for all.
    pub clusters: Vec<String>,
    /// Namespaces in these clusters; `["*"]` for all.
    pub namespaces: Vec<String>,
    /// Whether the lines of their containers may be read as well.
    #[serde(default)]
    pub logs: bool,
}

/// The readers.
pub struct Api {
    tokens: Option<Arc<Reloaded<Tokens>>>,
    /// What each token file is good for.
    readers: Vec<Reader>,
    own: Option<Own>,
}

/// An authenticated reader, with its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// See [`Reader::credential`].
    credential: Option<usize>,
    clusters: Names,
    namespaces: Names,
    reads_logs: bool,
}

/// What a question must be restricted to. `None`: nothing; otherwise to these names and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub clusters: Option<Vec<String>>,
    pub namespaces: Option<Vec<String>>,
}

impl Reader {
    /// A reader with access to everything.
    pub fn of_everything() -> Reader {
        Reader {
            credential: None,
            clusters: Names::All,
            namespaces: Names::All,
            reads_logs: true,
        }
    }

    /// A reader with access to nothing.
    #[cfg(test)]
    pub fn of_nothing() -> Reader {
        Reader {
            credential: Some(0),
            clusters: Names::Only(Default::default()),
            namespaces: Names::Only(Default::default()),
            reads_logs: false,
        }
    }

    /// The index of the credential in the configuration; `None` without authentication.
    pub fn credential(&self) -> Option<usize> {
        self.credential
    }

    /// Whether this reader may see what containers wrote, within the same scope.
    pub fn reads_logs(&self) -> bool {
        self.reads_logs
    }

    /// Whether nothing is kept from this reader.
    pub fn sees_everything(&self) -> bool {
        matches!((&self.clusters, &self.namespaces), (Names::All, Names::All))
    }

    /// The restriction for a query about these clusters and namespaces; an empty list is
    /// all that this reader may see. It must be applied to every question, lookups by uid, address
    /// or container ID included.
    ///
    /// # Errors
    ///
    /// [`Denied::Forbidden`] where one is named that is not for this reader, whether it exists or
    /// not: leaving it out in silence would make the answer look complete.
    pub fn narrow(&self, clusters: &[String], namespaces: &[String]) -> Result<Scope, Denied> {
        let scope = Scope {
            clusters: self.clusters.restrict(clusters).ok_or(Denied::Forbidden)?,
            namespaces: self
                .namespaces
                .restrict(namespaces)
                .ok_or(Denied::Forbidden)?,
        };
        Ok(scope)
    }
}

impl Api {
    /// Reads the credentials.
    ///
    /// # Errors
    ///
    /// When a credential is incomplete, or a token file can't be used.
    pub fn load(credentials: &[ApiCredential]) -> Result<Api, Error> {
        let mut files = Vec::new();
        let mut readers = Vec::new();
        for (index, credential) in credentials.iter().enumerate() {
            let slip = |cause| Error::Credential {
                list: "api",
                number: index + 1,
                cause,
            };
            let clusters = Names::parse(&credential.clusters)
                .ok_or_else(|| slip("clusters must be exact names, or [\"*\"] for all"))?;
            let namespaces = Names::parse(&credential.namespaces)
                .ok_or_else(|| slip("namespaces must be exact names, or [\"*\"] for all"))?;
            files.push(credential.token_file.clone());
            readers.push(Reader {
                credential: Some(index),
                clusters,
                namespaces,
                reads_logs: credential.logs,
            });
        }
        let tokens = match files.is_empty() {
            true => None,
            false => Some(Arc::new(Tokens::load("api tokens", files)?)),
        };
        Ok(Api {
            tokens,
            readers,
            own: None,
        })
    }

    /// The same, with a token of this process that may query everything.
    #[must_use]
    pub fn with_own_token(self, token: &SecretString) -> Api {
        Api {
            own: Some(Own::of(token)),
            ..self
        }
    }

    /// Whether authentication is required.
    pub fn has_identity(&self) -> bool {
        self.tokens.is_some()
    }

    /// The reader with this header.
    ///
    /// # Errors
    ///
    /// [`Denied::Unknown`] if no reader has this credential.
    pub fn who(&self, authorization: Option<&HeaderValue>) -> Result<Reader, Denied> {
        let Some(tokens) = &self.tokens else {
            return Ok(Reader::of_everything());
        };
        if self.own.as_ref().is_some_and(|own| own.is(authorization)) {
            return Ok(Reader::of_everything());
        }
        let file = tokens.now().find(authorization).ok_or(Denied::Unknown)?;
        self.readers.get(file).cloned().ok_or(Denied::Unknown)
    }

    /// The routes after the check [`Api::who`]; handlers find the [`Reader`] in the request's extensions.
    pub fn guard(self: Arc<Self>, routes: Router) -> Router {
        routes.route_layer(middleware::from_fn_with_state(self, ask))
    }

    /// All routes of the listener, those for everybody included.
    pub fn keep_pages_out(&self, routes: Router) -> Router {
        match self.has_identity() {
            true => routes,
            false => browser::guard(routes),
        }
    }

    /// Reads the token files again every so often, until `stop`.
    pub async fn keep(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        if let Some(tokens) = &self.tokens {
            Arc::clone(tokens).keep(every, stop).await;
        }
    }
}

async fn ask(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    match api.who(request.headers().get(header::AUTHORIZATION)) {
        Ok(reader) => {
            request.extensions_mut().insert(reader);
            next.run(request).await
        }
        Err(denied) => denied.into_response(),
    }
}
