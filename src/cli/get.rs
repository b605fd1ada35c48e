//! `bygone get`.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ask::{Oracle, Rows, ServerFlags};
use super::output::{End, Format, Look, Printer, Row};
use super::{Common, NOTHING, Usage, block_on, when};
use crate::csv::Texts;
use crate::query::{
    self, Container, Cost, Ending, Life, Params, Pod, Question, ROWS_MAX, Session, Window,
};

#[derive(Clone, Copy, ValueEnum)]
enum What {
    #[value(aliases = ["container", "co"])]
    Containers,
    #[value(aliases = ["pod", "po"])]
    Pods,
    #[value(alias = "session")]
    Sessions,
}

/// Without a time all of the history is asked, without -n all namespaces.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Get {
    /// What to show
    what: What,
    /// Names of pods; one that ends in * is a prefix
    names: Vec<String>,
    /// Namespaces, separated by commas
    #[arg(short, long, value_name = "NAMES")]
    namespace: Option<String>,
    /// All namespaces, which is the default
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Kubernetes clusters, separated by commas
    #[arg(long, value_name = "NAMES")]
    cluster: Option<String>,
    #[command(flatten)]
    time: Time,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    common: Common,
}

const EXAMPLES: &str = "\
Examples:
  bygone get containers -n shop --since 2h
  bygone get containers -n shop --from '2026-11-23 06:00' --to '2026-11-23 07:00' --zone UTC
  bygone get pods --ip 10.0.3.17 --at 2026-11-23T06:15:00Z
  bygone get containers --container-id 38cb0c636df0 -o wide
  bygone get containers -l app=cart --workload deploy/cart -o ndjson
  bygone get sessions web-0 -n shop       who ran commands in it, debugged it, resized it
  bygone get sessions --user alice --since 1d -o wide

Sessions are requests for exec, attach and port-forward, added ephemeral containers
(kubectl debug) and resizes, also those that were refused. They are found by cluster,
namespace, name of the pod, user and time.

Exit codes: 0 found, 1 nothing found, 2 trouble, 64 wrong usage.";

/// When. What lived at any instant of the range is shown, not only what began in it.
#[derive(Args)]
#[command(next_help_heading = "Time")]
pub(super) struct Time {
    /// From so long ago until now: 90s, 15m, 2h, 1d
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Beginning: RFC 3339, or a time of the zone like '2026-11-23 06:15' or 06:15
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End, exclusive
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What lived at this instant
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Zone of times without one, and of tables: local, UTC, Europe/Berlin, +02:00
    #[arg(long, value_name = "ZONE", default_value = "local")]
    zone: String,
}

impl Time {
    pub fn zone(&self) -> Result<TimeZone, Usage> {
        when::zone(&self.zone).map_err(|error| Usage(error.to_string()))
    }

    pub fn window(&self, zone: &TimeZone, now: Timestamp) -> Result<Window, Usage> {
        let args = when::Args {
            since: self.since.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            at: self.at.as_deref(),
        };
        when::window(args, zone, now).map_err(|error| Usage(error.to_string()))
    }
}

#[derive(Args)]
#[command(next_help_heading = "Filters")]
struct Filter {
    /// Label selector of the pod: a=b, a!=b, 'a in (b,c)', a, '!a', separated by commas
    #[arg(short = 'l', long = "selector", value_name = "SELECTOR")]
    labels: Option<String>,
    /// Top owner, like deploy/web or CronJob/report
    #[arg(long, value_name = "KIND/NAME")]
    workload: Option<String>,
    /// Node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// A part of the image's name or ID
    #[arg(long, value_name = "TEXT")]
    image: Option<String>,
    /// An address that the pod had
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Container ID, or its beginning
    #[arg(long, value_name = "PREFIX")]
    container_id: Option<String>,
    /// UID of the pod
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// Of sessions: the account that asked, or that was impersonated
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Output")]
struct Shape {
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// The most rows to show; what is left out is said
    #[arg(long, value_name = "ROWS", default_value_t = ROWS_MAX,
          value_parser = clap::value_parser!(u64).range(1..=ROWS_MAX))]
    limit: u64,
    /// Go on behind a former answer
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Leave the headers of tables and csv out
    #[arg(long)]
    no_headers: bool,
    /// In csv, texts as they are: no ' before what a spreadsheet would take for a formula (= + - @ tab CR), no escapes
    #[arg(long)]
    csv_raw: bool,
    /// Print what the answer cost ClickHouse: rows, bytes and CPU time; rows are printed at the end
    #[arg(long)]
    explain: bool,
}

