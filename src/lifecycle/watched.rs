//! What a watch or a list of the API proves: objects as they were at a version, without the request that changed them.
//!
//! In: an object, whether it was there or is deleted, and between which two moments that became so. Out: the same
//! facts as from the event of the request, but for what only a request has: accounts, audit IDs, the time of the
//! request. Both may come, in any order.
//!
//! - A watch that keeps up shows a change within milliseconds. Then the moment is known, and the deletion of a pod is
//!   its removal.
//! - A watch that catches up shows changes of the time in which nobody watched. Then an object only proves that the
//!   pod was there at the newest time that the object itself has. That it is deleted proves that it was gone now:
//!   what is between the two stays unknown.
//! - A list shows what is there now, and how that is since it was written: a pod that has finished, finished at the newest
//!   time that the object has, or that the API server wrote beside it.
//! - Whether a pod had finished before its deletion was requested, an object that is to be deleted does not tell: it
//!   had finished at the end of the moment, as an event that comes late says it.
//! - What a complete list lacks was gone when the list was made.
//!
//! Never here: how the objects came (a watch of the API server, etcd), and what was known of them before.

use jiff::Timestamp;

use super::limits::{self, is_possible};
use super::named::{self, About};
use super::{Emit, EventContext, Unreadable, first_of, parse_uid, pod, workload};
use crate::audit::words::NameEvent;
use crate::audit::{ContainerStatus, Event, Metadata, Object, OwnerReference, PodStatus};
use crate::rows::{Fact, Owner, Phase, microseconds, seconds};

const SECOND: i64 = 1_000_000;

/// A moment that is known this well is taken as one: events of several API servers differ by as much. Microseconds.
const EXACT: i64 = 2 * SECOND;

/// When something became as it was seen, in microseconds since the epoch: after `since`, at `until` at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub since: i64,
    pub until: i64,
}

/// What was seen of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It was created or changed.
    There,
    /// A list has it: it is there at the end of the moment, as it was written at its beginning.
    Listed,
    /// It is deleted; the object is its last state.
    Deleted,
}

impl Moment {
    /// One that is known.
    pub fn at(at: i64) -> Moment {
        Moment {
            since: at,
            until: at,
        }
    }

    /// Whether it is known well enough to be taken as one moment.
    pub fn is_exact(self) -> bool {
        self.until - self.since <= EXACT
    }
}

/// The moment of an object of a list that was made at `at`; `written` is when the API server wrote the object, by its
/// note, which may be costly to read and matters for few.
pub fn listed(object: &Object, at: i64, written: impl FnOnce() -> Option<Timestamp>) -> Moment {
    let status = object.status.0.as_ref();
    let matters = has_clock_behind(object)
        || status.is_some_and(|status| {
            Phase::parse(&status.phase).is_terminal()
                || times(status).any(|time| seconds(Some(time)) < created(object))
        });
    let written = matters.then(written).flatten();
    // It says only the second.
    let written = written.map_or(0, |written| written.as_microsecond() + SECOND - 1);
    Moment {
        since: written.clamp(0, at.max(0)),
        until: at,
    }
}

/// Emits the facts about a pod and its container instances.
///
/// # Errors
///
/// [`Unreadable`] when the object does not say which pod it is, or its time is not between 1970 and 2200.
pub fn pod(
    cluster: &str,
    object: &Object,
    sight: Sight,
    moment: Moment,
    emit: Emit,
) -> Result<(), Unreadable> {
    if object.metadata.is_none() {
        return Err(Unreadable("a pod without metadata"));
    }
    let is_removal = sight == Sight::Deleted && moment.is_exact();
    let written = written(object, sight, moment);
    let at = match sight {
        Sight::Listed => moment.until,
        Sight::There | Sight::Deleted => written,
    };
    let event = event(at)?;
    let context = context(cluster, &event);
    let status = object.status.0.as_ref();
    let scheduled_at = status.map_or(0, |status| scheduled(status, at));
    let created_at = created(object);
    let emit: Emit = &mut |fact| limits::emit(fact, emit);
    let effect = pod::DeleteEffect {
        removed: is_removal,
        ..pod::DeleteEffect::default()
    };
    pod::facts_of_item(
        context,
        object,
        effect,
        &mut |fact| match fact.container.is_empty() {
            true => {
                let ended = |at: i64| match (at, fact.deadline) {
                    (0, _) => 0,
                    (_, 0) => written,
                    _ => moment.until,
                };
                emit(&Fact {
                    scheduled_at,
                    terminal_at: ended(fact.terminal_at),
                    emptied_at: ended(fact.emptied_at),
                    ..fact.clone()
                });
            }
            false => {
                emit(fact);
                let is_behind = fact.started_at != 0 && fact.started_at < created_at;
                if is_behind && written < at {
                    // Its node's clock does not say when it began: that was when this was written, at the latest.
                    emit(&Fact {
                        event_at: written,
                        ..fact.clone()
                    });
                }
            }
        },
    )?;
    if sight == Sight::Deleted && !is_removal {
        let metadata = object.metadata.as_ref();
        let uid = metadata.map_or("", |metadata| &metadata.uid);
        let uid = parse_uid(uid)?;
        let (namespace, name) = metadata.map_or(("", ""), |it| (&it.namespace, &it.name));
        absent(cluster, (namespace, name, uid), moment.until, emit)?;
    }
    Ok(())
}

