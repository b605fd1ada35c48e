//! Made-up lives: pods and their container instances, folded by bygone itself out of made-up facts, as rows of
//! the tables.
//!
//! Seven of ten pods are jobs of minutes, the rest services of days, both log-normal; a sixth of all are in one
//! namespace of two hundred. A tenth of the services restart some times, one pod in twenty is deleted by force
//! and its end never reported. Everything follows from the number of the pod.

use std::hash::{DefaultHasher, Hash, Hasher};

use bygone::fold::{Fold, LoggedFact, NameEvents};
use bygone::rows::{
    Basis, ContainerKind, ContainerRow, Ended, Fact, Facts, Image, NEVER, Owner, Phase, PodRow,
    Seconds, fact_rows,
};

pub const DAY: i64 = 86_400;
const MICROS: i64 = 1_000_000;

/// The rows of some pods, encoded.
#[derive(Default)]
pub struct Rows {
    pub ended_pods: Vec<u8>,
    pub ended_containers: Vec<u8>,
    pub recent_pods: Vec<u8>,
    pub recent_containers: Vec<u8>,
    pub instances: u64,
    pub open: u64,
}

/// When things happen.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seconds since the epoch.
    pub now: i64,
    pub days: i64,
    pub pods: u64,
}

/// From 0 to 1, by a number and what it is for.
fn unit(number: u64, of: &str) -> f64 {
    (random(number, of) as f64 + 0.5) / (u64::MAX as f64 + 1.0)
}

fn random(number: u64, of: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    (number, of).hash(&mut hash);
    hash.finish()
}

fn hex(bytes: u64) -> String {
    format!("{bytes:016x}")
}

/// One pod, by its number.
pub struct Made {
    pub namespace: String,
    pub app: String,
    pub pod: String,
    pub uid: u128,
    pub node: String,
    pub ip: std::net::Ipv6Addr,
    is_job: bool,
    is_forced: bool,
    on_host: bool,
    /// Seconds since the epoch.
    pub created: i64,
    stopped: i64,
    gone: i64,
    containers: u64,
    restarts: u32,
}

impl Plan {
    pub fn pod(&self, number: u64) -> Made {
        let namespace = (200.0 * unit(number, "namespace").powi(3)) as u64;
        let is_job = unit(number, "job") < 0.7;
        let angle = std::f64::consts::TAU * unit(number, "z2");
        let normal = (-2.0 * unit(number, "z1").ln()).sqrt() * angle.cos();
        let run = match is_job {
            true => 300.0 * (1.6 * normal).exp(),
            false => 86_400.0 * (1.8 * normal).exp(),
        };
        let run = (run as i64).min(200 * DAY) + 4;
        // In the order of their numbers, so that what is made together is filed together.
        let span = self.days * DAY;
        let begin = self.now - span + (span as f64 * number as f64 / self.pods as f64) as i64;
        let created = begin + (unit(number, "begun") * 3_600.0) as i64 - 3_600;
        let stopped = created + run;
        let linger = if is_job {
            5 + (1_800.0 * unit(number, "kept")) as i64
        } else {
            2
        };
        let workload = (unit(number, "workload").powi(2) * (5 + namespace % 35) as f64) as u64;
        let app = format!(
            "{}-{workload}",
            ["web", "api", "sync", "index", "cache"][(namespace % 5) as usize]
        );
        let set = random(
            namespace << 32 | workload << 16 | (created / 604_800) as u64,
            "set",
        );
        let node = (300.0 * unit(number, "node")) as u64;
        let host = (250.0 * unit(number, "ip")) as u32;
        let address = std::net::Ipv4Addr::from_bits(167_772_160 + node as u32 * 256 + 2 + host);
        Made {
            namespace: format!("ns-{namespace}"),
            pod: format!(
                "{app}-{}-{}",
                &hex(set)[..9],
                &hex(random(number, "name"))[..5]
            ),
            app,
            uid: u128::from(random(number, "uid1")) << 64 | u128::from(random(number, "uid2")),
            node: format!("node-{node:03}"),
            ip: address.to_ipv6_mapped(),
            is_job,
            is_forced: unit(number, "forced") < 0.05,
            on_host: unit(number, "host") < 0.03,
            created,
            stopped,
            gone: stopped + linger,
            containers: 1
                + u64::from(unit(number, "more") > 0.6)
                + u64::from(unit(number, "more") > 0.9),
            restarts: match !is_job && unit(number, "restarts") < 0.1 {
                true => 1 + (4.0 * unit(number, "times")) as u32,
                false => 0,
            },
        }
    }