impl Get {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        block_on(&config, async {
            let now = Timestamp::now();
            let zone = self.time.zone()?;
            let params = self.params(&zone, now)?;
            let question = params
                .question(now)
                .map_err(|error| Usage(error.to_string()))?;
            self.check(&question)?;
            let direct = self.common.clickhouse_url.is_some();
            let oracle = Oracle::find(&config, self.server.server(), direct).await?;
            let look = Look {
                zone,
                now,
                namespace_column: params
                    .namespace
                    .as_ref()
                    .is_none_or(|names| names.contains(',')),
                cluster_column: params
                    .cluster
                    .as_ref()
                    .is_none_or(|names| names.contains(',')),
                headers: !self.shape.no_headers,
                csv: match self.shape.csv_raw {
                    true => Texts::Raw,
                    false => Texts::Safe,
                },
            };
            match self.what {
                What::Containers => self.print::<Container>(&oracle, &params, look).await,
                What::Pods => self.print::<Pod>(&oracle, &params, look).await,
                What::Sessions => self.print::<Session>(&oracle, &params, look).await,
            }
        })
    }

    /// Not all that can be shown is found by all filters.
    fn check(&self, question: &Question) -> Result<(), Usage> {
        let checked = match self.what {
            What::Containers => query::check::<Container>(question),
            What::Pods => query::check::<Pod>(question),
            What::Sessions => query::check::<Session>(question),
        };
        checked.map_err(|error| Usage(error.to_string()))
    }

    fn params(&self, zone: &TimeZone, now: Timestamp) -> anyhow::Result<Params> {
        let window = self.time.window(zone, now)?;
        let Filter {
            labels,
            workload,
            node,
            image,
            ip,
            container_id,
            uid,
            user,
        } = &self.filter;
        Ok(Params {
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            from: window.since.map(|from| from.to_string()),
            to: window.until.map(|to| to.to_string()),
            name: (!self.names.is_empty()).then(|| self.names.join(",")),
            labels: labels.clone(),
            workload: workload.clone(),
            node: node.clone(),
            image: image.clone(),
            ip: ip.clone(),
            container_id: container_id.clone(),
            uid: uid.clone(),
            user: user.clone(),
            limit: Some(self.shape.limit),
            cursor: self.shape.cursor.clone(),
            explain: self.shape.explain.then_some(true),
            ..Params::default()
        })
    }

    async fn print<L: Life + Row>(
        &self,
        oracle: &Oracle,
        params: &Params,
        look: Look,
    ) -> anyhow::Result<ExitCode> {
        let fields = self.shape.output.fields::<L>();
        let params = Params {
            fields: (!fields.is_empty()).then(|| fields.join(",")),
            ..params.clone()
        };
        let mut rows = oracle.ask::<L>(&params).await?;
        let mut out = BufWriter::new(io::stdout().lock());
        let printer = Printer::new(self.shape.output, look, &mut out);
        match print_all(&mut rows, printer).await {
            Ok((rows, ending)) => {
                tell(L::PLURAL, rows, &ending);
                Ok(ExitCode::from(if rows == 0 { NOTHING } else { 0 }))
            }
            Err(error) => Err(error),
        }
    }
}

/// What is to be known about an answer besides its rows.
fn tell(what: &str, rows: u64, ending: &Ending) {
    if rows == 0 {
        eprintln!("no {what} found");
    }
    if let Some(cursor) = &ending.cursor {
        eprintln!("{rows} shown, more follow: go on with --cursor {cursor}");
    }
    if let Some(Cost {
        rows_read,
        bytes_read,
        cpu_ms,
    }) = ending.cost
    {
        let cpu = cpu_ms.map(|cpu| format!(", {cpu} ms of CPU"));
        let cpu = cpu.unwrap_or_default();
        eprintln!("clickhouse read {rows_read} rows, {bytes_read} bytes{cpu}");
    }
}

async fn print_all<L: Life + Row>(
    rows: &mut Rows<L>,
    mut printer: Printer<'_, L>,
) -> anyhow::Result<(u64, Ending)> {
    let mut count = 0;
    while let Some(row) = rows.next().await? {
        printer.row(&row)?;
        count += 1;
    }
    let ending = rows.ending().await?;
    printer.end(&End {
        more: ending.cursor.clone(),
    })?;
    Ok((count, ending))
}
