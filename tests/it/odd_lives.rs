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
use bygone::fold::{Fold, LoggedFact, NameEvents, Rows, StoredInstance, StoredPod};
use bygone::lifecycle;
use bygone::rows::{
    ContainerRow, Facts, Micros, Millis, NEVER, Piece, PodRow, Said, Seconds, fact_rows, pieces,
};
use expect_test::{Expect, expect};
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
        let name_events = NameEvents {
            of_name: said(name),
            of_namespace: said((name.0, "")),
            of_nodes: nodes
                .into_iter()
                .map(|node| (node, said(("", node))))
                .collect(),
        };
        if let Ok(rows) = fold.rows(&name_events, READ_AT) {
            return rows;
        }
        for uid in fold.uids().collect::<Vec<_>>() {
            let instances = rows.containers.iter().filter(|row| !row.void);
            let instances = instances.filter_map(StoredInstance::of);
            fold.recall(uid, instances.filter(|row| row.pod_uid == uid));
        }
        fold.rows(&name_events, READ_AT).expect("all was recalled")
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
        "" => hex::encode(&row.container_key[..2]),
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

/// What is told of a file of `fixtures/lives`.
fn check(name: &str, expected: Expect) {
    let path = format!("{}/fixtures/lives/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    expected.assert_eq(&told(&std::fs::read(path).expect("a file")));
}

/// An end without a container ID of its own is that of the instance that it can only be of.
#[test]
fn ends_without_ids() {
    check(
        "end-without-an-id-beside-one",
        expect![[r#"
        job-1 08:00:00..now on node-1 created by alice phase Failed ips 10.0.0.5 why: finished
            main/2d71 #0 08:00:04..08:03:09 started 08:00:04 ended 08:03:08 seen exit 137 reason OOMKilled why: exited
    "#]],
    );
    check(
        "last-end-without-an-id",
        expect![[r#"
        job-2 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..08:03:09 started 08:00:04 ended 08:03:08 seen exit 1 reason Error why: exited
            main/a1fc #1 08:03:09..now started 08:03:09
    "#]],
    );
    check(
        "no-ids-at-all",
        expect![[r#"
        aci-1 08:00:00..now on node-1 created by alice phase Succeeded ips 10.0.0.6 why: finished
            main/- #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 1 reason Error why: exited
            main/- #1 08:10:04..08:20:04 started 08:10:04 ended 08:20:03 seen exit 0 reason Completed why: exited
    "#]],
    );
    check(
        "one-id-for-all-restarts",
        expect![[r#"
        aci-2 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 1 reason Error why: exited
            main/2d711642 #1 08:10:04..08:20:03 started 08:10:04 ended 08:20:02 seen exit 2 reason Error why: exited
            main/2d711642 #2 08:20:04..now started 08:20:04
    "#]],
    );
    check(
        "an-id-without-a-runtime",
        expect![[r#"
        web-10 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
}

/// What a kubelet can't find ended when it said so, unless it is seen to run later.
#[test]
fn what_a_kubelet_can_not_find() {
    check(
        "evicted-and-not-found",
        expect![[r#"
        web-1 08:00:00..now on node-1 created by alice phase Failed why: node-pressure
            main/2d71 #0 08:00:04..08:30:00.105 started 08:00:04 ended 08:30:00.105 exit 137 reason ContainerStatusUnknown why: node-pressure unknown: end not confirmed
    "#]],
    );
    check(
        "evicted-and-not-found-with-its-id",
        expect![[r#"
        web-2 08:00:00..now on node-1 created by alice phase Failed why: node-pressure
            main/2d71 #0 08:00:04..08:30:00.105 started 08:00:04 ended 08:30:00.105 exit 137 reason ContainerStatusUnknown why: node-pressure unknown: end not confirmed
    "#]],
    );
    check(
        "not-found-and-started-anew",
        expect![[r#"
        web-3 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..08:30:00.105 started 08:00:04 ended 08:30:00.105 exit 137 reason ContainerStatusUnknown why: unknown unknown: end not confirmed
            main/a1fc #1 08:30:08..now started 08:30:08
    "#]],
    );
    check(
        "not-found-and-there-again",
        expect![[r#"
        web-4 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
    check(
        "failed-with-a-running-container",
        expect![[r#"
        web-5 08:00:00..now on node-1 created by alice phase Failed why: finished
            main/2d71 #0 08:00:04..08:30:00.105 started 08:00:04 ended 08:30:00.105 why: unknown unknown: end not confirmed
    "#]],
    );
    check(
        "never-ran-and-not-found",
        expect![[r#"
        web-6 08:00:00..now on node-1 created by alice phase Failed why: finished
    "#]],
    );
    check(
        "an-end-and-then-not-found",
        expect![[r#"
        web-8 08:00:00..now on node-1 created by alice phase Failed why: finished
            main/2d71 #0 08:00:04..08:10:01 started 08:00:04 ended 08:10:00 seen exit 0 reason Completed why: exited
    "#]],
    );
}

/// A container ends once: of reports of one start the first counts. One that Docker starts again has the first start.
#[test]
fn reports_that_differ() {
    check(
        "the-second-report-differs",
        expect![[r#"
        web-7 08:00:00..now on node-1 created by alice phase Failed why: finished
            main/2d71 #0 08:00:04..08:10:01 started 08:00:04 ended 08:10:00 seen exit 0 reason Completed why: exited unknown: ends differ
    "#]],
    );
    check(
        "started-again-by-docker",
        expect![[r#"
        web-9 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..now started 08:00:04 unknown: started again
    "#]],
    );
}

/// Who reports statuses is a kubelet, whatever its name; and what has ended nobody forces any more.
#[test]
fn kubelets_by_what_they_do() {
    check(
        "a-kubelet-of-another-name",
        expect![[r#"
        web-1 08:00:00..08:10:03.105 on node-1 created by alice phase Running asked 08:10:00.100 by alice removed 08:10:03.105 why: deleted by alice
            main/2d71 #0 08:00:04..08:10:02 started 08:00:04 ended 08:10:01 seen exit 143 reason Error why: deleted by alice
    "#]],
    );
    check(
        "a-kubelet-of-another-name-and-the-request-lost",
        expect![[r#"
            web-2 08:00:00..08:10:03.105 on node-1 created by alice phase Running asked 08:10:00 removed 08:10:03.105 why: unknown unknown: request unseen
                main/2d71 #0 08:00:04..08:10:02 started 08:00:04 ended 08:10:01 seen exit 143 reason Error why: unknown
        "#]],
    );
    check(
        "forced-after-the-end",
        expect![[r#"
        web-3 08:00:00..08:10:05.105 on node-1 created by alice phase Running asked 08:10:00.100 by alice forced 08:10:05.100 removed 08:10:05.105 why: deleted by alice
            main/2d71 #0 08:00:04..08:10:02 started 08:00:04 ended 08:10:01 seen exit 143 reason Error why: deleted by alice
    "#]],
    );
    check(
        "forced-before-the-end",
        expect![[r#"
        web-4 08:00:00..08:10:05.105 on node-1 created by alice phase Running asked 08:10:00.100 by alice forced 08:10:05.100 removed 08:10:05.105 why: force-deleted by bob
            main/2d71 #0 08:00:04..08:10:05.105 started 08:00:04 ended 08:10:05.105 why: force-deleted by bob unknown: end not confirmed
    "#]],
    );
    check(
        "forced-at-level-request",
        expect![[r#"
        web-5 08:00:01.105..08:10:00.100 on node-1 created by alice phase Running asked 08:10:00.100 by alice forced 08:10:00.100 removed 08:10:00.100 why: force-deleted by alice
            main/2d71 #0 08:00:04..08:10:00.100 started 08:00:04 ended 08:10:00.100 why: force-deleted by alice unknown: end not confirmed
    "#]],
    );
}

/// A pod has an address as long as its statuses say so.
#[test]
fn addresses_that_go() {
    check(
        "an-address-that-changes",
        expect![[r#"
        db-0 08:00:00..now on node-1 created by alice phase Running ips 10.0.0.20, fd00::20, 10.0.0.33, fd00::33 without 10.0.0.20 09:00:00.105..now, fd00::20 09:00:00.105..now
            main/2d71 #0 08:00:04..now started 08:00:04
        web-0 09:10:00..now on node-1 created by alice phase Running ips 10.0.0.20
            main/a1fc #0 09:10:04..now started 09:10:04
    "#]],
    );
    check(
        "an-address-that-returns",
        expect![[r#"
        db-1 08:00:00..now on node-1 created by alice phase Running ips 10.0.0.20 without 10.0.0.20 09:00:00.105..09:05:00.105
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
}

/// The times shown are the node's; an instance is found when the API server's times say that it was there.
#[test]
fn clocks_that_are_off() {
    check(
        "a-clock-an-hour-ahead",
        expect![[r#"
        web-1 08:00:00..now on node-1 created by alice phase Succeeded why: finished
            main/2d71 #0 08:00:05.105..08:10:01.105 started 09:00:04 ended 09:10:00 seen exit 0 reason Completed why: exited unknown: node clock off by 1h
    "#]],
    );
    check(
        "a-clock-an-hour-behind",
        expect![[r#"
            web-2 08:00:00..now on node-1 created by alice phase Succeeded why: finished
                main/2d71 #0 08:00:05.105..08:10:01.105 started 07:00:04 ended 07:10:00 seen exit 0 reason Completed why: exited unknown: node clock off by 1h
        "#]],
    );
    check(
        "a-clock-behind-and-a-short-job",
        expect![[r#"
            web-3 08:00:00..now on node-1 created by alice phase Succeeded why: finished
                main/2d71 #0 08:00:09.105..08:00:09.105 started 07:30:04 ended 07:30:07 seen exit 0 reason Completed why: exited unknown: node clock off by 30m
        "#]],
    );
    check(
        "a-clock-that-is-set-meanwhile",
        expect![[r#"
        web-4 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:05.105..08:09:59 started 09:00:04 ended 08:09:58 seen exit 1 reason Error why: exited unknown: node clock off by 1h
            main/a1fc #1 08:10:00..now started 08:10:00
    "#]],
    );
    check(
        "a-clock-some-seconds-ahead",
        expect![[r#"
        web-5 08:00:00..now on node-1 created by alice phase Succeeded why: finished
            main/2d71 #0 08:00:05.105..08:10:01.105 started 08:00:15 ended 08:10:11 seen exit 0 reason Completed why: exited
    "#]],
    );
}

/// Signs of life after a removal, or after a proof of it, open the life again; a removal that was lost is told by its deadline.
#[test]
fn removals() {
    check(
        "restored-from-a-backup",
        expect![[r#"
        web-1 08:00:00..now on node-1 created by alice phase Running ips 10.0.0.5, 10.0.0.7 without 10.0.0.5 09:00:00.105..now asked 08:10:00.100 by alice unknown: came back
            main/2d71 #0 08:00:04..08:10:02 started 08:00:04 ended 08:10:01 seen exit 143 reason Error why: deleted by alice
            main/a1fc #1 08:59:59..now started 08:59:59
    "#]],
    );
    check(
        "a-mirror-made-anew",
        expect![[r#"
            etcd-0 08:00:00..08:10:01.105 on node-1 created by system:node:node-1 of node-1 phase Running asked 08:10:00.100 by alice removed 08:10:01.105 why: deleted by alice
                main/2d71 #0 08:00:00..08:10:01.105 started 07:00:00 unknown: mirror removed
            etcd-0 08:10:02..now on node-1 created by system:node:node-1 of node-1 phase Running
                main/2d71 #0 08:10:02..now started 07:00:00
        "#]],
    );
    check(
        "the-request-is-lost",
        expect![[r#"
            web-2 08:00:00..08:10:04.105 on node-1 created by system:serviceaccount:kube-system:replicaset-controller of web phase Failed asked 08:10:00 removed 08:10:04.105 why: unknown unknown: workload inferred, request unseen
                main/2d71 #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 143 reason Error why: unknown unknown: workload inferred
        "#]],
    );
    check(
        "only-the-last-delete-came",
        expect![[r#"
            web-3 08:00:00..08:10:04.105 on node-1 created by alice phase Failed asked 08:10:04.105 removed 08:10:04.105 why: unknown unknown: request unseen
                main/2d71 #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 143 reason Error why: unknown
        "#]],
    );
    check(
        "the-last-delete-is-lost",
        expect![[r#"
        web-4 08:00:00..08:20:30 on node-1 created by alice phase Failed asked 08:10:00.100 by alice gone 08:20:30 proof: grace over why: deleted by alice unknown: removal unseen
            main/2d71 #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 143 reason Error why: deleted by alice
    "#]],
    );
    check(
        "the-end-is-lost",
        expect![[r#"
        job-1 08:00:00..08:40:00.105 on node-1 created by alice phase Succeeded asked 08:40:00.100 by bob removed 08:40:00.105 why: finished
            main/2d71 #0 08:00:04..08:01:01 started 08:00:04 ended 08:01:00 seen exit 0 reason Completed why: exited
    "#]],
    );
    check(
        "a-404-of-a-cache",
        expect![[r#"
        st-0 08:00:00..now on node-1 created by alice phase Running asked 08:10:00.100 by alice
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
    check(
        "a-404-and-a-later-sign-of-life",
        expect![[r#"
        st-1 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
}

/// Requests, changes of labels and workload, and what is above a pod.
#[test]
fn what_people_did() {
    check(
        "a-shorter-grace",
        expect![[r#"
        web-6 08:00:00..08:10:08.105 on node-1 created by alice phase Failed asked 08:10:00.100 by alice hurried 08:10:05.100 by bob removed 08:10:08.105 why: deleted by alice
            main/2d71 #0 08:00:04..08:10:07 started 08:00:04 ended 08:10:06 seen exit 137 reason Error why: deleted by alice
    "#]],
    );
    check(
        "labels-taken-away",
        expect![[r#"
        web-7 08:00:00..now on node-1 created by system:serviceaccount:kube-system:replicaset-controller phase Running before of web [web 7d9] until 08:10:00.105 by alice, of web [7d9] until 08:10:01.105 by system:serviceaccount:kube-system:replicaset-controller
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
    check(
        "a-job-past-its-deadline",
        expect![[r#"
        report-1 08:00:00..08:10:04.105 on node-1 created by alice of report phase Failed asked 08:10:00.100 by system:serviceaccount:kube-system:job-controller removed 08:10:04.105 why: job-stopped by system:serviceaccount:kube-system:job-controller
            main/2d71 #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 143 reason Error why: job-stopped by system:serviceaccount:kube-system:job-controller
    "#]],
    );
    check(
        "a-node-and-who-deleted-it",
        expect![[r#"
        web-8 08:00:00..08:11:00.105 on node-1 created by alice phase Running gone 08:11:00.105 proof: node deleted why: node-lost cause: node deleted by alice unknown: removal unseen
            main/2d71 #0 08:00:04..08:11:00.105 started 08:00:04 ended 08:11:00.105 why: node-lost unknown: end not confirmed
    "#]],
    );
    check(
        "a-namespace-and-who-deleted-it",
        expect![[r#"
        web-9 08:00:00..08:10:04.105 on node-1 created by alice phase Failed asked 08:10:01.100 by system:serviceaccount:kube-system:namespace-controller removed 08:10:04.105 why: namespace-deleted by system:serviceaccount:kube-system:namespace-controller cause: namespace deleted by alice
            main/2d71 #0 08:00:04..08:10:03 started 08:00:04 ended 08:10:02 seen exit 143 reason Error why: namespace-deleted by system:serviceaccount:kube-system:namespace-controller
    "#]],
    );
}

/// The log backend has whole what was too large for the webhook.
#[test]
fn what_came_cut_off_and_whole() {
    check(
        "a-creation-cut-off-and-whole",
        expect![[r#"
        web-10 08:00:00..now on node-1 created by alice phase Running
            main/2d71 #0 08:00:04..now started 08:00:04
    "#]],
    );
}

#[test]
fn shown() {
    if let Ok(path) = std::env::var("BYGONE_EVENTS") {
        println!("{}", told(&std::fs::read(path).expect("a file")));
    }
}
