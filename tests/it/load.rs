//! Load for the tests of what is kept: numbered pods in batches, sent as an API server sends them,
//! and a ledger of what was answered 200.
//!
//! Every pod comes as two events: its create, and a patch of its status with one container. What
//! the answers must say of it follows from its number alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::guard;
use crate::support::{self, Bygone, Random, block_on, wait_longer_for};

/// Pods in a batch; each makes two events.
const PODS_PER_BATCH: u64 = 10;

/// An API server waits 10 s before its second try and half as long again before each further one;
/// here everything is over sooner.
const RETRY_WAIT_FIRST: Duration = Duration::from_millis(50);
/// `Retry-After` is kept to up to this.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long senders may take to bring in what is left when nothing is in their way any more.
const FINISH_WAIT: Duration = Duration::from_secs(90);

/// So that a question about one of them is answered in time, however long the load was.
const PODS_PER_NAMESPACE: u64 = 100_000;

/// An answer about all pods is read as a whole, and over and over until none is missing.
const PATIENCE_PER_POD: Duration = Duration::from_millis(3);

/// What is sent, and what became of it. Batches stand for their pods.
#[derive(Default)]
struct Ledger {
    posted: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    /// How often which answer was given; without one, what happened instead.
    answers: BTreeMap<String, u64>,
    /// For each acknowledged batch, when, and how long after its first post.
    acks: Vec<(Instant, Duration)>,
}

/// How a load is sent.
#[derive(Clone, Copy)]
pub struct Plan {
    pub senders: u64,
    pub seed: u64,
    /// After a failed try one in so many batches is given up, as an API server does at last.
    /// 0: never.
    pub give_up_one_in: u64,
    /// How long a sender waits between its batches.
    pub pause: Duration,
}

/// Senders at work. [`Load::finish`] ends them.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

struct Shared {
    plan: Plan,
    webhook: String,
    next: AtomicU64,
    stop: CancellationToken,
    ledger: Mutex<Ledger>,
}

/// The numbers of a load.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub posted: u64,
    pub acknowledged: u64,
    pub answers: BTreeMap<String, u64>,
}

impl Load {
    pub fn start(bygone: &Bygone, plan: Plan) -> Load {
        let shared = Arc::new(Shared {
            plan,
            webhook: bygone.webhook.clone(),
            next: AtomicU64::new(0),
            stop: CancellationToken::new(),
            ledger: Mutex::default(),
        });
        let senders = (0..plan.senders)
            .map(|sender| support::spawn(send(shared.clone(), Random(plan.seed + sender))))
            .collect();
        Load { shared, senders }
    }

    pub fn tally(&self) -> Tally {
        let ledger = self.shared.ledger();
        Tally {
            posted: ledger.posted.len() as u64,
            acknowledged: ledger.acknowledged.len() as u64,
            answers: ledger.answers.clone(),
        }
    }

    /// When batches were acknowledged, and how long after their first post, since `since`.
    pub fn ack_times(&self, since: Instant) -> Vec<Duration> {
        let ledger = self.shared.ledger();
        let acks = ledger.acks.iter();
        acks.filter(|(at, _)| *at >= since)
            .map(|(_, took)| *took)
            .collect()
    }

    /// Begins no more batches, and returns when each that was begun is acknowledged or given up.
    pub fn finish(&mut self) {
        self.shared.stop.cancel();
        let senders = std::mem::take(&mut self.senders);
        let finish = async {
            for sender in senders {
                sender.await.expect("a sender");
            }
        };
        let finished = block_on(async { tokio::time::timeout(FINISH_WAIT, finish).await });
        assert!(
            finished.is_ok(),
            "batches were not acknowledged within {FINISH_WAIT:?}: {:?}",
            self.tally()
        );
    }

    /// Holds the answers against the ledger.
    pub fn check(&self, bygone: &Bygone) {
        let (posted, acknowledged) = {
            let ledger = self.shared.ledger();
            (ledger.posted.clone(), ledger.acknowledged.clone())
        };
        check(bygone, &posted, &acknowledged);
    }
}

