//! `bygone logs check`: which `[[logs]]` block finds the lines of a store.
//!
//! The history says which instances ran, the stores are read by this process: it needs their configuration, and is for
//! those who write it. What it prints is TOML: the blocks, and everything else as comments.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use jiff::{SignedDuration, Timestamp};

use super::super::ask::{Backend, ServerFlags};
use super::super::{Common, NOTHING, Usage, block_on, names, say};
use super::{instance_name, target_of};
use crate::clickhouse::Store as OwnStore;
use crate::escape;
use crate::logs::{self, Checked, Config, Instance, Kind, Try};
use crate::query::{Container, Params};
use crate::tls::ClientFiles;

/// Where instances are looked for if none is named. Lines of hours ago are in the store by now.
const RECENT: SignedDuration = SignedDuration::from_hours(6);

/// Instances that are looked through.
const ROWS_MAX: u64 = 1_000;

const EXAMPLES: &str = "\
Examples:
  bygone logs check                                the stores of the configuration
  bygone logs check cart-6d4cf56db6-x2x9k -n shop  by the lines of this pod
  bygone logs check --address https://search.example:9200 --kind opensearch \\
      --user bygone --password-file ./password     a store that is not configured yet
  bygone logs check --address http://loki:3100 --kind loki >> bygone.toml

The stores are read from here, with every preset of their kind. What is printed is TOML: the block
that finds lines by the strongest identity, and what was tried as comments. Of a store in which
nothing is found the names of its indices, tables, labels and fields are listed, no values.

Exit codes: 0 every store finds lines as it is configured (with --address: by some preset),
1 one does not, 2 trouble, 64 wrong usage.";

/// Without a pod, containers that ran in the last six hours are chosen, those that run longest first.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// Pods that have lines in the stores: POD, NAMESPACE/POD, or one KIND/NAME of an owner [default:
    /// some of the last hours]
    #[arg(value_name = "PODS", add = ArgValueCompleter::new(names::pods))]
    targets: Vec<String>,
    /// Namespaces, separated by commas
    #[arg(short, long, value_name = "NAMES", add = ArgValueCompleter::new(names::namespaces))]
    namespace: Option<String>,
    /// Kubernetes clusters, separated by commas
    #[arg(long, value_name = "NAMES", add = ArgValueCompleter::new(names::clusters))]
    cluster: Option<String>,
    #[command(flatten)]
    unknown: Unknown,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    common: Common,
}

/// A store that is not configured.
#[derive(Args)]
#[command(next_help_heading = "Store that is not configured yet")]
struct Unknown {
    /// Its address, like http://loki:3100
    #[arg(long, value_name = "URL", requires = "kind")]
    address: Option<String>,
    /// clickhouse, elasticsearch, opensearch, loki or victorialogs
    #[arg(long, value_name = "KIND", value_parser = kind, requires = "address")]
    kind: Option<Kind>,
    /// Where to look in it: the table, index pattern or selector that [[logs]] calls from
    #[arg(long, value_name = "PATTERN", requires = "address")]
    index: Option<String>,
    /// User
    #[arg(long, value_name = "NAME", requires = "address")]
    user: Option<String>,
    /// File with that user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// File with a bearer token for the store
    #[arg(long, value_name = "FILE", requires = "address")]
    store_token_file: Option<PathBuf>,
    /// File with an API key of Elasticsearch
    #[arg(long, value_name = "FILE", requires = "address")]
    api_key_file: Option<PathBuf>,
    /// File with the certificates of CAs that the store is trusted by
    #[arg(long, value_name = "FILE", requires = "address")]
    store_ca_file: Option<PathBuf>,
    /// Tenant of Loki or VictoriaLogs
    #[arg(long, value_name = "TENANT", requires = "address")]
    tenant: Option<String>,
}

fn kind(text: &str) -> Result<Kind, String> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    kind.ok_or_else(|| "use clickhouse, elasticsearch, opensearch, loki or victorialogs".to_owned())
}

impl Check {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        let blocks = match self.unknown.block() {
            Some(block) => vec![block],
            None => config.logs.clone(),
        };
        if blocks.is_empty() {
            bail!(
                "no logs store is configured here: run this where bygone's configuration is (--config FILE), \
                 or pass --address URL and --kind KIND"
            );
        }
        block_on(&config, async {
            let now = Timestamp::now();
            let in_use = self.server.in_use(&self.common, &config)?;
            let server = self.server.server(&in_use)?;
            let history = Backend::find(&config, server, self.common.is_direct()).await?;
            let params = self.params(in_use.cluster(self.cluster.as_ref()), now)?;
            params.question(now).map_err(Usage::from)?;
            let rows = history.ask::<Container>(&params).await?.all().await?;
            let instances = logs::candidates(rows, !self.targets.is_empty(), now);
            if instances.is_empty() {
                bail!("{}", self.none());
            }
            print_instances(&instances)?;
            let own = match &history {
                Backend::Store(store, _) => Some(store),
                Backend::Server(_) => None,
            };
            let mut are_good = true;
            for block in &blocks {
                are_good &= one(block, own, &instances, now).await?;
            }
            Ok(match are_good {
                true => ExitCode::SUCCESS,
                false => NOTHING.into(),
            })
        })
    }

    fn params(&self, cluster: Option<String>, now: Timestamp) -> Result<Params, Usage> {
        let mut names = Vec::new();
        let mut workloads = Vec::new();
        for target in &self.targets {
            let (name, workload) = target_of(target)?;
            names.extend(name);
            workloads.extend(workload);
        }
        if workloads.len() > 1 || (!workloads.is_empty() && !names.is_empty()) {
            let problem = "KIND/NAME cannot be combined with others: name one of them, or pods";
            return Err(Usage(problem.to_owned()));
        }
        let since = now.checked_sub(RECENT).ok();
        let since = since.filter(|_| self.targets.is_empty());
        Ok(Params {
            cluster,
            namespace: self.namespace.clone(),
            name: (!names.is_empty()).then(|| names.join(",")),
            workload: workloads.pop(),
            from: since.map(|since| since.to_string()),
            limit: Some(ROWS_MAX),
            ..Params::default()
        })
    }

    fn none(&self) -> &'static str {
        match self.targets.is_empty() {
            true => {
                "no container ran for a minute in the last six hours: name a pod that has lines in the store"
            }
            false => "no container instances of these pods are known",
        }
    }
}

