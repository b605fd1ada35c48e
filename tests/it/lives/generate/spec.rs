//! What a pod is to be: who owns it, its containers, how long it is wanted.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::chance::Chance;
use crate::lives::object::{Basis, Kind, Object, Owner, State, Status};
use crate::lives::{HOUR, MINUTE, Text};
use crate::support::Random;

/// Nodes of each cluster.
const NODES: u64 = 40;

pub struct Spec {
    pub job: bool,
    /// How many pods have the same name, one after the other.
    pub incarnations: u64,
    /// How long it runs if nothing happens, in microseconds.
    pub run: i64,
    /// The account that creates it, and the one that it impersonates.
    pub creator: (Text, Text),
    namespace: Text,
    controller: Controller,
    workload: Text,
    containers: Vec<(Text, Kind)>,
    host_network: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Controller {
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    /// A static pod: a kubelet makes the object.
    Mirror,
    Nobody,
}

impl Spec {
    pub fn random(random: &mut Random, namespace: &str) -> Spec {
        let controller = if random.chance(60) {
            Controller::Job
        } else {
            *random.pick(&[
                Controller::ReplicaSet,
                Controller::ReplicaSet,
                Controller::ReplicaSet,
                Controller::StatefulSet,
                Controller::StatefulSet,
                Controller::DaemonSet,
                Controller::Mirror,
                Controller::Nobody,
            ])
        };
        let job = controller == Controller::Job;
        let run = if job {
            random.log_normal(5.0 * MINUTE as f64, 1.6)
        } else {
            random.log_normal(4.0 * HOUR as f64, 1.8)
        };
        let workload = *random.pick(&["web", "api", "sync", "index", "cache"]);
        // Its pods are named after it alone, and no two pods of one name are there at once.
        let workload = match controller {
            Controller::StatefulSet => format!("{workload}-{:08x}", random.next() as u32),
            _ => workload.to_owned(),
        };
        Spec {
            job,
            incarnations: if controller == Controller::StatefulSet {
                1 + random.below(4)
            } else {
                1
            },
            run: run.clamp(2_000_000, 200 * 24 * HOUR),
            creator: creator(random, controller),
            namespace: namespace.into(),
            controller,
            workload: workload.into(),
            containers: containers(random),
            host_network: controller == Controller::Mirror || random.chance(4),
        }
    }

    /// The object before it was written.
    pub fn object(&self, random: &mut Random, cluster: &Text, incarnation: u64) -> Object {
        let tail = format!("{:08x}", random.next() as u32);
        let (owner, name, hash) = self.names(random, &tail);
        let mut labels: Vec<(Text, Text)> = vec![("app".into(), self.workload.clone())];
        labels.extend(hash.map(|hash| ("pod-template-hash".into(), hash)));
        let node_number = random.below(NODES);
        Object {
            cluster: cluster.clone(),
            namespace: self.namespace.clone(),
            name,
            uid: u128::from(random.next()) << 64 | u128::from(random.next()),
            version: 0,
            created: 0,
            labels: labels.into(),
            owner: owner.map(Arc::new),
            service_account: random.pick(&["default", "builder"]).to_string().into(),
            host_network: self.host_network,
            mirror: self.controller == Controller::Mirror,
            node: format!("node-{node_number}").into(),
            phase: "Pending".into(),
            ips: Vec::new(),
            started: 0,
            deletion: None,
            finalizer: self.job && incarnation == 0 && random.chance(30),
            reason: Text::default(),
            disrupted: None,
            statuses: self.containers.iter().map(|one| self.status(one)).collect(),
        }
    }

    fn status(&self, (name, kind): &(Text, Kind)) -> Status {
        let image = format!("registry.example/{}/{name}:1", self.workload);
        Status {
            name: name.clone(),
            kind: *kind,
            image_id: format!("{image}@sha256:{:064x}", image.len()).into(),
            image: image.into(),
            id: None,
            restart: 0,
            state: State::Waiting,
            last: None,
        }
    }

    /// The owner, the pod's name, and the hash that its labels carry.
    fn names(&self, random: &mut Random, tail: &str) -> (Option<Owner>, Text, Option<Text>) {
        let workload = &self.workload;
        let owner = |kind: &str, name: &str, above: Option<&str>| {
            Some(Owner {
                kind: kind.into(),
                name: name.into(),
                workload_kind: above.unwrap_or(kind).into(),
                workload: above.map_or_else(|| name.into(), |_| workload.clone()),
                basis: match above {
                    Some(_) => Basis::Name,
                    None => Basis::Owner,
                },
            })
        };
        match self.controller {
            Controller::ReplicaSet => {
                let hash = format!("{:x}", random.below(1 << 36) | 1 << 36);
                let set = format!("{workload}-{hash}");
                let owner = owner("ReplicaSet", &set, Some("Deployment"));
                (owner, format!("{set}-{tail}").into(), Some(hash.into()))
            }
            Controller::StatefulSet => {
                let owner = owner("StatefulSet", workload, None);
                (owner, format!("{workload}-0").into(), None)
            }
            Controller::DaemonSet => {
                let owner = owner("DaemonSet", workload, None);
                (owner, format!("{workload}-{tail}").into(), None)
            }
            Controller::Job => {
                // Without a number at its end no Job is taken for a CronJob's.
                let job = format!("{workload}-once-x{}", random.below(100));
                (
                    owner("Job", &job, None),
                    format!("{job}-{tail}").into(),
                    None,
                )
            }
            Controller::Mirror | Controller::Nobody => {
                (None, format!("{workload}-{tail}").into(), None)
            }
        }
    }
}

/// Addresses of pods are few, so that many pods have the same one after each other.
pub fn address(random: &mut Random) -> Vec<Ipv6Addr> {
    let low = random.below(400) as u16;
    let v4 = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0a00, low);
    let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, low);
    match random.below(10) {
        0 => vec![v4, v6],
        1 => vec![v6],
        _ => vec![v4],
    }
}

fn creator(random: &mut Random, controller: Controller) -> (Text, Text) {
    let account = match controller {
        Controller::ReplicaSet => "replicaset-controller",
        Controller::StatefulSet => "statefulset-controller",
        Controller::DaemonSet => "daemon-set-controller",
        Controller::Job => "job-controller",
        Controller::Mirror => return (Text::default(), Text::default()),
        Controller::Nobody if random.chance(30) => return ("alice".into(), "deployer".into()),
        Controller::Nobody => return ("bob".into(), Text::default()),
    };
    let user = format!("system:serviceaccount:kube-system:{account}");
    (user.into(), Text::default())
}

fn containers(random: &mut Random) -> Vec<(Text, Kind)> {
    let mut containers: Vec<(Text, Kind)> = Vec::new();
    if random.chance(15) {
        containers.push(("prepare".into(), Kind::Init));
    }
    if random.chance(10) {
        containers.push(("proxy".into(), Kind::Sidecar));
    }
    containers.push(("main".into(), Kind::App));
    let more = [("log-agent", 30), ("metrics", 10)];
    for (name, percent) in more {
        if random.chance(percent) {
            containers.push((name.into(), Kind::App));
        }
    }
    containers
}
