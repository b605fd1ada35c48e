//! The open pods of a cluster, for sources that find out which of them have ended.

use ::clickhouse as driver;
use serde::Deserialize;
use uuid::Uuid;

use crate::clickhouse::{Error, Store};

/// A pod without an end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, driver::Row)]
pub struct OpenPod {
    pub namespace: String,
    pub pod: String,
    #[serde(with = "driver::serde::uuid")]
    pub pod_uid: Uuid,
}

/// Some open pods behind one of them, by namespace, name and uid; none at the end.
///
/// # Errors
///
/// When ClickHouse can't be asked.
pub async fn open_pods(
    store: &Store,
    cluster: &str,
    after: &OpenPod,
) -> Result<Vec<OpenPod>, Error> {
    let query = store
        .query(include_str!("../../schema/lives/open.sql"))
        .param("cluster", cluster)
        .param("namespace", &after.namespace)
        .param("pod", &after.pod)
        .param("pod_uid", after.pod_uid.to_string());
    store.within_limit(query.fetch_all()).await
}
