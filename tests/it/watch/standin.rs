//! What an API server says to a watch: lists in pages, watches from a version on, bookmarks, errors. `tests/live` has
//! a real one, which takes minutes to build.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::{block_on, spawn};

#[derive(Clone)]
pub struct Standin {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    cluster_uid: String,
    version: u64,
    /// Watches from before this get 410.
    oldest: u64,
    /// By resource and name.
    objects: BTreeMap<(String, String), Value>,
    events: Vec<(u64, String, Value)>,
    asked: Vec<String>,
    /// Answers to the next requests for a resource.
    refusals: BTreeMap<String, Vec<&'static str>>,
    always_refused: Option<String>,
    /// Watches get nothing more, and are not ended.
    is_silent: bool,
    /// Watches get no bookmarks, as from an API server for most of each minute.
    is_quiet: bool,
}

impl State {
    /// One ReplicaSet or Job, by `group/version/namespaces/namespace/resource/name`.
    fn owner(&self, path: &str) -> (String, String) {
        let parts: Vec<&str> = path.split('/').collect();
        let [.., namespace, resource, name] = parts[..] else {
            panic!("{path}");
        };
        let key = (resource.to_owned(), name.to_owned());
        let found = self.objects.get(&key);
        match found.filter(|object| object["metadata"]["namespace"] == namespace) {
            Some(object) => ("200 OK".to_owned(), object.to_string()),
            None => ("404 Not Found".to_owned(), String::new()),
        }
    }
}

impl Standin {
    pub fn start() -> Standin {
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let standin = Standin {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            changed: Arc::default(),
        };
        standin.state().cluster_uid = "00000000-0000-0000-0000-00000000000a".to_owned();
        standin.state().version = 100;
        let serving = standin.clone();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let standin = serving.clone();
                tokio::spawn(async move { _ = standin.answer(stream).await });
            }
        });
        standin
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts an object there, or changes it.
    pub fn put(&self, resource: &str, object: Value) {
        self.change(resource, object, false);
    }

    pub fn delete(&self, resource: &str, name: &str) {
        let key = (resource.to_owned(), name.to_owned());
        let object = self.state().objects.remove(&key).expect("it is there");
        self.change(resource, object, true);
    }

    fn change(&self, resource: &str, mut object: Value, is_deleted: bool) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let key = (resource.to_owned(), name);
        let kind = match (is_deleted, state.objects.contains_key(&key)) {
            (true, _) => "DELETED",
            (false, true) => "MODIFIED",
            (false, false) => "ADDED",
        };
        if !is_deleted {
            state.objects.insert(key, object.clone());
        }
        let event = json!({"type": kind, "object": object});
        state.events.push((version, resource.to_owned(), event));
        drop(state);
        self.changed.notify_waiters();
    }

    /// Forgets what happened, as etcd's compaction does.
    pub fn compact(&self) {
        let mut state = self.state();
        state.oldest = state.version + 1;
        state.version += 10;
    }

    /// Serves another cluster from now on.
    pub fn becomes(&self, uid: &str) {
        self.state().cluster_uid = uid.to_owned();
    }

    pub fn refuse(&self, resource: &str, answers: &[&'static str]) {
        let mut state = self.state();
        state.refusals.insert(resource.to_owned(), answers.to_vec());
    }

    pub fn always_refuse(&self, resource: Option<&str>) {
        self.state().always_refused = resource.map(str::to_owned);
    }

    pub fn silence(&self, is_silent: bool) {
        self.state().is_silent = is_silent;
    }

    pub fn quiet(&self, is_quiet: bool) {
        self.state().is_quiet = is_quiet;
    }

    /// The paths that were asked for since the last look, but for that of kube-system.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut self.state().asked);
        asked.retain(|path| !path.contains("kube-system"));
        asked
    }

    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            if path.contains("watch=true") && !self.is_refused(&path) {
                return self.watch(stream, &path).await;
            }
            let (status, body) = self.page(&path);
            let text = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(text.as_bytes()).await?;
        }
    }

    fn is_refused(&self, path: &str) -> bool {
        let state = self.state();
        let refused = state.always_refused.as_deref();
        refused.is_some_and(|resource| path.starts_with(&format!("/api/v1/{resource}?")))
    }

    fn page(&self, path: &str) -> (String, String) {
        let mut state = self.state();
        state.asked.push(path.to_owned());
        let state = &mut *state;
        if path == "/api/v1/namespaces/kube-system" {
            let body = json!({"kind": "PartialObjectMetadata",
                "metadata": {"name": "kube-system", "uid": state.cluster_uid}});
            return ("200 OK".to_owned(), body.to_string());
        }
        let (route, query) = path.split_once('?').unwrap_or((path, ""));
        let resource = match route.starts_with("/apis/") {
            true => route.rsplit('/').nth(1).unwrap(),
            false => route.rsplit('/').next().unwrap(),
        };
        if state.always_refused.as_deref() == Some(resource) {
            let body = json!({"kind": "Status", "code": 403,
                "message": format!("{resource} is forbidden: User \"bygone\" cannot list resource")});
            return ("403 Forbidden".to_owned(), body.to_string());
        }
        if let Some(owner) = path.strip_prefix("/apis/") {
            return state.owner(owner);
        }
        if let Some(answers) = state.refusals.get_mut(resource)
            && !answers.is_empty()
        {
            return (answers.remove(0).to_owned(), String::new());
        }
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
                .next()
        };
        let limit: usize = value("limit").unwrap().parse().unwrap();
        let from: usize = value("continue").map_or(0, |token| token.parse().unwrap());
        let all = state.objects.iter().filter(|((of, _), _)| of == resource);
        let all: Vec<&Value> = all.map(|(_, object)| object).collect();
        let next = match from + limit < all.len() {
            true => (from + limit).to_string(),
            false => String::new(),
        };
        let items: Vec<&Value> = all.into_iter().skip(from).take(limit).collect();
        let body = json!({"kind": "SomeList", "items": items,
            "metadata": {"resourceVersion": state.version.to_string(), "continue": next}});
        ("200 OK".to_owned(), body.to_string())
    }

    async fn watch(&self, mut stream: TcpStream, path: &str) -> std::io::Result<()> {
        let resource = path.split(['/', '?']).nth(3).unwrap().to_owned();
        let mut version: u64 = path
            .split("resourceVersion=")
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        self.state().asked.push(path.to_owned());
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        loop {
            let changed = self.changed.notified();
            let mut lines = String::new();
            let mut is_over = false;
            {
                let state = self.state();
                if version < state.oldest && !state.is_silent {
                    let error = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410,
                        "message": "too old resource version"}});
                    lines += &format!("{error}\n");
                    is_over = true;
                } else if !state.is_silent {
                    for (at, of, event) in &state.events {
                        if *at > version && *of == resource {
                            lines += &format!("{event}\n");
                        }
                    }
                    version = version.max(state.version);
                    let bookmark = json!({"type": "BOOKMARK",
                        "object": {"metadata": {"resourceVersion": version.to_string()}}});
                    if !state.is_quiet {
                        lines += &format!("{bookmark}\n");
                    }
                }
            }
            if !lines.is_empty() {
                let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
                stream.write_all(chunk.as_bytes()).await?;
            }
            if is_over {
                return stream.write_all(b"0\r\n\r\n").await;
            }
            // A change between the look and the wait is seen by the next one.
            _ = tokio::time::timeout(Duration::from_millis(500), changed).await;
        }
    }
}
