//! The command line: a table of commands, and what they have in common.
//!
//! Exit codes: 0 found or done, 1 nothing found, 2 trouble, 64 wrong usage. Trouble is one line on
//! stderr, `bygone: what: cause`, with what to do about it where we know.

mod ask;
mod config;
mod context;
mod coverage;
mod dead_letters;
mod demo;
mod describe;
mod engine;
mod filters;
mod get;
mod import;
mod logs;
mod names;
mod output;
mod packaged;
mod plugin;
mod process;
mod reconcile;
mod running;
mod schema;
mod serve;
mod service;
mod sources;
mod spool;
mod sql;
mod what;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Flags, Given};
use crate::query::{ParseError, when};
use crate::telemetry;

/// Exit code of a question without an answer.
const NOTHING: u8 = 1;
/// Exit code of everything that went wrong.
const TROUBLE: u8 = 2;
/// Exit code of a command that makes no sense (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

/// How long threads that still work may take when a command has ended.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// The history of Kubernetes pods and containers that no longer exist.
#[derive(Parser)]
#[command(
    name = "bygone",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Exit codes: 0 found, 1 nothing found, 2 error, 64 wrong usage.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receive audit events and answer queries until stopped
    Serve(serve::Serve),
    /// Show containers or pods, including those that no longer exist
    Get(Box<get::Get>),
    /// Show everything about one pod or container, with its timeline
    #[command(subcommand)]
    Describe(Box<describe::Describe>),
    /// Show the log lines of containers, including those that no longer exist
    Logs(Box<logs::Logs>),
    /// Run a read-only SQL query on the views
    Sql(sql::Sql),
    // Described by their own docs, which are longer.
    Coverage(coverage::Coverage),
    Import(Box<import::Import>),
    /// Replay a recording into a separate engine and show what no longer exists
    Demo(demo::Demo),
    /// Create, upgrade or show the tables in ClickHouse
    #[command(subcommand)]
    Schema(schema::Schema),
    /// File pods and containers that ended, as "bygone serve" does every minute
    Reconcile(reconcile::Reconcile),
    /// Inspect events that could not be decoded, and retry them
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Inspect events that are acknowledged but not yet in ClickHouse
    #[command(subcommand)]
    Spool(spool::SpoolCommand),
    /// Show the sources of events and their progress
    #[command(subcommand)]
    Sources(sources::Sources),
    /// Show the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Install the embedded ClickHouse
    #[command(subcommand)]
    Engine(engine::EngineCommand),
    /// Print a shell completion script
    Completion(packaged::Completion),
    /// Write the man pages
    Man(packaged::Man),
    /// Print the version, as --version does
    Version,
}

/// Flags of every command that needs the configuration.
#[derive(Args)]
#[command(next_help_heading = "Configuration")]
struct Common {
    /// TOML file; see deploy/config.sample.toml
    #[arg(long, value_name = "FILE", env = "BYGONE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for all local data [env: BYGONE_DATA_DIR] [default: $XDG_DATA_HOME/bygone, or ~/.local/share/bygone]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// ClickHouse's HTTP address, like http://127.0.0.1:8123 [default: the embedded engine]
    #[arg(long, value_name = "URL")]
    clickhouse_url: Option<String>,
    /// Log level or filter for stderr, like bygone=debug,warn [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Set a configuration key, like sink.flush_wait_ms=100; see "bygone config keys"
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

/// Reads `KEY=VALUE`.
fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
        None => Err("use KEY=VALUE, like sink.flush_wait_ms=100".to_owned()),
    }
}

impl Common {
    /// The filter of logs: `fallback` where none is set.
    fn log_or(&self, fallback: &str) -> String {
        let set = self.set.iter().rev().find(|(key, _)| key == "log");
        let asked = self
            .log
            .clone()
            .or_else(|| set.map(|(_, filter)| filter.clone()))
            .or_else(|| std::env::var("BYGONE_LOG").ok());
        asked.unwrap_or_else(|| fallback.to_owned())
    }

    /// Whether a flag selects a store to query directly.
    fn is_direct(&self) -> bool {
        self.clickhouse_url.is_some()
    }

    /// The merged configuration. `more` are further flags.
    fn load(&self, more: Flags) -> anyhow::Result<Config> {
        let mut flags = more;
        let own = [
            ("data_dir", &self.data_dir),
            ("clickhouse.url", &self.clickhouse_url),
            ("log", &self.log),
        ];
        flags.extend(
            own.into_iter()
                .filter_map(|(key, value)| Some((key, value.clone()?))),
        );
        let given = Given {
            set: &self.set,
            flags: &flags,
        };
        Ok(crate::config::load(self.config.as_deref(), given)?)
    }
}

/// A usage error that clap cannot detect; exits with 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl From<ParseError> for Usage {
    fn from(error: ParseError) -> Usage {
        Usage(error.as_flags())
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // One provider of cryptography for every client in this process. A second call changes nothing.
    _ = crate::tls::provider().as_ref().clone().install_default();
    let args = std::env::args_os().collect();
    let command = Cli::command().bin_name(plugin::program());
    if plugin::completes() {
        return code_of(plugin::complete(command, args));
    }
    let args = plugin::flags_behind(&command, args, 0);
    let parsed = command.try_get_matches_from(args);
    match parsed.and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => code_of(cli.command.run()),
        Err(error) => usage(&error),
    }
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Serve(serve) => serve.run(),
            Command::Get(get) => get.run(),
            Command::Describe(describe) => describe.run(),
            Command::Logs(logs) => logs.run(),
            Command::Sql(sql) => sql.run(),
            Command::Coverage(coverage) => coverage.run(),
            Command::Import(import) => import.run(),
            Command::Demo(demo) => demo.run(),
            Command::Schema(schema) => schema.run(),
            Command::Reconcile(reconcile) => reconcile.run(),
            Command::DeadLetters(letters) => letters.run(),
            Command::Spool(spool) => spool.run(),
            Command::Sources(sources) => sources.run(),
            Command::Config(config) => config.run(),
            Command::Context(context) => context.run(),
            Command::Engine(engine) => engine.run(),
            Command::Completion(completion) => completion.run(),
            Command::Man(man) => man.run(),
            Command::Version => {
                say(concat!("bygone ", env!("CARGO_PKG_VERSION"))).map(|()| ExitCode::SUCCESS)
            }
        }
    }
}

fn code_of(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            // The reader of our output has seen enough.
            return ExitCode::SUCCESS;
        }
        eprintln!("bygone: {}", one_line(&format!("{error:#}")));
        ExitCode::from(if error.is::<Usage>() { USAGE } else { TROUBLE })
    })
}

/// Help goes to stdout; wrong usage is one line on stderr.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // The reader may have closed the pipe; nothing can be reported then.
        _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        _ = error.print();
        return ExitCode::from(USAGE);
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told =
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let told: Vec<&str> = told.collect();
    let told = told.join(" ");
    let told = told.strip_prefix("error: ").unwrap_or(&told);
    let end = if told.ends_with(['.', ']']) { "" } else { ":" };
    eprintln!("bygone: {told}{end} see \"{} help\"", plugin::program());
    ExitCode::from(USAGE)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints to stdout. A reader that is gone is an error, which ends the command without a word.
fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a command's future, with logs to stderr as configured.
fn block_on<T>(
    config: &Config,
    future: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    telemetry::log_to_stderr(&config.log).map_err(Usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(future);
    // Decoding that is still under way is of no use to anyone now.
    runtime.shutdown_timeout(STOP_WAIT);
    outcome
}
