//! The engine: a ClickHouse server of our own, run out of `libchdb.so`.
//!
//! In: a data folder. Out: an address on loopback, a user and a password, and a server behind them that is restarted
//! when it exits. All other rooms talk HTTP to it, as to any ClickHouse; they do not know that it is embedded.
//!
//! The server lives in a child process (`bygone engine run`), because it cannot be stopped and
//! started twice in one process, takes signals for itself, and must not take us down with it.
//! The child lives as long as its standard input is open. That one pipe carries the password
//! in, and its end is the order to stop: the kernel closes it however the parent ends, kill -9
//! included, so no engine outlives its owner. `PR_SET_PDEATHSIG` is not used: it follows the
//! *thread* that spawned the child, and tokio's threads come and go.
//!
//! What can go wrong: no library and no npm to fetch it (`install`), a data folder that another
//! engine holds, a server that does not answer within [`START_WAIT`]. Each is an
//! [`EngineError`] with one line for a person.
//!
//! What must never happen: a listener on anything but 127.0.0.1, an answer to anybody who has not the key
//! (`KEY_HEADER`) and does not name the account of `reader`, the password in an argument, an environment, a log or a
//! `Debug`, two servers on one data folder, a server that reads other files than its own (`confine`).
//!
//! Limits: start 60 s, stop 10 s, restart back-off 100 ms to 10 s, `engine.log` 8 MiB,
//! install 10 min. Not here: SQL beyond `SELECT 1`, the schema, retries of statements.

mod child;
mod confine;
mod error;
mod folder;
mod install;
mod package;
mod progress;
mod reader;
mod server_config;
mod supervise;
#[cfg(test)]
mod tests;
mod unpack;
mod verify;
mod wire;

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use child::{RunArgs, run};
pub use error::EngineError;
pub use install::{cache_folder, install};
pub use package::VERSION;
pub use reader::{READER, READER_MEMORY_BYTES_MAX, READER_SECONDS_MAX, Readable, reader_password};

use supervise::{Plan, State};

/// The one account with rights in the engine.
const USER: &str = "bygone";

/// Every request has this header, with [`Engine::key`]. Without it the server answers 404, whatever the path, before it
/// looks at accounts or reads a statement.
pub const KEY_HEADER: &str = "X-Bygone-Key";

/// Derived from the password, so that it need not be passed to the child as well, and so that the password can't be
/// derived from it: it is in the server's configuration.
fn key_of(password: &str) -> String {
    format!("{:x}", Sha256::digest(format!("key {password}")))
}

/// How long a server may take from its spawn to its first answer.
pub const START_WAIT: Duration = Duration::from_mins(1);
/// How long a server may take to end in good order before it is killed. A kill loses nothing
/// that was confirmed (inserts are synced), it only leaves more to do at the next start.
pub const STOP_WAIT: Duration = Duration::from_secs(10);
/// A free port is found by binding one and releasing it; another process may
/// take it in between, so a start tries a few.
const PORT_TRIES_MAX: u32 = 3;
/// 32 random bytes: they cannot be guessed from the SHA-256 in the server's config file.
const PASSWORD_BYTES: usize = 32;

/// How the embedded ClickHouse runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Path of a `libchdb.so` to use as it is. Default: none, the pinned one is installed into
    /// the user's cache folder.
    pub library: Option<PathBuf>,
    /// Memory limit of the whole server, in bytes, including caches. Default: 4 GiB.
    pub memory_bytes_max: u64,
    /// Port on 127.0.0.1. 0: a free one, different at each start.
    pub port: u16,
    /// Whether to allow accounts in the engine (`config.d`) if the kernel cannot confine it: they can read every file
    /// that bygone can.
    pub insecure: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            library: None,
            memory_bytes_max: 4 << 30,
            port: 0,
            insecure: false,
        }
    }
}

