//! Where a question goes: to a ClickHouse, or to a running bygone.

mod no_answer;

use std::env::VarError;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::{Bytes, BytesMut};
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use reqwest::header::ACCEPT;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::{self, InUse};
use super::running::{self, RunningServer};
use super::{Common, plugin};
use crate::access::is_loopback;
use crate::clickhouse::Store;
use crate::config::Config;
use crate::http::NDJSON;
use crate::logs::Links;
use crate::query::{self, Ending, Group, Life, Page, Params, Question, Summary, Visible};
use crate::schema;
use crate::tls::{self, ClientFiles};

/// How long a running bygone may take to send the next part of an answer.
const SILENCE_SECONDS_MAX: u64 = 120;

/// The longest row of an answer: a line of 4 MiB of a log, each byte of which is an escape.
const ROW_BYTES_MAX: usize = 32 << 20;

/// Who answers a question: ClickHouse itself, or a running bygone.
pub enum Backend {
    /// With the links that rows get.
    Store(Arc<Store>, Arc<Links>),
    Server(Server),
}

/// The flags that name a running bygone.
#[derive(Args)]
#[command(next_help_heading = "Server")]
pub struct ServerFlags {
    /// URL of a running bygone, like http://127.0.0.1:7071
    #[arg(long, value_name = "URL", env = "BYGONE_SERVER")]
    server: Option<String>,
    /// File with the bearer token for the server; the variable BYGONE_TOKEN may hold the token itself
    #[arg(long, value_name = "FILE", env = TOKEN_FILE)]
    token_file: Option<PathBuf>,
    /// File with the certificates that the server is trusted by, of CAs or its own [default: the machine's CAs]
    #[arg(long, value_name = "FILE", env = "BYGONE_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Context to use, or one of the kubeconfig that selects it; see "bygone context --help"
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(plugin::candidates(context::names)))]
    context: Option<String>,
    /// Kubeconfig whose current context selects ours [default: as kubectl]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// The variables that name a file with the token, or hold it.
const TOKEN_FILE: &str = "BYGONE_TOKEN_FILE";
const TOKEN: &str = "BYGONE_TOKEN";

impl ServerFlags {
    /// Chooses the context.
    pub fn in_use(&self, common: &Common, config: &Config) -> anyhow::Result<InUse> {
        let is_folder = || common.data_dir.is_some() || config.is_elsewhere();
        context::choose(&context::Asked {
            context: self.context.as_deref(),
            kubeconfig: self.kubeconfig.as_deref(),
            is_elsewhere: self.named().is_some() || config.clickhouse.url.is_some() || is_folder(),
        })
    }

    /// The server of the flag or its variable; an empty one is ignored.
    fn named(&self) -> Option<&str> {
        self.server.as_deref().filter(|server| !server.is_empty())
    }

    /// The server that is asked; without an address where it is one of the data folder.
    pub fn server(&self, in_use: &InUse) -> anyhow::Result<Server> {
        // A context that a flag names beats a server that only the environment names.
        let gives_way = self.context.is_some() && is_variable("BYGONE_SERVER", self.named());
        let own = self.named().filter(|_| !gives_way);
        let of_context = in_use.server().filter(|_| own.is_none());
        let base = own.or(of_context).or(self.named());
        // A context's settings for a server only apply to that server.
        let token_file = in_use.token_file().filter(|_| of_context.is_some());
        let ca_file = in_use.ca_file().filter(|_| of_context.is_some());
        Ok(Server {
            base: base.unwrap_or_default().to_owned(),
            token: self.token(token_file)?,
            ca_file: self.ca_file.as_ref().or(ca_file).cloned(),
            found: None,
        })
    }

    /// The flag, the variable with the token, the variable with its file, the context: the first that there is.
    fn token(&self, of_context: Option<&PathBuf>) -> anyhow::Result<Token> {
        let (flag, variable) = match is_variable(TOKEN_FILE, self.token_file.as_ref()) {
            true => (None, self.token_file.as_ref()),
            false => (self.token_file.as_ref(), None),
        };
        if let Some(file) = flag {
            return Ok(Token::File(file.clone()));
        }
        match std::env::var(TOKEN) {
            Ok(token) if !token.is_empty() => return Token::given(&token, TOKEN),
            Ok(_) | Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => bail!("{TOKEN}: not a bearer token"),
        }
        let file = variable.or(of_context).cloned();
        Ok(file.map_or(Token::None, Token::File))
    }
}

