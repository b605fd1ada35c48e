//! Container instances, from the statuses of a pod.

use super::limits::{is_possible, seconds_at};
use super::{Emit, first_of};
use crate::audit::{ContainerStatus, Count, PodSpec, PodStatus, Terminated};
use crate::rows::{ContainerKind, Ended, Fact, Image, Phase, container_key};

/// Emits a fact for each instance in the statuses. `identity` has the phase of the pod.
pub(super) fn facts(identity: &Fact, spec: Option<&PodSpec>, status: &PodStatus, emit: Emit) {
    for (container, kind) in all(status) {
        let kind = match kind {
            ContainerKind::Init if is_sidecar(spec, &container.name) => ContainerKind::Sidecar,
            kind => kind,
        };
        let base = Fact {
            container: &container.name,
            kind,
            ..identity.clone()
        };
        current(&base, container, emit);
        previous(&base, container, emit);
    }
}

/// For each container that started, how often it was started again. That is also the number of the
/// instance that `containerID` names.
pub(super) fn restarts<'a>(status: &'a PodStatus) -> Vec<(&'a str, u32)> {
    let started = all(status).filter(|(container, _)| has_started(container));
    started
        .map(|(container, _)| (&*container.name, container.restart_count.times()))
        .collect()
}

/// Whether it ever ran. Virtual kubelets may report no IDs; an end without an ID and a start is made up.
fn has_started(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    let ran = state.is_some_and(|state| {
        let ended = state.terminated.as_ref();
        state.running.is_some() || ended.is_some_and(|it| it.started_at.is_some())
    });
    let last = container.last_state.as_ref();
    let last = last.and_then(|state| state.terminated.as_ref());
    let ran_before = last.is_some_and(|it| it.started_at.is_some());
    ran || ran_before || !container.container_id.is_empty()
}

/// The containers that wait and have never been started, and why. What every container waits for in
/// the ordinary course is left out.
pub(super) fn waiting<'a>(status: &'a PodStatus) -> Vec<(&'a str, &'a str)> {
    let unstarted = all(status).filter(|(container, _)| !has_started(container));
    let reasons = unstarted.filter_map(|(container, _)| {
        let reason = &*container.state.as_ref()?.waiting.as_ref()?.reason;
        let is_ordinary = matches!(reason, "" | "ContainerCreating" | "PodInitializing");
        (!is_ordinary).then_some((&*container.name, reason))
    });
    reasons.collect()
}

/// Whether the statuses say something that is not kept: more than is read of a list, a number or a time that can't be.
/// `at` is that of the event, in microseconds.
pub(super) fn is_odd(status: &PodStatus, at: i64) -> bool {
    let lists = [
        &status.init_container_statuses,
        &status.container_statuses,
        &status.ephemeral_container_statuses,
    ];
    let is_odd = |container: &ContainerStatus| {
        let states = [&container.state, &container.last_state]
            .into_iter()
            .flatten();
        let mut times = states.flat_map(|state| {
            let running = state.running.as_ref().and_then(|it| it.started_at);
            let terminated = state.terminated.as_ref();
            let ended = terminated.map(|it| [it.started_at, it.finished_at]);
            running
                .into_iter()
                .chain(ended.into_iter().flatten().flatten())
        });
        container.restart_count == Count::Impossible || times.any(|time| !is_possible(time, at))
    };
    lists.iter().any(|list| list.is_cut()) || all(status).any(|(container, _)| is_odd(container))
}

/// Whether a pod has containers, and all of them have ended.
pub(super) fn have_ended(status: &PodStatus) -> bool {
    let has_ended = |container: &ContainerStatus| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.terminated.is_some())
    };
    let mut statuses = status.container_statuses.iter().flatten().peekable();
    statuses.peek().is_some() && statuses.all(has_ended)
}

/// The statuses of all containers, with the kind that their list implies.
fn all<'s, 'a>(
    status: &'s PodStatus<'a>,
) -> impl Iterator<Item = (&'s ContainerStatus<'a>, ContainerKind)> {
    let lists = [
        (&status.init_container_statuses, ContainerKind::Init),
        (&status.container_statuses, ContainerKind::App),
        (
            &status.ephemeral_container_statuses,
            ContainerKind::Ephemeral,
        ),
    ];
    let kinds = lists.into_iter();
    kinds.flat_map(|(list, kind)| {
        list.iter()
            .flatten()
            .map(move |container| (container, kind))
    })
}

