//! A small history, of one Monday morning in two clusters: pods that were killed, rolled out, evicted, and three that are
//! still there: their kubelets reported them just now.

use serde_json::{Value, json};

const DAY: &str = "2026-11-23T";
/// In place of a time of that day: when the test runs.
const NOW: &str = "now";
const REPLICA_SETS: &str = "system:serviceaccount:kube-system:replicaset-controller";
const STATEFUL_SETS: &str = "system:serviceaccount:kube-system:statefulset-controller";
const JOBS: &str = "system:serviceaccount:kube-system:job-controller";

/// What each cluster's API server sent, as lines of JSON.
pub fn history() -> [(&'static str, String); 2] {
    [("prod", prod()), ("staging", staging())]
}

fn prod() -> String {
    let mut events = Vec::new();
    cart(&mut events);
    report(&mut events);
    database(&mut events);
    payments(&mut events);
    events.join("\n")
}

/// A Deployment that is rolled out at 06:20. Of its first three pods one is killed for its memory, then deleted by alice.
fn cart(events: &mut Vec<String>) {
    let image = "registry.example.com/shop/cart:1.4.2";
    let labels = |hash: &str| json!({"app": "cart", "tier": "web", "pod-template-hash": hash});
    let owner = |hash: &str| Some(("ReplicaSet", format!("cart-{hash}")));
    let old = |suffix: &str, place| {
        let name = format!("cart-6d4cf56db6-{suffix}");
        Life::new("shop", &name, owner("6d4cf56db6"), labels("6d4cf56db6")).on(place)
    };
    let mut killed = old("x2x9k", ("worker-3", "10.0.3.17"));
    let ids = ["38cb0c636df0", "7d1f0aa2b9c4"];
    killed.created("06:00:00", REPLICA_SETS);
    killed.runs(
        "06:00:05",
        &container("cart", image, ids[0], running("06:00:04")),
    );
    let oom = ended(("06:00:04", "06:09:30"), 137, "OOMKilled");
    let mut again = container("cart", image, ids[1], running("06:09:42"));
    (again["restartCount"], again["lastState"]) = (json!(1), with_id(&oom, ids[0]));
    killed.runs("06:09:43", &again);
    killed.deleted("06:12:00", "alice", 30);
    again["state"] = ended(("06:09:42", "06:12:02"), 143, "Error");
    killed.runs("06:12:03", &again);
    killed.removed("06:12:04");
    events.append(&mut killed.events);
    let mut rolled = old("b7k2m", ("worker-1", "10.0.1.9"));
    rolled.created("06:00:00", REPLICA_SETS);
    rolled.runs(
        "06:00:06",
        &container("cart", image, "b1b1b1b1b1b1", running("06:00:05")),
    );
    rolled.deleted("06:20:30", REPLICA_SETS, 30);
    let end = ended(("06:00:05", "06:20:32"), 0, "Completed");
    rolled.runs("06:20:33", &container("cart", image, "b1b1b1b1b1b1", end));
    rolled.removed("06:20:34");
    events.append(&mut rolled.events);
    let name = "cart-79c7f8477f-q8w5z";
    let mut new = Life::new("shop", name, owner("79c7f8477f"), labels("79c7f8477f"));
    new = new.on(("worker-3", "10.0.3.21"));
    new.created("06:20:10", REPLICA_SETS);
    let image = "registry.example.com/shop/cart:1.5.0";
    let runs = container("cart", image, "c2c2c2c2c2c2", running("06:20:14"));
    new.runs("06:20:15", &runs);
    new.runs(NOW, &runs);
    events.append(&mut new.events);
}

/// Two runs of a CronJob; the first one fails.
fn report(events: &mut Vec<String>) {
    for (run, minute, code, reason) in [
        ("29923560", 0, 1, "Error"),
        ("29923590", 30, 0, "Completed"),
    ] {
        let owner = Some(("Job", format!("report-{run}")));
        let labels = json!({"batch.kubernetes.io/job-name": format!("report-{run}")});
        let mut life = Life::new("shop", &format!("report-{run}-pq7r2"), owner, labels);
        life = life.on(("worker-2", "10.0.2.30")).with_account("reporter");
        life.created(&format!("06:{minute:02}:00"), JOBS);
        let (from, to) = (
            format!("06:{minute:02}:03"),
            format!("06:{:02}:00", minute + 2),
        );
        let image = "registry.example.com/shop/report:9";
        let id = format!("d{run}d{run}");
        life.runs(&from, &container("report", image, &id, running(&from)));
        let end = ended((&from, &to), code, reason);
        life.pod["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
        life.status(
            &format!("06:{:02}:01", minute + 2),
            &container("report", image, &id, end),
        );
        events.append(&mut life.events);
    }
}

/// A pod of a StatefulSet is evicted, as kubectl drain does, and comes again on another node. bob looks into it.
fn database(events: &mut Vec<String>) {
    let image = "docker.io/library/postgres:17.2";
    let new = |place| {
        let owner = Some(("StatefulSet", "db".to_owned()));
        Life::new("shop", "db-0", owner, json!({"app": "db", "tier": "data"})).on(place)
    };
    let mut evicted = new(("worker-2", "10.0.2.8"));
    evicted.created("05:50:00", STATEFUL_SETS);
    evicted.runs(
        "05:50:05",
        &container("postgres", image, "e3e3e3e3e3e3", running("05:50:04")),
    );
    evicted.pod["metadata"]["deletionTimestamp"] = json!(at("06:40:30"));
    evicted.pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    evicted.event("06:40:00", ("create", "eviction"), "kubernetes-admin", true);
    let end = ended(("05:50:04", "06:40:03"), 0, "Completed");
    evicted.runs(
        "06:40:04",
        &container("postgres", image, "e3e3e3e3e3e3", end),
    );
    evicted.removed("06:40:05");
    events.append(&mut evicted.events);
    let mut again = new(("worker-1", "10.0.1.12"));
    again.pod["metadata"]["uid"] = json!(uid("db-0 again"));
    again.created("06:40:06", STATEFUL_SETS);
    let runs = container("postgres", image, "f4f4f4f4f4f4", running("06:40:11"));
    again.runs("06:40:12", &runs);
    again.event("06:45:00", ("get", "exec"), "bob", false);
    again.runs(NOW, &runs);
    events.append(&mut again.events);
}

/// One that can't pull its image, and one of somebody with an odd name.
fn payments(events: &mut Vec<String>) {
    let mut waits = Life::new("payments", "api-0", None, json!({"app": "api"}));
    waits = waits.on(("worker-4", "10.0.4.2"));
    waits.created("06:05:00", "carol");
    let image = "registry.example.com/payments/api:2.3.1";
    let state = json!({"waiting": {"reason": "ImagePullBackOff"}});
    let waiting = container("api", image, "", state);
    waits.status("06:05:20", &waiting);
    waits.status(NOW, &waiting);
    events.append(&mut waits.events);
    let mut odd = Life::new("payments", "ledger", None, json!({"app": "ledger"}));
    odd = odd.on(("worker-4", "10.0.4.3"));
    odd.created("06:06:00", "=1+1,\u{1b}[31mred");
    let image = "registry.example.com/payments/ledger@sha256:0f0f";
    odd.runs(
        "06:06:05",
        &container("ledger", image, "a5a5a5a5a5a5", running("06:06:04")),
    );
    odd.deleted("06:16:00", "=1+1,\u{1b}[31mred", 0);
    events.append(&mut odd.events);
}

fn staging() -> String {
    let mut life = Life::new("shop-eu", "cart-0", None, json!({"app": "cart"}));
    life = life.on(("stage-1", "10.9.1.2"));
    life.created("06:00:00", "alice");
    let image = "registry.example.com/shop/cart:1.5.0-rc1";
    life.runs(
        "06:00:05",
        &container("cart", image, "99aa99aa99aa", running("06:00:04")),
    );
    life.deleted("06:50:00", "alice", 30);
    let end = ended(("06:00:04", "06:50:01"), 0, "Completed");
    life.runs("06:50:02", &container("cart", image, "99aa99aa99aa", end));
    life.removed("06:50:03");
    life.events.join("\n")
}

/// `06:00:05` of that day.
fn at(clock: &str) -> String {
    format!("{DAY}{clock}Z")
}

/// The same for the same text.
fn uid(text: &str) -> uuid::Uuid {
    let mut random = text
        .bytes()
        .fold(crate::support::Random(7), |random, byte| {
            let mut next = crate::support::Random(random.0 ^ u64::from(byte));
            crate::support::Random(next.next())
        });
    uuid::Builder::from_random_bytes(
        (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes(),
    )
    .into_uuid()
}

fn running(since: &str) -> Value {
    json!({"running": {"startedAt": at(since)}})
}

fn ended((from, to): (&str, &str), code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": at(from), "finishedAt": at(to)}})
}

/// A whole container ID from its beginning.
fn id(beginning: &str) -> String {
    match beginning {
        "" => String::new(),
        _ => format!("containerd://{beginning:0<64}"),
    }
}

fn with_id(state: &Value, beginning: &str) -> Value {
    let mut state = state.clone();
    state["terminated"]["containerID"] = json!(id(beginning));
    state
}

fn container(name: &str, image: &str, beginning: &str, state: Value) -> Value {
    json!({"name": name, "image": image, "imageID": "", "containerID": id(beginning), "restartCount": 0, "state": state})
}

/// What is sent about one pod in its life.
struct Life {
    pod: Value,
    version: u32,
    events: Vec<String>,
}

impl Life {
    fn new(namespace: &str, name: &str, owner: Option<(&str, String)>, labels: Value) -> Life {
        let owners =
            owner.map(|(kind, name)| json!([{"kind": kind, "name": name, "controller": true}]));
        Life {
            pod: json!({
                "kind": "Pod", "apiVersion": "v1",
                "metadata": {"name": name, "namespace": namespace, "uid": uid(name), "labels": labels, "ownerReferences": owners},
                "spec": {"serviceAccountName": "default", "containers": []},
                "status": {"phase": "Pending"},
            }),
            version: 100,
            events: Vec::new(),
        }
    }

    /// It will run there, and have this address.
    fn on(mut self, (node, ip): (&str, &str)) -> Life {
        self.pod["spec"]["nodeName"] = json!(node);
        self.pod["status"]["podIPs"] = json!([{"ip": ip}]);
        self
    }

    fn with_account(mut self, account: &str) -> Life {
        self.pod["spec"]["serviceAccountName"] = json!(account);
        self
    }

    /// A request, and, where it is about the pod itself, the pod behind it.
    fn event(&mut self, clock: &str, (verb, subresource): (&str, &str), user: &str, has_pod: bool) {
        self.version += 1;
        self.pod["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let (name, namespace) = (
            &self.pod["metadata"]["name"],
            &self.pod["metadata"]["namespace"],
        );
        let time = match clock {
            NOW => format!("{:.6}", jiff::Timestamp::now()),
            clock => at(clock).replace('Z', ".100000Z"),
        };
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "stage": "ResponseComplete",
            "auditID": uid(&format!("{}{}", self.pod["metadata"]["uid"], self.version)), "verb": verb,
            "requestURI": format!("/api/v1/namespaces/{}/pods", namespace.as_str().expect("text")),
            "user": {"username": user}, "sourceIPs": ["192.0.2.1"], "requestReceivedTimestamp": time, "stageTimestamp": time,
            "objectRef": {"resource": "pods", "namespace": namespace, "name": name, "apiVersion": "v1", "subresource": subresource},
            "responseStatus": {"metadata": {}, "code": if verb == "create" { 201 } else { 200 }},
        });
        if has_pod {
            event["responseObject"] = self.pod.clone();
        } else {
            event["responseStatus"]["code"] = json!(101);
        }
        self.events.push(event.to_string());
    }

    fn created(&mut self, clock: &str, user: &str) {
        self.pod["metadata"]["creationTimestamp"] = json!(at(clock));
        let whole = self.pod.clone();
        self.pod["spec"]["nodeName"] = json!("");
        self.pod["status"] = json!({"phase": "Pending"});
        self.event(clock, ("create", ""), user, true);
        (self.pod["spec"], self.pod["status"]) = (whole["spec"].clone(), whole["status"].clone());
        self.pod["status"]["startTime"] = json!(at(clock));
    }

    /// Its kubelet's word.
    fn status(&mut self, clock: &str, container: &Value) {
        self.pod["status"]["containerStatuses"] = json!([container]);
        let kubelet = format!(
            "system:node:{}",
            self.pod["spec"]["nodeName"].as_str().expect("a node")
        );
        self.event(clock, ("patch", "status"), &kubelet, true);
    }

    fn runs(&mut self, clock: &str, container: &Value) {
        self.pod["status"]["phase"] = json!("Running");
        self.status(clock, container);
    }

    fn deleted(&mut self, clock: &str, user: &str, grace: u32) {
        let deadline = at(clock).parse::<jiff::Timestamp>().expect("a time");
        let deadline = deadline + jiff::SignedDuration::from_secs(grace.into());
        self.pod["metadata"]["deletionTimestamp"] = json!(deadline.to_string());
        self.pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        self.event(clock, ("delete", ""), user, true);
    }

    /// Its kubelet lets it go.
    fn removed(&mut self, clock: &str) {
        self.pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        let kubelet = format!(
            "system:node:{}",
            self.pod["spec"]["nodeName"].as_str().expect("a node")
        );
        self.event(clock, ("delete", ""), &kubelet, true);
    }
}
