//! What is read of names: `schema/lives/`, one struct for the rows of each statement.

use std::collections::{BTreeMap, BTreeSet};

use ::clickhouse as driver;
use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::{Lives, Name, Scope};
use crate::audit::words::NameEvent;
use crate::clickhouse::Error;
use crate::fold::StoredInstance;
use crate::rows::Said;

/// How long ClickHouse may read for a fold, in seconds.
const SECONDS_MAX: u64 = 60;

/// How long a statement with many names may be, in bytes.
const STATEMENT_BYTES_MAX: &str = "67108864";

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("../../schema/lives/", $name, ".sql"))
    };
}

/// A fact, as the log has it.
#[derive(Clone, Debug, Deserialize, driver::Row)]
pub struct LogRow {
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    #[serde(with = "driver::serde::uuid")]
    pub pod_uid: uuid::Uuid,
    pub event_at: i64,
    pub late: u8,
    pub place: u64,
    pub body: ByteBuf,
    pub read_at: u32,
}

/// A stored version of the row of a pod.
#[derive(Clone, Debug, Deserialize, driver::Row)]
pub struct PodRow {
    pub cluster: String,
    pub namespace: String,
    pub pod: String,
    #[serde(with = "driver::serde::uuid")]
    pub pod_uid: uuid::Uuid,
    pub version: u64,
    pub read_at: u32,
    pub over_at: i64,
    pub last_seen: i64,
    pub returned: u8,
    pub judged: u64,
    pub copied: u64,
    pub state: ByteBuf,
    pub asked_at: u32,
}

/// The events about a name in one second, or in one minute where they are frequent: the first and the last of them.
#[derive(Clone, Debug, Deserialize, driver::Row)]
pub struct SaidRow {
    pub cluster: String,
    pub namespace: String,
    pub name: String,
    pub number: u8,
    pub selector: String,
    #[serde(with = "driver::serde::uuid")]
    pub uid: uuid::Uuid,
    pub first_at: i64,
    pub first_id: String,
    pub first_user: String,
    pub first_acting_as: String,
    pub last_at: i64,
    pub last_id: String,
    pub last_user: String,
    pub last_acting_as: String,
}

/// A pod of which the rows of let-go instances are needed.
pub type Wanted = (Name, u128);

/// The stored row of an instance that its pod has pruned.
#[derive(Clone, Debug, Deserialize, driver::Row)]
pub struct InstanceRow {
    pub cluster: String,
    #[serde(with = "driver::serde::uuid")]
    pub pod_uid: uuid::Uuid,
    pub container: String,
    pub container_key: [u8; 32],
    pub version: u64,
    pub kind: String,
    pub id_text: String,
    pub runtime: Option<String>,
    pub image: Option<String>,
    pub image_id: Option<String>,
    pub restart: u32,
    /// Seconds.
    pub started_at: Option<u32>,
    /// Microseconds.
    pub ended_at: Option<i64>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub reason: Option<String>,
    /// Microseconds, both.
    pub began_at: i64,
    pub over_at: i64,
}

#[derive(Deserialize, driver::Row)]
struct Now {
    now: u32,
}

#[derive(Deserialize, driver::Row)]
struct NameRow {
    cluster: String,
    namespace: String,
    pod: String,
}

impl InstanceRow {
    /// As the fold takes it.
    pub(super) fn stored(&self) -> StoredInstance<'_> {
        let ended_at = self.ended_at.unwrap_or_default().div_euclid(1_000_000);
        StoredInstance {
            pod_uid: self.pod_uid.as_u128(),
            container: &self.container,
            key: self.container_key,
            version: self.version,
            kind: &self.kind,
            id_text: &self.id_text,
            runtime: self.runtime.as_deref(),
            image: self.image.as_deref(),
            image_id: self.image_id.as_deref(),
            restart: self.restart,
            started_at: self.started_at.unwrap_or_default(),
            ended_at: u32::try_from(ended_at).unwrap_or_default(),
            exit_code: self.exit_code.unwrap_or_default(),
            signal: self.signal,
            reason: self.reason.as_deref(),
            began_at: self.began_at,
            over_at: self.over_at,
        }
    }
}

impl Name {
    /// Cluster and namespace, or cluster and node.
    fn scope(&self) -> (&str, &str) {
        let name = match self.is_node() {
            true => &self.pod,
            false => &self.namespace,
        };
        (&self.cluster, name)
    }
}

/// The events, by cluster, namespace and name.
pub(super) type NameEvents<'k> = BTreeMap<(&'k str, &'k str, &'k str), Vec<Said<'k>>>;

