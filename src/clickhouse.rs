//! ClickHouse: the one HTTP client that both wings use, for the embedded engine as for any server.
//!
//! In: statements and rows. Out: what the server answered, and failures sorted by what the caller
//! must do about them. Every request has a time limit.
//!
//! In a cluster of ClickHouse there are several of them (`Stores`).
//!
//! Not here: SQL (that is in `schema/`, `sink` and `query/sql`), retries, the engine itself.

mod cluster;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use ::clickhouse as driver;
use bytes::Bytes;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::tls;

pub use cluster::Stores;

/// How long ClickHouse may take to answer, or to send the next part of an answer; a little longer
/// than it may work on a question.
const ANSWER_SECONDS_MAX: u64 = 65;

/// How long ClickHouse may take to send the next part of an answer to a user's own SQL.
const TEXT_SECONDS_MAX: u64 = 95;

/// How long an INSERT may take. One that was not answered by then may still happen.
const INSERT_SECONDS_MAX: u64 = 60;

/// The address of the store, and the account.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `http://host:8123`. Without it the embedded engine is used.
    pub url: Option<String>,
    /// The account.
    pub user: String,
    /// A file with the account's password; one trailing line break is removed. It is reloaded when
    /// the server rejects the password.
    pub password_file: Option<PathBuf>,
    /// The database with bygone's tables.
    pub database: String,
    /// The name of a cluster in the server's `remote_servers`. Its shards have the tables, in a
    /// database with the suffix `_local`. Without it one database has them.
    pub cluster: Option<String>,
    /// The HTTP address of one replica of each shard of the cluster.
    pub shard_urls: Vec<String>,
    /// For `https://`: CA certificates, and our own certificate.
    pub tls: tls::ClientFiles,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            url: None,
            user: "default".to_owned(),
            password_file: None,
            database: "bygone".to_owned(),
            cluster: None,
            shard_urls: Vec::new(),
            tls: tls::ClientFiles::default(),
        }
    }
}

/// Why ClickHouse did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("clickhouse.tls: {0}")]
    Tls(#[from] tls::Error),
    #[error("invalid clickhouse url {0:?}: use one like http://127.0.0.1:8123")]
    Url(String),
    // The URL is not repeated: it would contain the password.
    #[error(
        "clickhouse url contains a user: set clickhouse.user and clickhouse.password_file instead"
    )]
    Userinfo,
    #[error("invalid database name {0:?}: use letters, digits and _")]
    Database(String),
    #[error("invalid cluster name {0:?}: use letters, digits, _, - and .")]
    Cluster(String),
    #[error("clickhouse.shard_urls is set: set clickhouse.cluster to the name of their cluster")]
    NoCluster,
    #[error(
        "clickhouse.cluster is set: set clickhouse.shard_urls to one HTTP address of each shard"
    )]
    NoShards,
    #[error("password file {}: {error}", path.display())]
    PasswordFile {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error(
        "clickhouse at {url} cannot be reached: {cause}: check clickhouse.url, and that it runs"
    )]
    Unreachable { url: String, cause: String },
    #[error("clickhouse at {url} did not answer within {seconds_max} s")]
    Silent { url: String, seconds_max: u64 },
    #[error(
        "clickhouse at {url} rejected the password of user {user}: \
         see clickhouse.user and clickhouse.password_file"
    )]
    Password { url: String, user: String },
    #[error("clickhouse at {url} has no database {database}: run \"bygone schema apply\"")]
    NoDatabase { url: String, database: String },
    /// Any other refusal: its code, and the first line of its message.
    #[error("clickhouse at {url}: code {code}: {message}")]
    Refused {
        url: String,
        code: u32,
        message: String,
    },
    #[error("clickhouse at {url}: {cause}")]
    Answer { url: String, cause: String },
}

impl Error {
    /// Whether the server could not be reached or did not answer: it may later.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Error::Unreachable { .. } | Error::Silent { .. })
    }
}

/// A database on a server.
pub struct Store {
    client: RwLock<driver::Client>,
    /// Where the password came from, and is looked for again when it is refused.
    password_file: Option<PathBuf>,
    url: String,
    user: String,
    database: String,
    cluster: Option<String>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Store({} {}@{})", self.database, self.user, self.url)
    }
}

/// The longest message of ClickHouse that is passed on.
const MESSAGE_CHARS_MAX: usize = 300;