/// Holds the answers against a ledger of batches: every acknowledged pod and its container are there
/// once, no pod is there that was not posted, and each is told as it was sent.
pub fn check(bygone: &Bygone, posted: &BTreeSet<u64>, acknowledged: &BTreeSet<u64>) {
    let (posted, acknowledged) = (pods_of(posted), pods_of(acknowledged));
    for (kind, expected) in [
        ("pods", expected_pod as fn(u64) -> Value),
        ("containers", expected_container),
    ] {
        // What is acknowledged need not be in ClickHouse yet, and a killed ClickHouse may still be
        // starting.
        let mut missing = 0;
        let more = PATIENCE_PER_POD * acknowledged.len() as u32;
        let rows = wait_longer_for(&format!("{kind} of every acknowledged batch"), more, || {
            let rows = all_of(bygone, kind, &posted)?;
            let there: BTreeSet<u64> = rows.iter().map(number_of).collect();
            let now = acknowledged.difference(&there).count();
            if now != missing {
                eprintln!("{now} of {} {kind} are not there yet", acknowledged.len());
                missing = now;
            }
            (now == 0).then_some(rows)
        });
        let mut seen = BTreeSet::new();
        for row in &rows {
            let number = number_of(row);
            assert!(seen.insert(number), "{kind}: {number} is there twice");
            assert!(posted.contains(&number), "{kind}: {number} is invented");
            for (key, value) in expected(number).as_object().expect("an object") {
                assert_eq!(&row[key], value, "{kind}: {key} of {number}: {row}");
            }
        }
    }
}

/// All that is told: by one question, or, of a long load, by one for each namespace.
fn all_of(bygone: &Bygone, kind: &str, posted: &BTreeSet<u64>) -> Option<Vec<Value>> {
    let ask = |scope: &[&str]| {
        let rows = bygone.try_rows(&[&[kind], scope].concat());
        let rows = rows.inspect_err(|error| eprintln!("no answer yet: {error}"));
        rows.ok()
    };
    let last = posted.last().copied().unwrap_or_default();
    if last < PODS_PER_NAMESPACE {
        return ask(&["-A"]);
    }
    let mut all = Vec::new();
    for first in (0..=last).step_by(PODS_PER_NAMESPACE as usize) {
        all.extend(ask(&["-n", &namespace(first)])?);
    }
    Some(all)
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.senders.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no sender panics with it")
    }
}

/// One sender: one batch after the other, each until it is acknowledged.
async fn send(shared: Arc<Shared>, mut random: Random) {
    let client = guard::sender();
    while !shared.stop.is_cancelled() {
        let batch = shared.next.fetch_add(1, Ordering::Relaxed);
        shared.ledger().posted.insert(batch);
        deliver(&shared, &client, batch, &mut random).await;
        tokio::time::sleep(shared.plan.pause).await;
    }
}

async fn deliver(shared: &Shared, client: &reqwest::Client, batch: u64, random: &mut Random) {
    // The very same bytes each time.
    let body = bytes::Bytes::from(body(batch));
    let begun = Instant::now();
    let mut wait = RETRY_WAIT_FIRST;
    loop {
        let (answer, retry_after) = post(client, &shared.webhook, body.clone()).await;
        {
            let mut ledger = shared.ledger();
            *ledger.answers.entry(answer.clone()).or_default() += 1;
            if answer == "200" {
                ledger.acknowledged.insert(batch);
                ledger.acks.push((Instant::now(), begun.elapsed()));
                return;
            }
        }
        let one_in = shared.plan.give_up_one_in;
        if one_in > 0 && random.below(one_in) == 0 {
            return;
        }
        let jitter = Duration::from_millis(random.below(50));
        tokio::time::sleep(retry_after.unwrap_or(wait).min(RETRY_WAIT_MAX) + jitter).await;
        wait = wait.mul_f64(1.5);
    }
}

/// The status of the answer, or why there was none; and when to come again.
async fn post(
    client: &reqwest::Client,
    webhook: &str,
    body: bytes::Bytes,
) -> (String, Option<Duration>) {
    let request = client
        .post(webhook)
        .header("content-type", "application/json");
    match request.body(body).send().await {
        Ok(response) => {
            let after = response.headers().get("retry-after");
            let seconds = after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            let status = response.status().as_u16().to_string();
            (status, seconds.map(Duration::from_secs))
        }
        Err(error) if error.is_connect() => ("not connected".to_owned(), None),
        Err(error) if error.is_timeout() => ("no answer in time".to_owned(), None),
        Err(_) => ("cut off".to_owned(), None),
    }
}

fn pods_of(batches: &BTreeSet<u64>) -> BTreeSet<u64> {
    batches.iter().flat_map(|batch| pods(*batch)).collect()
}

fn pods(batch: u64) -> std::ops::Range<u64> {
    batch * PODS_PER_BATCH..(batch + 1) * PODS_PER_BATCH
}

