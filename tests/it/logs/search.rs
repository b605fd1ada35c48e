//! A real OpenSearch, and what tests write into it.

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{block_on, client, free_address, wait_longer_for};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/search.sh");

/// Records of one request.
const BULK_MAX: usize = 10_000;

/// How much longer than other things it may take to start, on a machine that runs all the tests.
const START_WAIT: Duration = Duration::from_secs(60);

pub struct Search {
    pub address: String,
    _folder: TempDir,
}

/// The node that all tests share, each with indices of its own. It ends with this process.
pub fn shared() -> &'static Search {
    static SHARED: LazyLock<Search> = LazyLock::new(Search::start);
    &SHARED
}

impl Search {
    fn start() -> Search {
        let folder = tempfile::tempdir().expect("a folder");
        let [http, transport] = [(); 2].map(|()| free_address().port().to_string());
        let script = Command::new(SCRIPT)
            .arg("start")
            .arg(folder.path())
            .args([&http, &transport])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        // Its stdin is closed by the end of this process alone.
        std::mem::forget(script.expect("bash"));
        let search = Search {
            address: format!("http://127.0.0.1:{http}"),
            _folder: folder,
        };
        wait_longer_for("an answer of OpenSearch", START_WAIT, || {
            let asked = client().get(&search.address).send();
            block_on(asked).ok().filter(|answer| answer.status() == 200)
        });
        search
    }

    /// Asks, and expects success.
    pub fn call(&self, method: &str, path: &str, body: String) -> Value {
        let method = method.parse().expect("a method");
        let request = client().request(method, format!("{}{path}", self.address));
        let request = request
            .header("content-type", "application/json")
            .body(body);
        block_on(async {
            let mut response = request.send().await.expect("an answer");
            let status = response.status();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.expect("a body") {
                body.extend_from_slice(&chunk);
            }
            let text = String::from_utf8_lossy(&body);
            assert!(status.is_success(), "{path}: {status} {text}");
            serde_json::from_slice(&body).expect("JSON")
        })
    }

    /// Writes records, each with its index, and returns when they are found.
    pub fn write(&self, records: &[(String, Value)]) {
        for records in records.chunks(BULK_MAX) {
            let lines = records.iter().map(|(index, record)| {
                // Data streams take nothing else.
                format!("{{\"create\":{{\"_index\":\"{index}\"}}}}\n{record}\n")
            });
            let answer = self.call("POST", "/_bulk?refresh=true", lines.collect());
            assert_eq!(answer["errors"], false, "{}", answer["items"][0]);
        }
    }
}
