//! `bygone import` and `[[files]]`: a log file gives the answers of the webhook, once, however often it is read, under
//! whatever name, and wherever its reader was killed.

mod bad;
mod follow;
mod large;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::support::{
    self, BYGONE, Bygone, Random, environment, new_database, on_shared, plain, recording_a, run,
    setting, stderr, stdout, wait_for,
};
use crate::truth::{self, RECORDING_A_REMOVALS_MISSED};

/// The recording as an API server logged it, in this many files.
fn parts(count: usize) -> Vec<String> {
    let log = support::read(&recording_a(), "audit.log");
    let lines: Vec<&str> = log.lines().collect();
    let from = |part: usize| part * lines.len() / count;
    let part = |part: usize| lines[from(part)..from(part + 1)].join("\n") + "\n";
    (0..count).map(part).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn events(text: &str) -> usize {
    text.lines().count()
}

/// `bygone import` into a bygone that runs.
fn import(into: &Bygone, args: &[&str]) -> Output {
    run(&mut import_command(into, args))
}

fn import_command(into: &Bygone, args: &[&str]) -> Command {
    let mut command = plain(BYGONE);
    command
        .args(["import", "--cluster", "demo", "--data-dir"])
        .arg(into.data_dir())
        .args(args);
    command
}

#[track_caller]
fn summary(output: &Output) -> String {
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{}",
        stderr(output)
    );
    stdout(output).trim().to_owned()
}

fn path(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Plain, gzip in two members, and zstd; again, renamed and packed, there is nothing new.
#[test]
fn files_give_the_answers_of_the_webhook() {
    let bygone = Bygone::start();
    let folder = tempfile::tempdir().unwrap();
    let parts = parts(3);
    let all: usize = parts.iter().map(|part| events(part)).sum();
    std::fs::write(path(&folder, "audit.log"), &parts[0]).unwrap();
    let (head, rest) = parts[1].split_at(parts[1].len() / 2);
    let members = [gzip(head.as_bytes()), gzip(rest.as_bytes())].concat();
    std::fs::write(path(&folder, "audit-1.log.gz"), members).unwrap();
    let packed = zstd::encode_all(parts[2].as_bytes(), 1).unwrap();
    std::fs::write(path(&folder, "old"), packed).unwrap();

    let first = import(&bygone, &[text(folder.path())]);
    let said = summary(&first);
    assert!(
        said.starts_with(&format!("imported {all} events of ")),
        "{said}"
    );
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "imported",
        RECORDING_A_REMOVALS_MISSED,
    );

    let again = import(&bygone, &[text(folder.path())]);
    let expected = "imported 0 events of 0 pods from 0 files; 3 files had nothing new, 0 parts rejected, 0 files failed";
    assert_eq!(summary(&again), expected, "{}", stderr(&again));

    // A rotation.
    std::fs::remove_file(path(&folder, "audit.log")).unwrap();
    std::fs::write(path(&folder, "audit-0.log.gz"), gzip(parts[0].as_bytes())).unwrap();
    let rotated = import(&bygone, &[text(folder.path())]);
    assert!(
        summary(&rotated).starts_with("imported 0 events of 0 pods from 1 file;"),
        "{}",
        stderr(&rotated)
    );

    // And more of it.
    std::fs::write(path(&folder, "audit.log"), parts[0].clone() + &parts[1]).unwrap();
    let more = import(&bygone, &[text(&path(&folder, "audit.log"))]);
    let expected = format!("imported {} events of ", events(&parts[1]));
    assert!(summary(&more).starts_with(&expected), "{}", stderr(&more));
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "imported again",
        RECORDING_A_REMOVALS_MISSED,
    );
}