/// A batch, as an API server would send it.
pub fn body(batch: u64) -> String {
    let items: Vec<Value> = pods(batch).flat_map(events).collect();
    json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items})
        .to_string()
}

fn number_of(row: &Value) -> u64 {
    let uid = row["pod_uid"].as_str().expect("a uid");
    let digits = uid.strip_prefix("10ad0000-0000-4000-8000-");
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_else(|| panic!("pod {uid} is invented"))
}

fn namespace(number: u64) -> String {
    format!("load-{}", number / PODS_PER_NAMESPACE)
}

fn name(number: u64) -> String {
    format!("pod-{number}")
}

fn node(number: u64) -> String {
    format!("node-{}", number % 7)
}

fn ip(number: u64) -> String {
    let [_, a, b, c] = (number as u32).to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

/// No digits but zeros would be no ID.
fn container_id(number: u64) -> String {
    format!("{:064x}", number + 1)
}

/// Creates are some seconds apart, on whole seconds.
fn time(number: u64, after_seconds: u64, fraction: &str) -> String {
    let begin: jiff::Timestamp = "2026-11-23T06:15:00Z".parse().expect("a time");
    let seconds = i64::try_from(number % 100_000 + after_seconds).expect("few seconds");
    let time = begin + jiff::SignedDuration::from_secs(seconds);
    time.to_string().replace('Z', &format!("{fraction}Z"))
}

fn events(number: u64) -> [Value; 2] {
    let (name, node, created) = (name(number), node(number), time(number, 0, ""));
    let namespace = namespace(number);
    let uri = format!("/api/v1/namespaces/{namespace}/pods");
    let metadata = |version: u64| {
        json!({"name": name, "namespace": namespace, "resourceVersion": version.to_string(),
            "uid": format!("10ad0000-0000-4000-8000-{number:012x}"),
            "creationTimestamp": created, "labels": {"number": number.to_string()}})
    };
    let mut spec = json!({"containers": [{"name": "main", "image": "registry.example/main:1"}]});
    let created = json!({
        "level": "RequestResponse", "auditID": format!("create-{number}"),
        "stage": "ResponseComplete", "verb": "create", "requestURI": uri,
        "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": namespace, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "responseObject": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata(2 * number + 1),
            "spec": spec, "status": {"phase": "Pending"}},
        "requestReceivedTimestamp": time(number, 0, ".100000"),
        "stageTimestamp": time(number, 0, ".200000"),
    });
    spec["nodeName"] = node.as_str().into();
    let status = json!({"phase": "Running", "podIPs": [{"ip": ip(number)}],
        "containerStatuses": [{"name": "main", "restartCount": 0, "ready": true, "started": true,
            "containerID": format!("containerd://{}", container_id(number)),
            "image": "registry.example/main:1", "imageID": "registry.example/main@sha256:1",
            "state": {"running": {"startedAt": time(number, 2, "")}}}]});
    let patched = json!({
        "level": "RequestResponse", "auditID": format!("patch-{number}"),
        "stage": "ResponseComplete", "verb": "patch",
        "requestURI": format!("{uri}/{name}/status"),
        "user": {"username": format!("system:node:{node}"), "groups": ["system:nodes"]},
        "objectRef": {"resource": "pods", "namespace": namespace, "name": name, "apiVersion": "v1",
            "subresource": "status"},
        "responseStatus": {"metadata": {}, "code": 200},
        "responseObject": {"kind": "Pod", "apiVersion": "v1", "metadata": metadata(2 * number + 2),
            "spec": spec, "status": status},
        "requestReceivedTimestamp": time(number, 3, ".100000"),
        "stageTimestamp": time(number, 3, ".200000"),
    });
    [created, patched]
}

fn expected_pod(number: u64) -> Value {
    json!({"cluster": "demo", "namespace": namespace(number), "pod": name(number), "node": node(number),
        "pod_ips": [ip(number)], "labels": {"number": number.to_string()},
        "created_at": time(number, 0, ""), "created_by": "alice", "phase": "Running",
        "removed_at": null, "containers": 1, "restarts": 0})
}

fn expected_container(number: u64) -> Value {
    json!({"cluster": "demo", "namespace": namespace(number), "pod": name(number), "container": "main",
        "container_id": container_id(number), "node": node(number), "restart": 0,
        "started_at": time(number, 2, ""), "ended_at": null, "pod_created_at": time(number, 0, "")})
}

/// The value below which so many hundredths of `times` are.
pub fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    let place = times.len() * hundredths / 100;
    let last = times.len().saturating_sub(1);
    times.get(place.min(last)).copied().unwrap_or_default()
}
