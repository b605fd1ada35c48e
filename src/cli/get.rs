//! `bygone get`.

mod kept;
pub(super) mod nothing;
mod shape;
mod terminal;
mod watch;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::{Error, ErrorKind};
use clap::{Arg, Args, Command, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::shape::Shape;
use super::ask::{Backend, ServerFlags};
use super::context::InUse;
use super::filters::Filters;
use super::output::Look;
use super::what::{RECENT, What};
use super::{Common, NOTHING, Usage, block_on, names, when};
use crate::audit::words::EndedWhy;
use crate::query::{self, Container, Params, Pod, Question, Session, Window, Workload};

/// Reads [`What`]. Other kinds, and names with their kind, which kubectl takes, get a hint of their own.
#[derive(Clone, Copy)]
struct WhatParser;

impl TypedValueParser for WhatParser {
    type Value = What;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<What, Error> {
        let usual = EnumValueParser::new().parse_ref(command, arg, value);
        let text = value.to_string_lossy();
        let is_workload = |text: &str| text.parse::<Workload>().is_ok();
        let hint = match text.split_once('/') {
            _ if usual.is_ok() => return usual,
            Some((kind, name)) if What::from_str(kind, true).is_ok() => {
                format!("{text:?}: write the name apart, like {kind} {name}")
            }
            Some(_) if is_workload(&text) => {
                format!("{text:?}: use \"pods --workload {text}\", or \"workloads {text}\"")
            }
            None if is_workload(&format!("{text}/x")) => {
                format!("{text:?}: use workloads, or \"pods --workload {text}/NAME\"")
            }
            _ => return usual,
        };
        Err(Error::raw(ErrorKind::InvalidValue, hint).with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = What::value_variants().iter();
        Some(Box::new(values.filter_map(ValueEnum::to_possible_value)))
    }
}

/// Without a time, the last 24 hours are searched (with --uid or --container-id all of the history); without -n, all
/// namespaces, or those that a context names.
#[derive(Args)]
#[command(after_help = after_help())]
pub struct Get {
    /// What to show
    #[arg(value_parser = WhatParser)]
    what: What,
    /// Names of pods, NAMESPACE/POD, or of containers NAMESPACE/POD/CONTAINER; of summaries, names of what is summed
    /// up, of workloads also KIND/NAME; * and ? are wildcards
    #[arg(add = ArgValueCompleter::new(names::of_what))]
    names: Vec<String>,
    /// Namespaces, separated by commas; * and ? are wildcards
    #[arg(short, long, value_name = "NAMES", add = ArgValueCompleter::new(names::namespaces))]
    namespace: Option<String>,
    /// All namespaces (default without a context)
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Kubernetes clusters, separated by commas
    #[arg(long, value_name = "NAMES", add = ArgValueCompleter::new(names::clusters))]
    cluster: Option<String>,
    #[command(flatten)]
    time: Time,
    /// All of the history
    #[arg(long, help_heading = "Time", conflicts_with_all = ["since", "from", "to", "at"])]
    all: bool,
    #[command(flatten)]
    filters: Filters,
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
  bygone get pods -n shop --all           all of the history, not the last 24 hours alone
  bygone get pods --ip 10.0.3.17 --at 2026-11-23T06:15:00Z
  bygone get containers --container-id 38cb0c636df0 -o wide
  bygone get containers -l app=cart --workload deploy/cart -o ndjson
  bygone get pods -n shop --sort-by restarts -L app,tier
  bygone get pods -n shop -o custom-columns=POD:.pod,WHY:.ended_why,BY:.ended_by
  bygone get pods -n shop -o jsonpath='{.items[*].pod}'
  bygone get containers --reason OOMKilled --since 1d
  bygone get containers --state failed --exit-code '!=1' --from 23:00 --to 01:00
  bygone get pods 'shop/cart-*' --by 'alice*' --why deleted,force-deleted
  bygone get sessions web-0 -n shop       who ran commands in it, debugged it, resized it
  bygone get sessions --user alice --since 1d -o wide
  bygone get workloads -n shop --since 1d  pods, instances, restarts and the worst end of each
  bygone get nodes 'worker-*' --state failed

Sessions are requests for exec, attach and port-forward, added ephemeral containers
(kubectl debug) and resizes, including rejected ones. They can be filtered by cluster,
namespace, pod name, user and time.

The newest rows come last, and --limit keeps the newest. STATE is what kubectl would show. WHY is
why it ended, BY who requested that. Values of WHY, explained in schema/README.md:
";

fn after_help() -> String {
    let words = EndedWhy::ALL.iter().map(|why| why.word());
    let lines = words.collect::<Vec<_>>();
    let lines = lines
        .chunks(6)
        .map(|words| format!("  {}", words.join(", ")));
    let lines = lines.collect::<Vec<_>>().join(",\n");
    let codes = "Exit codes: 0 found, 1 nothing found, 2 error, 64 wrong usage.";
    format!("{EXAMPLES}{lines}\n\n{codes}")
}

/// When. Shows everything alive at any time in the range, not only what started in it.
#[derive(Args)]
#[command(next_help_heading = "Time")]
pub(super) struct Time {
    /// From this long ago until now: 90s, 15m, 2h, 1d12h, 1.5h
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    since: Option<String>,
    /// Start: RFC 3339, a time in --zone like '2026-11-23 06:15', 06:15 (the latest one), 'yesterday
    /// 14:00', 'monday 06:15', now, or seconds or milliseconds since 1970
    #[arg(long, value_name = "TIME", alias = "since-time")]
    from: Option<String>,
    /// End, exclusive
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What existed at this instant, which must not be in the future
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Time zone of times without one, and of tables: local, UTC, Europe/Berlin, +02:00 [default: the context's, or local]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

impl Time {
    /// Whether an instant is asked for, and no range.
    pub fn is_at(&self) -> bool {
        self.at.is_some()
    }

    pub fn is_given(&self) -> bool {
        let given = [&self.since, &self.from, &self.to, &self.at];
        given.into_iter().any(Option::is_some)
    }

    /// The zone; `of_context` where the flag names none.
    pub fn zone(&self, of_context: Option<&str>) -> Result<TimeZone, Usage> {
        let zone = self.zone.as_deref().or(of_context);
        Ok(when::zone(zone.unwrap_or("local"))?)
    }

    pub fn window(&self, zone: &TimeZone, now: Timestamp) -> Result<Window, Usage> {
        let args = when::Args {
            since: self.since.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            at: self.at.as_deref(),
        };
        let window = when::window(args, zone, now)?;
        if let (Some(to), Some(until)) = (&self.to, window.until)
            && when::is_future(until, now)
        {
            eprintln!("--to {to:?} is in the future: the answer is as of now, {now:.0}");
        }
        Ok(window)
    }
}

fn say_recent() {
    let hours = RECENT.as_hours();
    eprintln!("only the last {hours} hours were searched: use --all for all of the history");
}

impl Get {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        block_on(&config, async {
            let now = Timestamp::now();
            let in_use = self.server.in_use(&self.common, &config)?;
            let zone = self.time.zone(in_use.zone())?;
            let params = self.params(&in_use, &zone, now)?;
            let question = match self.what.group() {
                Some(group) => params.summary(group, now),
                None => params.question(now),
            };
            let question = question.map_err(Usage::from)?;
            self.check(&question)?;
            let direct = self.common.is_direct();
            let backend = Backend::find(&config, self.server.server(&in_use)?, direct).await?;
            let is_one = |names: &Option<String>| {
                let is_one = |names: &String| !names.contains([',', '*', '?']);
                names.as_ref().is_some_and(is_one)
            };
            let look = self.shape.look(Look {
                zone,
                now,
                namespace_column: !is_one(&params.namespace),
                cluster_column: !is_one(&params.cluster),
                ..Look::plain()
            });
            let shape = &self.shape;
            if self.is_without_time() && shape.is_endless() {
                say_recent();
            }
            let code = match (self.what, self.what.group()) {
                (_, Some(group)) => {
                    shape
                        .print_summaries(&backend, &params, (group, look))
                        .await
                }
                (What::Pods, _) => shape.print::<Pod>(&backend, &params, look).await,
                (What::Sessions, _) => shape.print::<Session>(&backend, &params, look).await,
                _ => shape.print::<Container>(&backend, &params, look).await,
            }?;
            // Behind the answer, where a pager leaves it to be seen.
            if self.is_without_time() {
                say_recent();
            }
            if code == ExitCode::from(NOTHING) || shape.explains() {
                in_use.say(self.namespace.is_none() && params.namespace.is_some());
            }
            Ok(code)
        })
    }

    /// The namespaces of the query. A context's namespace only applies to names that may be in any namespace, not to
    /// cluster-scoped resources, summaries of namespaces, or look-ups by UID or ID.
    fn namespace(&self, in_use: &InUse) -> Option<String> {
        let is_in_one = !matches!(self.what, What::Clusters | What::Namespaces | What::Nodes);
        let is_named = self.names.iter().any(|name| name.contains('/'));
        let may_be_in_any = is_in_one && !is_named && !self.filters.are_of_one_life();
        let of_context = || in_use.namespace().filter(|_| may_be_in_any);
        match self.all_namespaces {
            true => None,
            false => self.namespace.clone().or_else(of_context),
        }
    }

    /// Whether there is no time range. A UID or a container ID comes from a log or an alert, maybe an old one, and
    /// identifies one life at any time. Names are reused, so a name alone is not a look-up.
    fn is_without_time(&self) -> bool {
        !self.all && !self.time.is_given() && !self.filters.are_of_one_life()
    }

    /// Not all that can be shown is found by all filters, and has all fields.
    fn check(&self, question: &Question) -> Result<(), Usage> {
        let shape = &self.shape;
        let (found, shown) = match (self.what, self.what.group()) {
            (_, Some(group)) => (
                query::check_summary(group, question),
                shape.check_summaries(group),
            ),
            (What::Pods, _) => (query::check::<Pod>(question), shape.check::<Pod>()),
            (What::Sessions, _) => (query::check::<Session>(question), shape.check::<Session>()),
            _ => (
                query::check::<Container>(question),
                shape.check::<Container>(),
            ),
        };
        found.map_err(|error| Usage(error.to_string()))?;
        shown
    }

    fn params(&self, in_use: &InUse, zone: &TimeZone, now: Timestamp) -> anyhow::Result<Params> {
        let mut window = self.time.window(zone, now)?;
        if self.is_without_time() {
            window.since = Some(now.checked_sub(RECENT)?);
        }
        let mut params = Params {
            cluster: match self.what {
                What::Clusters => self.cluster.clone(),
                _ => in_use.cluster(self.cluster.as_ref()),
            },
            namespace: self.namespace(in_use),
            from: window.since.map(|from| from.to_string()),
            to: window.until.map(|to| to.to_string()),
            name: (!self.names.is_empty()).then(|| self.names.join(",")),
            ..self.filters.params()
        };
        self.shape.ask(&mut params);
        Ok(params)
    }
}