/// The owner that controls an object.
pub fn controller<'o, 'a>(
    references: &'o Option<Vec<OwnerReference<'a>>>,
) -> Option<&'o OwnerReference<'a>> {
    workload::controller(references)
}

/// The owner of a pod after it was read itself; `above` is the kind and the name of what controls it.
pub fn read_owner<'a>(owner: &Owner<'a>, above: Option<(&'a str, &'a str)>) -> Owner<'a> {
    workload::read(owner, above)
}

/// Emits that a pod (namespace, name, uid) was not there at `at`, in microseconds.
///
/// # Errors
///
/// [`Unreadable`] when the time is not between 1970 and 2200.
pub fn absent(
    cluster: &str,
    (namespace, name, uid): (&str, &str, u128),
    at: i64,
    emit: Emit,
) -> Result<(), Unreadable> {
    let gone = About {
        what: NameEvent::Gone,
        at,
        namespace,
        name,
        selector: "",
        uid,
    };
    say(cluster, gone, emit)
}

/// Emits that a pod is still as it was seen last.
///
/// # Errors
///
/// [`Unreadable`] when the time is not between 1970 and 2200.
pub fn alive(
    cluster: &str,
    (namespace, name, uid): (&str, &str, u128),
    at: i64,
    emit: Emit,
) -> Result<(), Unreadable> {
    let event = event(at)?;
    limits::emit(
        &Fact {
            namespace,
            pod: name,
            is_alive: true,
            ..context(cluster, &event).fact(uid)
        },
        emit,
    );
    Ok(())
}

/// Emits that a node was created or deleted. One that is there was created when it says. Of a deletion the earliest
/// moment counts, since a node that came back after it was not lost with its pods; and where the moment is not known, the
/// node may have been back before its end: then the deletion says nothing, and the pods are seen themselves.
///
/// # Errors
///
/// [`Unreadable`] when the time is not between 1970 and 2200.
pub fn node(
    cluster: &str,
    metadata: &Metadata,
    sight: Sight,
    moment: Moment,
    emit: Emit,
) -> Result<(), Unreadable> {
    let created = microseconds(metadata.creation_timestamp);
    let (what, at) = match sight {
        Sight::Deleted if moment.is_exact() => (NameEvent::NodeGone, moment.since),
        Sight::Deleted => return Ok(()),
        Sight::There | Sight::Listed if created == 0 => return Ok(()),
        // It says only the second.
        Sight::There | Sight::Listed => (NameEvent::NodeCame, created + SECOND - 1),
    };
    let of_node = About {
        what,
        at,
        namespace: "",
        name: &metadata.name,
        selector: "",
        uid: 0,
    };
    say(cluster, of_node, emit)
}

/// Emits that a namespace is deleted: then it has no pods. Where the moment is not known, it may have been there again,
/// with other pods, before its end: then this says nothing.
///
/// # Errors
///
/// [`Unreadable`] when the time is not between 1970 and 2200.
pub fn namespace(
    cluster: &str,
    metadata: &Metadata,
    sight: Sight,
    moment: Moment,
    emit: Emit,
) -> Result<(), Unreadable> {
    if sight != Sight::Deleted || !moment.is_exact() {
        return Ok(());
    }
    let finalized = About {
        what: NameEvent::Finalize,
        at: moment.until,
        namespace: &metadata.name,
        name: "",
        selector: "",
        uid: 0,
    };
    say(cluster, finalized, emit)
}

