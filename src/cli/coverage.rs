//! `bygone coverage`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::ask::{Backend, Lines, ServerFlags};
use super::output::{End, ListFormat, Look, Printer};
use super::{Common, NOTHING, Usage, block_on, when};
use crate::query::Params;
use crate::query::coverage::{self, Advice, Day, Scope};

/// Show ingest gaps, and the audit policy rules that fix them
///
/// For each cluster and day: the number of events by audit level, the API servers and their silences, the
/// number of pods and containers with unknown parts, unreadable events, and the audit policy rules that fix the gaps.
///
/// Days are in UTC. Counts are of distinct events, however often they arrived; large ones are mostly within 2 %.
///
/// Every API server renews a lease of its own every ten seconds. If the audit policy records that
/// (deploy/audit-policy.yaml does), three missed renewals are a silence: it was down, or its events did not arrive.
/// A silence that has not ended is shown after three minutes. Without these events an outage looks like a quiet
/// period, because other events do not identify the API server; and one that was never seen is not missed.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Coverage {
    /// Kubernetes clusters, separated by commas
    #[arg(long, value_name = "NAMES")]
    cluster: Option<String>,
    /// From the day this long ago until now: 2h, 1d, 2w
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    since: String,
    /// Output format; json and ndjson have all details
    #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
    output: ListFormat,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    common: Common,
}

const EXAMPLES: &str = "\
Examples:
  bygone coverage                             the last seven days of every cluster
  bygone coverage --cluster prod --since 1d   today and yesterday
  bygone coverage -o json                     silences with their times, all counts

schema/README.md (What is not known) lists what lower levels than RequestResponse lack.

Exit codes: 0 found, 1 nothing found, 2 error, 64 wrong usage.";

impl Coverage {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        block_on(&config, async {
            let now = Timestamp::now();
            let in_use = self.server.in_use(&self.common, &config)?;
            let mut params = self.params(now)?;
            params.cluster = in_use.cluster(self.cluster.as_ref());
            let direct = self.common.is_direct();
            let backend = Backend::find(&config, self.server.server(&in_use)?, direct).await?;
            let days = days(&backend, &params, now).await?;
            if days.is_empty() {
                in_use.say(false);
            }
            self.print(&days)
        })
    }

    fn params(&self, now: Timestamp) -> anyhow::Result<Params> {
        let args = when::Args {
            since: Some(&self.since),
            ..when::Args::default()
        };
        let window = when::window(args, &jiff::tz::TimeZone::UTC, now).map_err(Usage::from)?;
        Ok(Params {
            from: window.since.map(|since| since.to_string()),
            ..Params::default()
        })
    }

    fn print(&self, days: &[Day]) -> anyhow::Result<ExitCode> {
        let mut out = BufWriter::new(io::stdout().lock());
        let mut printer = Printer::new(self.output, Look::plain(), &mut out);
        for day in days {
            printer.row(day)?;
        }
        printer.end(&End::default())?;
        if days.is_empty() {
            eprintln!("nothing found: no events arrived in that time");
            return Ok(ExitCode::from(NOTHING));
        }
        if matches!(self.output, ListFormat::Table) {
            advise(days, &mut out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn days(backend: &Backend, params: &Params, now: Timestamp) -> anyhow::Result<Vec<Day>> {
    match backend {
        Backend::Store(store, _) => {
            let asked = params.question(now)?;
            let scope = Scope {
                clusters: asked.clusters,
                namespaces: asked.namespaces,
                time: asked.time,
            };
            Ok(coverage::coverage(store, &scope, now).await?)
        }
        Backend::Server(server) => {
            let mut lines = Lines::open(server, "coverage", params).await?;
            let mut days = Vec::new();
            while let Some(day) = lines.next::<Day>().await? {
                days.push(day);
            }
            Ok(days)
        }
    }
}

/// Fixes for each cluster's newest day with events; earlier gaps may be fixed by now.
fn advise(days: &[Day], out: &mut impl Write) -> anyhow::Result<()> {
    let with_events = days.iter().filter(|day| !day.events.is_empty());
    let with_events: Vec<&Day> = with_events.collect();
    for cluster in with_events.chunk_by(|a, b| a.cluster == b.cluster) {
        let Some(newest) = cluster.last() else {
            continue;
        };
        for Advice { why, place, lines } in &newest.advice {
            let (cluster, date) = (newest.cluster.escape_debug(), newest.day);
            writeln!(out, "\n{cluster}, {date}: {why}.")?;
            writeln!(out, "In the audit policy ({place}):\n")?;
            for line in lines.lines() {
                writeln!(out, "    {line}")?;
            }
        }
    }
    Ok(out.flush()?)
}
