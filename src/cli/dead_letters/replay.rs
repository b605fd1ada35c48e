//! `bygone dead-letters replay`: post letters again.
//!
//! A letter counts as accepted whole when the webhook answers 200 and its header `bygone-rejected`,
//! the number of parts of this very delivery that could not be read, is 0. Only then is it removed.
//! Anything else leaves it: another status, a number above 0, no such header. What fails again is
//! the same letter with the same id, so nothing piles up; its readable events are stored again, and facts tolerate
//! that. The folder is not read: it is empty where no letters are kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::cli::ask::{Server, Token};
use crate::cli::{Common, NOTHING, TROUBLE, block_on, running};
use crate::dead_letters::{self, Error, Summary};
use crate::source::webhook::REJECTED;

/// How long the running bygone may take for one letter.
const ANSWER_SECONDS_MAX: u64 = 60;

/// How often a letter is posted while the answer is 503 or 429.
const TRIES_MAX: u32 = 5;

/// The longest wait that an answer may ask for.
const RETRY_SECONDS_MAX: u64 = 3;

/// A letter is removed when all of it could be read this time.
#[derive(Args)]
pub struct Replay {
    /// Which; see "list"
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    ids: Vec<Uuid>,
    /// All that there are
    #[arg(long)]
    all: bool,
    /// File with the bearer token that the webhook wants
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the CA certificates that it is trusted by [default: the machine's own]
    #[arg(long, value_name = "FILE", env = "BYGONE_CA_FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// The webhook's response to a letter.
enum Answer {
    Accepted,
    /// This many parts of it can't be read.
    Rejected(u64),
    /// It was not taken at all, or the answer does not say.
    Unclear(String),
}

/// What became of all of them.
#[derive(Default)]
struct Tally {
    accepted: u64,
    rejected: u64,
    trouble: u64,
}

impl Replay {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        block_on(&config, async {
            let Some(running) = running::find(&config.data_dir) else {
                bail!(
                    "no bygone is running in {}: start one with \"bygone serve\"",
                    config.data_dir.display()
                );
            };
            let mut absent: BTreeSet<Uuid> = self.ids.iter().copied().collect();
            let server = Server {
                token: self.token_file.clone().map_or(Token::None, Token::File),
                ca_file: self.ca_file.clone(),
                ..Server::default()
            };
            let webhook = Webhook::new(&server.at_webhook(running))?;
            let mut tally = Tally::default();
            for letter in dead_letters::list(&dead_letters::folder(&config.data_dir))? {
                if !self.all && absent.is_empty() {
                    break;
                }
                match letter {
                    Ok(letter) if self.all || absent.remove(&letter.id) => {
                        webhook.replay(&letter, &mut tally).await?;
                    }
                    Ok(_) => {}
                    Err(error) => tally.trouble(&error),
                }
            }
            for id in &absent {
                eprintln!("{}", Error::Absent(*id));
            }
            Ok(tally.end(absent.is_empty()))
        })
    }
}

impl Tally {
    fn trouble(&mut self, what: &dyn std::fmt::Display) {
        eprintln!("bygone: {what}");
        self.trouble += 1;
    }

    /// 0 when everything was accepted, 1 when something could not be read or was not there.
    fn end(&self, all_found: bool) -> ExitCode {
        let Tally {
            accepted,
            rejected,
            trouble,
        } = self;
        eprintln!("{accepted} accepted and removed, {rejected} still unreadable, {trouble} failed");
        if *trouble > 0 {
            ExitCode::from(TROUBLE)
        } else if *accepted == 0 || *rejected > 0 || !all_found {
            ExitCode::from(NOTHING)
        } else {
            ExitCode::SUCCESS
        }
    }
}

struct Webhook {
    client: reqwest::Client,
    base: String,
    token: Option<SecretString>,
}

impl Webhook {
    fn new(server: &Server) -> anyhow::Result<Webhook> {
        // The bytes may hold secrets: they go to the bygone that is named, not by way of others.
        let client = server
            .client()?
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .build()?;
        Ok(Webhook {
            client,
            base: server.base.clone(),
            token: server.token()?,
        })
    }

    /// Fails where it makes no sense to go on.
    async fn replay(&self, letter: &Summary, tally: &mut Tally) -> anyhow::Result<()> {
        let raw = match letter.raw() {
            Ok(raw) => raw,
            // Somebody else removed it just now.
            Err(Error::Absent(_)) => return Ok(()),
            Err(error) => {
                tally.trouble(&error);
                return Ok(());
            }
        };
        match self.post(&letter.cluster, raw.into()).await? {
            Answer::Accepted => match letter.remove() {
                Ok(()) => {
                    println!("{} accepted", letter.id);
                    tally.accepted += 1;
                }
                Err(error) => tally.trouble(&error),
            },
            Answer::Rejected(parts) => {
                println!("{} still unreadable, {parts} rejected", letter.id);
                tally.rejected += 1;
            }
            Answer::Unclear(why) => tally.trouble(&format!("letter {} is kept: {why}", letter.id)),
        }
        Ok(())
    }

    async fn post(&self, cluster: &str, raw: bytes::Bytes) -> anyhow::Result<Answer> {
        let mut url: reqwest::Url = self
            .base
            .parse()
            .context("running.json has no webhook address")?;
        url.path_segments_mut()
            .map_err(|()| anyhow!("running.json has no webhook address"))?
            .extend(["v1", "audit", cluster]);
        let mut tries = 1;
        loop {
            let mut request = self.client.post(url.clone()).body(raw.clone());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token.expose_secret());
            }
            let response = request.send().await.map_err(|error| {
                let cause = anyhow!(error.without_url());
                let cause = cause.root_cause();
                anyhow!(
                    "no bygone is reachable at {}: {cause}: is it still running?",
                    self.base
                )
            })?;
            let busy = matches!(
                response.status(),
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
            );
            if busy && tries < TRIES_MAX {
                tries += 1;
                tokio::time::sleep(asked_wait(&response)).await;
            } else if busy {
                bail!("{} is too busy: try again later", self.base);
            } else {
                return Ok(answer(&response));
            }
        }
    }
}

fn asked_wait(response: &reqwest::Response) -> Duration {
    let asked = response.headers().get(RETRY_AFTER);
    let seconds = asked.and_then(|text| text.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).min(RETRY_SECONDS_MAX))
}

fn answer(response: &reqwest::Response) -> Answer {
    let status = response.status();
    if status != StatusCode::OK {
        return Answer::Unclear(format!("the webhook answered {status}"));
    }
    let rejected = response.headers().get(REJECTED);
    match rejected.and_then(|text| text.to_str().ok()?.parse().ok()) {
        Some(0) => Answer::Accepted,
        Some(parts) => Answer::Rejected(parts),
        None => Answer::Unclear("the webhook did not report whether it could be read".to_owned()),
    }
}