/// Whether the value of a flag is that of its variable.
fn is_variable(name: &str, value: Option<impl AsRef<OsStr>>) -> bool {
    match (value, std::env::var_os(name)) {
        (Some(value), Some(set)) => value.as_ref() == set,
        _ => false,
    }
}

/// The bearer token that a server wants.
#[derive(Clone, Default)]
pub enum Token {
    #[default]
    None,
    File(PathBuf),
    Given(SecretString),
}

impl Token {
    /// `place` is its source. An error contains nothing of the token.
    fn given(text: &str, place: &str) -> anyhow::Result<Token> {
        let token = text.trim();
        match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Token::Given(SecretString::from(token))),
            false => bail!("{place}: not a bearer token"),
        }
    }
}

/// The settings of a server that was found by the data folder.
#[derive(Clone)]
pub struct Found {
    /// A PEM file with the certificate that it shows.
    certificate_file: Option<PathBuf>,
    token: Option<SecretString>,
}

/// A running bygone, and how it knows us.
#[derive(Clone, Default)]
pub struct Server {
    /// Base address of its API.
    pub base: String,
    pub token: Token,
    /// CA certificates that it is trusted by; without it, the machine's own.
    pub ca_file: Option<PathBuf>,
    /// Where it was found by the data folder: what is known without flags.
    pub found: Option<Found>,
}

impl Server {
    /// The same, at the API of the bygone that the data folder names.
    pub fn at_api(self, running: RunningServer) -> Server {
        Server {
            base: running.api,
            found: Some(Found {
                certificate_file: running.api_certificate_file,
                token: running.token.map(SecretString::from),
            }),
            ..self
        }
    }

    /// The same, at its webhook.
    pub fn at_webhook(self, running: RunningServer) -> Server {
        Server {
            base: running.ingest,
            found: Some(Found {
                certificate_file: running.ingest_certificate_file,
                token: running.token.map(SecretString::from),
            }),
            ..self
        }
    }

    pub fn client(&self) -> anyhow::Result<reqwest::ClientBuilder> {
        let builder = reqwest::Client::builder();
        let found = self.found.as_ref();
        let certificate = found.and_then(|found| found.certificate_file.as_ref());
        let tls = match (&self.ca_file, certificate) {
            (Some(ca_file), _) => tls::Client::load(&ClientFiles {
                ca_file: Some(ca_file.clone()),
                ..ClientFiles::default()
            })?,
            (None, Some(certificate)) => tls::Client::of_server(certificate)?,
            (None, None) => return Ok(builder),
        };
        Ok(builder.tls_backend_preconfigured(tls.config()))
    }

    pub fn token(&self) -> anyhow::Result<Option<SecretString>> {
        let path = match &self.token {
            Token::Given(token) => return Ok(Some(token.clone())),
            Token::File(path) => path,
            Token::None => {
                // Nobody asked for it to be sent, so where others could read it, it is left out.
                let found = self.found.as_ref().filter(|_| is_private(&self.base));
                return Ok(found.and_then(|found| found.token.clone()));
            }
        };
        let place = format!("token file {}", path.display());
        let text = std::fs::read_to_string(path).with_context(|| place.clone())?;
        let token = text.lines().map(str::trim).find(|line| !line.is_empty());
        let token = token.with_context(|| format!("{place} is empty"))?;
        match Token::given(token, &place)? {
            Token::Given(token) => Ok(Some(token)),
            Token::None | Token::File(_) => Ok(None),
        }
    }
}

