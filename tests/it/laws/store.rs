//! The stored rows of one name, as the sink reads and writes them.

use std::collections::BTreeMap;

use bygone::fold::{Fold, LoggedFact, NameEvents, Rows, StoredInstance, StoredPod};
use bygone::rows::{ContainerRow, NEVER, PodRow};

use super::answers::{ContainerAnswer, PodAnswer};
use super::world::Log;

pub const CLUSTER: &str = "demo";
pub const NAMESPACE: &str = "shop";

/// Of each life all versions of a pod's row, the newest last, and the newest row of an instance.
#[derive(Clone, Default)]
pub struct Store {
    pub pods: BTreeMap<u128, Vec<KeptPod>>,
    pub containers: BTreeMap<(u128, String, [u8; 32]), KeptContainer>,
    /// Whether two wrote at once: then all rows are written once more.
    pub raced: bool,
    /// Whether they ever did.
    pub had_race: bool,
}

#[derive(Clone, Debug)]
pub struct KeptPod {
    version: u64,
    read_at: u32,
    pub over_at: i64,
    last_seen: i64,
    returned: bool,
    judged: u64,
    copied: u64,
    pub state: Vec<u8>,
    pub answer: PodAnswer,
}

#[derive(Clone, Debug)]
pub struct KeptContainer {
    version: u64,
    complete: bool,
    /// Whether it says all that is known, which its pod's state then does not.
    is_pruned: bool,
    /// Nobody sees it: what it told is told by another row.
    pub is_void: bool,
    instance: Option<Complete>,
    pub answer: ContainerAnswer,
}

/// What the row of an instance says of which all is known.
#[derive(Clone, Debug)]
struct Complete {
    texts: [String; 6],
    restart: u32,
    started_at: u32,
    ended_at: u32,
    exit_code: i32,
    signal: Option<i32>,
    span: (i64, i64),
}

/// Which of the stored versions a fold reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Newest,
    All,
}

/// What a load does to a name.
pub struct Load<'l, 'a> {
    pub name: &'a str,
    pub facts: &'l [LoggedFact<'a>],
    pub log: &'l Log<'a>,
    /// The newest step whose sayings are stored.
    pub step: u8,
    pub read_at: u32,
}

impl From<&PodRow<'_>> for KeptPod {
    fn from(row: &PodRow) -> KeptPod {
        KeptPod {
            version: row.version,
            read_at: row.read_at.0,
            over_at: row.over_at.0,
            last_seen: row.last_seen.0,
            returned: row.returned,
            judged: row.judged,
            copied: row.copied,
            state: row.state.0.clone(),
            answer: row.into(),
        }
    }
}

impl From<&ContainerRow<'_>> for KeptContainer {
    fn from(row: &ContainerRow) -> KeptContainer {
        KeptContainer {
            version: row.version,
            complete: row.complete,
            is_pruned: row.pruned,
            is_void: row.void,
            instance: match row.void {
                true => None,
                false => StoredInstance::of(row).as_ref().map(Complete::of),
            },
            answer: row.into(),
        }
    }
}

impl Complete {
    fn of(row: &StoredInstance) -> Complete {
        let texts = [
            row.kind,
            row.id_text,
            row.runtime.unwrap_or_default(),
            row.image.unwrap_or_default(),
            row.image_id.unwrap_or_default(),
            row.reason.unwrap_or_default(),
        ];
        Complete {
            texts: texts.map(str::to_owned),
            restart: row.restart,
            started_at: row.started_at,
            ended_at: row.ended_at,
            exit_code: row.exit_code,
            signal: row.signal,
            span: (row.began_at, row.over_at),
        }
    }

    fn stored<'s>(
        &'s self,
        (pod_uid, container, key): (u128, &'s str, [u8; 32]),
        version: u64,
    ) -> StoredInstance<'s> {
        let [kind, id_text, runtime, image, image_id, reason] = self.texts.each_ref();
        StoredInstance {
            pod_uid,
            container,
            key,
            version,
            kind,
            id_text,
            runtime: Some(runtime),
            image: Some(image),
            image_id: Some(image_id),
            restart: self.restart,
            started_at: self.started_at,
            ended_at: self.ended_at,
            exit_code: self.exit_code,
            signal: self.signal,
            reason: Some(reason),
            began_at: self.span.0,
            over_at: self.span.1,
        }
    }
}

impl KeptPod {
    fn stored(&self, pod_uid: u128) -> StoredPod<'_> {
        StoredPod {
            pod_uid,
            version: self.version,
            read_at: self.read_at,
            over_at: self.over_at,
            last_seen: self.last_seen,
            returned: self.returned,
            judged: self.judged,
            copied: self.copied,
            state: &self.state,
        }
    }
}