impl Store {
    /// Opens the store of `config`; the password is read from its file. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// When the configuration has no usable URL or database name, or its password file is
    /// unreadable.
    pub fn open(config: &Config) -> Result<Store, Error> {
        let url = config.url.as_deref().unwrap_or_default();
        let password_file = config.password_file.as_deref();
        let password = password_file.map(read_password).transpose()?;
        let client = match url.starts_with("https://") {
            true => https(&config.tls)?,
            false => http(),
        };
        let store = Store::with(
            client,
            url,
            &config.user,
            password.as_ref(),
            &config.database,
        )?;
        Ok(Store {
            password_file: config.password_file.clone(),
            cluster: config.cluster.clone(),
            ..store
        })
    }

    /// Opens a store whose parts are known.
    ///
    /// # Errors
    ///
    /// When `url` is not an HTTP URL or `database` not a plain name.
    pub fn at(
        url: &str,
        user: &str,
        password: Option<&SecretString>,
        database: &str,
    ) -> Result<Store, Error> {
        Store::with(http(), url, user, password, database)
    }

    fn with(
        client: driver::Client,
        url: &str,
        user: &str,
        password: Option<&SecretString>,
        database: &str,
    ) -> Result<Store, Error> {
        let parsed: Option<reqwest::Url> = url.parse().ok();
        if parsed
            .as_ref()
            .is_some_and(|url| !url.username().is_empty() || url.password().is_some())
        {
            return Err(Error::Userinfo);
        }
        if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            return Err(Error::Url(url.to_owned()));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if database.is_empty() || !database.chars().all(plain) {
            return Err(Error::Database(database.to_owned()));
        }
        let mut client = client
            .with_url(url)
            .with_user(user)
            .with_database(database)
            .with_product_info("bygone", env!("CARGO_PKG_VERSION"));
        if let Some(password) = password {
            client = client.with_password(password.expose_secret());
        }
        Ok(Store {
            client: RwLock::new(client),
            password_file: None,
            url: url.to_owned(),
            user: user.to_owned(),
            database: database.to_owned(),
            cluster: None,
        })
    }

    /// The same with a header in every request.
    #[must_use]
    pub fn with_header(self, name: &str, value: &str) -> Store {
        let client = self.client().with_header(name, value);
        Store {
            client: RwLock::new(client),
            ..self
        }
    }

    /// The same with a setting in every request.
    #[must_use]
    pub fn with_setting(self, name: &str, value: &str) -> Store {
        let client = self.client().with_setting(name, value);
        Store {
            client: RwLock::new(client),
            ..self
        }
    }

    /// Sends a statement as it is. The answer comes in this format, unless the statement names
    /// another one.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn answer_as_text(&self, sql: &str, format: &str) -> Result<Text<'_>, Error> {
        let cursor = self.client().query_raw(sql).fetch_bytes(format);
        let cursor = cursor.map_err(|error| self.error(error))?;
        Ok(Text {
            store: self,
            cursor,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// The cluster that the database is spread over.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// A statement to bind and read from. Failures go through [`Store::error`].
    pub fn query(&self, sql: &str) -> driver::query::Query {
        self.client().query(sql)
    }

    /// The same, for the errors of this statement.
    pub fn query_in(&self, scope: Scope, sql: &str) -> driver::query::Query {
        self.client_for(scope).query(sql)
    }

    fn client_for(&self, scope: Scope) -> driver::Client {
        match scope {
            Scope::Database => self.client(),
            // "default" is the one database that every server has.
            Scope::Server => self.client().with_database("default"),
        }
    }

    fn client(&self) -> driver::Client {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        client.clone()
    }

    /// Reads the password again, for the requests to come: rotations change the account and the
    /// file at different times.
    fn read_password_again(&self) {
        if let Some(Ok(password)) = self.password_file.as_deref().map(read_password) {
            let renewed = self.client().with_password(password.expose_secret());
            *self.client.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
    }

    /// Runs a statement that answers nothing.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn execute(&self, sql: &str, scope: Scope) -> Result<(), Error> {
        let client = self.client_for(scope);
        self.within_limit(client.query_raw(sql).execute()).await
    }

    /// Whether the server answers and lets us in.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn check(&self) -> Result<(), Error> {
        self.execute("SELECT 1", Scope::Database).await
    }

    /// Inserts rows that are encoded already. Returns when the server has confirmed all of them.
    /// An INSERT with a token that the table has seen before does nothing.
    ///
    /// # Errors
    ///
    /// See [`Error`]. After `Silent`, `Unreachable` or `Answer` the rows may or may not be stored.
    pub async fn insert(&self, sql: &str, rows: &[Bytes], token: &str) -> Result<(), Error> {
        let mut insert = self
            .client()
            .insert_formatted_with(sql)
            .with_setting("async_insert", "0")
            // Else the rows of a key are merged after the indexes' expressions were made of them, and
            // an address that only the second one has is in no index.
            .with_setting("optimize_on_insert", "0")
            // In a cluster: confirmed is what the shards have.
            .with_setting("distributed_foreground_insert", "1")
            // Events of a hundred months in one load make many parts, and no failure.
            .with_setting("throw_on_max_partitions_per_insert_block", "0")
            .with_setting("insert_deduplication_token", token)
            .with_setting("max_execution_time", INSERT_SECONDS_MAX.to_string());
        let send = async move {
            for piece in rows {
                insert.send(piece.clone()).await?;
            }
            insert.end().await
        };
        self.within(INSERT_SECONDS_MAX, send).await
    }

    /// The last row of an answer that has one or none, read to its end: of an answer that is left before, ClickHouse
    /// logs a broken connection.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn fetch_one<R>(&self, query: driver::query::Query) -> Result<Option<R>, Error>
    where
        R: driver::RowOwned + driver::RowRead,
    {
        Ok(self.within_limit(query.fetch_all()).await?.pop())
    }

    /// Awaits an answer of the driver, within the limit.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn within_limit<T>(
        &self,
        answer: impl Future<Output = driver::error::Result<T>>,
    ) -> Result<T, Error> {
        self.within(ANSWER_SECONDS_MAX, answer).await
    }

