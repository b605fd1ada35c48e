//! A watch of one resource that a member answers.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::objects::batch::Batch;
use super::super::objects::failure::Failure;
use super::super::objects::progress::{Found, Progress};
use super::super::objects::resource::{Emit, Resource};
use super::super::objects::way::Feed;
use super::client::Begun;
use super::failure;
use super::messages::{Event, EventType, WatchResponse};
use super::read;
use crate::lifecycle::watched::Moment;

/// How often a member is asked whether everything has come, until it says so.
const CATCHING_UP_EVERY: Duration = Duration::from_secs(1);

/// How often it is asked for its revision after that, at most.
const ASK_EVERY_MAX: Duration = Duration::from_secs(30);

/// What of a message stays beside its keys and values: about so much.
const BESIDE_BYTES: usize = 100;

/// A change of a key, or how far the watch is.
#[derive(Clone, Debug)]
pub enum Item {
    Change(Change),
    /// Everything up to this revision has come.
    Mark(i64),
}

/// A change of a key.
#[derive(Clone, Debug)]
pub struct Change {
    pub revision: i64,
    pub key: Bytes,
    pub is_deleted: bool,
    /// What is there, or was there before it was deleted; none where etcd no longer knows.
    pub value: Option<Bytes>,
    /// Whether all changes of its revision have come with it.
    pub is_whole: bool,
}

pub struct Responses {
    begun: Begun,
    /// Up to this revision everything is known.
    known: i64,
    batch: Batch<Item>,
    ask: Interval,
    ask_every: Duration,
    has_caught_up: bool,
}

impl Responses {
    pub fn new(begun: Begun, known: i64, silence_max: Duration) -> Responses {
        let ask_every = (silence_max / 3).min(ASK_EVERY_MAX);
        let first = match begun.has_sound_progress {
            true => CATCHING_UP_EVERY.min(ask_every),
            false => ask_every,
        };
        Responses {
            begun,
            known,
            batch: Batch::default(),
            ask: every(first),
            ask_every,
            has_caught_up: false,
        }
    }

    fn change(&self, event: Event, is_last_part: bool) -> Option<Change> {
        let kv = event.kv?;
        let is_deleted = event.kind == EventType::Delete as i32;
        let value = match is_deleted {
            true => event.prev_kv.map(|before| before.value),
            false => Some(kv.value),
        };
        Some(Change {
            revision: kv.mod_revision,
            key: kv.key,
            is_deleted,
            value,
            is_whole: is_last_part,
        })
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Feed for Responses {
    type Part = WatchResponse;
    type Item = Item;

    async fn next(&mut self) -> Option<Result<WatchResponse, Failure>> {
        let place = self.begun.place.clone();
        loop {
            let response = tokio::select! {
                biased;
                response = self.begun.responses.message() => response,
                _ = self.ask.tick() => {
                    self.begun.ask();
                    continue;
                }
            };
            return Some(match response {
                Ok(Some(response)) if response.canceled => Err(place.canceled(&response)),
                Ok(Some(response)) => Ok(response),
                Ok(None) => Err(Failure::broke_off(&place.url)),
                Err(status) => Err(failure::of(&place, &status)),
            });
        }
    }

    fn is_quiet_enough(&self) -> bool {
        !self.begun.has_sound_progress
    }

    fn push(&mut self, part: WatchResponse, moment: Moment) {
        let is_last_part = !part.fragment;
        let is_progress = part.events.is_empty() && !part.created;
        let was_asked_for = part.watch_id < 0;
        for event in part.events {
            let Some(change) = self.change(event, is_last_part) else {
                continue;
            };
            // The watch begins at the revision that is known, so that it is never one of the future.
            if change.revision > self.known {
                let value = change.value.as_ref().map_or(0, Bytes::len);
                let bytes = change.key.len() + value + BESIDE_BYTES;
                self.batch.push(Item::Change(change), bytes, moment);
            }
        }
        if is_progress && (self.begun.has_sound_progress || !was_asked_for) {
            let revision = part.header.map_or(0, |header| header.revision);
            self.batch.push(Item::Mark(revision), BESIDE_BYTES, moment);
            if !self.has_caught_up {
                self.has_caught_up = true;
                self.ask = every(self.ask_every);
                self.ask.reset();
            }
        }
    }

    fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    fn take(&mut self) -> (Vec<(Item, Moment)>, Option<(u64, &'static str)>) {
        (self.batch.take(), None)
    }

    fn read(
        of: (&str, Resource),
        items: &[(Item, Moment)],
        progress: &mut Progress,
        emit: Emit,
    ) -> Found {
        read::items(of, items, progress, emit)
    }
}