impl Unknown {
    fn block(&self) -> Option<Config> {
        let address = self.address.clone()?;
        let name = self.kind.map(|kind| kind.name().to_owned());
        Some(Config {
            name: name.unwrap_or_default(),
            kind: self.kind,
            address: Some(address),
            from: self.index.clone(),
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            token_file: self.store_token_file.clone(),
            api_key_file: self.api_key_file.clone(),
            tenant: self.tenant.clone(),
            tls: ClientFiles {
                ca_file: self.store_ca_file.clone(),
                ..ClientFiles::default()
            },
            ..Config::default()
        })
    }
}

/// Checks a store and prints what was found. Returns whether it finds lines.
async fn one(
    block: &Config,
    own: Option<&Arc<OwnStore>>,
    instances: &[Arc<Instance>],
    now: Timestamp,
) -> anyhow::Result<bool> {
    let checked = logs::check(block, own, instances, now).await;
    say("")?;
    comment(&format!("store {}:", block.name))?;
    for one in &checked.tries {
        comment(&format!("  {}: {}", way(one), outcome(one, instances)))?;
    }
    if let Some(error) = &checked.error {
        comment(&format!("  {error}"))?;
        if block.address.is_none() && own.is_none() {
            comment(
                "  without an address it is bygone's own ClickHouse, which only the server reads: \
                 pass one of yours with --clickhouse-url",
            )?;
        }
    }
    for seen in &checked.seen {
        comment(&format!("  what it has: {}", seen.text()))?;
    }
    let is_configured = block.preset.is_some() || block.fields != Config::default().fields;
    match checked.best.map(|best| &checked.tries[best]) {
        Some(best) => print_best(best, &checked)?,
        None if checked.error.is_none() => comment(
            "  nothing was found: name a pod that has lines there, or set [logs.fields] to fields that it has",
        )?,
        None => {}
    }
    Ok(match is_configured {
        true => checked.is_good(),
        false => checked.best.is_some(),
    })
}

fn print_best(best: &Try, checked: &Checked) -> anyhow::Result<()> {
    let text = match (best.is_configured, checked.is_good()) {
        (true, _) => "it finds lines as it is configured:",
        (false, true) => "it finds lines as it is configured; this finds them with more certainty:",
        (false, false) => "this finds lines:",
    };
    comment(&format!("  {text}"))?;
    say(logs::block(&best.config).trim_end())
}

fn print_instances(instances: &[Arc<Instance>]) -> anyhow::Result<()> {
    comment("looking for lines of")?;
    for of in instances {
        let id = of.container_id.as_deref().unwrap_or("unknown");
        let id = id.get(..12).unwrap_or(id);
        let began = of.began.map(|began| format!(", began {began}"));
        let ended = of.ended.map(|ended| format!(", ended {ended}"));
        comment(&format!(
            "  {}, container ID {id}{}{}",
            name(of),
            began.unwrap_or_default(),
            ended.unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn name(of: &Instance) -> String {
    instance_name(&of.namespace, &of.pod, &of.container, of.restart)
}

fn way(one: &Try) -> String {
    let what = match (&one.config.preset, one.is_configured) {
        (Some(preset), true) => format!("as it is configured (preset {preset})"),
        (None, true) => "as it is configured (its own fields)".to_owned(),
        (preset, false) => format!("preset {}", preset.as_deref().unwrap_or_default()),
    };
    match one.from.is_empty() {
        true => what,
        false => format!("{what}, from {}", one.from),
    }
}

fn outcome(one: &Try, instances: &[Arc<Instance>]) -> String {
    let outcome = match &one.outcome {
        Ok(outcome) => outcome,
        Err(error) => return error.clone(),
    };
    let Some(lines) = &outcome.best else {
        return "no lines".to_owned();
    };
    let place = lines.place.as_ref();
    let place = place.map_or(String::new(), |place| format!(" in index {place}"));
    format!(
        "lines of {} of {}, like {} by {}, the newest of {}{place}",
        outcome.instances,
        instances.len(),
        name(&lines.of),
        lines.identity.words(),
        lines.at
    )
}

fn comment(text: &str) -> anyhow::Result<()> {
    say(format!("# {}", escape::controls(text)).trim_end())
}
