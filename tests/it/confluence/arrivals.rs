//! What arrives: histories as events, late or not, in bodies.

use std::sync::Arc;

use serde_json::json;

use super::servers::Body;
use crate::lives::deliver::{self, Temper};
use crate::lives::fact::{Fact, facts};
use crate::lives::generate::{Plan, history};
use crate::lives::object::Event;
use crate::lives::{HOUR, SECOND, audit};
use crate::support::Random;

/// When the receivers begin to listen: 2026-03-02, so that a month begins shortly before.
pub const BEGIN: i64 = 1_772_409_600 * SECOND;
/// How long things happen, and how long they arrive.
const HAPPENS: i64 = 30 * HOUR;
pub const ARRIVES: i64 = 36 * HOUR;
/// What is stored later after its event is late, by whole seconds.
const LATE_SECONDS: i64 = 300;

const PODS_MAX: u64 = 10;
/// Each cluster gets all histories, in another way.
pub const CLUSTERS: [&str; 3] = ["one", "two", "three"];

/// An event, and what it says.
pub struct Said {
    event: Event,
    pub facts: Vec<Arc<Fact>>,
}

/// An event on its way.
pub struct Arrival {
    pub cluster: &'static str,
    pub said: Arc<Said>,
    pub late: bool,
    /// From when on it may be posted.
    pub due: i64,
}

/// What arrives in one round.
#[derive(Default)]
pub struct Arrived {
    pub timely: Vec<Arrival>,
    pub late: Vec<Arrival>,
}

impl Arrived {
    pub fn take(&mut self, late: bool) -> Vec<Arrival> {
        std::mem::take(if late {
            &mut self.late
        } else {
            &mut self.timely
        })
    }
}

pub fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last as u64 + 1) as usize);
    }
}

/// Arrivals as bodies of random sizes, each of one cluster.
pub fn bodies(arrivals: &[Arrival], random: &mut Random) -> Vec<Body> {
    let events_max = [20, 100, 400][random.below(3) as usize];
    let hurry = random.below(8) > 0;
    let mut bodies = Vec::new();
    for cluster in CLUSTERS {
        let of_cluster = arrivals.iter().filter(|arrival| arrival.cluster == cluster);
        let events: Vec<&Event> = of_cluster.map(|arrival| &arrival.said.event).collect();
        let mut rest = &events[..];
        while !rest.is_empty() {
            let size = (1 + random.below(events_max) as usize).min(rest.len());
            let (body, more) = rest.split_at(size);
            let mut text = audit::list(body.iter().copied());
            if hurry {
                text = with_one_of_now(&text);
            }
            bodies.push(Body { cluster, text });
            rest = more;
        }
    }
    shuffle(&mut bodies, random);
    bodies
}

/// Adds an event of now that is about no pod: the sink folds what is old only after some seconds, if all of it is.
fn with_one_of_now(list: &str) -> String {
    let mut list: serde_json::Value = serde_json::from_str(list).expect("JSON");
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        .to_string();
    let event = json!({
        "level": "Metadata", "auditID": "now", "stage": "ResponseComplete", "verb": "delete",
        "requestURI": "/api/v1/namespaces/now/pods/nobody", "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": "now", "name": "nobody", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 404},
        "requestReceivedTimestamp": now, "stageTimestamp": now,
    });
    let items = list["items"].as_array_mut().expect("a list");
    items.push(event);
    list.to_string()
}

pub fn of_history(seed: u64, number: u64, cluster: &str) -> Vec<Arc<Said>> {
    let plan = Plan {
        cluster: cluster.into(),
        begin: BEGIN,
        end: BEGIN + HAPPENS,
        pods_max: PODS_MAX,
    };
    let events = history(seed, &format!("ns-{number}"), &plan);
    let said = events.into_iter().map(|event| {
        let facts = facts(&event).into_iter().map(Arc::new).collect();
        Arc::new(Said { event, facts })
    });
    said.collect()
}

/// How the events of a history arrive.
pub fn arrivals(
    history: &[Arc<Said>],
    cluster: &'static str,
    temper: Temper,
    random: &mut Random,
) -> Vec<Arrival> {
    let window = deliver::Window {
        begin: BEGIN,
        end: BEGIN + ARRIVES,
    };
    let events: Vec<Event> = history.iter().map(|said| said.event.clone()).collect();
    let deliveries = deliver::deliveries(&events, temper, window, random).into_iter();
    let arrival = |delivery: deliver::Delivery| {
        let said = history[delivery.event].clone();
        let at = said.event.at;
        let late = delivery.stored_at / SECOND - at / SECOND > LATE_SECONDS;
        Arrival {
            cluster,
            said,
            late,
            // What comes in time comes before the lives that end then can have been filed.
            due: if late { delivery.stored_at } else { at },
        }
    };
    deliveries.map(arrival).collect()
}
