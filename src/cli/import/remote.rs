//! The way of files to a bygone that runs elsewhere, or in another process.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::future::BoxFuture;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::cli::ask::Server;
use crate::positions::Position;
use crate::source::file::{Content, NotDone, Part, Taken, Way};
use crate::source::webhook::files::{Commit, Find, Origin};
use crate::throttle::Episode;

/// How long an answer may take: a commit waits for ClickHouse.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// An answer names positions, or the pods of one part.
const ANSWER_BYTES_MAX: usize = 8 << 20;

const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// A webhook.
pub struct Remote {
    client: reqwest::Client,
    base: String,
    token: Option<SecretString>,
    away: Episode,
}

impl Remote {
    pub fn new(server: &Server) -> anyhow::Result<Remote> {
        // The bytes may hold secrets: they go to the bygone that is named, not by way of others.
        let client = server
            .client()?
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WAIT)
            .timeout(ANSWER_WAIT)
            .build()?;
        let remote = Remote {
            client,
            base: server.base.clone(),
            token: server.token()?,
            away: Episode::default(),
        };
        remote.url("", "").context("the webhook's address")?;
        Ok(remote)
    }

    /// Whether a bygone is there at all.
    pub async fn check(&self) -> anyhow::Result<()> {
        match self.client.get(&self.base).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let cause = anyhow!(error.without_url());
                bail!(
                    "no bygone is reachable at {}: {}",
                    self.base,
                    cause.root_cause()
                )
            }
        }
    }

    fn url(&self, cluster: &str, what: &str) -> anyhow::Result<reqwest::Url> {
        let mut url: reqwest::Url = self
            .base
            .parse()
            .context("use one like https://bygone:7070")?;
        url.path_segments_mut()
            .map_err(|()| anyhow!("use one like https://bygone:7070"))?
            .extend(["v1", "files", cluster, what]);
        Ok(url)
    }

    async fn post(
        &self,
        cluster: &str,
        what: &str,
        fill: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Result<Response, NotDone> {
        let url = self.url(cluster, what);
        let url = url.map_err(|error| NotDone::Refused(error.to_string()))?;
        let mut request = fill(self.client.post(url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        match request.send().await {
            Ok(response) => {
                if self.away.ends() {
                    info!("bygone at {} answers again", self.base);
                }
                self.checked(response).await
            }
            Err(error) => {
                let cause = anyhow!(error.without_url());
                let cause = cause.root_cause();
                if self.away.begins() {
                    warn!(
                        "bygone at {} does not answer: {cause}: trying again",
                        self.base
                    );
                }
                Err(NotDone::Later(cause.to_string()))
            }
        }
    }

    async fn checked(&self, response: Response) -> Result<Response, NotDone> {
        let base = &self.base;
        let refused = |text: String| Err(NotDone::Refused(text));
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT => {
                Err(NotDone::Later(format!("bygone at {base} is busy")))
            }
            StatusCode::CONFLICT => Err(NotDone::Lost),
            StatusCode::UNAUTHORIZED => refused(format!(
                "cannot be imported: {base} requires authentication: pass --token-file"
            )),
            StatusCode::FORBIDDEN => refused(format!(
                "cannot be imported: the token may not write to this cluster at {base}"
            )),
            StatusCode::NOT_FOUND => refused(format!(
                "cannot be imported: {base} takes no files: it is no webhook of a bygone, or an older one"
            )),
            status => refused(format!("cannot be imported: {base} answered {status}")),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        cluster: &str,
        what: &str,
        question: &(impl Serialize + Sync),
    ) -> Result<T, NotDone> {
        let response = self
            .post(cluster, what, |request| request.json(question))
            .await?;
        read(response).await
    }

    async fn taken(&self, part: &Part) -> Result<Taken, NotDone> {
        let mut origin = Origin {
            origin: part.origin.clone(),
            ..Origin::default()
        };
        let body = match &part.content {
            Content::Text { from, body } => {
                origin.from = *from;
                body.clone()
            }
            Content::TooLong { at, sha256 } => {
                origin.from = at.start as i64;
                origin.too_long = Some(at.end - at.start);
                origin.sha256 = Some(hex::encode(sha256));
                bytes::Bytes::new()
            }
        };
        let fill = |request: reqwest::RequestBuilder| request.query(&origin).body(body);
        read(self.post(&part.cluster, "part", fill).await?).await
    }
}

async fn read<T: DeserializeOwned>(mut response: Response) -> Result<T, NotDone> {
    let later = |error: String| NotDone::Later(error);
    let mut answer = Vec::new();
    let broken = |error: reqwest::Error| later(error.without_url().to_string());
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
            let text = format!("the answer is over {ANSWER_BYTES_MAX} bytes");
            return Err(NotDone::Refused(text));
        }
        answer.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&answer).map_err(|error| later(error.to_string()))
}

impl Way for Remote {
    fn take<'a>(&'a self, part: &'a Part) -> BoxFuture<'a, Result<Taken, NotDone>> {
        Box::pin(self.taken(part))
    }

    fn find<'a>(
        &'a self,
        cluster: &'a str,
        fingerprints: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<Position>, NotDone>> {
        Box::pin(async move {
            let question = Find { fingerprints };
            self.ask(cluster, "positions", &question).await
        })
    }

    fn commit<'a>(
        &'a self,
        cluster: &'a str,
        spooled: Option<(u64, u64)>,
        positions: Vec<Position>,
    ) -> BoxFuture<'a, Result<(), NotDone>> {
        Box::pin(async move {
            let commit = Commit { spooled, positions };
            let fill = |request: reqwest::RequestBuilder| request.json(&commit);
            self.post(cluster, "commit", fill).await.map(|_| ())
        })
    }
}
