//! How long after its acknowledgement an event is in the answers, at a thousand events a second.
//!
//!     BYGONE_VISIBLE_SECONDS=60 cargo test --release --test it visible:: -- --nocapture
//!
//! Each body ends with the creation of a pod that nobody else has. Its 200 is one instant; the other
//! is the end of the first question by uid that finds it. The default settings are measured, live and with events of
//! last month.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::lives::audit;
use crate::lives::generate::{Plan, history};
use crate::lives::object::{Event, Level, Verb};
use crate::lives::{DAY, SECOND};
use crate::support::{self, Bygone, Random, block_on, setting};

const EVENTS_PER_SECOND: u64 = 1_000;
const EVENTS_PER_BODY: usize = 100;
const SECONDS: u64 = 4;

/// The goals; held only where a longer run was asked for, since tests share their machine.
const VISIBLE_MAX: Duration = Duration::from_secs(1);
const BACKFILLED_MAX: Duration = Duration::from_secs(6);

/// A question takes longer than this only if something is wrong.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn soon_after_it_was_acknowledged() {
    let now = jiff::Timestamp::now().as_microsecond();
    measure("live", now, VISIBLE_MAX);
}

#[test]
fn of_last_month_soon_after_it_was_acknowledged() {
    let now = jiff::Timestamp::now().as_microsecond();
    measure("backfilled", now - 30 * DAY, BACKFILLED_MAX);
}

/// Posts events of the day that ends with this instant, in microseconds.
fn measure(how: &str, end: i64, visible_max: Duration) {
    let _alone = support::alone();
    let seconds = setting("BYGONE_VISIBLE_SECONDS", SECONDS);
    let bygone = Bygone::start_set(&[("BYGONE_SINK_FLUSH_WAIT_MS", "250")]);
    let bodies = bodies(seconds * EVENTS_PER_SECOND, end);
    let (acknowledged, to_see) = mpsc::channel(bodies.len());
    let asker = {
        let database = bygone.database.clone();
        std::thread::spawn(move || see(&database, to_see))
    };
    block_on(post(&bygone, bodies, acknowledged));
    let mut waits = asker.join().expect("it asks to the end");
    waits.sort_unstable();
    let [half, most] = [50, 99].map(|percent| waits[(waits.len() - 1) * percent / 100]);
    println!(
        "{how}: {} bodies of {EVENTS_PER_BODY} events, {EVENTS_PER_SECOND} events a second: visible {} ms \
         after the acknowledgement at the median, {} ms at the 99th percentile",
        waits.len(),
        half.as_millis(),
        most.as_millis()
    );
    if seconds > SECONDS {
        assert!(most <= visible_max, "{most:?}");
    }
}

/// A body, and the uid of the pod that is created in it.
type Body = (String, u128);

/// Lives of the day that ends with this instant, and in each body one that is looked for.
fn bodies(events: u64, end: i64) -> Vec<Body> {
    let plan = Plan {
        cluster: "demo".into(),
        begin: end - DAY,
        end,
        pods_max: 40,
    };
    let mut random = Random(1);
    let mut all: Vec<Event> = Vec::new();
    while (all.len() as u64) < events {
        let namespace = format!("ns-{}", all.len());
        all.extend(history(random.next(), &namespace, &plan));
    }
    // One that tells the uid.
    let create = all
        .iter()
        .find(|event| event.verb == Verb::Create && event.level == Level::Full);
    let create = create.expect("a pod is created").clone();
    all.truncate(events as usize);
    let bodies = all.chunks(EVENTS_PER_BODY).map(|chunk| {
        let mut object = (*create.object).clone();
        object.namespace = "looked-for".into();
        object.uid = u128::from(random.next()) << 64 | u128::from(random.next());
        let uid = object.uid;
        let object = Arc::new(object);
        let at = end - SECOND;
        let marker = Event {
            object,
            at,
            received: at,
            ..create.clone()
        };
        (audit::list(chunk.iter().chain([&marker])), uid)
    });
    bodies.collect()
}

/// Posts at an even pace, and says when what was acknowledged.
async fn post(bygone: &Bygone, bodies: Vec<Body>, acknowledged: mpsc::Sender<(u128, Instant)>) {
    let pace = Duration::from_secs(1) * EVENTS_PER_BODY as u32 / EVENTS_PER_SECOND as u32;
    let mut tick = tokio::time::interval(pace);
    let client = support::client();
    let mut posts = Vec::new();
    for (body, uid) in bodies {
        tick.tick().await;
        let post = client.post(&bygone.webhook).body(body).send();
        let acknowledged = acknowledged.clone();
        posts.push(support::spawn(async move {
            assert_eq!(post.await.expect("an answer").status(), 200);
            let taken = acknowledged.send((uid, Instant::now())).await;
            taken.expect("somebody asks");
        }));
    }
    drop(acknowledged);
    for post in posts {
        post.await.expect("acknowledged");
    }
}

/// Asks for all that were acknowledged, until each was seen; how long that took for each.
fn see(database: &str, mut to_see: mpsc::Receiver<(u128, Instant)>) -> Vec<Duration> {
    let mut waits = Vec::new();
    let mut unseen: BTreeMap<u128, Instant> = BTreeMap::new();
    while let Some(next) = next(&mut to_see, &unseen) {
        unseen.extend(next);
        let uids: Vec<String> = unseen
            .keys()
            .map(|uid| format!("'{}'", uuid::Uuid::from_u128(*uid)))
            .collect();
        let question = format!(
            "SELECT toString(pod_uid) FROM pods WHERE cluster = 'demo' AND namespace = 'looked-for' AND pod_uid IN ({})",
            uids.join(", ")
        );
        let seen = support::sql(database, &question);
        for line in seen.lines() {
            let uid: uuid::Uuid = line.parse().expect("a uid");
            waits.extend(unseen.remove(&uid.as_u128()).map(|since| since.elapsed()));
        }
        let oldest = unseen.values().min();
        assert!(
            oldest.is_none_or(|since| since.elapsed() < SEEN_WITHIN),
            "not seen"
        );
    }
    waits
}

/// What is acknowledged by now; waits for it where there is nothing else to look for. `None` at the
/// end.
fn next(
    to_see: &mut mpsc::Receiver<(u128, Instant)>,
    unseen: &BTreeMap<u128, Instant>,
) -> Option<Vec<(u128, Instant)>> {
    let mut next = Vec::new();
    if unseen.is_empty() {
        next.push(to_see.blocking_recv()?);
    }
    while let Ok(one) = to_see.try_recv() {
        next.push(one);
    }
    Some(next)
}