    /// The same with another limit.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn within<T>(
        &self,
        seconds_max: u64,
        answer: impl Future<Output = driver::error::Result<T>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(Duration::from_secs(seconds_max), answer).await {
            Ok(answer) => answer.map_err(|error| self.error(error)),
            Err(_) => Err(Error::Silent {
                url: self.url.clone(),
                seconds_max,
            }),
        }
    }

    /// Sorts a failure of the driver by what can be done about it.
    pub fn error(&self, error: driver::error::Error) -> Error {
        let url = self.url.clone();
        match error {
            driver::error::Error::Network(cause) => Error::Unreachable {
                url,
                cause: root_cause(&*cause),
            },
            driver::error::Error::TimedOut => Error::Silent {
                url,
                seconds_max: ANSWER_SECONDS_MAX,
            },
            driver::error::Error::BadResponse(text) => match code_of(&text) {
                Some(192 | 193 | 194 | 516) => {
                    self.read_password_again();
                    let user = self.user.clone();
                    Error::Password { url, user }
                }
                Some(81) => Error::NoDatabase {
                    url,
                    database: self.database.clone(),
                },
                Some(code) => Error::Refused {
                    url,
                    code,
                    message: shortened(&text),
                },
                None => Error::Answer {
                    url,
                    cause: shortened(&text),
                },
            },
            other => Error::Answer {
                url,
                cause: shortened(&other.to_string()),
            },
        }
    }
}

/// An answer in a format of ClickHouse's.
pub struct Text<'s> {
    store: &'s Store,
    cursor: driver::query::BytesCursor,
}

impl Text<'_> {
    /// The next part of it; none at its end.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let next = self.cursor.next();
        self.store.within(TEXT_SECONDS_MAX, next).await
    }
}

fn read_password(path: &Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::PasswordFile {
        path: path.to_owned(),
        error,
    })?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// How long a connection may be idle: a ClickHouse closes it after three seconds.
const IDLE_WAIT: Duration = Duration::from_secs(2);

fn http() -> driver::Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(Duration::from_secs(60)));
    over(connector)
}

fn https(files: &tls::ClientFiles) -> Result<driver::Client, tls::Error> {
    Ok(over(tls::Client::load(files)?.connector()))
}

/// Idle connections are closed before the server closes them, and also when nothing is asked any more: a server that
/// ends waits for them.
fn over<C>(connector: C) -> driver::Client
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client = HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_WAIT)
        .build(connector);
    driver::Client::with_http_client(client)
}

/// The subject of a statement, for its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The database of the store.
    Database,
    /// The server; the database need not be there yet.
    Server,
}

/// `Code: 516. DB::Exception: ...`
fn code_of(text: &str) -> Option<u32> {
    text.strip_prefix("Code: ")?.split('.').next()?.parse().ok()
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line
        .split_once("DB::Exception: ")
        .map_or(line, |(_, message)| message);
    line.chars().take(MESSAGE_CHARS_MAX).collect()
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
