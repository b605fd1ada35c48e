//! What the containers of recording-a wrote, made up: for every instance lines from its first to its last second.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::server::recorded;
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
    pub const ALL: [Told; 4] = [Told::ContainerId, Told::Restart, Told::Uid, Told::Names];

    /// Whether no two instances look the same.
    pub fn is_strong(self) -> bool {
        matches!(self, Told::ContainerId | Told::Restart)
    }

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
    /// In the names of its node's folders: of a static pod that is the hash of its configuration.
    pub folder_uid: String,
    pub container: String,
    pub container_id: String,
    pub restart: u64,
    pub node: String,
    /// `app`, `init`, `sidecar` or `ephemeral`.
    pub kind: String,
    pub end_seen: bool,
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
        folder_uid: match row["config_hash"].as_str() {
            Some(hash) => hash.to_owned(),
            None => text("pod_uid"),
        },
        container: text("container"),
        container_id: text("container_id"),
        restart: row["restart"].as_u64().expect("a number"),
        node: text("node"),
        kind: text("kind"),
        end_seen: row["end_seen"] == true,
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

/// What there is to be told apart.
#[test]
fn the_recording_has_instances_of_all_kinds() {
    let instances = instances(&recorded().written);
    let count = |what: &str, is_so: &dyn Fn(&Instance) -> bool| {
        let count = instances.iter().filter(|it| is_so(it)).count();
        println!("{what}: {count} of {}", instances.len());
        assert!(count > 0, "{what}");
    };
    count("restarted", &|it| it.restart > 0);
    count("init", &|it| it.kind == "init");
    count("sidecar", &|it| it.kind == "sidecar");
    count("static", &|it| it.folder_uid != it.uid);
    count("end not seen", &|it| !it.end_seen);
    count("in a pod whose name another pod had", &|it| {
        let of_name =
            |other: &&Instance| (&other.namespace, &other.pod) == (&it.namespace, &it.pod);
        instances
            .iter()
            .filter(of_name)
            .any(|other| other.uid != it.uid)
    });
}
