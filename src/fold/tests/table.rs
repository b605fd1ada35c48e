//! Facts as lines of text, and rows as such.
//!
//! A line is the time of its event (minutes and seconds), `late` where it was stored late, what it is about,
//! and what it says:
//!
//!     0:00 pod a created=0:00 node=n1 labels=app:web
//!     0:05 late run a main/aa n=0 start=0:05 end=3:00 exit=1 reason=Error
//!     4:00 name ask by=alice
//!     4:00 space collect selector=app=web
//!     5:00 node n1 gone

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::audit::words::NameEvent;
use crate::fold::{Fold, LoggedFact, NameEvents, Rows, StoredInstance, StoredPod};
use crate::rows::{
    Basis, ContainerRow, Ended, Fact, Facts, NEVER, Owner, Phase, PodRow, Said, fact_rows,
};

const BEGIN: i64 = 1_800_000_000_000_000;
pub const SECOND: i64 = 1_000_000;

/// What the lines say: rows of `facts`, in their order, each with whether it was late, and the sayings.
#[derive(Default)]
pub struct Story<'t> {
    bytes: Vec<u8>,
    late: Vec<bool>,
    name_events: NameEvents<'t>,
}

/// Microseconds, from `m:ss` or `m:ss.mmm`.
fn time(text: &str) -> i64 {
    let (minutes, seconds) = text.split_once(':').expect("a time");
    let (seconds, millis) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let number = |text: &str| text.parse::<i64>().expect("a number");
    BEGIN + (number(minutes) * 60 + number(seconds)) * SECOND + number(millis) * 1_000
}

fn second(text: &str) -> u32 {
    u32::try_from(time(text) / SECOND).expect("seconds")
}

pub fn uid(text: &str) -> u128 {
    u128::from_str_radix(text, 36).expect("a uid")
}

fn pairs(text: &str) -> Vec<(&str, &str)> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.filter_map(|pair| pair.split_once(':')).collect()
}

/// `alice`, or `alice/deployer` where she impersonates one.
fn account(text: &str) -> (&str, &str) {
    text.split_once('/').unwrap_or((text, ""))
}

impl<'t> Story<'t> {
    pub fn read(text: &'t str) -> Story<'t> {
        let mut story = Story::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace().peekable();
            let at = time(words.next().expect("a time"));
            let late = words.next_if_eq(&"late").is_some();
            let about = words.next().expect("what it is about");
            let name = words.next().expect("a name");
            let words: Vec<(&str, &str)> = words
                .map(|word| word.split_once('=').unwrap_or((word, "")))
                .collect();
            match about {
                "pod" => story.pod((at, late), name, &words),
                "run" => story.run((at, late), name, &words),
                "name" => story.name_events.of_name.push(said(at, name, &words)),
                "space" => story.name_events.of_namespace.push(said(at, name, &words)),
                "node" => {
                    let what = match words[0].0 {
                        "gone" => "node gone",
                        _ => "node came",
                    };
                    let of_node = story.name_events.of_nodes.entry(name).or_default();
                    of_node.push(said(at, what, &[]));
                }
                other => panic!("{other} is nothing"),
            }
        }
        story
    }

