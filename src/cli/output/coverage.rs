//! The columns of coverage.

use super::table::Column;
use super::{Look, Row, cell, span};
use crate::query::coverage::{Day, Lives, Silence};
use jiff::SignedDuration;

impl Row for Day {
    fn columns(_: &Look, _: bool) -> Vec<Column<Day>> {
        vec![
            Column::new("CLUSTER", |day: &Day, _| day.cluster.clone()),
            Column::new("DAY (UTC)", |day: &Day, _| day.day.to_string()),
            Column::new("WRITES TO PODS", |day, _| levels(day)),
            Column::new("OTHER EVENTS", |day, _| {
                let others = day.events.iter().filter(|events| events.about != "pods");
                others.map(|events| events.events).sum::<u64>().to_string()
            }),
            Column::new("API SERVERS", |day, _| match day.api_servers.len() {
                0 => "unknown".to_owned(),
                servers => servers.to_string(),
            }),
            Column::new("SILENT", |day, _| silent(&day.silences)),
            Column::new("PODS", |day: &Day, _| day.pods.lives.to_string()),
            Column::new("UNKNOWN OF PODS", |day, _| unknown(&day.pods)),
            Column::new("CONTAINERS", |day: &Day, _| {
                day.containers.lives.to_string()
            }),
            Column::new("UNKNOWN OF CONTAINERS", |day, _| unknown(&day.containers)),
            Column::new("DEAD LETTERS", |day: &Day, _| {
                list(
                    day.dead_letters
                        .iter()
                        .map(|(reason, count)| (&**reason, *count)),
                )
            }),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.cluster, self.day)
    }
}

/// How long in all, and since when where it has not ended.
fn silent(silences: &[Silence]) -> String {
    let ended = silences
        .iter()
        .filter_map(|silence| Some(silence.to?.duration_since(silence.from)));
    let ended = ended.fold(SignedDuration::ZERO, SignedDuration::saturating_add);
    let open = silences.iter().filter(|silence| silence.to.is_none());
    let since = open.map(|silence| silence.from).min();
    let since = since.map(|from| format!("since {}", from.strftime("%H:%M:%S")));
    let parts = [(!ended.is_zero()).then(|| span::human(ended)), since];
    match parts.into_iter().flatten().collect::<Vec<_>>() {
        parts if parts.is_empty() => cell::NONE.to_owned(),
        parts => parts.join(", "),
    }
}

/// Of what holds an answer, if the level is one that does.
fn levels(day: &Day) -> String {
    let complete = day.events.iter();
    let complete =
        complete.filter(|events| events.about == "pods" && events.stage == "ResponseComplete");
    list(complete.map(|events| match &*events.level {
        "" => ("no level", events.events),
        level => (level, events.events),
    }))
}

fn unknown(lives: &Lives) -> String {
    list(lives.unknown.iter().map(|(word, lives)| (&**word, *lives)))
}

fn list<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let counts: Vec<String> = counts
        .map(|(word, count)| format!("{word} {count}"))
        .collect();
    match &counts[..] {
        [] => cell::NONE.to_owned(),
        counts => counts.join(", "),
    }
}
