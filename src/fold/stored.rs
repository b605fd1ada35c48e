//! What the fold reads: facts of the log, and rows as they were stored.

use std::borrow::Cow;

use super::group::{NO_ID, NONE, id_of, number_of};
use super::instance::{End, Instance};
use super::life::InstanceKey;
use super::row;
use crate::rows::{ContainerRow, Ended, PodRow};

/// A fact as the log has it.
#[derive(Clone, Copy, Debug)]
pub struct LoggedFact<'a> {
    pub pod_uid: u128,
    /// Microseconds.
    pub event_at: i64,
    pub late: bool,
    /// Its place in the log: the number of its slot times 2^40, plus the number of its block.
    pub place: u64,
    pub body: &'a [u8],
}

/// One stored version of a pod's row, as far as the fold needs it.
#[derive(Clone, Copy, Debug)]
pub struct StoredPod<'a> {
    pub pod_uid: u128,
    pub version: u64,
    /// Seconds.
    pub read_at: u32,
    /// Microseconds.
    pub over_at: i64,
    pub returned: bool,
    /// Microseconds.
    pub last_seen: i64,
    pub judged: u64,
    pub copied: u64,
    pub state: &'a [u8],
}

impl<'a> StoredPod<'a> {
    /// Of a row that was just made.
    pub fn of(row: &'a PodRow) -> StoredPod<'a> {
        StoredPod {
            pod_uid: row.pod_uid.0,
            version: row.version,
            read_at: row.read_at.0,
            over_at: row.over_at.0,
            returned: row.returned,
            last_seen: row.last_seen.0,
            judged: row.judged,
            copied: row.copied,
            state: &row.state.0,
        }
    }
}

/// One stored version of the row of a pruned instance: its plain columns have everything.
#[derive(Clone, Copy, Debug)]
pub struct StoredInstance<'a> {
    pub pod_uid: u128,
    pub container: &'a str,
    pub key: [u8; 32],
    pub version: u64,
    pub kind: &'a str,
    pub id_text: &'a str,
    pub runtime: Option<&'a str>,
    pub image: Option<&'a str>,
    pub image_id: Option<&'a str>,
    pub restart: u32,
    /// Seconds; also the end, because only complete instances are pruned.
    pub started_at: u32,
    pub ended_at: u32,
    /// Microseconds.
    pub began_at: i64,
    pub over_at: i64,
    pub exit_code: i32,
    pub signal: Option<i32>,
    pub reason: Option<&'a str>,
}

impl<'a> StoredInstance<'a> {
    /// For a row that was just made; `None` where its pod can't have pruned it.
    pub fn of(row: &ContainerRow<'a>) -> Option<StoredInstance<'a>> {
        let ended_at = row.ended_at.filter(|_| row.end_seen && row.pruned)?;
        // Made of a key that it shares, this row's pod keeps it.
        let Cow::Borrowed(id_text) = row.id_text else {
            return None;
        };
        Some(StoredInstance {
            pod_uid: row.pod_uid.0,
            container: row.container,
            key: row.container_key,
            version: row.version,
            kind: row.kind,
            id_text,
            runtime: row.runtime,
            image: row.image,
            image_id: row.image_id,
            restart: row.restart,
            started_at: row.started_at?.0,
            ended_at: u32::try_from(ended_at.0 / 1_000_000).ok()?,
            exit_code: row.exit_code?,
            signal: row.signal,
            reason: row.reason,
            began_at: row.began_at.0,
            over_at: row.over_at.0,
        })
    }

    /// As its pod knew it, including what its times show about the node's clock.
    pub(super) fn instance(&self) -> (InstanceKey<'a>, Instance<'a>) {
        let report = Ended {
            finished_at: self.ended_at,
            exit_code: self.exit_code,
            signal: self.signal.unwrap_or_default(),
            reason: self.reason.unwrap_or_default(),
        };
        let (end, ran_at) = End::of_row(report, self.started_at, self.began_at, self.over_at);
        let instance = Instance {
            kind: row::kind_of(self.kind),
            id_text: if self.id_text == NO_ID {
                ""
            } else {
                self.id_text
            },
            runtime: self.runtime.unwrap_or_default(),
            image: self.image.unwrap_or_default(),
            image_id: self.image_id.unwrap_or_default(),
            restart: self.restart,
            is_counted: true,
            started_at: self.started_at,
            restarted_at: self.started_at,
            start_reported: Some(self.began_at),
            ran_at,
            ended: Some(end),
            ..Instance::default()
        };
        let id = id_of(self.key, self.id_text);
        let number = match id {
            NONE => number_of(self.key),
            _ => self.restart,
        };
        ((self.container, id, number), instance)
    }
}
