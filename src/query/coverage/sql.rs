//! The SQL of what came.

use ::clickhouse as driver;
use jiff::Timestamp;
use serde::Deserialize;

use super::Scope;
use crate::clickhouse::Store;
use crate::query::statement::{bounded, datetime64};
use crate::query::{Error, ROWS_MAX};

/// Events of an hour that have all else in common.
#[derive(Clone, Debug, Default, Deserialize, driver::Row)]
pub struct Hour {
    pub cluster: String,
    pub hour: u32,
    pub about: String,
    pub api_server: String,
    pub level: String,
    pub stage: String,
    pub events: u64,
    pub seconds: Vec<u16>,
}

/// Lives that began on a day.
#[derive(Deserialize, driver::Row)]
pub struct Began {
    pub of: String,
    pub cluster: String,
    pub day: u32,
    pub lives: u64,
    pub with_unknown: u64,
    pub unknown: Vec<(String, u64)>,
}

#[derive(Deserialize, driver::Row)]
pub struct Letters {
    pub cluster: String,
    pub day: u32,
    pub reason: String,
    pub letters: u64,
}

/// One question's reading.
pub struct Read<'r> {
    pub store: &'r Store,
    pub scope: &'r Scope,
    pub time: (Timestamp, Timestamp),
}

const OF_CLUSTERS: &str =
    "(empty({clusters:Array(String)}) OR cluster IN {clusters:Array(String)})";

impl Read<'_> {
    pub async fn hours(&self) -> Result<Vec<Hour>, Error> {
        self.rows(&format!(
            "SELECT cluster, hour, about, api_server, level, stage, events, seconds FROM coverage \
             WHERE hour >= toDateTime({{since:DateTime64(6, 'UTC')}}, 'UTC') \
             AND hour < {{until:DateTime64(6, 'UTC')}} AND {OF_CLUSTERS} \
             ORDER BY cluster, hour, about DESC, level DESC, stage, api_server"
        ))
        .await
    }

    pub async fn lives(&self) -> Result<Vec<Began>, Error> {
        let part = |name: &str| {
            format!(
                "SELECT '{name}' AS of, cluster, \
                 toUnixTimestamp(toStartOfDay(began_at)) AS day, count() AS lives, \
                 countIf(notEmpty(l.unknown)) AS with_unknown, \
                 sumMap(CAST((arrayMap(word -> if(endsWith(word, ' instances unseen'), \
                 'instances unseen', word), l.unknown), arrayResize([toUInt64(1)], length(l.unknown), toUInt64(1))), \
                 'Map(String, UInt64)')) AS unknown \
                 FROM {name}_between(since = {{since:String}}, until = {{until:String}}) AS l \
                 WHERE began_at >= {{since:DateTime64(6, 'UTC')}} AND {OF_CLUSTERS} \
                 AND (empty({{namespaces:Array(String)}}) \
                 OR namespace IN {{namespaces:Array(String)}}) \
                 GROUP BY cluster, day"
            )
        };
        let union = format!("{} UNION ALL {}", part("pods"), part("containers"));
        self.rows(&format!("SELECT * FROM ({union})")).await
    }

    pub async fn dead_letters(&self) -> Result<Vec<Letters>, Error> {
        self.rows(&format!(
            "SELECT cluster, toUnixTimestamp(toStartOfDay(received_at)) AS day, reason, \
             uniqExact(id) AS letters FROM dead_letters \
             WHERE received_at >= {{since:DateTime64(6, 'UTC')}} \
             AND received_at < {{until:DateTime64(6, 'UTC')}} AND {OF_CLUSTERS} \
             GROUP BY cluster, day, reason"
        ))
        .await
    }

    async fn rows<R>(&self, sql: &str) -> Result<Vec<R>, Error>
    where
        R: driver::RowOwned + driver::RowRead,
    {
        let (since, until) = self.time;
        let sql = format!("{sql} LIMIT {}", ROWS_MAX + 1);
        let query = bounded(self.store.query(&sql))
            .param("clusters", &self.scope.clusters)
            .param("namespaces", &self.scope.namespaces)
            .param("since", datetime64(since))
            .param("until", datetime64(until));
        let rows: Vec<R> = self.store.within_limit(query.fetch_all()).await?;
        if rows.len() as u64 > ROWS_MAX {
            return Err(Error::Days);
        }
        Ok(rows)
    }
}
