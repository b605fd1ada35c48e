//! No secret of the recording is in any byte that bygone wrote or said.

use std::path::{Path, PathBuf};

use crate::support::{self, Bygone, json_lines};

#[test]
fn no_secret_is_written() {
    let folder = support::recording_a();
    let canaries: Vec<String> = support::read(&folder, "canaries.txt")
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    let bodies = support::read(&folder, "bodies.jsonl");
    // Those in a Secret and a ConfigMap were kept out by the audit policy.
    let sent = canaries
        .iter()
        .filter(|canary| bodies.contains(*canary))
        .count();
    assert!(
        sent >= 11,
        "{sent} secrets were sent: too few to prove anything"
    );

    let mut bygone = Bygone::start_embedded(&["--log", "trace"]);
    bygone.post_all(bodies.lines().map(str::to_owned));
    // Also where the body can't be read, and where it is cut off inside of a secret.
    let secret = canaries
        .iter()
        .find(|canary| bodies.contains(*canary))
        .expect("one is sent");
    let cut = bodies.find(secret).expect("it is there") + secret.len();
    let line = bodies[..cut].rfind('\n').map_or(0, |end| end + 1);
    bygone.post_all([bodies[line..cut].to_owned(), canaries.join(" ")]);
    let mut said = Vec::new();
    for what in ["containers", "pods"] {
        for format in ["wide", "json", "yaml", "csv"] {
            said.extend(bygone.get(&[what, "-o", format]).stdout);
        }
    }
    said.extend(bygone.metrics().into_bytes());
    assert!(contains(&said, "bygone_pipeline_events_total"));
    // What ClickHouse holds, uncompressed: its files are compressed, which hides text.
    said.extend(dump(&bygone));
    assert!(
        said.len() > 100_000,
        "too little was said to prove anything"
    );
    assert!(bygone.stop().success(), "{}", bygone.log());

    let mut files = Vec::new();
    files_below(bygone.folder.path(), &mut files);
    assert!(files.len() > 50, "the data folder holds ClickHouse's files");
    for canary in &canaries {
        assert!(!contains(&said, canary), "{canary} was said");
        for file in files.iter().filter(|file| !is_dead_letter(file)) {
            let bytes = std::fs::read(file).expect("a file");
            assert!(
                !contains(&bytes, canary),
                "{canary} is in {}",
                file.display()
            );
        }
    }
    // The search finds what is there: the name of a pod is in the same answers.
    let pod = &json_lines(&folder, "truth-pods.jsonl")[0]["name"];
    assert!(contains(&said, pod.as_str().expect("a name")));
}

/// The one place where raw bytes are kept: what could not be read, for its owner alone.
pub fn is_dead_letter(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let inside = file
        .components()
        .any(|part| part.as_os_str() == "dead-letters");
    if inside {
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    inside
}

pub fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// Every column of every row of the store. The engine's password is known to its parent alone, so
/// the same bodies go into a database of the shared engine, which can be asked.
fn dump(embedded: &Bygone) -> Vec<u8> {
    let bygone = Bygone::start();
    let folder = support::recording_a();
    bygone.post_all(
        support::read(&folder, "bodies.jsonl")
            .lines()
            .map(str::to_owned),
    );
    let text = support::sql(
        &bygone.database,
        "SELECT * REPLACE (hex(container_id) AS container_id) FROM facts FORMAT JSONEachRow",
    );
    for what in ["containers", "pods"] {
        assert_eq!(
            bygone.rows(&[what]),
            embedded.rows(&[what]),
            "embedded or not"
        );
    }
    text.into_bytes()
}

pub fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = path.symlink_metadata().expect("metadata");
        if kind.is_dir() {
            files_below(&path, files);
        } else if kind.is_file() {
            files.push(path);
        }
    }
}
