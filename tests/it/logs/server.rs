//! A real store beside the tests: started once, it ends with them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use tempfile::TempDir;

use super::written::{self, Line};
use crate::support::{self, Bygone, block_on, client, free_address, wait_longer_for};

/// How much longer than other things one may take to start, on a machine that runs all the tests.
const START_WAIT: Duration = Duration::from_secs(60);

pub struct Server {
    pub address: String,
    _folder: TempDir,
}

impl Server {
    /// Starts a script of `tests/`, with as many ports as it takes, and waits until `ready` answers.
    pub fn start(script: &str, ports: usize, ready: &str) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let ports: Vec<String> = (0..ports)
            .map(|_| free_address().port().to_string())
            .collect();
        let ports_of: Vec<&str> = ports.iter().map(String::as_str).collect();
        start(script, folder.path(), &ports_of);
        let server = Server {
            address: format!("http://127.0.0.1:{}", ports[0]),
            _folder: folder,
        };
        wait_longer_for(script, START_WAIT, || {
            let answer = block_on(server.request(Method::GET, ready).send()).ok()?;
            answer.status().is_success().then_some(())
        });
        server
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        client().request(method, format!("{}{path}", self.address))
    }

    /// Sends something that the server has to take.
    #[allow(clippy::disallowed_methods, reason = "answers of our own server")]
    pub fn takes(&self, request: RequestBuilder) {
        block_on(async {
            let answer = request.send().await.expect("an answer");
            let status = answer.status();
            let text = answer.text().await.unwrap_or_default();
            assert!(status.is_success(), "{status}: {text}");
        });
    }
}

/// Starts a script of `tests/` with the folder and more arguments. It ends with this process.
pub fn start(script: &str, folder: &Path, more: &[&str]) {
    let script = format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR"));
    let child = Command::new(script)
        .arg("start")
        .arg(folder)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    // Its stdin is closed by the end of this process alone.
    std::mem::forget(child.expect("bash"));
}

/// The recording, and the lines that its containers wrote.
pub struct Recorded {
    pub bygone: Bygone,
    pub written: Vec<Line>,
}

/// Asked by others, which have the stores.
pub fn recorded() -> &'static Recorded {
    static RECORDED: LazyLock<Recorded> = LazyLock::new(|| record(""));
    &RECORDED
}

/// A bygone of its own with the recording.
pub fn record(config: &str) -> Recorded {
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_configured(config, folder);
    let recording = support::recording_a();
    let bodies = support::read(&recording, "bodies.jsonl");
    bygone.post_all(bodies.lines().map(str::to_owned));
    bygone.ends_with_the_tests();
    let written = written::lines(&bygone);
    Recorded { bygone, written }
}

/// A bygone with this configuration that asks about the recording.
pub fn beside(config: &str) -> Bygone {
    let folder = tempfile::tempdir().expect("a folder");
    Bygone::start_beside(recorded().bygone.database.clone(), config, folder, &[])
}

/// Log records in OTLP's protobuf.
pub mod otlp {
    /// Name and value.
    pub type Attributes<'a> = Vec<(&'a str, String)>;

    /// A request with one record of one resource.
    pub fn record(resource: &Attributes, at: i128, body: &str, own: &Attributes) -> Vec<u8> {
        let nanoseconds = u64::try_from(at).expect("after 1970");
        // time_unix_nano = 1 (fixed64), body = 5, attributes = 6.
        let mut record = vec![1 << 3 | 1];
        record.extend(nanoseconds.to_le_bytes());
        record.extend(field(5, &field(1, body.as_bytes())));
        record.extend(attributes(6, own));
        let resource = field(1, &attributes(1, resource));
        let scope = field(2, &field(2, &record));
        field(1, &[resource, scope].concat())
    }

    fn attributes(number: u8, attributes: &Attributes) -> Vec<u8> {
        let encoded = attributes.iter().map(|(name, value)| {
            let value = field(1, value.as_bytes());
            field(
                number,
                &[field(1, name.as_bytes()), field(2, &value)].concat(),
            )
        });
        encoded.collect::<Vec<_>>().concat()
    }

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length > 0x7f {
            field.push((length & 0x7f | 0x80) as u8);
            length >>= 7;
        }
        field.push(length as u8);
        field.extend(bytes);
        field
    }
}