impl Store {
    /// Whether a pod was over at another time, as long as less was known.
    pub fn had_another_end(&self, uid: u128) -> bool {
        let versions = self.pods.get(&uid).map_or(&[][..], |versions| versions);
        let end = versions.last().map(|it| it.over_at);
        let mut ends = versions.iter().map(|it| it.over_at);
        ends.any(|at| at != NEVER && Some(at) != end)
    }

    /// Folds what a load brings onto what is stored.
    pub fn fold<'a>(&'a self, load: &Load<'_, 'a>, versions: Versions) -> Rows<'a> {
        let mut fold = Fold::new(CLUSTER, NAMESPACE, load.name);
        for fact in load.facts {
            fold.add_fact(fact).expect("a fact");
        }
        for (uid, kept) in &self.pods {
            let from = match versions {
                Versions::Newest => kept.len() - 1,
                Versions::All => 0,
            };
            for version in &kept[from..] {
                fold.add_stored(version.stored(*uid)).expect("a state");
            }
        }
        if self.raced {
            fold.raced();
        }
        let nodes = fold
            .nodes()
            .map(|node| (node, load.log.said("", node, load.step)));
        let name_events = NameEvents {
            of_name: load.log.said(NAMESPACE, load.name, load.step),
            of_namespace: load.log.said(NAMESPACE, "", load.step),
            of_nodes: nodes.collect(),
        };
        match fold.rows(&name_events, load.read_at) {
            Ok(rows) => rows,
            Err(missing) => {
                for pod_uid in missing {
                    fold.recall(pod_uid, self.instances(pod_uid));
                }
                fold.rows(&name_events, load.read_at)
                    .expect("all was recalled")
            }
        }
    }

    /// The rows of instances of a pod that it may have let go of.
    fn instances(&self, uid: u128) -> impl Iterator<Item = StoredInstance<'_>> {
        let of_pod = self.containers.range((uid, String::new(), [0; 32])..);
        let of_pod = of_pod.take_while(move |((of, ..), _)| *of == uid);
        of_pod.filter_map(move |((_, container, key), kept)| {
            let instance = kept.instance.as_ref()?;
            Some(instance.stored((uid, container, *key), kept.version))
        })
    }

    /// Stores rows, which were made of what `read` had. Says which law they break.
    pub fn put(&mut self, rows: &Rows, read: &Store) -> Result<(), String> {
        for row in &rows.containers {
            let key = (row.pod_uid.0, row.container.to_owned(), row.container_key);
            let kept = KeptContainer::from(row);
            if let Some(old) = read.containers.get(&key) {
                old.gives_way_to(&kept, rows, read)?;
            }
            let stored = self.containers.entry(key).or_insert_with(|| kept.clone());
            if stored.version <= kept.version {
                *stored = kept;
            }
        }
        for row in &rows.pods {
            let (uid, kept) = (row.pod_uid.0, KeptPod::from(row));
            if let Some(old) = read.pods.get(&uid).and_then(|kept| kept.last()) {
                old.gives_way_to(&kept, rows, read)?;
            }
            let versions = self.pods.entry(uid).or_default();
            versions.push(kept);
            versions.sort_by_key(|kept| kept.version);
        }
        Ok(())
    }
}

impl KeptPod {
    fn gives_way_to(&self, new: &KeptPod, rows: &Rows, read: &Store) -> Result<(), String> {
        let of = &new.answer.row.pod_uid;
        let changed = (self.judged, &self.state) != (new.judged, &new.state);
        let has_containers = rows.containers.iter().any(|row| row.version == new.version);
        if new.version <= self.version {
            return Err(format!(
                "{of}: version {} after {}",
                new.version, self.version
            ));
        }
        if !changed && !has_containers && !read.raced {
            return Err(format!("{of}: the row did not change"));
        }
        Ok(())
    }
}

impl KeptContainer {
    fn gives_way_to(&self, new: &KeptContainer, rows: &Rows, read: &Store) -> Result<(), String> {
        let of = format!("{:?}", new.answer.row.container_id);
        let mut pods = rows.pods.iter();
        let pod = pods
            .find(|pod| self.answer.row.pod_uid == crate::oracle::life::uid_text(pod.pod_uid.0));
        let Some(pod) = pod else {
            return Err(format!("{of}: its pod's row is not written"));
        };
        let old = read.pods.get(&pod.pod_uid.0).and_then(|kept| kept.last());
        let is_copied = old.is_some_and(|old| old.copied == pod.copied);
        let flags = |row: &KeptContainer| (row.complete, row.is_pruned, row.is_void);
        let is_same = (&self.answer, flags(self)) == (&new.answer, flags(new));
        if new.version <= self.version {
            return Err(format!(
                "{of}: version {} after {}",
                new.version, self.version
            ));
        }
        if is_same && is_copied && !read.raced {
            return Err(format!("{of}: the row did not change"));
        }
        Ok(())
    }
}
