//! What odd kubelets, clusters and clocks send, and what is told of it: the events of `fixtures/lives`, in process.
//!
//! Each file is one story of a few events. Whatever their order, and however often each comes, the same is told.
//!
//!     BYGONE_EVENTS=FILE cargo test --test it odd_lives::shown -- --nocapture
//!
//! shows what is told of any file of events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bygone::envelope::{self, Limits};
use bygone::fold::{Fold, LoggedFact, Rows, Sayings, StoredInstance, StoredPod};
use bygone::lifecycle;
use bygone::rows::{
    ContainerRow, Facts, Micros, Millis, NEVER, Piece, PodRow, Said, Seconds, fact_rows, pieces,
};
use jiff::Timestamp;

use crate::support::Random;

/// After all events, and before reconcile would file anything.
const READ_AT: u32 = 1_800_000_000;

/// The encoded facts of each event.
fn events(body: &[u8]) -> Vec<Vec<u8>> {
    let limits = Limits {
        unpacked_bytes_max: 1 << 24,
        held_bytes_max: 1 << 24,
        reserve: &mut |_| true,
    };
    let mut events = Vec::new();
    let rest = envelope::read(body, limits, &mut |found| {
        let mut facts = Facts::default();
        lifecycle::facts("c", found.event, &mut |fact| facts.push(fact)).expect("a pod");
        events.push(facts.finish().into_bytes());
        Ok(())
    });
    assert!(rest.rejected.is_empty(), "{:?}", rest.rejected);
    events
}

/// What was said, by namespace and name.
type SaidOf<'a> = BTreeMap<(&'a str, &'a str), Vec<Said<'a>>>;

/// What events say, in their order.
struct Story<'a> {
    /// By namespace and name of the pod.
    names: BTreeMap<(&'a str, &'a str), Vec<LoggedFact<'a>>>,
    said: SaidOf<'a>,
}

impl<'a> Story<'a> {
    fn of(events: &[&'a [u8]]) -> Story<'a> {
        let (mut names, mut said) = (BTreeMap::new(), SaidOf::new());
        let rows = events.iter().flat_map(|event| fact_rows(event));
        for (place, (row, _)) in rows.enumerate() {
            for piece in pieces(row.body).expect("a body") {
                if let Piece::Said(what) = piece {
                    said.entry((row.namespace, row.pod))
                        .or_default()
                        .push(*what);
                }
            }
            if row.namespace.is_empty() || row.pod.is_empty() {
                continue;
            }
            let of_name: &mut Vec<LoggedFact> = names.entry((row.namespace, row.pod)).or_default();
            of_name.push(LoggedFact {
                pod_uid: row.pod_uid,
                event_at: row.event_at,
                late: false,
                place: 1 + place as u64,
                body: row.body,
            });
        }
        Story { names, said }
    }

    fn fold<'f>(
        &'f self,
        name: (&'f str, &'f str),
        facts: &[LoggedFact<'f>],
        rows: &'f Rows,
    ) -> Rows<'f> {
        let mut fold = Fold::new("c", name.0, name.1);
        for fact in facts {
            fold.add_fact(fact).expect("a fact");
        }
        for row in &rows.pods {
            fold.add_stored(StoredPod::of(row)).expect("a state");
        }
        let said = |place: (&str, &str)| self.said.get(&place).cloned().unwrap_or_default();
        let nodes: BTreeSet<&str> = fold.nodes().collect();
        let sayings = Sayings {
            of_name: said(name),
            of_namespace: said((name.0, "")),
            of_nodes: nodes
                .into_iter()
                .map(|node| (node, said(("", node))))
                .collect(),
        };
        if let Ok(rows) = fold.rows(&sayings, READ_AT) {
            return rows;
        }
        for uid in fold.uids().collect::<Vec<_>>() {
            let instances = rows.containers.iter().filter(|row| !row.void);
            let instances = instances.filter_map(StoredInstance::of);
            fold.recall(uid, instances.filter(|row| row.pod_uid == uid));
        }
        fold.rows(&sayings, READ_AT).expect("all was recalled")
    }

    /// What is told after all of it came at once.
    fn told(&self) -> String {
        let nothing = Rows::default();
        let mut text = String::new();
        for (name, facts) in &self.names {
            text += &lines(&self.fold(*name, facts, &nothing));
        }
        text
    }

    /// The same after each fact came by itself.
    fn told_one_by_one(&self) -> String {
        let nothing = Rows::default();
        let names = self.names.iter();
        names
            .map(|(name, facts)| self.rest(*name, facts, &nothing))
            .collect()
    }

    fn rest<'f>(
        &'f self,
        name: (&'f str, &'f str),
        facts: &[LoggedFact<'f>],
        stored: &'f Rows<'f>,
    ) -> String {
        let Some((fact, more)) = facts.split_first() else {
            return lines(stored);
        };
        let rows = newest(stored, self.fold(name, &[*fact], stored));
        self.rest(name, more, &rows)
    }
}

/// The newest of each row.
fn newest<'f>(stored: &'f Rows<'f>, rows: Rows<'f>) -> Rows<'f> {
    let mut pods: BTreeMap<u128, PodRow> = BTreeMap::new();
    for row in stored.pods.iter().cloned().chain(rows.pods) {
        pods.insert(row.pod_uid.0, row);
    }
    let mut containers: BTreeMap<_, ContainerRow> = BTreeMap::new();
    for row in stored.containers.iter().cloned().chain(rows.containers) {
        containers.insert((row.pod_uid.0, row.container, row.container_key), row);
    }
    Rows {
        pods: pods.into_values().collect(),
        containers: containers.into_values().collect(),
        unchanged: 0,
    }
}

