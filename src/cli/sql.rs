//! `bygone sql`: people's own questions, answered by ClickHouse itself.
//!
//! In: a statement. Out: the answer in one of ClickHouse's formats, as it arrives. The embedded engine is queried as
//! its reader account, which can only read the views; an external ClickHouse as the configured account, in its
//! read-only mode and within the same limits.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use secrecy::SecretString;

use super::running;
use super::{Common, Usage, block_on, say};
use crate::clickhouse::Store;
use crate::config::Config;
use crate::engine::{self, READER};

/// The longest statement that is read from stdin.
const STATEMENT_BYTES_MAX: u64 = 1 << 20;

const HELP: &str = "\
Examples:
  bygone sql 'SELECT namespace, count() FROM pods GROUP BY namespace'
  bygone sql -o csv < question.sql
  bygone sql 'DESCRIBE containers'
  bygone sql --dsn

docs/sql.md has example queries, and how other programs connect.";

/// Views, their columns and parameters: schema/README.md, or SHOW TABLES and DESCRIBE.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Sql {
    /// SQL statement; without it, or with "-", read from stdin
    #[arg(value_name = "STATEMENT", conflicts_with = "dsn")]
    statement: Option<String>,
    /// table, vertical, json, ndjson, csv, tsv, markdown, or a ClickHouse format like Parquet
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = format)]
    output: String,
    /// Show address, account and password for other programs, as a URL or in another format
    #[arg(long, value_name = "FOR", num_args = 0..=1, require_equals = true, default_missing_value = "url")]
    dsn: Option<Dsn>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Dsn {
    /// `http://ACCOUNT:PASSWORD@HOST:PORT/DATABASE`
    Url,
    /// `jdbc:clickhouse:http://HOST:PORT/DATABASE?user=...`
    Jdbc,
    /// A curl command
    Curl,
}

/// ClickHouse's name of a format.
fn format(text: &str) -> Result<String, String> {
    let name = match text {
        "table" => "PrettyCompactMonoBlock",
        "vertical" => "Vertical",
        "json" => "JSON",
        "ndjson" => "JSONEachRow",
        "csv" => "CSVWithNames",
        "tsv" => "TSVWithNames",
        "markdown" => "Markdown",
        other if other.starts_with(|c: char| c.is_ascii_uppercase()) => other,
        _ => {
            return Err(
                "use table, vertical, json, ndjson, csv, tsv, markdown, or a ClickHouse format like Parquet"
                    .to_owned(),
            );
        }
    };
    Ok(name.to_owned())
}

impl Sql {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let flags = vec![("log", self.common.log_or("warn"))];
        let config = self.common.load(flags)?;
        if let Some(dsn) = self.dsn {
            return show(&ReaderAccount::of_engine(&config)?, dsn, &config);
        }
        let statement = match self.statement.as_deref() {
            None | Some("-") => read_statement()?,
            Some(statement) => statement.to_owned(),
        };
        let store = open(&config)?
            .with_setting("output_format_pretty_row_numbers", "0")
            .with_setting("output_format_pretty_max_rows", "10000")
            // So that what fails half-way is an error, and no answer.
            .with_setting("wait_end_of_query", "1");
        block_on(&config, print(&store, &statement, &self.output))
    }
}

fn read_statement() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        bail!(Usage(
            "no statement given: use one like bygone sql 'SELECT count() FROM pods'".to_owned()
        ));
    }
    let mut text = String::new();
    let mut stdin = io::stdin().lock().take(STATEMENT_BYTES_MAX + 1);
    stdin.read_to_string(&mut text).context("read stdin")?;
    if text.len() as u64 > STATEMENT_BYTES_MAX {
        bail!("the statement on stdin has more than {STATEMENT_BYTES_MAX} bytes");
    }
    if text.trim().is_empty() {
        bail!(Usage("no statement on stdin".to_owned()));
    }
    Ok(text)
}

async fn print(store: &Store, statement: &str, format: &str) -> anyhow::Result<ExitCode> {
    let mut answer = store.answer_as_text(statement, format)?;
    let mut out = io::stdout().lock();
    while let Some(part) = answer.next().await? {
        out.write_all(&part)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The address and account of the running bygone's engine.
struct ReaderAccount {
    url: String,
    password: String,
    database: String,
}

impl ReaderAccount {
    fn of_engine(config: &Config) -> anyhow::Result<ReaderAccount> {
        if config.clickhouse.url.is_some() {
            bail!(
                "bygone creates no accounts in a ClickHouse of your own: run deploy/clickhouse-reader.sql there"
            );
        }
        let folder = config.data_dir.display();
        let Some(running) = running::find(&config.data_dir) else {
            bail!(
                "no bygone is running in {folder}: start one with \"bygone serve\", or pass its --data-dir, \
                 or a ClickHouse with --clickhouse-url"
            );
        };
        let Some(url) = running.sql else {
            bail!(
                "the bygone in {folder} uses a ClickHouse of your own: pass it with --clickhouse-url"
            );
        };
        let password = engine::reader_password(&config.data_dir);
        let password = password.with_context(|| {
            format!("the engine in {folder} has no account for readers: see its engine.log")
        })?;
        Ok(ReaderAccount {
            url,
            password,
            database: config.clickhouse.database.clone(),
        })
    }
}

fn open(config: &Config) -> anyhow::Result<Store> {
    if config.clickhouse.url.is_some() {
        let seconds_max = engine::READER_SECONDS_MAX.to_string();
        let memory_bytes_max = engine::READER_MEMORY_BYTES_MAX.to_string();
        return Ok(Store::open(&config.clickhouse)?
            .with_setting("readonly", "1")
            .with_setting("max_execution_time", &seconds_max)
            .with_setting("max_memory_usage", &memory_bytes_max));
    }
    let account = ReaderAccount::of_engine(config)?;
    let password = SecretString::from(account.password);
    Ok(Store::at(
        &account.url,
        READER,
        Some(&password),
        &account.database,
    )?)
}

fn show(account: &ReaderAccount, dsn: Dsn, config: &Config) -> anyhow::Result<ExitCode> {
    let ReaderAccount {
        url,
        password,
        database,
    } = account;
    let host = url.trim_start_matches("http://");
    say(&match dsn {
        Dsn::Url => format!("http://{READER}:{password}@{host}/{database}"),
        Dsn::Jdbc => {
            format!("jdbc:clickhouse:{url}/{database}?user={READER}&password={password}")
        }
        Dsn::Curl => {
            format!(
                "curl -u {READER}:{password} '{url}/?database={database}' --data-binary 'SELECT 1'"
            )
        }
    })?;
    if config.engine.port == 0 {
        eprintln!("the port changes at each start unless engine.port is set");
    }
    Ok(ExitCode::SUCCESS)
}
