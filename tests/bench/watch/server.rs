//! What an API server says to a list and a watch of many pods, made before it is asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{self, block_on, spawn, wait_for};

/// Changes that come at once, and how long after each other.
const AT_ONCE: usize = 50;
const EVERY: Duration = Duration::from_millis(25);

/// The version of each list.
const LISTED: usize = 1_000_000;

#[derive(Clone)]
pub struct Server(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    /// As JSON, with its number, from 1 on, as its version.
    pods: Vec<String>,
    /// How many changes the watches are to bring, and the version after that.
    wanted: watch::Sender<usize>,
    watches: AtomicUsize,
}

/// A running pod of the recording.
fn template() -> Value {
    let log = support::read(&support::recording_a(), "audit.log");
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut pods = events.map(|mut event| event["responseObject"].take());
    let mut pod = pods
        .find(|pod| pod["kind"] == "Pod" && pod["status"]["phase"] == "Running")
        .expect("a pod that runs");
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d8f7c9b4", "controller": true,
        "uid": "00000000-0000-0000-0002-000000000001"}]);
    pod["metadata"]["namespace"] = json!("shop");
    pod["metadata"]["ownerReferences"] = owner;
    let fields: Value = (0..40)
        .map(|field| (format!("f:field-{field}"), json!({".": {}, "f:name": {}})))
        .collect();
    let at = Timestamp::now() - SignedDuration::from_hours(1);
    let at = Timestamp::from_second(at.as_second()).unwrap().to_string();
    pod["metadata"]["managedFields"] = json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": at,
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}},
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": at,
            "fieldsType": "FieldsV1", "fieldsV1": {"f:status": fields}, "subresource": "status"}]);
    let variables: Vec<Value> = (0..15)
        .map(|number| json!({"name": format!("VARIABLE_{number}"), "value": "a value of some length"}))
        .collect();
    pod["spec"]["containers"][0]["env"] = json!(variables);
    pod
}

impl Server {
    pub fn start(count: usize) -> Server {
        let template = template();
        let pod = |number: usize| {
            let mut pod = template.clone();
            pod["metadata"]["name"] = json!(format!("web-5d8f7c9b4-{number:05}"));
            pod["metadata"]["uid"] = json!(format!("00000000-0000-0000-0001-{:012}", number + 1));
            pod["metadata"]["resourceVersion"] = json!((number + 1).to_string());
            pod["metadata"]["labels"]["change"] = json!("-");
            pod.to_string()
        };
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let server = Server(Arc::new(Shared {
            address: listener.local_addr().unwrap(),
            pods: (0..count).map(pod).collect(),
            wanted: watch::channel(0).0,
            watches: AtomicUsize::new(0),
        }));
        let serving = server.clone();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                tokio::spawn(async move { _ = server.answer(stream).await });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    pub fn pod_bytes(&self) -> usize {
        self.0.pods[0].len()
    }

    /// Waits until one process watches, which did not when the last changes were made.
    pub fn wait_for_watch(&self) {
        wait_for("a watch of pods", || {
            (self.0.watches.load(Ordering::SeqCst) > 0).then_some(())
        });
    }

    /// Makes so many changes, for those who watch now. The next ones to come begin anew.
    pub fn change(&self, count: usize) {
        self.0.watches.store(0, Ordering::SeqCst);
        self.0.wanted.send_modify(|wanted| *wanted = count);
    }

    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap();
            if path.contains("watch=true") {
                return self.watch(stream, path.contains("/pods?")).await;
            }
            let body = self.body(path);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
        }
    }

    fn body(&self, path: &str) -> String {
        if path.contains("kube-system") {
            return json!({"kind": "PartialObjectMetadata", "metadata": {"name": "kube-system",
                "uid": "00000000-0000-0000-0000-00000000000a"}})
            .to_string();
        }
        if path.starts_with("/apis/") {
            let deployment = json!([{"kind": "Deployment", "name": "web", "controller": true}]);
            return json!({"kind": "PartialObjectMetadata", "metadata": {"name": "web-5d8f7c9b4",
                "uid": "00000000-0000-0000-0002-000000000001", "ownerReferences": deployment}})
            .to_string();
        }
        let value = |name: &str| {
            let pairs = path
                .split(['?', '&'])
                .filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(key, _)| *key == name);
            values
                .next()
                .and_then(|(_, value)| value.parse::<usize>().ok())
        };
        let all = match path.contains("/pods?") {
            true => &self.0.pods[..],
            false => &[],
        };
        let (from, limit) = (
            value("continue").unwrap_or(0),
            value("limit").unwrap_or(500),
        );
        let until = (from + limit).min(all.len());
        let next = match until < all.len() {
            true => until.to_string(),
            false => String::new(),
        };
        let items = all[from..until].join(",");
        format!(
            "{{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"{LISTED}\",\
             \"continue\":\"{next}\"}},\"items\":[{items}]}}"
        )
    }

    /// A bookmark at once; then, if these are pods, the changes that are wanted from now on.
    async fn watch(&self, mut stream: TcpStream, is_of_pods: bool) -> std::io::Result<()> {
        let mut wanted = self.0.wanted.subscribe();
        wanted.mark_unchanged();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        let bookmark = json!({"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": []},
            "metadata": {"resourceVersion": LISTED.to_string()}}});
        send(&mut stream, &format!("{bookmark}\n")).await?;
        if is_of_pods {
            self.0.watches.fetch_add(1, Ordering::SeqCst);
            _ = wanted.changed().await;
            let count = *wanted.borrow_and_update();
            let mut ticks = tokio::time::interval(EVERY);
            for begin in (0..count).step_by(AT_ONCE) {
                ticks.tick().await;
                let lines: String = (begin..(begin + AT_ONCE).min(count))
                    .map(|number| self.line(number))
                    .collect();
                send(&mut stream, &lines).await?;
            }
        }
        // Until the other end goes.
        _ = stream.read_u8().await;
        Ok(())
    }

    fn line(&self, number: usize) -> String {
        let place = number % self.0.pods.len();
        let version = |version: usize| format!("\"resourceVersion\":\"{version}\"");
        let change = format!("\"change\":\"{}\"", number % 7);
        let pod = self.0.pods[place]
            .replacen(&version(place + 1), &version(LISTED + number + 1), 1)
            .replacen("\"change\":\"-\"", &change, 1);
        format!("{{\"type\":\"MODIFIED\",\"object\":{pod}}}\n")
    }
}

async fn send(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    stream.write_all(chunk.as_bytes()).await
}
