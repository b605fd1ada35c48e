//! `bygone describe`.
//!
//! First the query of `get` finds the matching lives; then the page about the newest of them is requested by its uid.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;

use super::ask::{Backend, ServerFlags};
use super::get::{Time, nothing};
use super::output::{Described, ID_CHARS, Look, Other, Others, PageFormat, Subject, write_page};
use super::{Common, NOTHING, Usage, block_on, names};
use crate::query::{Container, Life, Order, Page, Params, Pod, instance_of};

/// As many other lives are named, the newest.
const OTHERS_MAX: usize = 10;

/// As many namespaces or container IDs are named where several are meant.
const PLACES_MAX: usize = 10;

/// Identity, timeline with the evidence, containers and restarts, why it ended and who requested that, and what is
/// unknown.
#[derive(Subcommand)]
pub enum Describe {
    /// Show one pod
    #[command(visible_alias = "po", alias = "pods", after_help = POD_EXAMPLES)]
    Pod(DescribePod),
    /// Show one container instance
    #[command(visible_alias = "co", alias = "containers", after_help = CONTAINER_EXAMPLES)]
    Container(DescribeContainer),
}

const POD_EXAMPLES: &str = "\
Examples:
  bygone describe pod web-0 -n shop                        the newest pod of this name
  bygone describe pod shop/web-0                           the same
  bygone describe pod web-0 -n shop --at '2026-11-23 06:15'  the one that existed then
  bygone describe pod --uid 7c2f7a3e-6f0e-4c2a-9d6b-3a5b1c0d9e8f
  bygone describe pod web-0 -n shop -o json                for programs

Pod names are reused. The newest pod is described; others in that time are listed below with
their UIDs. \"bygone get pods\" lists pods.

Exit codes: 0 found, 1 nothing found, 2 error, 64 wrong usage, or a name in several namespaces.";

const CONTAINER_EXAMPLES: &str = "\
Examples:
  bygone describe container 38cb0c636df0                   by a prefix of its ID
  bygone describe container web-0/app -n shop              the newest instance of this container
  bygone describe container shop/web-0/app                 the same
  bygone describe container web-0/app -n shop --at 06:15   the instance that ran then
  bygone describe container app --uid 7c2f7a3e-6f0e-4c2a-9d6b-3a5b1c0d9e8f

Every restart is a separate instance. The newest is described; others in that time are
listed below with their IDs. \"bygone get containers\" lists them.

Exit codes: 0 found, 1 nothing found, 2 error, 64 wrong usage, or a name that means several.";

#[derive(Args)]
pub struct DescribePod {
    /// Name of the pod, or namespace/name
    #[arg(required_unless_present = "uid", add = ArgValueCompleter::new(names::pods))]
    name: Option<String>,
    #[command(flatten)]
    scope: ScopeFlags,
}

#[derive(Args)]
pub struct DescribeContainer {
    /// Container ID or a prefix of it, pod/container, namespace/pod/container, or with --uid the name
    container: String,
    #[command(flatten)]
    scope: ScopeFlags,
}

/// Without a time all of the history is asked; without -n all namespaces, or those that a context names.
#[derive(Args)]
struct ScopeFlags {
    /// UID of the pod
    #[arg(long, value_name = "UID")]
    uid: Option<String>,
    /// Namespace
    #[arg(short, long, value_name = "NAME", add = ArgValueCompleter::new(names::namespaces))]
    namespace: Option<String>,
    /// Kubernetes cluster
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(names::clusters))]
    cluster: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = PageFormat::Text)]
    output: PageFormat,
    #[command(flatten)]
    time: Time,
    /// All of the history, which is searched in any case: taken because `get` has it
    #[arg(long, hide = true)]
    #[allow(dead_code, reason = "changes nothing")]
    all: bool,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    common: Common,
}

impl Describe {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Describe::Pod(pod) => pod.run(),
            Describe::Container(container) => container.run(),
        }
    }
}

