//! Files that are written, rotated and truncated while `[[files]]` follows them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{gzip, import_command, parts, path, text};
use crate::support::{
    BYGONE, Bygone, plain, recording_a, run, setting, stdout, wait_for, wait_longer_for,
};
use crate::truth::{self, RECORDING_A_REMOVALS_MISSED};

/// How a log is rotated.
#[derive(Clone, Copy, Debug)]
enum Method {
    /// As the API server does it.
    Rename,
    RenameAndPack,
    CopyTruncate,
}

const CONFIG: &str = "[[files]]\ncluster = \"demo\"\npaths = [\"{dir}/logs/audit.log\"]\n";

/// A bygone that follows a log that is not there yet.
fn following() -> Bygone {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    Bygone::start_configured(CONFIG, folder)
}

fn open(log: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .unwrap()
}

fn rotate(log: &Path, number: usize, method: Method) {
    let folder = log.parent().unwrap();
    match method {
        Method::Rename => {
            std::fs::rename(
                log,
                folder.join(format!("audit-2026-01-01T00-00-{number}.000.log")),
            )
            .unwrap();
        }
        Method::RenameAndPack => {
            let aside = folder.join(format!("audit-2026-01-01T00-00-{number}.000.log"));
            std::fs::rename(log, &aside).unwrap();
            let packed = gzip(&std::fs::read(&aside).unwrap());
            std::fs::write(aside.with_extension("log.gz"), packed).unwrap();
            std::fs::remove_file(&aside).unwrap();
        }
        Method::CopyTruncate => {
            std::fs::copy(log, folder.join(format!("audit.log.{number}"))).unwrap();
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(log)
                .unwrap();
        }
    }
}

/// Writes the recording while the log is rotated so often, and compares the answers.
fn rotated(method: Method) {
    let bygone = following();
    let log = path(&bygone.folder, "logs/audit.log");
    let rotations = setting("BYGONE_ROTATIONS", 100) as usize;
    let parts = parts(rotations + 1);
    assert_eq!(parts.len(), rotations + 1);
    let written: u64 = parts.iter().map(|part| part.lines().count() as u64).sum();
    let mut next = Instant::now();
    for (number, part) in parts.iter().enumerate() {
        let mut file = open(&log);
        // In two halves, cut in the midst of a line.
        let (one, other) = part.as_bytes().split_at(part.len() / 2 + 7);
        file.write_all(one).unwrap();
        file.flush().unwrap();
        next += Duration::from_millis(30);
        wait_for("the next write", || (Instant::now() >= next).then_some(()));
        file.write_all(other).unwrap();
        drop(file);
        if number < rotations {
            rotate(&log, number, method);
        }
    }
    let arrived = "SELECT uniqCombined64Merge(14)(events) FROM event_counts";
    wait_longer_for("all events", Duration::from_secs(120), || {
        let events = crate::support::number(&bygone.database, arrived);
        let letters = crate::support::number(&bygone.database, "SELECT count() FROM dead_letters");
        assert_eq!(letters, 0, "{method:?}");
        // A sketch: within 2 %.
        (events * 100 >= written * 97 && is_up_to_date(&bygone)).then_some(())
    });
    bygone.drained();
    truth::answers_equal(
        &recording_a(),
        &bygone,
        &format!("{method:?}"),
        RECORDING_A_REMOVALS_MISSED,
    );
    println!("{method:?}: {rotations} rotations, {written} events");
}

fn statuses(bygone: &Bygone) -> Vec<Value> {
    let output = run(plain(BYGONE)
        .args(["sources", "status", "-o", "ndjson", "--data-dir"])
        .arg(bygone.data_dir()));
    let all = stdout(&output);
    let all = all
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|status| status["source"] == "file").collect()
}

fn is_up_to_date(bygone: &Bygone) -> bool {
    let statuses = statuses(bygone);
    !statuses.is_empty()
        && statuses
            .iter()
            .all(|status| status["state"] == "up to date")
}

#[test]
fn renamed() {
    rotated(Method::Rename);
}

#[test]
fn renamed_and_packed() {
    rotated(Method::RenameAndPack);
}

#[test]
fn copied_and_truncated() {
    rotated(Method::CopyTruncate);
}

/// Missing, half a line, the rest of it, a restart in between; each is shown.
#[test]
fn what_is_shown() {
    let mut bygone = following();
    let log = path(&bygone.folder, "logs/audit.log");
    let state = |bygone: &Bygone, state: &str| {
        wait_for(state, || {
            let statuses = statuses(bygone);
            let found = statuses.iter().find(|status| status["state"] == state)?;
            Some(found.clone())
        })
    };
    let missing = state(&bygone, "missing");
    assert_eq!(missing["place"], text(&log));
    let part = parts(40).swap_remove(0);
    let (one, other) = part.split_at(part.len() - 50);
    open(&log).write_all(one.as_bytes()).unwrap();
    let waiting = state(&bygone, "waiting for the end of a line");
    let lines = one.rfind('\n').unwrap() as u64 + 1;
    assert_eq!(waiting["position"], lines);
    assert_eq!(waiting["end"], one.len());
    let lag = one.len() as u64 - lines;
    assert_eq!(waiting["lag"], lag);
    // Half a line is no event yet: nothing is late.
    assert_eq!(waiting["oldest_seconds"], Value::Null);
    measured(
        &bygone,
        &format!("bygone_file_lag_bytes{{cluster=\"demo\"}} {lag}\n"),
    );
    let oldest = "bygone_file_oldest_unstored_seconds{cluster=\"demo\"} 0\n";
    measured(&bygone, oldest);
    bygone.kill();
    bygone.spawn_again();
    wait_for("bygone to serve", || bygone.serves().then_some(()));
    open(&log).write_all(other.as_bytes()).unwrap();
    let done = state(&bygone, "up to date");
    assert_eq!(
        (&done["position"], &done["lag"]),
        (&part.len().into(), &0.into())
    );
    measured(&bygone, "bygone_file_lag_bytes{cluster=\"demo\"} 0\n");
    let letters = crate::support::number(&bygone.database, "SELECT count() FROM dead_letters");
    assert_eq!(letters, 0);
}

/// Waits until the metrics have this line.
fn measured(bygone: &Bygone, line: &str) {
    wait_for(line, || bygone.metrics().contains(line).then_some(()));
}

/// `bygone import --follow` does the same, and ends when it is told to.
#[test]
fn followed_by_hand() {
    let bygone = Bygone::start();
    let folder = tempfile::tempdir().unwrap();
    let log = path(&folder, "audit.log");
    std::fs::write(&log, "").unwrap();
    let mut child = import_command(&bygone, &["--follow", text(&log)])
        .spawn()
        .unwrap();
    open(&log).write_all(parts(1).concat().as_bytes()).unwrap();
    let size = std::fs::metadata(&log).unwrap().len();
    wait_for("the position", || {
        let position =
            crate::support::number(&bygone.database, "SELECT max(position) FROM positions");
        (position == size).then_some(())
    });
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "followed",
        RECORDING_A_REMOVALS_MISSED,
    );
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let status = wait_for("its end", || child.try_wait().unwrap());
    assert!(status.success());
}
