//! `bygone logs`: the lines of containers, also of those that no longer exist.

mod answer;
mod check;
mod kubectl;
mod summary;
mod url;
mod write;

use std::pin::pin;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::answer::Answer;
use self::kubectl::Habits;
use self::write::{Form, Writer};
use super::ask::{Backend, ServerFlags};
use super::context::InUse;
use super::get::{Time, nothing};
use super::what::RECENT;
use super::{Common, NOTHING, Usage, block_on, names, say};
use crate::logs::{INSTANCES_MAX, LogsEnding, Params, Preset, Record};
use crate::query::{self, Workload};

const EXAMPLES: &str = "\
Examples:
  bygone logs cart-6d4cf56db6-x2x9k -n shop              the last instance of each of its containers
  bygone logs cart-6d4cf56db6-x2x9k -n shop -p           the instance before the last restart
  bygone logs deploy/cart -n shop --at '2026-11-24 14:05'  everything of the instances that ran then
  bygone logs deploy/cart -n shop --from 14:00 --to 14:10 --prefix --timestamps
  bygone logs web-0 -n shop --instance 3 --tail 50       the last 50 lines before its third restart's end
  bygone logs -l app=cart --since 2h --grep 'timeout|refused'
  bygone logs --container-id 38cb0c636df0 -o ndjson
  bygone logs deploy/cart -n shop -f --tail 20           go on with what comes, also of new pods
  bygone logs cart-6d4cf56db6-x2x9k -n shop -p --url     where a browser shows them

The lines are read from the stores under [[logs]] in bygone's configuration. A summary on stderr
says how each instance was identified, and what that leaves uncertain.

Exit codes: 0 lines found, 1 none, 2 trouble, 64 wrong usage.";

/// Without a time a pod's name means the last instance of each container of its last pod, as for kubectl; with
/// --at everything of the instances that ran then; with a range what was written in it.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Logs {
    #[command(subcommand)]
    other: Option<Other>,
    /// POD, NAMESPACE/POD, or KIND/NAME of an owner, like deploy/cart; * and ? are wildcards
    #[arg(add = ArgValueCompleter::new(names::pods))]
    target: Option<String>,
    /// One container, as kubectl took it before it had -c
    #[arg(value_name = "CONTAINER", hide = true, conflicts_with = "container")]
    inline_container: Option<String>,
    /// Namespaces, separated by commas
    #[arg(short, long, value_name = "NAMES", add = ArgValueCompleter::new(names::namespaces))]
    namespace: Option<String>,
    /// Kubernetes clusters, separated by commas
    #[arg(long, value_name = "NAMES", add = ArgValueCompleter::new(names::clusters))]
    cluster: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    time: Time,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    habits: Habits,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Other {
    /// Find the [[logs]] block that finds the lines of a store
    Check(Box<check::Check>),
    /// List the presets: what agents write, and into which kind of store
    Presets,
}

#[derive(Args)]
#[command(next_help_heading = "Containers")]
struct Which {
    /// Containers, separated by commas [default: all but init, sidecar and ephemeral ones]
    #[arg(short, long, value_name = "NAMES")]
    container: Option<String>,
    /// All containers of the pods
    #[arg(
        long,
        conflicts_with = "container",
        require_equals = true,
        value_name = "BOOL",
        hide_possible_values = true
    )]
    all_containers: Option<Option<bool>>,
    /// The instance before the last one, of each container
    #[arg(
        short,
        long,
        require_equals = true,
        value_name = "BOOL",
        hide_possible_values = true
    )]
    previous: Option<Option<bool>>,
    /// The instance after so many restarts: 0 is the first
    #[arg(long, value_name = "NUMBER")]
    instance: Option<u32>,
    /// Label selector of the pod
    #[arg(short = 'l', long = "selector", value_name = "SELECTOR")]
    labels: Option<String>,
    /// Node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Container ID, or a prefix of it
    #[arg(long, value_name = "PREFIX")]
    container_id: Option<String>,
    /// UID of the pod
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
}