/// A restartable init container (`restartPolicy: Always`) is a sidecar.
fn is_sidecar(spec: Option<&PodSpec>, name: &str) -> bool {
    spec.and_then(|spec| spec.init_containers.as_ref())
        .into_iter()
        .flatten()
        .any(|container| *container.name == *name && &*container.restart_policy == "Always")
}

/// The instance that the status is about. An end without an ID of its own is that of the ID beside it. Where there is
/// none either (virtual kubelets, `ContainerStatusUnknown`), which instance is meant the fold finds out.
fn current(base: &Fact, container: &ContainerStatus, emit: Emit) {
    let state = container.state.as_ref();
    let terminated = state.and_then(|state| state.terminated.as_ref());
    let running = state.and_then(|state| state.running.as_ref());
    let own = terminated.map_or("", |terminated| &*terminated.container_id);
    let id = Id::parse(first_of(own, &container.container_id));
    if id.is_none() && terminated.is_none() && running.is_none() {
        return;
    }
    let id = id.unwrap_or(Id::NONE);
    emit(&Fact {
        container_id: id.key,
        container_id_text: id.text,
        runtime: id.runtime,
        image: image(container),
        restart: container.restart_count.times(),
        started_at: seconds_at(
            match terminated {
                Some(terminated) => terminated.started_at,
                None => running.and_then(|running| running.started_at),
            },
            base.event_at,
        ),
        is_running: running.is_some() && !base.phase.is_terminal(),
        ended: terminated.map(|terminated| ended(terminated, base.event_at)),
        phase: Phase::None,
        ..base.clone()
    });
}

fn image<'a>(container: &'a ContainerStatus) -> Option<Image<'a>> {
    let image = Image {
        image: &container.image,
        image_id: &container.image_id,
    };
    (!image.image.is_empty() || !image.image_id.is_empty()).then_some(image)
}

/// The instance before, from `lastState`. While the container waits for its restart that is the
/// same one as `containerID` names, or none is named: then `restartCount` is still its number.
fn previous(base: &Fact, container: &ContainerStatus, emit: Emit) {
    let last = container.last_state.as_ref();
    let Some(terminated) = last.and_then(|state| state.terminated.as_ref()) else {
        return;
    };
    let state = container.state.as_ref();
    let is_followed =
        state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
    let (own, named) = (&*terminated.container_id, &*container.container_id);
    let told = match own {
        "" if !is_followed => named,
        own => own,
    };
    let id = Id::parse(told).unwrap_or(Id::NONE);
    let restarts = container.restart_count.times();
    // Virtual kubelets give an instance the ID of the one before.
    let is_current = !is_followed && (named.is_empty() || told == named);
    emit(&Fact {
        container_id: id.key,
        container_id_text: id.text,
        runtime: id.runtime,
        restart: match is_current {
            true => restarts,
            false => restarts.saturating_sub(1),
        },
        // The count goes up when a kubelet can't find what ran.
        is_guess: !is_current || own.is_empty(),
        started_at: seconds_at(terminated.started_at, base.event_at),
        ended: Some(ended(terminated, base.event_at)),
        phase: Phase::None,
        ..base.clone()
    });
}

fn ended<'a>(terminated: &'a Terminated, at: i64) -> Ended<'a> {
    Ended {
        finished_at: seconds_at(terminated.finished_at, at),
        exit_code: terminated.exit_code.unwrap_or(0),
        signal: terminated.signal.unwrap_or(0),
        reason: &terminated.reason,
    }
}

/// A container ID, taken apart.
struct Id<'a> {
    key: [u8; 32],
    runtime: &'a str,
    /// Empty where the key is the whole ID.
    text: &'a str,
}

impl<'a> Id<'a> {
    /// For an instance without a reported ID.
    const NONE: Id<'static> = Id {
        key: [0; 32],
        runtime: "",
        text: "",
    };

    /// Reads `runtime://id`; nothing where the ID is empty.
    fn parse(text: &'a str) -> Option<Id<'a>> {
        let (runtime, id) = text.split_once("://").unwrap_or(("", text));
        if id.is_empty() {
            return None;
        }
        let (key, is_told) = container_key(id);
        Some(Id {
            key,
            runtime,
            text: if is_told { "" } else { id },
        })
    }
}