fn micros(at: Micros) -> String {
    if at.0 == NEVER {
        return "now".to_owned();
    }
    let at = Timestamp::from_microsecond(at.0).expect("a time");
    let text = at.strftime("%H:%M:%S%.3f").to_string();
    text.strip_suffix(".000")
        .map_or(text.clone(), str::to_owned)
}

fn millis(at: Millis) -> String {
    micros(Micros(at.0.min(NEVER / 1_000) * 1_000))
}

fn second(at: Seconds) -> String {
    micros(Micros(i64::from(at.0) * 1_000_000))
}

fn pod_line(row: &PodRow) -> String {
    let mut line = format!(
        "{} {}..{}",
        row.pod,
        micros(row.began_at),
        micros(row.over_at)
    );
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(line, " {name} {value}").expect("a text");
        }
    };
    let text = |text: Option<&str>| text.map(str::to_owned);
    let list = |texts: &[String]| (!texts.is_empty()).then(|| texts.join(", "));
    say("on", (!row.node.is_empty()).then(|| row.node.to_owned()));
    say("created by", row.created_by.clone());
    say("of", text(row.workload));
    say("phase", text(row.phase));
    say("ips", list(&row.pod_ips));
    let gaps = row.ip_gaps.iter();
    let gaps: Vec<String> = gaps
        .map(|(ip, (from, until))| format!("{ip} {}..{}", millis(*from), millis(*until)))
        .collect();
    say("without", list(&gaps));
    let former = row.former_until.iter().zip(&row.former_workload);
    let former = former.zip(&row.former_by).zip(&row.former_labels);
    let former: Vec<String> = former
        .map(|(((until, of), by), labels)| {
            let labels: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
            format!(
                "of {of} [{}] until {} by {by}",
                labels.join(" "),
                millis(*until)
            )
        })
        .collect();
    say("before", list(&former));
    say("asked", row.delete_asked_at.map(millis));
    say("by", row.delete_asked_by.clone());
    say("hurried", row.hurried_at.map(millis));
    say("by", row.hurried_by.clone());
    say("forced", row.forced_at.map(millis));
    say("removed", row.removed_at.map(millis));
    say("gone", row.gone_at.map(micros));
    say("proof:", text(row.gone_proof));
    say("why:", text(row.ended_why));
    say("by", row.ended_by.clone());
    say("cause:", row.ended_cause.clone());
    say("unknown:", list(&row.unknown));
    line
}

fn container_line(row: &ContainerRow) -> String {
    let id = match &*row.id_text {
        "" => row.container_key[..2]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        text => text.chars().take(8).collect::<String>(),
    };
    let mut line = format!(
        "  {}/{id} #{} {}..{}",
        row.container,
        row.restart,
        micros(row.began_at),
        micros(row.over_at)
    );
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(line, " {name} {value}").expect("a text");
        }
    };
    let text = |text: Option<&str>| text.map(str::to_owned);
    say("started", row.started_at.map(second));
    say("ended", row.ended_at.map(micros));
    say("seen", row.end_seen.then(String::new));
    say("exit", row.exit_code.map(|code| code.to_string()));
    say("reason", text(row.reason));
    say("why:", text(row.ended_why));
    say("by", row.ended_by.clone());
    let unknown = (!row.unknown.is_empty()).then(|| row.unknown.join(", "));
    say("unknown:", unknown);
    line
}

/// Each pod, and below it its instances by their start.
fn lines(rows: &Rows) -> String {
    let mut text = String::new();
    for pod in &rows.pods {
        text += &format!("{}\n", pod_line(pod));
        let of_pod = rows
            .containers
            .iter()
            .filter(|row| row.pod_uid == pod.pod_uid && !row.void);
        let mut of_pod: Vec<&ContainerRow> = of_pod.collect();
        of_pod.sort_by_key(|row| (row.container, row.began_at, row.container_key));
        for row in of_pod {
            text += &format!("{}\n", container_line(row));
        }
    }
    text.replace("  ", " ").replace("\n ", "\n    ")
}

/// What is told of a file, whatever the order.
fn told(body: &[u8]) -> String {
    let mut events = events(body);
    let told = |events: &[Vec<u8>]| {
        let events: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
        let story = Story::of(&events);
        (story.told(), story.told_one_by_one())
    };
    let (at_once, one_by_one) = told(&events);
    assert_eq!(one_by_one, at_once, "one by one");
    let mut random = Random(7);
    for round in 0..40 {
        for place in (1..events.len()).rev() {
            events.swap(place, random.below(place as u64 + 1) as usize);
        }
        let mut twice = events.clone();
        twice.extend(events.iter().take(round % 4).cloned());
        let (shuffled, one_by_one) = told(&twice);
        assert_eq!(shuffled, at_once, "in another order");
        assert_eq!(one_by_one, at_once, "in another order, one by one");
    }
    at_once
}

#[test]
fn shown() {
    if let Ok(path) = std::env::var("BYGONE_EVENTS") {
        println!("{}", told(&std::fs::read(path).expect("a file")));
    }
}
