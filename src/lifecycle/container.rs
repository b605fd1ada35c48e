//! Container instances, from the statuses of a pod.

use sha2::{Digest, Sha256};

use super::Tell;
use super::limits::{is_possible, seconds_at};
use crate::audit::{ContainerStatus, Count, PodSpec, PodStatus, Terminated};
use crate::rows::{ContainerKind, Ended, Fact, Image};

/// Tells a fact for each instance that the statuses speak of. Containers without an ID never
/// started and are no instances.
pub(super) fn facts(identity: &Fact, spec: Option<&PodSpec>, status: &PodStatus, tell: Tell) {
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
        current(&base, container, tell);
        previous(&base, container, tell);
    }
}

/// For each container that started, how often it was started again. That is also the number of the
/// instance that `containerID` names.
pub(super) fn restarts<'a>(status: &'a PodStatus) -> Vec<(&'a str, u32)> {
    let started = all(status).filter(|(container, _)| !container.container_id.is_empty());
    started
        .map(|(container, _)| (&*container.name, container.restart_count.times()))
        .collect()
}

/// The containers that wait and have never been started, and why. What every container waits for in
/// the ordinary course is left out.
pub(super) fn waiting<'a>(status: &'a PodStatus) -> Vec<(&'a str, &'a str)> {
    let unstarted = all(status).filter(|(container, _)| container.container_id.is_empty());
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

/// The statuses of all containers, with what their list says of their kind.
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

/// The instance that the status is about. A terminated state without an ID of its own tells of no
/// instance: the kubelet made it up (`ContainerStatusUnknown`).
fn current(base: &Fact, container: &ContainerStatus, tell: Tell) {
    let state = container.state.as_ref();
    let terminated = state
        .and_then(|state| state.terminated.as_ref())
        .filter(|terminated| !terminated.container_id.is_empty());
    let text = match terminated {
        Some(terminated) => &*terminated.container_id,
        None => &*container.container_id,
    };
    let Some(id) = Id::parse(text) else { return };
    let running = state.and_then(|state| state.running.as_ref());
    tell(&Fact {
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
        ended: terminated.map(|terminated| ended(terminated, base.event_at)),
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
fn previous(base: &Fact, container: &ContainerStatus, tell: Tell) {
    let Some(terminated) = container
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref())
    else {
        return;
    };
    let Some(id) = Id::parse(&terminated.container_id) else {
        return;
    };
    let restarts = container.restart_count.times();
    let named = &*container.container_id;
    let is_current = named.is_empty() || *named == *terminated.container_id;
    tell(&Fact {
        container_id: id.key,
        container_id_text: id.text,
        runtime: id.runtime,
        restart: if is_current {
            restarts
        } else {
            restarts.saturating_sub(1)
        },
        started_at: seconds_at(terminated.started_at, base.event_at),
        ended: Some(ended(terminated, base.event_at)),
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
    /// Empty where the key says it all.
    text: &'a str,
}

impl<'a> Id<'a> {
    /// Reads `runtime://id`; nothing where the ID is empty.
    fn parse(text: &'a str) -> Option<Id<'a>> {
        let (runtime, id) = text.split_once("://").unwrap_or(("", text));
        if id.is_empty() {
            return None;
        }
        Some(match hex32(id) {
            Some(key) => Id {
                key,
                runtime,
                text: "",
            },
            None => Id {
                key: Sha256::digest(id).into(),
                runtime,
                text: id,
            },
        })
    }
}

fn hex32(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(key)
}
