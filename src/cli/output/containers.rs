//! The columns of container instances.

use super::cell::Tone;
use super::cell::{self, NONE, UNKNOWN};
use super::table::Column;
use super::{Look, Row};
use crate::audit::words::{EndedWhy, Unknown};
use crate::query::Container;

/// As many characters of a container's ID as `docker ps` shows.
pub const ID_CHARS: usize = 12;

impl Row for Container {
    const NAME_FIELDS: &'static [&'static str] = &["namespace", "pod", "container"];
    const TABLE_FIELDS: &'static [&'static str] = &[
        "cluster",
        "namespace",
        "pod",
        "container",
        "restart",
        "started_at",
        "ended_at",
        "end_seen",
        "exit_code",
        "signal",
        "reason",
        "node",
        "ended_why",
        "ended_by",
        "unknown",
    ];
    const WIDE_FIELDS: &'static [&'static str] = &[
        "kind",
        "workload_kind",
        "workload",
        "pod_ips",
        "image",
        "container_id",
        "logs",
    ];

    fn columns(look: &Look, wide: bool) -> Vec<Column<Container>> {
        vec![
            Column::new("CLUSTER", |c: &Container, _| c.cluster.clone())
                .only_if(look.cluster_column),
            Column::new("NAMESPACE", |c: &Container, _| c.namespace.clone())
                .only_if(look.namespace_column),
            Column::new("POD", |c, _| c.pod.clone()),
            Column::new("CONTAINER", |c, _| c.container.clone()),
            Column::new("RESTART", |c, _| c.restart.to_string()),
            Column::new("STATE", |c, _| state(c)).toned(tone),
            Column::new("EXIT", |c, _| {
                c.exit_code.map_or(NONE.to_owned(), |code| code.to_string())
            }),
            Column::new(cell::zoned("STARTED", look), |c, look| {
                cell::time(c.started_at, UNKNOWN, look)
            }),
            Column::new("LIFETIME", lifetime),
            Column::new("AGE", |c: &Container, look| {
                cell::span(c.started_at, look.now)
            })
            .only_if(wide),
            Column::new("NODE", |c, _| cell::text(c.node.as_deref(), NONE)),
            Column::new("WHY", |c: &Container, _| {
                cell::text(c.ended_why.as_deref(), NONE)
            })
            .toned(|c| cell::why_tone(c.ended_why.as_deref())),
            Column::new("BY", |c, _| cell::text(c.ended_by.as_deref(), NONE)),
            Column::new("KIND", |c: &Container, _| c.kind.clone()).only_if(wide),
            Column::new("WORKLOAD", |c: &Container, _| {
                cell::workload(c.workload_kind.as_deref(), c.workload.as_deref())
            })
            .only_if(wide),
            Column::new(cell::zoned("ENDED", look), |c: &Container, look| {
                cell::time(c.ended_at, NONE, look)
            })
            .only_if(wide),
            Column::new("POD-IP", |c: &Container, _| cell::list(&c.pod_ips)).only_if(wide),
            Column::new("IMAGE", |c: &Container, _| {
                cell::text(c.image.as_deref(), NONE)
            })
            .only_if(wide),
            Column::new("CONTAINER-ID", |c: &Container, _| {
                cell::text(c.container_id.as_deref(), NONE)
                    .chars()
                    .take(ID_CHARS)
                    .collect()
            })
            .only_if(wide),
            // The last one: nothing is as long.
            Column::new("LOGS", |c: &Container, _| {
                let urls: Vec<&str> = c.logs.iter().map(|link| &*link.url).collect();
                urls.join(" ")
            })
            .only_if(wide && look.links_column),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.pod, self.container)
    }
}

/// What `kubectl get pods` shows of a container: `Running`, `Completed`, `OOMKilled`, `Error`; without a reason `Signal:9`
/// or `ExitCode:1`. An unobserved end is `Unknown`, as it has neither; so is the state of a container that is known
/// from late events only. (A container that waits to be restarted, in CrashLoopBackOff, is no instance.)
fn state(container: &Container) -> String {
    match (container.ended_at, container.end_seen) {
        (None, false) if !is_confirmed(container) => "Unknown".to_owned(),
        (None, false) => "Running".to_owned(),
        (Some(_), false) if container.reason.is_none() => "Unknown".to_owned(),
        _ => match (&container.reason, container.signal, container.exit_code) {
            (Some(reason), ..) => reason.clone(),
            (None, Some(signal), _) if signal != 0 => format!("Signal:{signal}"),
            (None, _, Some(code)) => format!("ExitCode:{code}"),
            (None, _, None) => "Terminated".to_owned(),
        },
    }
}

/// A container that was asked to stop may end with any code.
fn tone(container: &Container) -> Option<Tone> {
    let why = container.ended_why.as_deref().and_then(EndedWhy::of_word);
    let by_itself = matches!(why, None | Some(EndedWhy::Exited | EndedWhy::Unknown));
    let failed = container.exit_code.is_some_and(|code| code != 0);
    match &*state(container) {
        "OOMKilled" => Some(Tone::Bad),
        "Unknown" => Some(Tone::Odd),
        _ if by_itself && failed => Some(Tone::Bad),
        _ => None,
    }
}

/// The state with the exit code: `Error(137)`.
pub fn state_with_code(container: &Container) -> String {
    match (state(container), container.exit_code) {
        (state, Some(code)) if !state.starts_with("ExitCode:") => format!("{state}({code})"),
        (state, _) => state,
    }
}

fn is_confirmed(container: &Container) -> bool {
    let unconfirmed = [Unknown::EndNotConfirmed, Unknown::MirrorRemoved].map(Unknown::word);
    let mut unknown = container.unknown.iter();
    !unknown.any(|word| unconfirmed.contains(&&**word))
}

pub fn lifetime(container: &Container, look: &Look) -> String {
    match (container.ended_at, container.end_seen) {
        (Some(end), _) => cell::span(container.started_at, end.instant),
        (None, false) if !is_confirmed(container) => UNKNOWN.to_owned(),
        (None, false) => cell::span(container.started_at, look.now),
        (None, true) => UNKNOWN.to_owned(),
    }
}