/// What is written while a file is read is imported then, or the next time.
#[test]
fn a_file_that_grows_while_it_is_read() {
    let bygone = Bygone::start();
    let folder = tempfile::tempdir().unwrap();
    let log = path(&folder, "audit.log");
    let all = parts(1).concat();
    let (begin, rest) = all.split_at(all.len() / 4);
    std::fs::write(&log, begin).unwrap();
    let mut child = import_command(&bygone, &[text(&log)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut file = OpenOptions::new().append(true).open(&log).unwrap();
    // In pieces that end anywhere.
    for piece in rest.as_bytes().chunks(1_000) {
        file.write_all(piece).unwrap();
    }
    assert!(wait_for("its end", || child.try_wait().unwrap()).success());
    let first = summary(&child.wait_with_output().unwrap());
    let again = import(&bygone, &[text(&log)]);
    let imported = |said: &str| {
        let count = said.split(' ').nth(1).expect("a number");
        count.parse::<usize>().expect("a number")
    };
    assert_eq!(
        imported(&first) + imported(&summary(&again)),
        events(&all),
        "{first}, {}",
        stderr(&again)
    );
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "grown",
        RECORDING_A_REMOVALS_MISSED,
    );
}

/// Where none runs, the command is a bygone until it is done.
#[test]
fn without_a_running_bygone() {
    let database = new_database();
    let applied = run(&mut on_shared(&database, &["schema", "apply"]));
    assert!(applied.status.success(), "{}", stderr(&applied));
    let folder = tempfile::tempdir().unwrap();
    let log = path(&folder, "audit.log");
    std::fs::write(&log, parts(1).concat()).unwrap();
    let data = path(&folder, "data");
    let args = [
        "import",
        "--cluster",
        "demo",
        "--data-dir",
        text(&data),
        text(&log),
    ];
    let first = run(&mut on_shared(&database, &args));
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(
        stderr(&first).contains("importing without one"),
        "{}",
        stderr(&first)
    );
    let stdin = run(on_shared(
        &database,
        &[
            "import",
            "--cluster",
            "demo",
            "--data-dir",
            text(&data),
            "-",
        ],
    )
    .stdin(Stdio::from(File::open(&log).unwrap())));
    assert!(summary(&stdin).starts_with(&format!("imported {} events", events(&parts(1)[0]))));
    let bygone = Bygone::start_with(database.clone(), &environment(&database), &[]);
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "imported alone",
        RECORDING_A_REMOVALS_MISSED,
    );
}

/// Killed at random points while there is more to import each time: every other time as soon as a position was committed.
#[test]
fn killed_and_resumed() {
    const FILES_PER_KILL: usize = 3;
    let bygone = Bygone::start();
    let folder = tempfile::tempdir().unwrap();
    let kills = setting("BYGONE_KILLS", 20) as usize;
    let mut parts = parts(kills * FILES_PER_KILL).into_iter().enumerate();
    let mut random = Random(setting("BYGONE_SEED", 1));
    let read = || {
        support::number(
            &bygone.database,
            "SELECT sum(position) FROM positions FINAL",
        )
    };
    let mut alive = 0;
    for kill in 0..kills {
        for (number, part) in parts.by_ref().take(FILES_PER_KILL) {
            let packed = match number % 2 {
                0 => part.into_bytes(),
                _ => gzip(part.as_bytes()),
            };
            std::fs::write(path(&folder, &format!("audit-{number}.log")), packed).unwrap();
        }
        let before = read();
        let mut child = import_command(&bygone, &[text(folder.path())])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let life = match kill % 2 {
            0 => Duration::ZERO,
            _ => Duration::from_millis(random.below(4_000)),
        };
        let end = Instant::now() + life;
        wait_for("the end of this life", || {
            let is_time = kill % 2 == 1 && Instant::now() >= end;
            let is_committed = kill % 2 == 0 && read() > before;
            let is_over = is_time || is_committed || child.try_wait().unwrap().is_some();
            is_over.then_some(())
        });
        alive += u64::from(child.try_wait().unwrap().is_none());
        // It may have ended already.
        _ = child.kill();
        child.wait().unwrap();
    }
    assert!(alive > 0, "every kill came too late");
    let last = import(&bygone, &[text(folder.path())]);
    assert_eq!(last.status.code(), Some(0), "{}", stderr(&last));
    println!(
        "{alive} of {kills} kills while it worked; {}",
        summary(&last)
    );
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "killed",
        RECORDING_A_REMOVALS_MISSED,
    );
    let again = import(&bygone, &[text(folder.path())]);
    let expected = format!("; {} files had nothing new", kills * FILES_PER_KILL);
    assert!(summary(&again).contains(&expected), "{}", stderr(&again));
}

/// A position is never ahead of what can be queried.
#[test]
fn a_position_waits_for_clickhouse() {
    let bygone = Bygone::start();
    let folder = tempfile::tempdir().unwrap();
    let log = path(&folder, "audit.log");
    std::fs::write(&log, parts(1).concat()).unwrap();
    // Nothing can be stored for a while.
    support::sql(&bygone.database, "RENAME TABLE recent_pods TO away");
    let mut command = import_command(&bygone, &[text(&log)]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("facts", || {
        let facts = support::number(&bygone.database, "SELECT count() FROM facts");
        (facts > 0).then_some(())
    });
    let positions = support::number(
        &bygone.database,
        "SELECT count() FROM positions WHERE position > 0",
    );
    assert_eq!(positions, 0);
    assert!(child.try_wait().unwrap().is_none());
    support::sql(&bygone.database, "RENAME TABLE away TO recent_pods");
    let status = wait_for("the end of the import", || child.try_wait().unwrap());
    assert!(status.success());
    let size = std::fs::metadata(&log).unwrap().len();
    let position = support::number(&bygone.database, "SELECT position FROM positions FINAL");
    assert_eq!(position, size);
    truth::answers_equal(
        &recording_a(),
        &bygone,
        "after an outage",
        RECORDING_A_REMOVALS_MISSED,
    );
}