#[derive(Args)]
#[command(next_help_heading = "Output")]
struct Shape {
    /// Only the last lines of what is asked for; -1: all
    #[arg(long, value_name = "LINES", allow_hyphen_values = true)]
    tail: Option<i64>,
    /// Only the first lines of it
    #[arg(long, value_name = "LINES")]
    head: Option<u64>,
    /// Only lines that match a regular expression
    #[arg(long, value_name = "REGEX")]
    grep: Option<String>,
    /// Go on with what comes, also of instances that start later, until a minute after the last one ended, or Ctrl-C
    #[arg(
        short,
        long,
        require_equals = true,
        value_name = "BOOL",
        hide_possible_values = true
    )]
    follow: Option<Option<bool>>,
    /// Put its time before each line
    #[arg(
        long,
        require_equals = true,
        value_name = "BOOL",
        hide_possible_values = true
    )]
    timestamps: Option<Option<bool>>,
    /// Put [pod/NAME/CONTAINER] before each line
    #[arg(
        long,
        require_equals = true,
        value_name = "BOOL",
        hide_possible_values = true
    )]
    prefix: Option<Option<bool>>,
    /// Stop after so many bytes; 0: never
    #[arg(long, value_name = "BYTES")]
    limit_bytes: Option<u64>,
    /// Form of the lines
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
    /// Do not show control characters as escapes on a terminal
    #[arg(long)]
    raw: bool,
    /// Show on stderr what the stores were asked, and what came back
    #[arg(long)]
    explain: bool,
    /// Print links to the lines instead of lines, one for each instance and [[logs.links]]
    #[arg(long, conflicts_with_all = ["tail", "head", "grep", "follow", "timestamps", "limit_bytes", "raw", "explain"])]
    url: bool,
}

impl Logs {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.other {
            Some(Other::Check(check)) => return check.run(),
            Some(Other::Presets) => return presets(),
            None => {}
        }
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        block_on(&config, async {
            let now = Timestamp::now();
            let in_use = self.server.in_use(&self.common, &config)?;
            let zone = self.time.zone(in_use.zone())?;
            let params = self.params(&in_use, &zone, now)?;
            // Errors in the question come before anything is sent.
            params.read(now).map_err(Usage::from)?;
            let direct = self.common.is_direct();
            let backend = Backend::find(&config, self.server.server(&in_use)?, direct).await?;
            if self.shape.url {
                return self.print_links(&backend, params, &zone).await;
            }
            let answer = Answer::open(&backend, &config, &params).await?;
            self.show(answer, params, &zone).await
        })
    }

    async fn show(
        &self,
        mut answer: Answer,
        params: Params,
        zone: &TimeZone,
    ) -> anyhow::Result<ExitCode> {
        let mut writer = Writer::new(&self.shape, self.habits.prefix(), zone.clone());
        let mut stop = pin!(interrupted(params.follow == Some(true)));
        let mut is_interrupted = false;
        while !writer.is_full() && !is_interrupted {
            tokio::select! {
                record = next(&mut answer, &mut writer) => match record? {
                    Some(record) => writer.write(&record)?,
                    None => break,
                },
                () = &mut stop => is_interrupted = true,
            }
        }
        let (lines, is_full) = writer.end()?;
        let ending = answer.ending()?;
        if is_interrupted && ending == LogsEnding::default() {
            return Ok(ExitCode::SUCCESS);
        }
        if ending.instances == 0 && ending.error.is_none() {
            nothing::say(
                "container instances",
                &searched(params),
                zone,
                &ending.hints,
            );
            return Ok(NOTHING.into());
        }
        summary::print(&ending, is_full);
        match (&ending.error, lines) {
            (Some(error), _) => Err(anyhow::anyhow!("{error}")),
            (None, 0) if !is_interrupted => Ok(NOTHING.into()),
            (None, _) => Ok(ExitCode::SUCCESS),
        }
    }

    async fn print_links(
        &self,
        backend: &Backend,
        params: Params,
        zone: &TimeZone,
    ) -> anyhow::Result<ExitCode> {
        let output = self.shape.output;
        let prefix = given(self.shape.prefix).is_some() || self.habits.prefix();
        match url::print(backend, &params, output, prefix).await? {
            url::Found::Links(code) => Ok(code),
            url::Found::NoInstances(hints) => {
                nothing::say("container instances", &searched(params), zone, &hints);
                Ok(NOTHING.into())
            }
        }
    }

    fn params(&self, in_use: &InUse, zone: &TimeZone, now: Timestamp) -> anyhow::Result<Params> {
        let Logs { which, shape, .. } = self;
        self.habits.check()?;
        let mut window = self.time.window(zone, now)?;
        let tail = match shape.tail {
            None | Some(-1) => None,
            Some(lines) => Some(u64::try_from(lines).map_err(|_| {
                Usage(format!(
                    "invalid --tail {lines}: use a number of lines, or -1 for all"
                ))
            })?),
        };
        let (name, workload) = match self.target.as_deref() {
            None => (None, None),
            Some(target) => target_of(target)?,
        };
        // A pod or an ID means one life, whenever it was; of all others those of the last day.
        let is_of_one_life = name.as_ref().is_some_and(|name| !name.contains(['*', '?']))
            || which.uid.is_some()
            || which.container_id.is_some();
        if !is_of_one_life && !self.time.is_given() {
            window.since = Some(now.checked_sub(RECENT)?);
            eprintln!("only the last 24 hours were searched: use --since or --from for more");
        }
        let is_at = self.time.is_at();
        let may_be_in_any = which.uid.is_none() && which.container_id.is_none();
        let is_named = name.as_ref().is_some_and(|name| name.contains('/'));
        let of_context = in_use.namespace().filter(|_| may_be_in_any && !is_named);
        let text = |instant: Option<Timestamp>| instant.map(|instant| instant.to_string());
        Ok(Params {
            cluster: in_use.cluster(self.cluster.as_ref()),
            namespace: self.namespace.clone().or(of_context),
            at: text(window.since).filter(|_| is_at),
            from: text(window.since).filter(|_| !is_at),
            to: text(window.until).filter(|_| !is_at),
            name,
            labels: which.labels.clone(),
            workload,
            node: which.node.clone(),
            container_id: which.container_id.clone(),
            uid: which.uid.clone(),
            container: which.container.clone().or(self.inline_container.clone()),
            all_containers: given(which.all_containers),
            previous: given(which.previous),
            instance: which.instance,
            tail,
            head: shape.head,
            grep: shape.grep.clone(),
            follow: given(shape.follow),
            explain: shape.explain.then_some(true),
            ..Params::default()
        })
    }
}