fn say(cluster: &str, about: About, emit: Emit) -> Result<(), Unreadable> {
    let is_named = !first_of(about.name, about.namespace).is_empty();
    let event = event(about.at)?;
    if is_named {
        let emit: Emit = &mut |fact| limits::emit(fact, emit);
        named::say(context(cluster, &event), about, emit);
    }
    Ok(())
}

fn event(at: i64) -> Result<Event<'static>, Unreadable> {
    let time = Timestamp::from_microsecond(at).ok();
    let time = time.filter(|time| microseconds(Some(*time)) != 0);
    time.map(Event::of_no_request)
        .ok_or(Unreadable("its time is not between 1970 and 2200"))
}

fn context<'a>(cluster: &'a str, event: &'a Event<'a>) -> EventContext<'a> {
    EventContext {
        cluster,
        event,
        at: microseconds(Some(event.at)),
    }
}

/// When the API server bound it to its node, by the condition that it sets then: microseconds, known to the second.
fn scheduled(status: &PodStatus, at: i64) -> i64 {
    let mut conditions = status.conditions.iter().flatten();
    let bound = conditions
        .find(|condition| &*condition.kind == "PodScheduled" && &*condition.status == "True");
    let since = bound.and_then(|condition| condition.last_transition_time);
    microseconds(since.filter(|since| is_possible(*since, at)))
}

/// When the object had become what it is. Its own times say that, and where the API server notes when objects are
/// written (since Kubernetes 1.18), the beginning of a list's moment. Who may change a pod may also change that note, but
/// not the times of its status: so the later of both counts. Where there are only these, and they are from before the
/// pod's creation, their clock is wrong, and nothing is known before the end of the moment.
fn written(object: &Object, sight: Sight, moment: Moment) -> i64 {
    let Moment { since, until } = moment;
    match sight {
        Sight::There | Sight::Deleted if moment.is_exact() => until,
        Sight::Listed if since == 0 && has_clock_behind(object) => until,
        Sight::There | Sight::Listed | Sight::Deleted => {
            newest(object, until).max(since).min(until)
        }
    }
}

/// In seconds; 0 where it is not known.
fn created(object: &Object) -> u32 {
    let metadata = object.metadata.as_ref();
    seconds(metadata.and_then(|metadata| metadata.creation_timestamp))
}

/// Whether its node accepted it before it was created, by the clock of the node.
fn has_clock_behind(object: &Object) -> bool {
    let status = object.status.0.as_ref();
    let started = seconds(status.and_then(|status| status.start_time));
    started != 0 && started < created(object)
}

/// The newest time that an object has, but for those after `until`: a node's clock may be ahead.
fn newest(object: &Object, until: i64) -> i64 {
    let metadata = object.metadata.as_ref();
    let created = metadata.and_then(|metadata| metadata.creation_timestamp);
    let asked = metadata.and_then(|metadata| {
        let grace = metadata.deletion_grace_period_seconds.unwrap_or_default();
        let deadline = metadata.deletion_timestamp?;
        let grace = jiff::SignedDuration::from_secs(grace.max(0));
        deadline.checked_sub(grace).ok()
    });
    let of_status = object.status.0.as_ref().into_iter().flat_map(times);
    let all = [created, asked].into_iter().flatten().chain(of_status);
    let all = all.map(|time| microseconds(Some(time)));
    all.filter(|at| *at <= until).max().unwrap_or_default()
}

fn times(status: &PodStatus) -> impl Iterator<Item = Timestamp> {
    let conditions = status.conditions.iter().flatten();
    let conditions = conditions.filter_map(|condition| condition.last_transition_time);
    let lists = [
        &status.init_container_statuses,
        &status.container_statuses,
        &status.ephemeral_container_statuses,
    ];
    let containers = lists.into_iter().flat_map(|list| list.iter().flatten());
    conditions
        .chain(status.start_time)
        .chain(containers.flat_map(of_container))
}

fn of_container(container: &ContainerStatus) -> impl Iterator<Item = Timestamp> {
    let states = [&container.state, &container.last_state];
    states.into_iter().flatten().flat_map(|state| {
        let running = state.running.and_then(|it| it.started_at);
        let ended = state.terminated.as_ref();
        let ended = ended.map(|it| [it.started_at, it.finished_at]);
        running
            .into_iter()
            .chain(ended.into_iter().flatten().flatten())
    })
}
