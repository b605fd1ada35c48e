//! A real etcd of one member, by `tests/etcd.sh`. It is written to by its gateway for JSON.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{block_on, client, free_address, text_of, wait_for};

pub struct Etcd {
    pub folder: TempDir,
    ports: [u16; 2],
    flags: Vec<String>,
    child: Option<Child>,
    token: Option<String>,
}

fn encoded(text: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(text)
}

impl Etcd {
    /// One with the namespace kube-system.
    pub fn start() -> Etcd {
        let folder = tempfile::tempdir().expect("a folder");
        Etcd::start_at(folder, free_address().port(), &[])
    }

    /// The same in a folder that something has been put into.
    pub fn start_at(folder: TempDir, port: u16, flags: &[String]) -> Etcd {
        let ports = [port, free_address().port()];
        let mut etcd = Etcd {
            folder,
            ports,
            flags: flags.to_vec(),
            child: None,
            token: None,
        };
        etcd.run();
        etcd.put("namespaces/kube-system", &kube_system('a'));
        etcd
    }

    /// Starts it, again after [`Etcd::stop`].
    pub fn run(&mut self) {
        let script = format!("{}/tests/etcd.sh", env!("CARGO_MANIFEST_DIR"));
        let child = Command::new(script)
            .arg("start")
            .arg(self.folder.path())
            .args(self.ports.map(|port| port.to_string()))
            .args(&self.flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("bash"));
        wait_for("etcd", || {
            self.try_ask("kv/range", &json!({"key": encoded("a")}))
        });
    }

    /// Kills it. What it has on disk stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The script ends with its standard input, and the server with it.
            drop(child.stdin.take());
            child.wait().expect("the script ends");
        }
    }

    /// Removes everything it has, as an old snapshot takes its place.
    pub fn forget(&self) {
        std::fs::remove_dir_all(self.folder.path().join("data")).expect("its data");
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where members reach each other.
    pub fn peer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn try_ask(&self, what: &str, body: &Value) -> Option<Value> {
        let request = client()
            .post(format!("{}/v3/{what}", self.url()))
            .json(body);
        let request = match &self.token {
            Some(token) => request.header("Authorization", token),
            None => request,
        };
        let text = block_on(async { Some(text_of(request.send().await.ok()?).await) })?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        // Errors have a code; `no token` is an answer, too.
        Some(answer)
    }

    /// An answer, which must not be an error.
    pub fn ask(&self, what: &str, body: &Value) -> Value {
        let answer = self.try_ask(what, body).expect("an answer");
        assert!(answer.get("code").is_none(), "{what}: {answer}");
        answer
    }

    /// Puts a value below `/registry/`.
    pub fn put(&self, key: &str, value: &Value) {
        self.put_bytes(key, value.to_string().as_bytes());
    }

    pub fn put_bytes(&self, key: &str, value: &[u8]) {
        let key = encoded(format!("/registry/{key}"));
        self.ask("kv/put", &json!({"key": key, "value": encoded(value)}));
    }

    /// Puts many values at once.
    pub fn put_all(&self, values: &[(String, Value)]) {
        let put = |(key, value): &(String, Value)| {
            let key = encoded(format!("/registry/{key}"));
            json!({"requestPut": {"key": key, "value": encoded(value.to_string())}})
        };
        // etcd takes 128 in one transaction.
        for values in values.chunks(100) {
            let puts: Vec<Value> = values.iter().map(put).collect();
            self.ask("kv/txn", &json!({"success": puts}));
        }
    }

    pub fn delete(&self, key: &str) {
        let key = encoded(format!("/registry/{key}"));
        let answer = self.ask("kv/deleterange", &json!({"key": key}));
        assert_eq!(answer["deleted"], "1", "it was there");
    }

    pub fn revision(&self) -> u64 {
        let answer = self.ask("kv/range", &json!({"key": encoded("a")}));
        answer["header"]["revision"]
            .as_str()
            .expect("a revision")
            .parse()
            .expect("a number")
    }

    /// Forgets what was before now.
    pub fn compact(&self) {
        let revision = self.revision();
        self.ask(
            "kv/compaction",
            &json!({"revision": revision.to_string(), "physical": true}),
        );
    }

    /// A user with a role that may read some prefixes below `/registry/`, and authentication for everybody.
    pub fn restrict(&mut self, user: &str, password: &str, prefixes: &[&str]) {
        for (name, password) in [("root", "root"), (user, password)] {
            self.ask(
                "auth/user/add",
                &json!({"name": name, "password": password}),
            );
        }
        self.ask("auth/role/add", &json!({"name": "reader"}));
        for prefix in prefixes {
            let key = format!("/registry/{prefix}/");
            // Behind the slash.
            let end = format!("/registry/{prefix}0");
            let permission =
                json!({"permType": "READ", "key": encoded(key), "range_end": encoded(end)});
            let grant = json!({"name": "reader", "perm": permission});
            self.ask("auth/role/grant", &grant);
        }
        for (user, role) in [("root", "root"), (user, "reader")] {
            self.ask("auth/user/grant", &json!({"user": user, "role": role}));
        }
        self.ask("auth/enable", &json!({}));
        self.authenticate();
    }

    /// For what the tests put, once it has users.
    pub fn authenticate(&mut self) {
        self.token = None;
        let root = json!({"name": "root", "password": "root"});
        let answer = self.ask("auth/authenticate", &root);
        self.token = Some(answer["token"].as_str().expect("a token").to_owned());
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The namespace by which clusters are told apart.
pub fn kube_system(last: char) -> Value {
    let uid = format!("00000000-0000-0000-0000-00000000000{last}");
    json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": uid}})
}

/// Every byte of the files below a folder.
pub fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(bytes_below(&path)),
            false => all.extend(std::fs::read(&path).expect("a file")),
        }
    }
    all
}
