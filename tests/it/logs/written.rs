//! What the containers of recording-a wrote, made up: for every instance lines from its first to its last second.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::Bygone;

/// How much a store knows of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    ContainerId,
    Restart,
    Uid,
    Names,
}

impl Told {
    pub fn identity(self) -> &'static str {
        match self {
            Told::ContainerId => "container-id",
            Told::Restart => "restart",
            Told::Uid => "uid",
            Told::Names => "names",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub namespace: String,
    pub pod: String,
    pub uid: String,
    pub container: String,
    pub container_id: String,
    pub restart: u64,
    pub node: String,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub instance: Instance,
    pub at: Timestamp,
    pub stream: &'static str,
    pub text: String,
}

/// The instances that there are lines of, each once.
pub fn instances(lines: &[Line]) -> Vec<Instance> {
    let mut instances: Vec<Instance> = Vec::new();
    for line in lines {
        if instances.last() != Some(&line.instance) {
            instances.push(line.instance.clone());
        }
    }
    instances
}

/// Lines of every instance that started, by instance and time.
pub fn lines(bygone: &Bygone) -> Vec<Line> {
    let rows = bygone.rows(&["containers"]);
    // The container of a static pod goes on when its mirror pod is deleted and comes again under another UID.
    let mut seen = HashSet::new();
    rows.iter()
        .filter(|row| seen.insert(row["container_id"].as_str()))
        .flat_map(of_instance)
        .collect()
}

fn of_instance(row: &Value) -> Vec<Line> {
    let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let time = |field: &str| {
        row[field]
            .as_str()
            .map(|time| time.parse::<Timestamp>().expect("a time"))
    };
    let (Some(began), false) = (time("started_at"), row["container_id"].is_null()) else {
        return Vec::new();
    };
    let instance = Instance {
        namespace: text("namespace"),
        pod: text("pod"),
        uid: text("pod_uid"),
        container: text("container"),
        container_id: text("container_id"),
        restart: row["restart"].as_u64().expect("a number"),
        node: text("node"),
    };
    // An end that was not seen lies before what proves it. What still runs writes for half a minute.
    let ended = match (time("ended_at"), row["end_seen"] == true) {
        (Some(ended), true) => ended,
        (Some(over), false) => began.max(over - SignedDuration::from_secs(1)),
        (None, _) => began + SignedDuration::from_secs(30),
    };
    let life = ended.duration_since(began);
    let at = |part: i32| began + life * part / 4;
    let times = [
        began + SignedDuration::from_millis(1),
        at(1) + SignedDuration::from_nanos(1_000_002),
        // Two lines of one instant.
        at(2) + SignedDuration::from_nanos(1_000_003),
        at(2) + SignedDuration::from_nanos(1_000_003),
        at(3) + SignedDuration::from_nanos(1_000_004),
        // What Kubernetes writes as a second is some time in it.
        ended + SignedDuration::from_millis(300),
    ];
    let of = format!(
        "{}/{}/{} {}",
        instance.pod, instance.container, instance.restart, instance.container_id
    );
    let lines = times.into_iter().enumerate().map(|(number, at)| Line {
        instance: instance.clone(),
        at,
        stream: if number % 2 == 0 { "stdout" } else { "stderr" },
        text: format!("{of} line {number}"),
    });
    lines.collect()
}