    fn pod(&mut self, (at, late): (i64, bool), name: &str, words: &[(&str, &str)]) {
        let of = |wanted: &str| {
            words
                .iter()
                .find(|(key, _)| *key == wanted)
                .map(|(_, it)| *it)
        };
        let text = |wanted| of(wanted).unwrap_or_default();
        let seconds = |wanted| of(wanted).map_or(0, second);
        let asked = |wanted| of(wanted).map(|by| (at, account(by).0, account(by).1));
        let labels = of("labels").map(pairs);
        let restarts = pairs(text("restarts")).into_iter();
        let restarts: Vec<(&str, u32)> = restarts
            .map(|(name, times)| (name, times.parse().expect("a number")))
            .collect();
        let ips = text("ips").split(',').filter_map(|ip| ip.parse().ok());
        let ips: Vec<_> = ips
            .map(|ip| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            })
            .collect();
        let phase = Phase::parse(text("phase"));
        let disrupted = of("disrupted").map(|why| match why.split_once('@') {
            Some((why, since)) => (time(since), why),
            None => (at, why),
        });
        let evict_asked = asked("evicted");
        self.add(
            late,
            &Fact {
                pod_uid: uid(name),
                event_at: at,
                version: text("version").parse().unwrap_or(0),
                node: text("node"),
                labels: labels.as_deref(),
                is_held: of("held").is_some(),
                owner: of("owner").map(|owner| Owner {
                    kind: "ReplicaSet",
                    name: owner,
                    workload_kind: "Deployment",
                    workload: owner,
                    basis: Basis::Name,
                }),
                phase,
                terminal_at: if phase.is_terminal() { at } else { 0 },
                pod_ips: &ips,
                restarts: &restarts,
                created_at: seconds("created"),
                created_by: of("by").map(account),
                scheduled_at: if of("bound").is_some() { at } else { 0 },
                pod_started_at: seconds("started"),
                delete_asked: asked("deleted").or(evict_asked),
                evict_asked,
                force_asked: asked("forced"),
                audit_id: text("event"),
                disrupted,
                status_reason: text("reason"),
                waiting: &pairs(text("waiting")),
                truncated: of("truncated").is_some(),
                is_mirror: of("mirror").is_some(),
                removed_at: if of("removed").is_some() { at } else { 0 },
                ..Fact::default()
            },
        );
    }

    fn run(&mut self, (at, late): (i64, bool), name: &str, words: &[(&str, &str)]) {
        let (container, key) = words[0].0.split_once('/').expect("a container and its key");
        let of = |wanted: &str| {
            words
                .iter()
                .find(|(key, _)| *key == wanted)
                .map(|(_, it)| *it)
        };
        let number = |wanted| of(wanted).map_or(0, |text| text.parse().expect("a number"));
        self.add(
            late,
            &Fact {
                pod_uid: uid(name),
                event_at: at,
                container,
                container_id: [u8::from_str_radix(key, 16).expect("two digits"); 32],
                restart: number("n") as u32,
                started_at: of("start").map_or(0, second),
                ended: of("end").map(|end| Ended {
                    finished_at: if end.is_empty() { 0 } else { second(end) },
                    exit_code: number("exit"),
                    signal: 0,
                    reason: of("reason").unwrap_or_default(),
                }),
                ..Fact::default()
            },
        );
    }

    fn add(&mut self, late: bool, fact: &Fact) {
        let mut facts = Facts::default();
        facts.push(&Fact {
            cluster: "c",
            namespace: "n",
            pod: "web-0",
            ..fact.clone()
        });
        self.bytes.extend(facts.finish().into_bytes());
        self.late.push(late);
    }

    pub fn facts(&self) -> Vec<LoggedFact<'_>> {
        let rows = fact_rows(&self.bytes).zip(&self.late).enumerate();
        rows.map(|(place, ((row, _), late))| LoggedFact {
            pod_uid: row.pod_uid,
            event_at: row.event_at,
            late: *late,
            place: 1_000 + place as u64,
            body: row.body,
        })
        .collect()
    }

    pub fn fold<'a>(&'a self, rows: &'a Rows<'a>, read_at: u32) -> Rows<'a> {
        let mut fold = Fold::new("c", "n", "web-0");
        for fact in self.facts() {
            fold.add_fact(&fact).unwrap();
        }
        for row in &rows.pods {
            fold.add_stored(StoredPod::of(row)).unwrap();
        }
        if let Ok(rows) = fold.rows(&self.name_events, read_at) {
            return rows;
        }
        for uid in fold.uids().collect::<Vec<_>>() {
            let instances = rows.containers.iter().filter_map(StoredInstance::of);
            fold.recall(uid, instances.filter(|row| row.pod_uid == uid));
        }
        fold.rows(&self.name_events, read_at).unwrap()
    }
}

