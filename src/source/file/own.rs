//! The way through the pipeline of this process.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::way::{Content, NotDone, Part, Taken, Way};
use crate::envelope::Reason;
use crate::pipeline::{Delivery, Missing, Pipeline, Why};
use crate::positions::{Position, Positions};

/// How long ClickHouse may take to have what was taken, until somebody asks again.
const STORED_WAIT: Duration = Duration::from_secs(30);

/// Pipeline and table.
#[derive(Clone)]
pub struct Own {
    pipeline: Pipeline,
    positions: Positions,
}

impl Own {
    pub fn new(pipeline: &Pipeline, positions: Positions) -> Own {
        Own {
            pipeline: pipeline.with_details(),
            positions,
        }
    }

    async fn taken(&self, part: &Part) -> Result<Taken, NotDone> {
        let received_at = Timestamp::now();
        let mut taken = Taken::default();
        match &part.content {
            Content::TooLong { at, sha256 } => {
                let missing = Missing {
                    cluster: &part.cluster,
                    origin: &part.origin,
                    received_at,
                    why: Why::TooLong {
                        at: at.clone(),
                        sha256: *sha256,
                    },
                };
                self.pipeline.miss(&missing).await.map_err(later)?;
                taken.rejected = 1;
                let bytes = at.end - at.start;
                taken.rejects = vec![(0, bytes, Reason::TooLong.as_str().to_owned())];
            }
            Content::Text { from, body } => {
                let delivery = Delivery {
                    cluster: Some(part.cluster.clone()),
                    cluster_else: None,
                    clusters_of_wrappers: None,
                    origin: part.origin.clone(),
                    received_at,
                    body: body.clone(),
                    from: *from,
                };
                let all = self.pipeline.take(Arc::new([delivery]), ()).await;
                let all = all.map_err(later)?;
                let receipt = all.receipts.first().copied().unwrap_or_default();
                taken.add(receipt, all.details, all.stored.sequences());
            }
        }
        Ok(taken)
    }

    async fn committed(
        &self,
        cluster: &str,
        spooled: Option<(u64, u64)>,
        positions: Vec<Position>,
    ) -> Result<(), NotDone> {
        if let Some(sequences) = spooled {
            let stored = self.pipeline.stored(sequences).wait();
            match tokio::time::timeout(STORED_WAIT, stored).await {
                Ok(true) => {}
                Ok(false) => return Err(NotDone::Lost),
                Err(_) => {
                    let text = "clickhouse has not confirmed what was read yet";
                    return Err(NotDone::Later(text.to_owned()));
                }
            }
        }
        let written = self.positions.commit(cluster, &positions).await;
        written.map_err(later)
    }
}

impl Way for Own {
    fn take<'a>(&'a self, part: &'a Part) -> BoxFuture<'a, Result<Taken, NotDone>> {
        Box::pin(self.taken(part))
    }

    fn find<'a>(
        &'a self,
        cluster: &'a str,
        fingerprints: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<Position>, NotDone>> {
        Box::pin(async move {
            let found = self.positions.find(cluster, &fingerprints).await;
            found.map_err(later)
        })
    }

    fn commit<'a>(
        &'a self,
        cluster: &'a str,
        spooled: Option<(u64, u64)>,
        positions: Vec<Position>,
    ) -> BoxFuture<'a, Result<(), NotDone>> {
        Box::pin(self.committed(cluster, spooled, positions))
    }
}

fn later(error: impl std::fmt::Display) -> NotDone {
    NotDone::Later(error.to_string())
}
