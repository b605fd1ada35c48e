//! What came and what is missing, by cluster and day.
//!
//! In: clusters, namespaces and a beginning. Out: [`Day`]s, the oldest first. Days are of UTC. What is
//! counted are events that came, whichever day they came on.
//!
//! Silences are of API servers that renew a lease (`schema/005_api_servers.sql`), also if there is only one. Other
//! events do not identify their API server.
//!
//! Limits: [`DAYS_MAX`] days, [`SILENCES_MAX`] silences of a day, and rows as for any answer.

mod advice;
mod silence;
mod sql;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Error, Window};
use crate::clickhouse::Store;

pub use advice::Advice;
pub use silence::Silence;

/// The longest time range of one answer.
pub const DAYS_MAX: i64 = 400;

/// The default time range.
pub const DAYS_DEFAULT: i64 = 7;

/// Silences reported for a day and cluster. One API server with a gap of half a minute after each renewal has 2,160.
pub const SILENCES_MAX: usize = 10_000;

/// What is asked for. No names: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub clusters: Vec<String>,
    /// Narrows the lives; everything else is of whole clusters.
    pub namespaces: Vec<String>,
    pub time: Window,
}

/// A day of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Day {
    pub cluster: String,
    /// In UTC.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    pub events: Vec<Events>,
    /// API servers that were seen.
    pub api_servers: Vec<String>,
    pub silences: Vec<Silence>,
    /// Pods and container instances that started on this day.
    pub pods: Lives,
    pub containers: Lives,
    /// Unreadable events that arrived on this day, by reason.
    pub dead_letters: BTreeMap<String, u64>,
    pub advice: Vec<Advice>,
}

/// Events with the same subject, level and stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// `pods` (writes to pods), `heartbeat` (of an API server) or `other`.
    pub about: String,
    /// Empty if a relay removed it.
    pub level: String,
    pub stage: String,
    /// Approximate number of distinct events.
    pub events: u64,
}

/// Pods or container instances, and how many of them have unknown parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lives {
    pub lives: u64,
    pub with_unknown: u64,
    /// By what is unknown: values of the column `unknown`.
    pub unknown: BTreeMap<String, u64>,
}

/// One row for each cluster and day with events.
///
/// # Errors
///
/// When the time is too long, there are too many rows, or ClickHouse can't be reached or refuses.
pub async fn coverage(store: &Store, scope: &Scope, now: Timestamp) -> Result<Vec<Day>, Error> {
    let time = days(scope.time, now)?;
    let read = sql::Read { store, scope, time };
    let mut days: BTreeMap<(String, Date), Day> = BTreeMap::new();
    let hours = read.hours().await?;
    for hour in &hours {
        let day = entry(&mut days, &hour.cluster, date(hour.hour));
        add(&mut day.events, hour);
        if !hour.api_server.is_empty() && !day.api_servers.contains(&hour.api_server) {
            day.api_servers.push(hour.api_server.clone());
        }
    }
    for (cluster, silence) in silence::silences(&hours, time.1) {
        let first = silence.from.to_zoned_datetime(TimeZone::UTC).date();
        let told = &mut entry(&mut days, &cluster, first).silences;
        if told.len() < SILENCES_MAX {
            told.push(silence);
        }
    }
    for life in read.lives().await? {
        let day = entry(&mut days, &life.cluster, date(life.day));
        let lives = match &*life.of {
            "pods" => &mut day.pods,
            _ => &mut day.containers,
        };
        *lives = Lives {
            lives: life.lives,
            with_unknown: life.with_unknown,
            unknown: life.unknown.into_iter().collect(),
        };
    }
    for letters in read.dead_letters().await? {
        let day = entry(&mut days, &letters.cluster, date(letters.day));
        day.dead_letters.insert(letters.reason, letters.letters);
    }
    let days = days.into_values().map(|mut day| {
        day.api_servers.sort_unstable();
        day.advice = advice::of(&day);
        day
    });
    Ok(days.collect())
}

/// What to change in the audit policy, going by the events of a day. Also of events that are not stored.
pub fn advice(day: &Day) -> Vec<Advice> {
    advice::of(day)
}

fn entry<'d>(days: &'d mut BTreeMap<(String, Date), Day>, cluster: &str, day: Date) -> &'d mut Day {
    days.entry((cluster.to_owned(), day))
        .or_insert_with(|| Day {
            cluster: cluster.to_owned(),
            day,
            ..Day::default()
        })
}

fn add(events: &mut Vec<Events>, hour: &sql::Hour) {
    let same = |known: &&mut Events| {
        (&known.about, &known.level, &known.stage) == (&hour.about, &hour.level, &hour.stage)
    };
    match events.iter_mut().find(same) {
        Some(known) => known.events += hour.events,
        None => events.push(Events {
            about: hour.about.clone(),
            level: hour.level.clone(),
            stage: hour.stage.clone(),
            events: hour.events,
        }),
    }
}

fn date(second: u32) -> Date {
    let at = Timestamp::from_second(second.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(TimeZone::UTC).date()
}

/// Whole days: from the beginning of the first one.
fn days(asked: Window, now: Timestamp) -> Result<(Timestamp, Timestamp), Error> {
    let until = asked.until.unwrap_or(now);
    let since = asked.since.unwrap_or_else(|| {
        let back = until.checked_sub((24 * DAYS_DEFAULT).hours());
        back.unwrap_or(until)
    });
    let first = since.to_zoned_datetime(TimeZone::UTC).start_of_day();
    let since = first.map_or(since, |first| first.timestamp());
    if until.duration_since(since).as_hours() > 24 * (DAYS_MAX + 1) {
        return Err(Error::Days);
    }
    Ok((since, until))
}