fn said<'t>(at: i64, what: &str, words: &[(&'t str, &'t str)]) -> Said<'t> {
    let of = |wanted: &str| {
        words
            .iter()
            .find(|(key, _)| *key == wanted)
            .map(|(_, it)| *it)
    };
    let (user, acting_as) = account(of("by").unwrap_or_default());
    Said {
        what: *NameEvent::ALL
            .iter()
            .find(|it| it.word() == what)
            .expect("a saying"),
        at,
        user,
        acting_as,
        selector: of("selector").unwrap_or_default(),
        uid: of("uid").map_or(0, uid),
        audit_id: of("event").unwrap_or_default(),
    }
}

/// `m:ss`, and microseconds where there are any.
fn clock(at: i64) -> String {
    if at == NEVER {
        return "now".to_owned();
    }
    let (seconds, micros) = (
        (at - BEGIN).div_euclid(SECOND),
        (at - BEGIN).rem_euclid(SECOND),
    );
    let whole = format!("{}:{:02}", seconds / 60, seconds % 60);
    match micros {
        0 => whole,
        micros => format!("{whole}.{micros:06}"),
    }
}

fn digits(uid: u128) -> String {
    char::from_digit(uid as u32, 36)
        .expect("a short uid")
        .to_string()
}

/// Words, each only where there is something to say.
fn words(all: &[(&str, Option<String>)]) -> String {
    let said = all.iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some(match (*name, &**value) {
            (one, "") | ("", one) => format!(" {one}"),
            (name, value) => format!(" {name} {value}"),
        })
    });
    said.collect()
}

fn list(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| format!("[{}]", texts.join(", ")))
}

fn pod_line(row: &PodRow) -> String {
    let millis = |at: Option<crate::rows::Millis>| at.map(|at| clock(at.0 * 1_000));
    let span = format!("{}..{}", clock(row.began_at.0), clock(row.over_at.0));
    let labels: Vec<String> = row
        .labels
        .iter()
        .map(|(key, it)| format!("{key}:{it}"))
        .collect();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let all = [
        ("on", (!row.node.is_empty()).then(|| row.node.to_owned())),
        ("", owned(row.phase)),
        ("created by", row.created_by.clone()),
        ("of", owned(row.workload)),
        ("labels", list(&labels)),
        ("ips", list(&row.pod_ips)),
        ("asked", millis(row.delete_asked_at)),
        ("by", row.delete_asked_by.clone()),
        (
            "deletion",
            owned(row.deletion_event.or(row.delete_asked_event)),
        ),
        ("eviction", owned(row.eviction_event)),
        ("forced", owned(row.forced_event)),
        ("removed", millis(row.removed_at)),
        ("gone", row.gone_at.map(|at| clock(at.0))),
        ("proof:", owned(row.gone_proof)),
        ("why:", owned(row.ended_why)),
        ("by", row.ended_by.clone()),
        ("returned", row.returned.then(String::new)),
        ("", list(&row.unknown)),
    ];
    format!("{} {span}{}\n", digits(row.pod_uid.0), words(&all))
}

fn container_line(row: &ContainerRow) -> String {
    let span = format!("{}..{}", clock(row.began_at.0), clock(row.over_at.0));
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let all = [
        ("ended", row.ended_at.map(|at| clock(at.0))),
        ("seen", row.end_seen.then(String::new)),
        ("exit", row.exit_code.map(|code| code.to_string())),
        ("", owned(row.reason)),
        ("why:", owned(row.ended_why)),
        ("by", row.ended_by.clone()),
        ("complete", row.complete.then(String::new)),
        ("returned", row.returned.then(String::new)),
        ("", list(&row.unknown)),
    ];
    let (uid, name, key) = (digits(row.pod_uid.0), row.container, row.container_key[0]);
    format!(
        "{uid} {name}/{key:02x} #{} {span}{}\n",
        row.restart,
        words(&all)
    )
}

/// Each pod, and below it its instances.
pub fn lines(rows: &Rows) -> String {
    let mut lines: BTreeMap<u128, String> = BTreeMap::new();
    for row in &rows.pods {
        lines
            .entry(row.pod_uid.0)
            .or_default()
            .push_str(&pod_line(row));
    }
    for row in &rows.containers {
        let line = container_line(row);
        lines
            .entry(row.pod_uid.0)
            .or_default()
            .push_str(&format!("  {line}"));
    }
    lines.into_values().collect()
}
