//! No secret, of the recording or made up, is in any byte that bygone wrote or said.

mod made_up;

use std::path::{Path, PathBuf};

use crate::support::{self, Bygone, json_lines};

/// Everything that text can get into.
const TABLES: [&str; 6] = [
    "facts",
    "said",
    "recent_pods",
    "recent_containers",
    "session_events",
    "dead_letters",
];

#[test]
fn no_secret_is_written() {
    let folder = support::recording_a();
    let mut canaries: Vec<String> = support::read(&folder, "canaries.txt")
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    let recorded = canaries.len();
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
    // What the policy of the recording keeps out, and what a server says when it refuses.
    let events = made_up::events();
    canaries.extend(made_up::canaries(&events));
    assert_eq!(canaries.len() - recorded, made_up::CANARIES);
    bygone.post_all([made_up::list(&events), made_up::unreadable(&events)]);
    bygone.drained();
    let mut said = Vec::new();
    for what in ["containers", "pods", "sessions"] {
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
    let letters: Vec<u8> = files
        .iter()
        .filter(|file| is_dead_letter(file))
        .flat_map(|file| std::fs::read(file).expect("a file"))
        .collect();
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
    // What could not be read is kept raw, and nothing else is.
    for canary in &canaries[recorded..] {
        let unreadable = canary.starts_with(made_up::UNREADABLE);
        assert_eq!(contains(&letters, canary), unreadable, "{canary}");
    }
    // The search finds what is there: the name of a pod is in the same answers.
    let pod = &json_lines(&folder, "truth-pods.jsonl")[0]["name"];
    assert!(contains(&said, pod.as_str().expect("a name")));
}

/// With `dead_letters.keep = false` not even what could not be read is kept.
#[test]
fn nothing_is_kept_where_nothing_may_be() {
    let set = [
        ("BYGONE_DEAD_LETTERS_KEEP", "false"),
        ("BYGONE_LOG", "trace"),
    ];
    let mut bygone = Bygone::start_set(&set);
    let events = made_up::events();
    bygone.post_all([made_up::list(&events), made_up::unreadable(&events)]);
    bygone.drained();
    let mut said = bygone.metrics().into_bytes();
    for table in TABLES {
        let rows = format!("SELECT * FROM {table} FORMAT RowBinary");
        said.extend(support::bytes(&bygone.database, &rows));
    }
    let letters = support::sql(&bygone.database, "SELECT count() FROM dead_letters");
    assert_eq!(letters.trim(), events.len().to_string());
    assert!(
        contains(&said, made_up::POD),
        "the search finds what is there"
    );
    assert!(bygone.stop().success(), "{}", bygone.log());
    let mut files = Vec::new();
    files_below(bygone.folder.path(), &mut files);
    let mut written = Vec::new();
    for file in &files {
        written.extend(std::fs::read(file).expect("a file"));
    }
    assert!(contains(&written, made_up::POD), "the spool is there");
    for canary in made_up::canaries(&events) {
        assert!(!contains(&said, &canary), "{canary} was said");
        assert!(!contains(&written, &canary), "{canary} was written");
    }
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
    let events = made_up::events();
    let recorded = support::read(&folder, "bodies.jsonl");
    let recorded = recorded.lines().map(str::to_owned);
    bygone.post_all(recorded.chain([made_up::list(&events), made_up::unreadable(&events)]));
    bygone.drained();
    let mut dumped = Vec::new();
    for table in TABLES {
        let rows = format!("SELECT * FROM {table} FORMAT RowBinary");
        dumped.extend(support::bytes(&bygone.database, &rows));
    }
    for what in ["containers", "pods", "sessions"] {
        assert_eq!(
            bygone.rows(&[what]),
            embedded.rows(&[what]),
            "embedded or not"
        );
    }
    dumped
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