impl DescribePod {
    fn run(self) -> anyhow::Result<ExitCode> {
        let DescribePod { name, scope } = self;
        let name = name.unwrap_or_default();
        let (namespace, name) = name.split_once('/').unwrap_or(("", &name));
        if name.contains('/') {
            return Err(Usage(format!(
                "invalid name \"{namespace}/{name}\": use POD or NAMESPACE/POD, or \"bygone describe container\""
            ))
            .into());
        }
        let mut params = scope.params(namespace)?;
        params.name = exact(name)?;
        scope.answer(params, async |backend, params| {
            let place = |pod: &Pod| Some(format!("{}/{}", pod.cluster, pod.namespace));
            let lives = Lives::find(backend, params, place).await?;
            lives.check_place(&format!("{name:?} is a pod in"), "--uid")?;
            let Some(pod) = &lives.newest else {
                return Ok(Answer::Nothing(Pod::PLURAL, lives.hints));
            };
            let page = backend.page(&pod.cluster, pod.pod_uid).await?;
            Ok(match page {
                Some(page) => Answer::of(page, Subject::Pod, lives.others(other_pod)),
                None => Answer::Nothing(Pod::PLURAL, Vec::new()),
            })
        })
    }
}

impl DescribeContainer {
    fn run(self) -> anyhow::Result<ExitCode> {
        let DescribeContainer { container, scope } = self;
        let meant = Meant::parse(&container);
        let mut params = scope.params(meant.namespace)?;
        params.name = exact(meant.pod)?.map(|pod| format!("*/{pod}/{}", meant.container));
        if meant.pod.is_empty() && scope.uid.is_none() {
            params.container_id = Some(container.clone());
        }
        scope.answer(params, async |backend, params| {
            let place = |row: &Container| meant.place(row);
            let lives = Lives::find(backend, params, place).await?;
            lives.check_place(
                &format!("{container:?} matches containers in"),
                "more of the ID",
            )?;
            let Some(newest) = &lives.newest else {
                return Ok(Answer::Nothing(Container::PLURAL, lives.hints));
            };
            let Some(page) = backend.page(&newest.cluster, newest.pod_uid).await? else {
                return Ok(Answer::Nothing(Container::PLURAL, Vec::new()));
            };
            let page = page.of_instance(&instance_of(newest));
            Ok(Answer::of(
                page,
                Subject::Container,
                lives.others(other_container),
            ))
        })
    }
}

/// What there is to print.
enum Answer {
    Page(Box<Described>),
    /// None of these, and what may be wrong with the names.
    Nothing(&'static str, Vec<String>),
}

impl Answer {
    fn of(page: Page, subject: Subject, others: Others) -> Answer {
        Answer::Page(Box::new(Described {
            page,
            subject,
            others,
        }))
    }
}

/// Which container is meant.
struct Meant<'a> {
    namespace: &'a str,
    pod: &'a str,
    /// Its name, or the beginning of its ID.
    container: &'a str,
}

impl Meant<'_> {
    fn parse(text: &str) -> Meant<'_> {
        if let Some((_, id)) = text.split_once("://") {
            return Meant {
                namespace: "",
                pod: "",
                container: id,
            };
        }
        let (path, container) = text.rsplit_once('/').unwrap_or(("", text));
        let (namespace, pod) = path.rsplit_once('/').unwrap_or(("", path));
        Meant {
            namespace,
            pod,
            container,
        }
    }

    /// Its location: instances of one location are distinguished by their time.
    fn place(&self, row: &Container) -> Option<String> {
        if row.container == self.container {
            return Some(format!("{}/{}", row.cluster, row.namespace));
        }
        let is_it = self.pod.is_empty()
            && row.container_id.as_deref().is_some_and(|id| {
                id.to_ascii_lowercase()
                    .starts_with(&self.container.to_ascii_lowercase())
            });
        let id = short_id(row);
        is_it.then(|| format!("{}/{}/{id}", row.cluster, row.namespace))
    }
}

