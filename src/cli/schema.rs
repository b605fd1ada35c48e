//! `bygone schema`.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Common, NOTHING, Usage, block_on, say};
use crate::clickhouse::Store;
use crate::config::Config;
use crate::schema;

/// The embedded engine gets its schema by itself; these are for a ClickHouse of your own.
#[derive(Subcommand)]
pub enum Schema {
    /// Bring the tables of a ClickHouse to the version of this build
    Apply(Apply),
    /// Show which version the database has; exit code 1 when it is not that of this build
    Status(Status),
    /// Print the SQL of all migrations
    Print(Print),
}

#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct Print {
    #[command(flatten)]
    common: Common,
}

impl Schema {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Schema::Apply(Apply { common }) => {
                let config = common.load(Vec::new())?;
                block_on(&config, apply(&config))
            }
            Schema::Status(Status { common }) => {
                let config = common.load(Vec::new())?;
                block_on(&config, status(&config))
            }
            Schema::Print(Print { common }) => {
                let database = common.load(Vec::new())?.clickhouse.database;
                for migration in &schema::MIGRATIONS {
                    say(&format!(
                        "-- {}.sql\n\n{}",
                        migration.name,
                        migration.text(&database)
                    ))?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

pub(super) fn open(config: &Config) -> anyhow::Result<Store> {
    if config.clickhouse.url.is_none() {
        let hint = "no ClickHouse is named: give --clickhouse-url http://HOST:8123 \
                    (the embedded engine gets its schema by itself)";
        return Err(Usage(hint.to_owned()).into());
    }
    Ok(Store::open(&config.clickhouse)?)
}

async fn apply(config: &Config) -> anyhow::Result<ExitCode> {
    let store = open(config)?;
    let applied = schema::apply(&store).await.context("schema apply")?;
    for name in &applied {
        say(&format!("applied {name}"))?;
    }
    say(&format!(
        "database {} is at version {}",
        store.database(),
        schema::VERSION
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn status(config: &Config) -> anyhow::Result<ExitCode> {
    let store = open(config)?;
    let found = schema::version(&store).await?;
    let (database, needed) = (store.database(), schema::VERSION);
    say(&format!(
        "database {database} is at version {found}, this build needs {needed}"
    ))?;
    Ok(if found == needed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOTHING)
    })
}
