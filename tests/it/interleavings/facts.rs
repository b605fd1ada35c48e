//! What happens in the scenarios: a few facts about the pods of one name.

use bygone::audit::words::NameEvent;
use bygone::lives::Name;
use bygone::lives::read::SaidRow;
use bygone::rows::{
    self, Basis, Ended, Facts, Image, Owner, Phase, Piece, Said, fact_rows, pieces,
};

/// The begin of a slot.
pub const T0: u32 = 1_800_000_000;

pub const CLUSTER: &str = "c";
pub const NAMESPACE: &str = "n";
pub const POD: &str = "web-0";
pub const NODE: &str = "n1";

/// A row of `facts`, and the row of `said` beside it.
#[derive(Clone, Debug)]
pub struct Fact {
    pub name: Name,
    pub pod_uid: u128,
    /// Microseconds.
    pub event_at: i64,
    pub body: Vec<u8>,
    pub said: Option<SaidRow>,
    /// The container instance that it is about.
    pub instance: Option<(String, [u8; 32])>,
}

/// The name that all pods of the scenarios have.
pub fn name() -> Name {
    Name {
        cluster: CLUSTER.into(),
        namespace: NAMESPACE.into(),
        pod: POD.into(),
    }
}

fn at(second: i32) -> u32 {
    T0.saturating_add_signed(second)
}

fn micros(second: i32) -> i64 {
    i64::from(at(second)) * 1_000_000
}

fn fact(pod_uid: u128, second: i32) -> rows::Fact<'static> {
    rows::Fact {
        cluster: CLUSTER,
        namespace: NAMESPACE,
        pod: POD,
        pod_uid,
        event_at: micros(second),
        ..rows::Fact::default()
    }
}

/// As the sink takes it from the spool.
fn row(fact: &rows::Fact) -> Fact {
    let mut encoded = Facts::default();
    encoded.push(fact);
    let bytes = encoded.finish().into_bytes();
    let (row, _) = fact_rows(&bytes).next().expect("a row");
    let said = pieces(row.body).expect("a body").into_iter();
    let said = said.filter_map(|piece| match piece {
        Piece::Said(said) => Some(said),
        _ => None,
    });
    let said = said.into_iter().next().map(|said| SaidRow {
        cluster: row.cluster.into(),
        namespace: row.namespace.into(),
        name: row.pod.into(),
        number: said.what.number(),
        selector: said.selector.into(),
        uid: uuid::Uuid::from_u128(said.uid),
        first_at: said.at,
        first_id: said.audit_id.into(),
        first_user: said.user.into(),
        first_acting_as: said.acting_as.into(),
        last_at: said.at,
        last_id: said.audit_id.into(),
        last_user: said.user.into(),
        last_acting_as: said.acting_as.into(),
    });
    Fact {
        name: Name {
            cluster: row.cluster.into(),
            namespace: row.namespace.into(),
            pod: row.pod.into(),
        },
        pod_uid: row.pod_uid,
        event_at: row.event_at,
        body: row.body.to_vec(),
        said,
        instance: (!fact.container.is_empty())
            .then(|| (fact.container.to_owned(), fact.container_id)),
    }
}

/// The pod is created, and belongs to a workload.
pub fn created(uid: u128, second: i32) -> Fact {
    row(&rows::Fact {
        created_at: at(second),
        created_by: Some(("alice", "")),
        node: NODE,
        ..owned(uid, second, 9, "cart")
    })
}

fn owned(uid: u128, second: i32, version: u64, workload: &'static str) -> rows::Fact<'static> {
    rows::Fact {
        version,
        labels: Some(&[]),
        owner: Some(Owner {
            kind: "ReplicaSet",
            name: workload,
            workload_kind: "Deployment",
            workload,
            basis: Basis::Owner,
        }),
        ..fact(uid, second)
    }
}

/// It runs.
pub fn running(uid: u128, second: i32) -> Fact {
    row(&rows::Fact {
        phase: Phase::Running,
        node: NODE,
        pod_started_at: at(second),
        ..fact(uid, second)
    })
}

/// An instance of its container started.
pub fn started(uid: u128, second: i32, instance: u8) -> Fact {
    row(&rows::Fact {
        container: "main",
        container_id: [instance; 32],
        restart: u32::from(instance) - 1,
        started_at: at(second),
        image: Some(Image {
            image: "cart:1",
            image_id: "cart@1",
        }),
        ..fact(uid, second)
    })
}

/// The end of that instance was reported.
pub fn exited(uid: u128, second: i32, instance: u8) -> Fact {
    row(&rows::Fact {
        container: "main",
        container_id: [instance; 32],
        restart: u32::from(instance) - 1,
        ended: Some(Ended {
            finished_at: at(second),
            exit_code: 137,
            signal: 9,
            reason: "OOMKilled",
        }),
        ..fact(uid, second)
    })
}

/// Its removal was seen.
pub fn removed(uid: u128, second: i32) -> Fact {
    row(&rows::Fact {
        removed_at: micros(second),
        ..fact(uid, second)
    })
}

/// A request did not find any pod of the name.
pub fn not_found(second: i32) -> Fact {
    row(&rows::Fact {
        said: Some(said(second, NameEvent::Gone)),
        ..fact(0, second)
    })
}

/// Its node was deleted.
pub fn node_gone(second: i32) -> Fact {
    row(&rows::Fact {
        namespace: "",
        pod: NODE,
        said: Some(said(second, NameEvent::NodeGone)),
        ..fact(0, second)
    })
}

fn said(second: i32, what: NameEvent) -> Said<'static> {
    Said {
        what,
        at: micros(second),
        user: "alice",
        acting_as: "",
        selector: "",
        uid: 0,
        audit_id: "",
    }
}

impl Fact {
    /// Whether it is about a node, and so about the pods that were on it.
    pub fn is_of_scope(&self) -> bool {
        self.name.namespace.is_empty()
    }
}