impl Backend {
    /// `--server`, `--clickhouse-url`, the environment, the config file, the bygone that the data
    /// folder names: the first that there is.
    pub async fn find(
        config: &Config,
        server: Server,
        clickhouse_flag: bool,
    ) -> anyhow::Result<Backend> {
        if !server.base.is_empty() && !clickhouse_flag {
            return Ok(Backend::Server(server));
        }
        if config.clickhouse.url.is_some() {
            let store = Store::open(&config.clickhouse)?;
            schema::check(&store).await?;
            let links = Links::open(&config.logs)?;
            return Ok(Backend::Store(Arc::new(store), Arc::new(links)));
        }
        match running::find(&config.data_dir) {
            Some(running) => Ok(Backend::Server(server.at_api(running))),
            None => bail!(
                "no ClickHouse is configured and no bygone is running in {}: start \"bygone serve\", or pass \
                 --server URL or --clickhouse-url URL",
                config.data_dir.display()
            ),
        }
    }

    /// Asks.
    pub async fn ask<L: Life>(&self, params: &Params) -> anyhow::Result<Rows<L>> {
        match self {
            Backend::Store(store, links) => {
                let now = Timestamp::now();
                let mut question = Question {
                    // An account of ClickHouse can see all of it.
                    visible: Some(Visible::default()),
                    ..params.question(now)?
                };
                let is_linked = links.are_wanted::<L>(&mut question.fields);
                let links = is_linked.then(|| (links.clone(), now));
                Ok(Rows::Store(query::answer(store, &question)?, links))
            }
            Backend::Server(server) => {
                Ok(Rows::Server(Lines::open(server, L::PLURAL, params).await?))
            }
        }
    }
}

impl Backend {
    /// Asks for summaries. Also: how the answer ended.
    pub async fn summaries(
        &self,
        group: Group,
        params: &Params,
    ) -> anyhow::Result<(Vec<Summary>, Ending)> {
        match self {
            Backend::Store(store, _) => {
                let question = Question {
                    visible: Some(Visible::default()),
                    ..params.summary(group, Timestamp::now())?
                };
                Ok(query::summaries(store, group, &question).await?)
            }
            Backend::Server(server) => {
                let mut lines = Lines::open(server, group.plural(), params).await?;
                let mut rows = Vec::new();
                while let Some(row) = lines.next().await? {
                    rows.push(row);
                }
                Ok((rows, lines.ending()?))
            }
        }
    }

    /// Asks for the page about a pod.
    pub async fn page(&self, cluster: &str, uid: uuid::Uuid) -> anyhow::Result<Option<Page>> {
        match self {
            Backend::Store(store, links) => {
                let scope = Question {
                    clusters: vec![cluster.to_owned()],
                    ..Question::default()
                };
                let mut page = query::page(store, uid, &scope).await?;
                if let Some(page) = &mut page {
                    links.add_to_page(page, Timestamp::now());
                }
                Ok(page)
            }
            Backend::Server(server) => {
                let what = format!("{}/{uid}", query::Pod::PLURAL);
                let params = Params {
                    cluster: Some(cluster.to_owned()),
                    ..Params::default()
                };
                let mut lines = Lines::open(server, &what, &params).await?;
                lines.next().await
            }
        }
    }
}

/// An answer's rows as they come in.
pub enum Rows<L: Life> {
    /// With the links that they get, and when what runs ends.
    Store(query::Answer<L>, Option<(Arc<Links>, Timestamp)>),
    Server(Lines),
}

impl<L: Life> Rows<L> {
    pub async fn next(&mut self) -> anyhow::Result<Option<L>> {
        match self {
            Rows::Store(answer, links) => {
                let mut row = answer.next().await?;
                if let (Some(row), Some((links, now))) = (&mut row, links) {
                    links.add(row, *now);
                }
                Ok(row)
            }
            Rows::Server(lines) => lines.next().await,
        }
    }

