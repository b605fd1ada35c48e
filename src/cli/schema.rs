//! `bygone schema`.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Common, NOTHING, Usage, block_on, say};
use crate::clickhouse::{Config as ClickHouse, Store, Stores};
use crate::config::{Config, Flags};
use crate::schema::{self, Engines};

/// For a ClickHouse of your own; the embedded engine applies its schema itself.
#[derive(Subcommand)]
pub enum Schema {
    /// Upgrade the tables to the version of this build
    Apply(Apply),
    /// Show the version of the database; exit code 1 if it differs from this build
    Status(Status),
    /// Print the SQL of all migrations and views
    Print(Print),
}

#[derive(Args)]
pub struct Apply {
    #[command(flatten)]
    cluster: Cluster,
    /// Use Replicated engines; pass --shard-url for every replica of every shard
    #[arg(long)]
    replicated: bool,
    #[command(flatten)]
    common: Common,
}

/// Which servers make up a cluster.
#[derive(Args)]
struct Cluster {
    /// Spread the tables over the shards of a cluster in ClickHouse's remote_servers
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// ClickHouse's HTTP address on one replica of a shard; repeat for each shard
    #[arg(long = "shard-url", value_name = "URL")]
    shard_urls: Vec<String>,
}

impl Cluster {
    fn flags(self) -> Flags {
        let mut flags = Flags::new();
        flags.extend(self.cluster.map(|name| ("clickhouse.cluster", name)));
        if !self.shard_urls.is_empty() {
            flags.push(("clickhouse.shard_urls", self.shard_urls.join(",")));
        }
        flags
    }
}

#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    cluster: Cluster,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct Print {
    /// With Replicated engines
    #[arg(long)]
    replicated: bool,
    #[command(flatten)]
    common: Common,
}

impl Schema {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Schema::Apply(apply) => {
                let config = apply.common.load(apply.cluster.flags())?;
                block_on(&config, bring(&config, engines(apply.replicated)))
            }
            Schema::Status(Status { cluster, common }) => {
                let config = common.load(cluster.flags())?;
                block_on(&config, status(&config))
            }
            Schema::Print(Print { replicated, common }) => {
                let database = common.load(Vec::new())?.clickhouse.database;
                for migration in &schema::MIGRATIONS {
                    let text = migration.text(&database, engines(replicated));
                    say(&format!("-- {}.sql\n\n{text}", migration.name))?;
                }
                let views = schema::views().join(";\n\n");
                say(&format!("-- views\n\n{views};"))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn engines(replicated: bool) -> Engines {
    if replicated {
        Engines::Replicated
    } else {
        Engines::Plain
    }
}

pub(super) fn open(config: &Config) -> anyhow::Result<Stores> {
    if config.clickhouse.url.is_none() {
        let hint = "no ClickHouse is configured: pass --clickhouse-url http://HOST:8123 (the embedded engine applies its schema itself)";
        return Err(Usage(hint.to_owned()).into());
    }
    Ok(Stores::open(&config.clickhouse)?)
}

async fn bring(config: &Config, engines: Engines) -> anyhow::Result<ExitCode> {
    let stores = open(config)?;
    if let Some(cluster) = stores.whole.cluster() {
        for shard in &stores.shards {
            complete(&stores, shard, cluster, engines).await?;
        }
    }
    for shard in &stores.shards {
        apply(shard, engines).await?;
    }
    if let Some(cluster) = stores.whole.cluster() {
        for shard in &stores.shards {
            // The database that is asked, on this very server.
            let whole = Store::open(&ClickHouse {
                url: Some(shard.url().to_owned()),
                ..config.clickhouse.clone()
            })?;
            schema::apply_over(&whole, shard, cluster)
                .await
                .context("schema apply")?;
            let (url, database) = (whole.url(), whole.database());
            say(&format!(
                "database {database} at {url} spans the shards of {cluster}"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// That no server of the cluster was forgotten: it would have no tables.
async fn complete(
    stores: &Stores,
    shard: &Store,
    cluster: &str,
    engines: Engines,
) -> anyhow::Result<()> {
    let replicas = engines == Engines::Replicated;
    let servers = schema::servers(shard, cluster, replicas).await?;
    let named = stores.shards.len();
    if servers != named as u64 {
        let what = if replicas { "replicas" } else { "shards" };
        let hint = format!(
            "cluster {cluster} has {servers} {what}, but {named} are given: pass --shard-url for each"
        );
        return Err(Usage(hint).into());
    }
    Ok(())
}

async fn apply(store: &Store, engines: Engines) -> anyhow::Result<()> {
    let applied = schema::apply(store, engines)
        .await
        .context("schema apply")?;
    for name in &applied {
        say(&format!("applied {name}"))?;
    }
    let (url, database, version) = (store.url(), store.database(), schema::VERSION);
    say(&format!(
        "database {database} at {url} is at version {version}"
    ))
}

async fn status(config: &Config) -> anyhow::Result<ExitCode> {
    let stores = open(config)?;
    let mut all = vec![&stores.whole];
    if stores.whole.cluster().is_some() {
        all.extend(&stores.shards);
    }
    let mut code = ExitCode::SUCCESS;
    for store in all {
        let found = schema::version(store).await?;
        let (url, database, needed) = (store.url(), store.database(), schema::VERSION);
        say(&format!(
            "database {database} at {url} is at version {found}, this build needs {needed}"
        ))?;
        if found != needed {
            code = ExitCode::from(NOTHING);
        }
    }
    Ok(code)
}