/// A name of one pod and no more.
fn exact(name: &str) -> Result<Option<String>, Usage> {
    if name.contains(['*', '?', ',']) {
        return Err(Usage(format!(
            "{name:?} matches several pods: describe one, or list them with \"bygone get pods\""
        )));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

impl ScopeFlags {
    fn params(&self, namespace: &str) -> Result<Params, Usage> {
        if !namespace.is_empty() && self.namespace.is_some() {
            return Err(Usage(format!(
                "the namespace is given twice, as {namespace:?} and with --namespace: leave one out"
            )));
        }
        let named = (!namespace.is_empty()).then(|| namespace.to_owned());
        Ok(Params {
            namespace: named.or_else(|| self.namespace.clone()),
            uid: self.uid.clone(),
            ..Params::default()
        })
    }

    /// Asks for a page and prints it.
    fn answer(
        &self,
        mut params: Params,
        ask: impl AsyncFnOnce(&Backend, &Params) -> anyhow::Result<Answer>,
    ) -> anyhow::Result<ExitCode> {
        let config = self
            .common
            .load(vec![("log", self.common.log_or("warn"))])?;
        block_on(&config, async {
            let now = Timestamp::now();
            let in_use = self.server.in_use(&self.common, &config)?;
            let zone = self.time.zone(in_use.zone())?;
            let window = self.time.window(&zone, now)?;
            params.cluster = in_use.cluster(self.cluster.as_ref());
            let is_one_life = params.uid.is_some() || params.container_id.is_some();
            let is_namespace_used = params.namespace.is_none() && !is_one_life;
            if is_namespace_used {
                params.namespace = in_use.namespace();
            }
            params.from = window.since.map(|from| from.to_string());
            params.to = window.until.map(|to| to.to_string());
            params.limit = Some(crate::query::ROWS_MAX);
            params.order = Some(Order::Oldest);
            params.question(now).map_err(Usage::from)?;
            let direct = self.common.is_direct();
            let backend = Backend::find(&config, self.server.server(&in_use)?, direct).await?;
            let described = match ask(&backend, &params).await? {
                Answer::Page(described) => described,
                Answer::Nothing(what, hints) => {
                    nothing::say(what, &params, &zone, &hints);
                    in_use.say(is_namespace_used);
                    return Ok(ExitCode::from(NOTHING));
                }
            };
            let mut out = BufWriter::new(io::stdout().lock());
            let look = Look {
                zone,
                now,
                ..Look::plain()
            };
            write_page(self.output, &described, &look, &mut out)?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// The lives that match a name in a time range.
struct Lives<L> {
    newest: Option<L>,
    /// The next newest, oldest first.
    others: VecDeque<L>,
    others_count: u64,
    places: BTreeSet<String>,
    /// If there are none: suggestions about the names.
    hints: Vec<String>,
}

impl<L: Life> Lives<L> {
    /// Rows are ordered by their start, so the last one is the newest. `place` returns the location of a row, or
    /// `None` if it does not match.
    async fn find(
        backend: &Backend,
        params: &Params,
        place: impl Fn(&L) -> Option<String>,
    ) -> anyhow::Result<Lives<L>> {
        let mut lives = Lives {
            newest: None,
            others: VecDeque::new(),
            others_count: 0,
            places: BTreeSet::new(),
            hints: Vec::new(),
        };
        let mut rows = backend.ask::<L>(params).await?;
        while let Some(row) = rows.next().await? {
            let Some(place) = place(&row) else { continue };
            if lives.places.len() <= PLACES_MAX {
                lives.places.insert(place);
            }
            if let Some(other) = lives.newest.replace(row) {
                lives.others.push_back(other);
                lives.others_count += 1;
            }
            if lives.others.len() > OTHERS_MAX {
                lives.others.pop_front();
            }
        }
        lives.hints = rows.ending().await?.hints;
        Ok(lives)
    }

    /// # Errors
    ///
    /// If the name matches lives in more than one location, it is ambiguous.
    fn check_place(&self, what: &str, else_name: &str) -> Result<(), Usage> {
        if self.places.len() <= 1 {
            return Ok(());
        }
        let mut places: Vec<&str> = self.places.iter().map(|place| &**place).collect();
        if places.len() > PLACES_MAX {
            places[PLACES_MAX] = "...";
        }
        Err(Usage(format!(
            "{what} {}: choose one with --namespace, --cluster or {else_name}",
            places.join(", ")
        )))
    }

    fn others(&self, other: fn(&L) -> Other) -> Others {
        Others {
            count: self.others_count,
            newest: self.others.iter().rev().map(other).collect(),
        }
    }
}

fn other_pod(pod: &Pod) -> Other {
    Other {
        command: format!("bygone describe pod --uid {}", pod.pod_uid),
        from: pod.created_at,
        to: pod.removed_at,
        ended_why: pod.ended_why.clone(),
        ended_by: pod.ended_by.clone(),
    }
}

fn other_container(container: &Container) -> Other {
    let (id, uid) = (short_id(container), container.pod_uid);
    Other {
        command: format!("bygone describe container {id} --uid {uid}"),
        from: container.started_at,
        to: container.ended_at,
        ended_why: container.ended_why.clone(),
        ended_by: container.ended_by.clone(),
    }
}

fn short_id(container: &Container) -> String {
    let id = container.container_id.as_deref().unwrap_or_default();
    id.chars().take(ID_CHARS).collect()
}
