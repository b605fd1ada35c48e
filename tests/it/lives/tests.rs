//! What made-up events say here is what bygone's own decoder hears, and histories hold all that
//! they are to hold.

use std::collections::BTreeSet;

use super::fact::{About, Fact, facts};
use super::generate::{Plan, history};
use super::object::{Event, Kind, Level, State, Verb};
use super::{DAY, HOUR, SECOND, audit, encode};

const HISTORIES: u64 = 300;

fn histories() -> impl Iterator<Item = Vec<Event>> {
    let begin = 1_800_000_000 * SECOND;
    let plan = Plan {
        cluster: "demo".into(),
        begin,
        end: begin + 2 * DAY,
        pods_max: 12,
    };
    (0..HISTORIES).map(move |seed| history(seed, "shop", &plan))
}

/// Nothing is packed here.
fn limits() -> bygone::envelope::Limits<'static> {
    bygone::envelope::Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: 0,
        reserve: Box::leak(Box::new(|_| false)),
    }
}

#[test]
fn the_decoder_hears_the_same_facts() {
    let mut compared = 0;
    for events in histories() {
        let body = audit::list(&events);
        let mut heard = Vec::new();
        let rest = bygone::envelope::read(body.as_bytes(), limits(), &mut |found| {
            let mut theirs = bygone::rows::Facts::default();
            bygone::lifecycle::facts("demo", found.event, &mut |fact| theirs.push(fact))
                .expect("facts");
            heard.push(theirs.finish());
            Ok(())
        });
        assert_eq!((heard.len(), rest.rejected.len()), (events.len(), 0));
        for (theirs, event) in heard.iter().zip(&events) {
            let mut ours = bygone::rows::Facts::default();
            let id = audit::audit_id(event);
            let kept = if asks_by_itself(event) { "" } else { &id };
            for fact in facts(event) {
                encode::push(&fact, kept, &mut ours);
            }
            let ours = ours.finish();
            let (verb, level, user) = (event.verb, event.level, &event.user);
            let what = format!("{verb:?} at {level:?} by {user}: {:#?}", facts(event));
            assert_eq!(theirs.rows(), ours.rows(), "{what}");
            assert!(
                theirs.bytes() == ours.bytes(),
                "{what}, heard {:#?}",
                told(theirs.bytes())
            );
            compared += ours.rows();
        }
    }
    println!("{compared} facts of {HISTORIES} histories are heard alike");
    assert!(compared > 8_000);
}

/// What rows of facts say.
fn told(bytes: &[u8]) -> Vec<bygone::rows::Piece<'_>> {
    let rows = bygone::rows::fact_rows(bytes);
    rows.flat_map(|(row, _)| bygone::rows::pieces(row.body).expect("a body"))
        .collect()
}

/// Whether it was Kubernetes itself that asked.
fn asks_by_itself(event: &super::object::Event) -> bool {
    let own = [
        "system:serviceaccount:kube-system:",
        "system:node:",
        "system:kube-",
    ];
    event.acting_as.is_empty() && own.iter().any(|prefix| event.user.starts_with(prefix))
}

#[test]
fn the_same_seed_makes_the_same_history() {
    let print = || {
        histories()
            .map(|events| audit::list(&events))
            .take(20)
            .collect::<Vec<_>>()
    };
    assert_eq!(print(), print());
}

/// What a history may hold that is hard to get right.
#[test]
fn histories_hold_every_hard_case() {
    let mut held = BTreeSet::new();
    for events in histories() {
        let mut names = BTreeSet::new();
        for event in &events {
            let object = &event.object;
            let again = event.verb == Verb::Create && !names.insert(object.name.clone());
            let old = i64::from(object.created) * SECOND < events[0].at - 30 * DAY;
            let skipped = object
                .statuses
                .iter()
                .any(|status| status.restart > 1 && status.last.is_none());
            let waits = object
                .statuses
                .iter()
                .any(|status| status.state == State::Waiting && status.last.is_some());
            let cases = [
                ("a name used again", again),
                ("a life that began long before", old),
                ("a last state that was lost", skipped),
                ("a crash loop that waits", waits),
                ("host network", object.host_network),
                ("two addresses", object.ips.len() > 1),
                (
                    "a finalizer holds it",
                    object.deletion.is_some() && object.finalizer,
                ),
                (
                    "removed by a patch",
                    event.verb == Verb::Patch && event.removes(),
                ),
                ("impersonated", !event.acting_as.is_empty()),
                ("a static pod", object.mirror),
                ("a node is lost", event.verb == Verb::NodeGone),
                ("a node is back", event.verb == Verb::NodeCame),
                ("a namespace is emptied", event.verb == Verb::Finalize),
                ("a collection with items", event.verb == Verb::CollectItems),
                ("a collection without", event.verb == Verb::Collect),
                ("a selector", !event.selector.is_empty()),
                ("forced", event.forced),
                ("a uid is not found", event.verb == Verb::MissedStatus),
                ("a name is not found", event.verb == Verb::Missed),
                (
                    "an eviction of a uid",
                    event.verb == Verb::Evict && event.names_uid,
                ),
                ("disrupted", object.disrupted.is_some()),
                ("at level Metadata", event.level == Level::Metadata),
                ("at level Request", event.level == Level::Request),
                ("truncated", event.level == Level::Truncated),
                ("a common account", &*event.user == "kubelet"),
                ("not in a cache", event.verb == Verb::MissedByCache),
                ("a namespace is deleted", event.verb == Verb::Close),
                ("addresses go", !event.lost_ips.is_empty()),
            ];
            held.extend(
                cases
                    .into_iter()
                    .filter(|(_, holds)| *holds)
                    .map(|(case, _)| case),
            );
            held.extend(facts(event).iter().flat_map(instance_cases));
        }
        held.extend(history_cases(&events));
    }
    println!("{held:?}");
    assert_eq!(held.len(), 42, "{held:?}");
}

fn history_cases(events: &[Event]) -> Vec<&'static str> {
    let removed = events.iter().filter(|event| event.removes()).count();
    let created = events.iter().filter(|event| event.verb == Verb::Create);
    let created = created.count();
    let succeeded = |event: &Event| event.object.phase.starts_with('S');
    let at = |event: Option<&Event>| event.map_or(0, |event| event.at);
    let spans = at(events.last()) - at(events.first());
    let cases = [
        ("not all removals", removed < created),
        ("succeeded", events.iter().any(succeeded)),
        ("long", spans > 12 * HOUR),
    ];
    let held = cases.into_iter().filter(|(_, holds)| *holds);
    held.map(|(case, _)| case).collect()
}

fn instance_cases(fact: &Fact) -> Vec<&'static str> {
    let About::Instance(instance) = &fact.about else {
        return Vec::new();
    };
    let kind = match instance.kind {
        Kind::App => "app",
        Kind::Init => "init",
        Kind::Sidecar => "sidecar",
        Kind::Ephemeral => "ephemeral",
    };
    let ended = instance.ended.as_ref();
    let cases = [
        ("an ID of another form", !instance.id_text.is_empty()),
        ("a start that is not known", instance.started_at == 0),
        (
            "an end without a time",
            ended.is_some_and(|ended| ended.finished_at == 0),
        ),
        ("many restarts", instance.restart > 18),
        ("no ID", instance.key == [0; 32]),
        ("a shared ID", instance.id_text.starts_with("of-")),
        (
            "a clock that is ahead",
            i64::from(instance.started_at) * SECOND > fact.event_at,
        ),
    ];
    let held = cases.into_iter().filter(|(_, holds)| *holds);
    held.map(|(case, _)| case).chain([kind]).collect()
}
