//! Rows of lives by number, so that a state of the model is small.

use std::collections::HashMap;

use bygone::fold::StoredInstance;
use bygone::fold::life::{Arrival, Life};
use bygone::fold::prune::INSTANCES_KEPT;
use bygone::lives::read::InstanceRow;
use bygone::rows::{ContainerRow, NEVER, PodRow, Seconds, pieces};

use super::facts::Fact;

pub type RowId = u16;

/// A row of a pod or of a container instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The number of the life.
    pub key: u8,
    pub pod_uid: u128,
    pub version: u64,
    pub read_at: u32,
    pub over_at: i64,
    pub returned: bool,
    /// It may be filed.
    pub complete: bool,
    pub class: u8,
    pub from: u32,
    /// All columns but the versions.
    pub content: Vec<u8>,
    /// Of pods.
    pub pod: Option<OfPod>,
    /// Of instances that their pod may let go of.
    pub instance: Option<OfInstance>,
}

/// As [`InstanceRow`] has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OfInstance {
    container: String,
    key: [u8; 32],
    /// Kind, ID, runtime, image, image ID and reason.
    texts: [Option<String>; 6],
    restart: u32,
    started_at: Option<u32>,
    ended_at: Option<i64>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    span: (i64, i64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OfPod {
    pub judged: u64,
    pub copied: u64,
    pub last_seen: i64,
    pub state: Vec<u8>,
    /// The facts that are a part of it: one bit each.
    pub facts: u32,
}

/// All rows that ever were.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    ids: HashMap<Row, RowId>,
    keys: HashMap<(u128, String, [u8; 32]), u8>,
}

impl Rows {
    pub fn row(&self, id: RowId) -> &Row {
        &self.rows[usize::from(id)]
    }

    fn key(&mut self, pod_uid: u128, container: &str, id: [u8; 32]) -> u8 {
        let next = self.keys.len() as u8;
        let key = (pod_uid, container.to_owned(), id);
        *self.keys.entry(key).or_insert(next)
    }

    /// The number of an instance, if it has a row.
    pub fn key_of(&self, pod_uid: u128, (container, id): &(String, [u8; 32])) -> Option<u8> {
        self.keys.get(&(pod_uid, container.clone(), *id)).copied()
    }

    fn id(&mut self, row: Row) -> RowId {
        if let Some(id) = self.ids.get(&row) {
            return *id;
        }
        let id = RowId::try_from(self.rows.len()).expect("not so many rows");
        self.rows.push(row.clone());
        self.ids.insert(row, id);
        id
    }

    pub fn pod(&mut self, row: &PodRow, facts: &[Fact]) -> RowId {
        let key = self.key(row.pod_uid.0, "", [0; 32]);
        let mut plain = row.clone();
        (plain.version, plain.read_at, plain.returned) = (0, Seconds(0), false);
        plain.state.0.clear();
        let mut content = Vec::new();
        plain.put(&mut content);
        self.id(Row {
            key,
            pod_uid: row.pod_uid.0,
            version: row.version,
            read_at: row.read_at.0,
            over_at: row.over_at.0,
            returned: row.returned,
            complete: true,
            class: row.class,
            from: row.filed_from.0,
            content,
            pod: Some(OfPod {
                judged: row.judged,
                copied: row.copied,
                last_seen: row.last_seen.0,
                state: row.state.0.clone(),
                facts: known_facts(row, facts),
            }),
            instance: None,
        })
    }

    pub fn container(&mut self, row: &ContainerRow) -> RowId {
        let key = self.key(row.pod_uid.0, row.container, row.container_key);
        let mut plain = row.clone();
        (plain.version, plain.read_at, plain.returned) = (0, Seconds(0), false);
        let mut content = Vec::new();
        plain.put(&mut content);
        self.id(Row {
            key,
            pod_uid: row.pod_uid.0,
            version: row.version,
            read_at: row.read_at.0,
            over_at: row.over_at.0,
            returned: row.returned,
            complete: row.complete,
            class: row.class,
            from: row.filed_from.0,
            content,
            pod: None,
            instance: StoredInstance::of(row).map(|it| OfInstance::of(&it)),
        })
    }
}

impl Row {
    /// Whether the life is over, and its row says all of it.
    pub fn is_over(&self) -> bool {
        self.complete && self.over_at != NEVER
    }
}

impl OfInstance {
    fn of(row: &StoredInstance) -> OfInstance {
        let texts = [
            Some(row.kind),
            Some(row.id_text),
            row.runtime,
            row.image,
            row.image_id,
            row.reason,
        ];
        OfInstance {
            container: row.container.to_owned(),
            key: row.key,
            texts: texts.map(|text| text.map(str::to_owned)),
            restart: row.restart,
            started_at: Some(row.started_at),
            ended_at: Some(i64::from(row.ended_at) * 1_000_000),
            exit_code: Some(row.exit_code),
            signal: row.signal,
            span: (row.began_at, row.over_at),
        }
    }

    pub fn row(&self, cluster: &str, pod_uid: u128, version: u64) -> InstanceRow {
        let [kind, id_text, runtime, image, image_id, reason] = self.texts.clone();
        InstanceRow {
            cluster: cluster.to_owned(),
            pod_uid: uuid::Uuid::from_u128(pod_uid),
            container: self.container.clone(),
            container_key: self.key,
            version,
            kind: kind.unwrap_or_default(),
            id_text: id_text.unwrap_or_default(),
            runtime,
            image,
            image_id,
            restart: self.restart,
            started_at: self.started_at,
            ended_at: self.ended_at,
            exit_code: self.exit_code,
            signal: self.signal,
            reason,
            began_at: self.span.0,
            over_at: self.span.1,
        }
    }
}

/// The facts that change nothing in a state: it knows them. What they say of instances that the pod has let go of
/// is in the rows of these.
fn known_facts(row: &PodRow, facts: &[Fact]) -> u32 {
    let life = Life::decode(&row.state.0, row.last_seen.0).expect("a state");
    let stored = |mut more: Life| {
        more.prune(INSTANCES_KEPT);
        if life.has_pruned() {
            let kept = &life.instances;
            more.instances.retain(|key, _| kept.contains_key(key));
        }
        more.encode()
    };
    let state = stored(life.clone());
    let mut known = 0;
    for (number, fact) in facts.iter().enumerate() {
        let mut more = life.clone();
        let arrival = Arrival {
            event_at: fact.event_at,
            late: true,
        };
        for piece in &pieces(&fact.body).expect("a body") {
            more.add(piece, arrival);
        }
        if fact.pod_uid == row.pod_uid.0 && stored(more) == state {
            known |= 1 << number;
        }
    }
    known
}