/// The first and the last of each row.
pub(super) fn name_events(rows: &[SaidRow]) -> NameEvents<'_> {
    let mut said: NameEvents = BTreeMap::new();
    for row in rows {
        // Rows that only a newer build can read are skipped.
        let Some(what) = NameEvent::of_number(row.number) else {
            continue;
        };
        let key = (&*row.cluster, &*row.namespace, &*row.name);
        let of_name = said.entry(key).or_default();
        let said = |at: i64, audit_id, (user, acting_as)| Said {
            what,
            at,
            user,
            acting_as,
            selector: &row.selector,
            uid: row.uid.as_u128(),
            audit_id,
        };
        let by: (&str, &str) = (&row.first_user, &row.first_acting_as);
        let first = said(row.first_at, &row.first_id, by);
        let last = said(
            row.last_at,
            &row.last_id,
            (&row.last_user, &row.last_acting_as),
        );
        if last != first {
            of_name.push(last);
        }
        of_name.push(first);
    }
    said
}

/// As ClickHouse compares names.
pub fn tuples(names: &[Name]) -> Vec<(&str, &str, &str)> {
    names.iter().map(Name::key).collect()
}

impl Lives<'_> {
    pub(super) async fn log(&self, names: &[Name]) -> Result<Vec<LogRow>, Error> {
        self.rows(self.query(text!("log")).bind(tuples(names)))
            .await
    }

    pub(super) async fn recent(&self, names: &[Name]) -> Result<Vec<PodRow>, Error> {
        self.rows(self.query(text!("recent")).bind(tuples(names)))
            .await
    }

    pub(super) async fn ended(&self, names: &[Name]) -> Result<Vec<PodRow>, Error> {
        let names = tuples(names);
        let query = self.query(text!("ended")).bind(&names).bind(&names);
        self.rows(query).await
    }

    pub(super) async fn said(&self, names: &[Name]) -> Result<Vec<SaidRow>, Error> {
        if names.is_empty() {
            // ClickHouse does not know the type of an empty list.
            return Ok(Vec::new());
        }
        self.rows(self.query(text!("said")).bind(tuples(names)))
            .await
    }

    pub(super) async fn instances(&self, wanted: &[Wanted]) -> Result<Vec<InstanceRow>, Error> {
        let names: BTreeSet<&Name> = wanted.iter().map(|(name, _)| name).collect();
        let names: Vec<Name> = names.into_iter().cloned().collect();
        let uid = |uid: &u128| uuid::Uuid::from_u128(*uid).to_string();
        let pods: Vec<(&str, String)> = wanted
            .iter()
            .map(|(name, pod)| (&*name.cluster, uid(pod)))
            .collect();
        let query = self.query(text!("instances")).bind(tuples(&names));
        self.rows(query.bind(&pods).bind(&pods).bind(&pods)).await
    }

    /// The server's clock, in seconds.
    pub(super) async fn now(&self) -> Result<u32, Error> {
        let rows: Vec<Now> = self.rows(self.query("SELECT now('UTC') AS now")).await?;
        Ok(rows.first().map_or(0, |row| row.now))
    }

    /// The names of the pods that events about some scopes may concern.
    ///
    /// # Errors
    ///
    /// When ClickHouse can't be reached or refuses.
    pub async fn names_of(&self, scopes: &[Scope]) -> Result<BTreeSet<Name>, Error> {
        let (nodes, namespaces): (Vec<&Scope>, Vec<&Scope>) =
            scopes.iter().partition(|scope| scope.name.is_node());
        let mut names = BTreeSet::new();
        for (sql, scopes) in [
            (text!("names_of_namespaces"), namespaces),
            (text!("names_of_nodes"), nodes),
        ] {
            for scopes in scopes.chunks(super::NAMES_MAX) {
                let all: BTreeSet<(&str, &str)> = scopes.iter().map(|it| it.name.scope()).collect();
                let all: Vec<_> = all.into_iter().collect();
                let late = scopes.iter().filter(|scope| scope.late);
                let late: Vec<(&str, &str, i64)> = late
                    .map(|scope| {
                        let (cluster, name) = scope.name.scope();
                        (cluster, name, scope.at)
                    })
                    .collect();
                let mut query = self.query(sql);
                // The same in each place where the statement asks for it.
                for _ in 0..sql.matches("IN ?").count() {
                    query = query.bind(&all);
                }
                let rows: Vec<NameRow> = self.rows(query.bind(&late)).await?;
                let rows = rows.into_iter().map(|row| Name {
                    cluster: row.cluster,
                    namespace: row.namespace,
                    pod: row.pod,
                });
                names.extend(rows);
            }
        }
        Ok(names)
    }

    fn query(&self, sql: &str) -> driver::query::Query {
        self.store
            .query(sql)
            .with_setting("max_query_size", STATEMENT_BYTES_MAX)
            .with_setting("max_execution_time", SECONDS_MAX.to_string())
    }

    async fn rows<R>(&self, query: driver::query::Query) -> Result<Vec<R>, Error>
    where
        R: driver::RowOwned + driver::RowRead,
    {
        self.store
            .within(SECONDS_MAX + 5, query.fetch_all::<R>())
            .await
    }
}