    /// Adds the rows of a pod.
    pub fn add(&self, number: u64, rows: &mut Rows) {
        let made = self.pod(number);
        let mut facts = Facts::default();
        made.facts(number, self.now, &mut facts);
        let encoded = facts.finish();
        let mut fold = Fold::new("prod", &made.namespace, &made.pod);
        // Folded in the slot in which it was last spoken of.
        let seen = made.gone.min(self.now);
        let place = (seen as u64 / 600) << 40 | number & 0xff_ffff;
        for (row, _) in fact_rows(encoded.bytes()) {
            let fact = LoggedFact {
                pod_uid: row.pod_uid,
                event_at: row.event_at,
                late: false,
                place,
                body: row.body,
            };
            fold.add_fact(&fact).expect("a readable fact");
        }
        let read_at = u32::try_from(seen).expect("a time");
        let folded = fold.rows(&NameEvents::default(), read_at).expect("rows");
        let is_filed = |over_at: i64| over_at != NEVER && over_at < (self.now - 700) * MICROS;
        let mut pod_is_filed = false;
        for row in folded.pods {
            pod_is_filed = is_filed(row.over_at.0);
            match pod_is_filed {
                true => {
                    let row = PodRow {
                        judged: 0,
                        copied: 0,
                        ..row
                    };
                    put_filed(&mut rows.ended_pods, |out| row.put(out));
                }
                false => PodRow {
                    read_at: Seconds(jiff::Timestamp::now().as_second() as u32),
                    ..row
                }
                .put(&mut rows.recent_pods),
            }
        }
        for row in folded.containers {
            rows.instances += 1;
            rows.open += u64::from(row.over_at.0 == NEVER);
            match pod_is_filed {
                true => put_filed(&mut rows.ended_containers, |out| row.put(out)),
                false => ContainerRow {
                    read_at: Seconds(jiff::Timestamp::now().as_second() as u32),
                    ..row
                }
                .put(&mut rows.recent_containers),
            }
        }
    }
}

/// A row of an `ended_*` table: not moved.
fn put_filed(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    put(out);
    out.push(0);
}

impl Made {
    fn facts(&self, number: u64, now: i64, facts: &mut Facts) {
        let (controller, owner_kind) = match self.is_job {
            true => ("system:serviceaccount:kube-system:job-controller", "Job"),
            false => (
                "system:serviceaccount:kube-system:replicaset-controller",
                "ReplicaSet",
            ),
        };
        let hash = self.pod.rsplit('-').nth(1).unwrap_or_default();
        let owner = match self.is_job {
            true => self.app.clone(),
            false => format!("{}-{hash}", self.app),
        };
        let mut labels = vec![
            ("app", &*self.app),
            ("tier", if self.is_job { "batch" } else { "service" }),
        ];
        match self.is_job {
            true => labels.push(("job-name", &self.app)),
            false => labels.push(("pod-template-hash", hash)),
        }
        labels.sort_unstable();
        let micros =
            |second: i64, of: &str| second * MICROS + (unit(number, of) * 900_000.0) as i64;
        let base = Fact {
            cluster: "prod",
            namespace: &self.namespace,
            pod: &self.pod,
            pod_uid: self.uid,
            event_at: micros(self.created, "created"),
            version: self.created as u64,
            labels: Some(&labels),
            owner: Some(Owner {
                kind: owner_kind,
                name: &owner,
                workload_kind: if self.is_job { "Job" } else { "Deployment" },
                workload: &self.app,
                basis: match self.is_job {
                    true => Basis::Owner,
                    false => Basis::Name,
                },
            }),
            service_account: "default",
            host_network: self.on_host,
            created_at: self.created as u32,
            ..Fact::default()
        };
        facts.push(&Fact {
            created_by: Some((controller, "")),
            phase: Phase::Pending,
            ..base.clone()
        });
        let scheduled_at = micros(self.created, "scheduled");
        facts.push(&Fact {
            node: &self.node,
            scheduled_at,
            event_at: scheduled_at,
            ..base.clone()
        });
        self.runs(number, now, &base, facts);
        self.ends(number, now, &base, facts);
    }