/// The next line. What was written is shown while it is waited for.
async fn next(answer: &mut Answer, writer: &mut Writer) -> anyhow::Result<Option<Record>> {
    let mut next = pin!(answer.next());
    tokio::select! {
        biased;
        record = &mut next => return record,
        () = std::future::ready(()) => writer.flush()?,
    }
    next.await
}

/// Returns at Ctrl-C, where that ends an answer; else the process ends.
async fn interrupted(is_end: bool) {
    if !is_end || tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// `Some(true)` where a switch is on: `--prefix`, or `--prefix=true` as for kubectl.
fn given(switch: Option<Option<bool>>) -> Option<bool> {
    switch
        .map(|value| value.unwrap_or(true))
        .filter(|value| *value)
}

/// The parameters that say where and when, for what was not found.
fn searched(params: Params) -> query::Params {
    query::Params {
        cluster: params.cluster,
        namespace: params.namespace,
        from: params.from.or(params.at),
        to: params.to,
        ..query::Params::default()
    }
}

/// How people tell instances apart.
fn instance_name(namespace: &str, pod: &str, container: &str, restart: u32) -> String {
    format!("{namespace}/{pod}/{container} (instance {restart})")
}

fn too_many() -> String {
    format!("more than {INSTANCES_MAX} instances were meant: the older ones were left out")
}

type Target = (Option<String>, Option<String>);

/// A pod, or an owner.
fn target_of(target: &str) -> Result<Target, Usage> {
    let Some((before, name)) = target.split_once('/') else {
        return Ok((Some(target.to_owned()), None));
    };
    match before {
        "pod" | "pods" | "po" => Ok((Some(name.to_owned()), None)),
        _ if target.parse::<Workload>().is_ok() => Ok((None, Some(target.to_owned()))),
        _ => Ok((Some(target.to_owned()), None)),
    }
}

fn presets() -> anyhow::Result<ExitCode> {
    let width = Preset::all().keys().map(String::len).max().unwrap_or(0);
    for (name, preset) in Preset::all() {
        say(&format!("{name:width$}   {}", preset.about))?;
    }
    Ok(ExitCode::SUCCESS)
}