    /// All of them: for answers that are small.
    pub async fn all(&mut self) -> anyhow::Result<Vec<L>> {
        let mut rows = Vec::new();
        while let Some(row) = self.next().await? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// After the last row: how the answer ended.
    pub async fn ending(&mut self) -> anyhow::Result<Ending> {
        match self {
            Rows::Store(answer, _) => Ok(answer.ending().await?),
            Rows::Server(lines) => lines.ending(),
        }
    }
}

/// Whether the connection cannot be read by others: TLS, or this machine.
fn is_private(url: &str) -> bool {
    let Ok(url) = url.parse::<reqwest::Url>() else {
        // Problems with it are reported when it is used.
        return true;
    };
    url.scheme() == "https" || url.host_str().is_some_and(is_loopback)
}

/// The lines of a running bygone's answer.
pub struct Lines {
    base: String,
    response: reqwest::Response,
    buffer: BytesMut,
    /// The content of its last line; of an answer that is followed, what stands for it until then.
    end: Option<Value>,
    so_far: Option<Value>,
}

/// A line of an answer that is no row: it has this one member. A row may have a field of that name, among others.
#[derive(Deserialize)]
enum Mark {
    /// The last line.
    #[serde(rename = "end")]
    End(Value),
    /// How an answer that is followed came about until now. Among its lines.
    #[serde(rename = "so_far")]
    SoFar(Value),
}

impl Lines {
    /// Asks for `what` of `/api/v1`.
    pub async fn open(
        server: &Server,
        what: &str,
        params: &impl Serialize,
    ) -> anyhow::Result<Lines> {
        let base = &server.base;
        let client = server
            .client()?
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(SILENCE_SECONDS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let url = format!("{}/api/v1/{}", base.trim_end_matches('/'), what);
        let mut request = client.get(&url).query(params).header(ACCEPT, NDJSON);
        if let Some(token) = server.token()? {
            if !is_private(&url) {
                bail!(
                    "{base} is neither https nor on this machine, and the token would be sent in clear text: \
                     use https://"
                );
            }
            request = request.bearer_auth(token.expose_secret());
        }
        let request = request.build();
        let request = request.with_context(|| {
            format!("invalid server URL {base:?}: use one like http://127.0.0.1:7071")
        })?;
        let response = client.execute(request).await;
        let response = response.map_err(|error| no_answer::why(server, error))?;
        let mut lines = Lines {
            base: base.to_owned(),
            response,
            buffer: BytesMut::new(),
            end: None,
            so_far: None,
        };
        if lines.response.status().is_success() {
            Ok(lines)
        } else {
            Err(lines.refusal().await)
        }
    }

    /// The server's problem (RFC 9457), in one line.
    async fn refusal(&mut self) -> anyhow::Error {
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        let (base, status) = (self.base.clone(), self.response.status());
        if status == reqwest::StatusCode::UNAUTHORIZED {
            return anyhow!("{base} requires authentication: pass --token-file");
        }
        let line = self.line().await.ok().flatten().unwrap_or_default();
        match serde_json::from_slice::<Problem>(&line) {
            Ok(problem) => anyhow!("{}", problem.detail),
            Err(_) => anyhow!("{base} answered {status}: is it a bygone?"),
        }
    }

    pub async fn next<R: DeserializeOwned>(&mut self) -> anyhow::Result<Option<R>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let line = loop {
            let Some(line) = self.line().await? else {
                bail!("the response from {} was cut off: try again", self.base);
            };
            match serde_json::from_slice(&line) {
                Ok(Mark::SoFar(so_far)) => self.so_far = Some(so_far),
                Ok(Mark::End(end)) => {
                    self.end = Some(end);
                    return Ok(None);
                }
                Err(_) => break line,
            }
        };
        let row = serde_json::from_slice(&line);
        row.map(Some)
            .with_context(|| format!("{} sent a row that this build can't read", self.base))
    }

    /// The content of the last line, or of what stands for it until it arrives.
    pub fn ending<E: DeserializeOwned + Default>(&self) -> anyhow::Result<E> {
        let Some(end) = self.end.as_ref().or(self.so_far.as_ref()) else {
            return Ok(E::default());
        };
        let ending = serde_json::from_value(end.clone());
        ending.with_context(|| format!("{} sent an end that this build can't read", self.base))
    }

    /// The next line, or the rest of the body.
    async fn line(&mut self) -> anyhow::Result<Option<Bytes>> {
        let mut searched = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                return Ok(Some(self.buffer.split_to(searched + end + 1).freeze()));
            }
            searched = self.buffer.len();
            if searched > ROW_BYTES_MAX {
                bail!(
                    "{} sent a row of more than {ROW_BYTES_MAX} bytes",
                    self.base
                );
            }
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Ok(Some(self.buffer.split().freeze())),
            }
        }
    }
}
