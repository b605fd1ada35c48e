//! A watch of one resource that a member answers.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::super::objects::batch::Batch;
use super::super::objects::failure::Failure;
use super::super::objects::way::{Buffer, Feed, Taken};
use super::client::Begun;
use super::failure;
use super::messages::{Event, EventType, WatchResponse};
use super::read::{Change, Item};
use crate::lifecycle::watched::Moment;

/// How often a member is asked whether everything has come, until it says so.
const CATCHING_UP_EVERY: Duration = Duration::from_secs(1);

/// How often it is asked for its revision after that, at most.
const ASK_EVERY_MAX: Duration = Duration::from_secs(30);

/// What of a message stays beside its keys and values: about so much.
const BESIDE_BYTES: usize = 100;

pub struct Responses {
    begun: Begun,
    ask: Interval,
    ask_every: Duration,
    /// Whether the member has said that everything has come.
    has_caught_up: bool,
}

/// What came and is not taken.
pub struct Changes {
    /// Up to this revision everything is known.
    known: i64,
    has_sound_progress: bool,
    batch: Batch<Item>,
}

impl Responses {
    pub fn new(begun: Begun, silence_max: Duration) -> Responses {
        let ask_every = (silence_max / 3).min(ASK_EVERY_MAX);
        let first = match begun.has_sound_progress {
            true => CATCHING_UP_EVERY.min(ask_every),
            false => ask_every,
        };
        Responses {
            begun,
            ask: every(first),
            ask_every,
            has_caught_up: false,
        }
    }

    fn came(&mut self, response: &WatchResponse) {
        if is_progress(response) && !self.has_caught_up {
            self.has_caught_up = true;
            self.ask = every(self.ask_every);
            self.ask.reset();
        }
    }
}

/// Whether a response says how far the watch is, and nothing else.
fn is_progress(response: &WatchResponse) -> bool {
    response.events.is_empty() && !response.created
}

impl Changes {
    /// Of a watch behind a revision.
    pub fn behind(known: i64, has_sound_progress: bool) -> Changes {
        Changes {
            known,
            has_sound_progress,
            batch: Batch::default(),
        }
    }
}

fn change(event: Event, is_whole: bool) -> Option<Change> {
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
        is_whole,
    })
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl Feed for Responses {
    type Part = WatchResponse;

    async fn next(&mut self) -> Option<Result<WatchResponse, Failure>> {
        loop {
            let response = tokio::select! {
                biased;
                response = self.begun.responses.message() => response,
                _ = self.ask.tick() => {
                    self.begun.ask();
                    continue;
                }
            };
            let place = &self.begun.place;
            return Some(match response {
                Ok(Some(response)) if response.canceled => Err(place.canceled(&response)),
                Ok(Some(response)) => {
                    self.came(&response);
                    Ok(response)
                }
                Ok(None) => Err(place.broke_off()),
                Err(status) => Err(failure::of(place, &status, true)),
            });
        }
    }

    fn bytes(part: &WatchResponse) -> usize {
        part.encoded_len()
    }
}

impl Buffer for Changes {
    type Part = WatchResponse;
    type Item = Item;

    fn is_quiet_enough(&self) -> bool {
        !self.has_sound_progress
    }

    fn push(&mut self, part: WatchResponse, moment: Moment) {
        let is_last_part = !part.fragment;
        let is_mark = is_progress(&part) && (self.has_sound_progress || part.watch_id >= 0);
        for event in part.events {
            let Some(change) = change(event, is_last_part) else {
                continue;
            };
            // The watch begins at the revision that is known, so that it is never one of the future.
            if change.revision > self.known {
                let value = change.value.as_ref().map_or(0, Bytes::len);
                let bytes = change.key.len() + value + BESIDE_BYTES;
                self.batch.push(Item::Change(change), bytes, moment);
            }
        }
        if is_mark {
            let revision = part.header.map_or(0, |header| header.revision);
            self.batch.push(Item::Mark(revision), BESIDE_BYTES, moment);
        }
    }

    fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    fn take(&mut self) -> Taken<Item> {
        (self.batch.take(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::{Header, KeyValue};
    use super::*;

    fn event(revision: i64) -> Event {
        Event {
            kind: EventType::Put as i32,
            kv: Some(KeyValue {
                mod_revision: revision,
                ..KeyValue::default()
            }),
            prev_kv: None,
        }
    }

    fn response(watch_id: i64, revision: i64, fragment: bool, events: &[i64]) -> WatchResponse {
        WatchResponse {
            header: Some(Header {
                revision,
                ..Header::default()
            }),
            watch_id,
            fragment,
            events: events.iter().map(|revision| event(*revision)).collect(),
            ..WatchResponse::default()
        }
    }

    fn taken(has_sound_progress: bool, responses: Vec<WatchResponse>) -> Vec<String> {
        let mut changes = Changes::behind(10, has_sound_progress);
        for response in responses {
            changes.push(response, Moment::at(1));
        }
        let items = changes.batch.take().into_iter();
        let texts = items.map(|(item, _)| match item {
            Item::Change(it) if it.is_whole => format!("{}", it.revision),
            Item::Change(it) => format!("part of {}", it.revision),
            Item::Mark(revision) => format!("all up to {revision}"),
        });
        texts.collect()
    }

    #[test]
    fn what_is_known_is_left_out_and_parts_of_a_revision_are_marked() {
        let responses = || {
            vec![
                response(0, 12, true, &[9, 10, 11, 12]),
                response(0, 12, false, &[12]),
                response(-1, 20, false, &[]),
                response(0, 21, false, &[]),
            ]
        };
        let parts = ["part of 11", "part of 12", "12"];
        assert_eq!(
            taken(true, responses()),
            [&parts[..], &["all up to 20", "all up to 21"]].concat()
        );
        // Before etcd 3.5.8 what was asked for proves nothing.
        assert_eq!(
            taken(false, responses()),
            [&parts[..], &["all up to 21"]].concat()
        );
    }
}