/// What [`Engine::start`] needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Library and memory limit.
    pub config: Config,
    /// bygone's data folder. The engine has `clickhouse/` in it, made with mode 0700.
    pub data_dir: PathBuf,
    /// The program that understands `engine run ...`. `None` is the running program itself,
    /// and stays so when its file is replaced by an upgrade.
    pub program: Option<PathBuf>,
    /// A loopback port for ClickHouse's native protocol. `None`: no such listener.
    pub tcp_port: Option<u16>,
    /// What the account [`READER`] may read. `None`: there is no such account.
    pub readable: Option<Readable>,
}

/// A running server and the task that looks after it.
///
/// [`Engine::stop`] ends it in good order. A drop without it kills the server at once.
pub struct Engine {
    url: String,
    password: String,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    supervisor: JoinHandle<()>,
}

impl Engine {
    /// Starts a server on `data_dir` and returns when it answers queries. Installs the library first if it is
    /// missing.
    ///
    /// # Errors
    ///
    /// All of [`EngineError`]; [`EngineError::Held`] within 3 s if another engine has the
    /// folder, [`EngineError::Slow`] after [`START_WAIT`].
    pub async fn start(options: Options) -> Result<Self, EngineError> {
        let folder = folder::prepare(&options.data_dir)?;
        folder::wait_until_free(&folder).await?;
        let library = match options.config.library {
            Some(path) => path,
            None => install(&cache_folder()?).await?,
        };
        folder::truncate_log(&folder)?;
        let port = options.config.port;
        let mut plan = Plan {
            program: options.program,
            password: random_password()?,
            run: RunArgs {
                library,
                data_dir: folder,
                http_port: free_port(port)?,
                tcp_port: options.tcp_port,
                memory_bytes_max: options.config.memory_bytes_max,
                insecure: options.config.insecure,
                readable: options.readable,
            },
        };
        let mut tries = 1;
        let running = loop {
            match plan.launch().await {
                Err(error) if error.port_is_taken() && port == 0 && tries < PORT_TRIES_MAX => {
                    tries += 1;
                    plan.run.http_port = free_port(port)?;
                }
                launched => break launched?,
            }
        };
        let url = format!("http://127.0.0.1:{}", plan.run.http_port);
        tracing::info!(
            engine.url = url,
            engine.version = VERSION,
            "the engine answers on {url}"
        );
        let password = plan.password.clone();
        let state = Arc::new(State::default());
        state.now_up(&running);
        let (stop, stopped) = oneshot::channel();
        let supervisor = tokio::spawn(supervise::run(plan, running, Arc::clone(&state), stopped));
        Ok(Self {
            url,
            password,
            state,
            stop: Some(stop),
            supervisor,
        })
    }

    /// The server's HTTP address without a path, as in `http://127.0.0.1:40123`. It stays the
    /// same over restarts.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The account to use.
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The value of [`KEY_HEADER`].
    #[must_use]
    pub fn key(&self) -> String {
        key_of(&self.password)
    }

    /// Its password, in hex. It stays the same over restarts and is new at every start.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The server's process while it answers: `None` between its end and its return.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.state.pid()
    }

    /// Ends the server in good order and waits for it, [`STOP_WAIT`] at the longest; then it
    /// is killed. Its process is gone when this returns.
    pub async fn stop(mut self) {
        // The supervisor may have ended with its runtime; then nothing is left to stop.
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = (&mut self.supervisor).await;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The task owns the child, which is killed when it is dropped. After `stop` the task
        // has ended and this does nothing.
        self.supervisor.abort();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("url", &self.url)
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

/// This port, or any one where it is 0; an error where something listens on it.
fn free_port(port: u16) -> Result<u16, EngineError> {
    let what = match port {
        0 => "find a free port on 127.0.0.1".to_owned(),
        port => format!("listen on 127.0.0.1:{port}, which is engine.port"),
    };
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| EngineError::io(what, source))
}

fn random_password() -> Result<String, EngineError> {
    let mut bytes = [0_u8; PASSWORD_BYTES];
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .map_err(|errno| EngineError::io("make a random password", errno.into()))?;
    }
    Ok(hex::encode(bytes))
}