    /// Instances as a status reports them.
    fn runs(&self, number: u64, now: i64, base: &Fact, facts: &mut Facts) {
        let started =
            (self.created + 3 + (random(number, "start") % 8) as i64).min(self.stopped - 1);
        let at = started.min(now) * MICROS + 500_000;
        let restarts = [("main", self.restarts)];
        facts.push(&Fact {
            event_at: at,
            node: &self.node,
            pod_ips: &[self.ip],
            restarts: &restarts,
            phase: Phase::Running,
            pod_started_at: self.created as u32 + 1,
            ..base.clone()
        });
        let step = (self.stopped - started) / i64::from(self.restarts + 1);
        let main = (0..=self.restarts).map(|restart| (0, restart));
        for (container, restart) in main.chain((1..self.containers).map(|container| (container, 0)))
        {
            let is_last = container > 0 || restart == self.restarts;
            let began = started
                + if container == 0 {
                    i64::from(restart) * step
                } else {
                    0
                };
            let over = match is_last {
                true => self.stopped,
                false => began + step - step.min(3),
            };
            if began >= now {
                continue;
            }
            let name = ["main", "istio-proxy", "log-agent"][container as usize];
            let image = self.image(container, name);
            let digest = random(0, &image);
            let image_id = format!("{image}@sha256:{}", hex(digest).repeat(4));
            let luck = random(number << 8 | container << 4 | u64::from(restart), "exit") % 100;
            let (exit_code, reason) = match luck {
                0..85 => (0, "Completed"),
                85..95 => (1, "Error"),
                _ => (137, "OOMKilled"),
            };
            let is_reported = over < now && !(self.is_forced && is_last);
            let key = container_key(number, container, restart);
            facts.push(&Fact {
                event_at: if is_reported {
                    over * MICROS + 200_000
                } else {
                    at
                },
                container: name,
                container_id: key,
                kind: ContainerKind::App,
                runtime: "containerd",
                image: Some(Image {
                    image: &image,
                    image_id: &image_id,
                }),
                restart,
                started_at: began as u32,
                ended: is_reported.then_some(Ended {
                    finished_at: over as u32,
                    exit_code,
                    signal: 0,
                    reason,
                }),
                ..base.clone()
            });
        }
    }

    fn image(&self, container: u64, name: &str) -> String {
        let version = self.created / 2_592_000 % 100;
        match container {
            0 => format!(
                "registry.example/{}/{}:v{version}",
                self.namespace, self.app
            ),
            _ => format!("registry.example/{name}:v{version}"),
        }
    }

    fn ends(&self, number: u64, now: i64, base: &Fact, facts: &mut Facts) {
        let micros =
            |second: i64, of: &str| second * MICROS + (unit(number, of) * 900_000.0) as i64;
        if self.stopped >= now {
            return;
        }
        let user = format!("user-{}", random(number, "user") % 50);
        let by_person = !self.is_job && random(number, "who") % 10 >= 8;
        let audit_id = format!(
            "{}-{}",
            hex(random(number, "audit1")),
            hex(random(number, "audit2"))
        );
        let account = match (self.is_job, by_person) {
            (true, _) => "system:serviceaccount:kube-system:generic-garbage-collector",
            (false, true) => &*user,
            (false, false) => "system:serviceaccount:kube-system:replicaset-controller",
        };
        let told = micros(self.stopped, "told");
        facts.push(&Fact {
            event_at: told,
            phase: if self.is_job {
                Phase::Succeeded
            } else {
                Phase::Running
            },
            terminal_at: if self.is_job { told } else { 0 },
            ..base.clone()
        });
        if self.gone >= now {
            return;
        }
        let asked = micros(if self.is_job { self.gone } else { self.stopped }, "asked");
        facts.push(&Fact {
            event_at: asked,
            delete_asked: Some((asked, account, "")),
            audit_id: if by_person { &audit_id } else { "" },
            ..base.clone()
        });
        let removed_at = micros(self.gone, "removed").max(asked);
        facts.push(&Fact {
            event_at: removed_at,
            removed_at,
            ..base.clone()
        });
    }
}

fn container_key(number: u64, container: u64, restart: u32) -> [u8; 32] {
    let mut key = [0; 32];
    for (place, part) in key.chunks_exact_mut(8).enumerate() {
        let of = format!("id{container}.{restart}.{place}");
        part.copy_from_slice(&random(number, &of).to_le_bytes());
    }
    key
}

/// The container ID of an instance.
pub fn container_id(number: u64, container: u64, restart: u32) -> String {
    let key = container_key(number, container, restart);
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
