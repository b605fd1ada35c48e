//! The parent's side: spawns the child, waits until it answers, starts it again, ends it.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep, timeout};

use super::{EngineError, RunArgs, START_WAIT, STOP_WAIT, folder, wire};
use crate::backoff::Backoff;

const READY_POLL: Duration = Duration::from_millis(20);
/// One look whether the server answers.
const LOOK_WAIT: Duration = Duration::from_secs(2);
/// A server that ran this long had a good start; after that the pauses start from the shortest again.
const GOOD_RUN: Duration = Duration::from_mins(1);
const TRIM_LOG_EVERY: Duration = Duration::from_mins(1);

/// What others may see of the server: its process while it answers, else 0.
#[derive(Default)]
pub(super) struct State(AtomicU32);

impl State {
    pub(super) fn pid(&self) -> Option<u32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    pub(super) fn now_up(&self, process: &ServerProcess) {
        self.0
            .store(process.child.id().unwrap_or(0), Ordering::Relaxed);
    }

    fn now_down(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A child that answers, the pipe that keeps it alive, and where its part of the log begins.
pub(super) struct ServerProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    log_since: u64,
    since: Instant,
}

/// All that it takes to start the server, the first time and again.
pub(super) struct Plan {
    pub(super) program: Option<PathBuf>,
    pub(super) password: String,
    pub(super) run: RunArgs,
}

impl Plan {
    /// Spawns the child and returns when it answers.
    pub(super) async fn launch(&self) -> Result<ServerProcess, EngineError> {
        let log_since = folder::log_bytes(&self.run.data_dir);
        let mut child = self.spawn()?;
        let mut stdin = child.stdin.take();
        if let Some(pipe) = &mut stdin {
            // A child that ended at once has closed its side. It is asked below why.
            let _ = pipe
                .write_all(format!("{}\n", self.password).as_bytes())
                .await;
        }
        let mut process = ServerProcess {
            child,
            stdin,
            log_since,
            since: Instant::now(),
        };
        self.ready(&mut process).await?;
        Ok(process)
    }

    fn spawn(&self) -> Result<Child, EngineError> {
        let program = self.program.clone().or_else(running_program);
        let program = program.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
        let log = folder::open_log(&self.run.data_dir)?;
        let log_again = log
            .try_clone()
            .map_err(|source| EngineError::io("open the engine's log twice", source))?;
        Command::new(&program)
            .arg0("bygone")
            .args(self.run.arguments())
            // DateTime without a zone is UTC, regardless of the machine's zone. `<timezone>` in the config file is
            // not read.
            .env("TZ", "UTC")
            .current_dir(&self.run.data_dir)
            // Ctrl-C in a terminal goes to our group; the parent decides when the engine ends.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(log_again)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| EngineError::io(format!("start {}", program.display()), source))
    }

    async fn ready(&self, process: &mut ServerProcess) -> Result<(), EngineError> {
        let deadline = process.since + START_WAIT;
        while !self.answers().await {
            tokio::select! {
                status = process.child.wait() => {
                    let status = status
                        .map_err(|source| EngineError::io("wait for the engine", source))?;
                    let line = folder::last_line(&self.run.data_dir, process.log_since);
                    return Err(EngineError::Ended { status, line });
                }
                () = sleep(READY_POLL) => {}
            }
            if Instant::now() > deadline {
                let log = folder::log_path(&self.run.data_dir);
                let _ = process.child.kill().await;
                return Err(EngineError::Slow {
                    wait_s: START_WAIT.as_secs(),
                    log,
                });
            }
        }
        Ok(())
    }

    /// Whether the server listens and lets us in.
    async fn answers(&self) -> bool {
        let (port, password) = (self.run.http_port, self.password.clone());
        let look =
            tokio::task::spawn_blocking(move || wire::ask(port, &password, "SELECT 1", LOOK_WAIT));
        matches!(look.await, Ok(Ok(one)) if one == "1")
    }
}

/// This program's file, unless it has been replaced since (its path then ends in ` (deleted)`).
/// `/proc/self/exe` is right in both cases, but makes the child show up as `exe`.
fn running_program() -> Option<PathBuf> {
    std::env::current_exe().ok().filter(|path| path.is_file())
}

/// Supervises the server until `stop`, then ends it. Restarts it when it exits.
pub(super) async fn run(
    plan: Plan,
    mut process: ServerProcess,
    state: std::sync::Arc<State>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut backoff = Backoff::default();
    loop {
        tokio::select! {
            status = ended(&plan, &mut process) => {
                state.now_down();
                if process.since.elapsed() >= GOOD_RUN {
                    backoff = Backoff::default();
                }
                let line = folder::last_line(&plan.run.data_dir, process.log_since);
                tracing::warn!(
                    engine.status = status,
                    engine.last_line = line,
                    "the engine exited ({status}) and is being restarted: {line}"
                );
            }
            _ = &mut stop => {
                state.now_down();
                return end(process).await;
            }
        }
        process = tokio::select! {
            process = start_again(&plan, &mut backoff) => process,
            _ = &mut stop => return,
        };
        state.now_up(&process);
    }
}

/// Waits for the child's end and describes it. Trims its log meanwhile.
async fn ended(plan: &Plan, process: &mut ServerProcess) -> String {
    let mut trim = interval(TRIM_LOG_EVERY);
    loop {
        tokio::select! {
            status = process.child.wait() => {
                return status.map_or_else(|error| error.to_string(), |status| status.to_string());
            }
            _ = trim.tick() => folder::trim_log(&plan.run.data_dir),
        }
    }
}

/// Tries until it answers, with growing pauses.
async fn start_again(plan: &Plan, backoff: &mut Backoff) -> ServerProcess {
    loop {
        backoff.wait().await;
        match plan.launch().await {
            Ok(process) => {
                let duration_ms = process.since.elapsed().as_millis();
                tracing::info!(
                    duration_ms,
                    "the engine answers again after {duration_ms} ms"
                );
                return process;
            }
            Err(error) => {
                let wait_ms = backoff.next().as_millis();
                tracing::warn!("{error}: the next try is in {wait_ms} ms");
            }
        }
    }
}

/// Closes the pipe, which is the order to end, and waits; kills when the limit is reached. A server that still has
/// connections of others after five seconds cuts them off and exits with 1: that is an orderly end too.
async fn end(mut process: ServerProcess) {
    drop(process.stdin.take());
    match timeout(STOP_WAIT, process.child.wait()).await {
        Ok(Ok(status)) if status.code().is_some() => {
            tracing::debug!("the engine stopped with {status}");
        }
        // It crashed, or did not get to its end in time.
        Ok(Ok(status)) => tracing::warn!("the engine stopped with {status}"),
        Ok(Err(error)) => tracing::warn!("the engine's exit status is unknown: {error}"),
        Err(_) => {
            let wait_s = STOP_WAIT.as_secs();
            tracing::warn!("the engine did not stop within {wait_s} s and is being killed");
            let _ = process.child.kill().await;
        }
    }
}
