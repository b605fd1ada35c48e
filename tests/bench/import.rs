//! `bygone import` of a large log: events per CPU second from the file to rows that ClickHouse has confirmed, beside a bare
//! `serde_json::Value` of each line, and `jq -c .auditID` where there is one, in the same run.
//!
//!     cargo bench --bench import                          256 MiB in one file, then two such files
//!     BYGONE_IMPORT_MIB=1024 cargo bench --bench import   another size
//!
//! The file is the recording in fixtures/ over and over, each time with other pods. CPU is that of the import's own
//! process; ClickHouse's is not in it. Reading alone (`--dry-run`) is measured too. Rounds alternate.

#![allow(dead_code, reason = "parts of the tests' own support")]
#![allow(clippy::unwrap_used, reason = "as in tests")]

#[path = "process.rs"]
mod process;
#[path = "../it/support.rs"]
mod support;

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use process::thread_cpu;
use support::{cpu_time, made_log, new_database, on_shared, run, setting, wait_longer_for};

const ROUNDS: usize = 3;

/// CPU and wall time.
type Took = (Duration, Duration);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let size = setting("BYGONE_IMPORT_MIB", 256) << 20;
    let files = ["one.log", "two.log"].map(|name| folder.path().join(name));
    let (mut events, mut first) = (0, 0);
    for file in &files {
        let (count, times) = made_log::write(&support::recording_a(), file, size, first);
        (events, first) = (count, first + times);
    }
    let bytes = std::fs::metadata(&files[0]).unwrap().len();
    println!("{:.1} MB, {events} events", bytes as f64 / 1e6);
    let print = |name: &str, files: u64, (cpu, wall): Took| {
        let per = |time: Duration| (events * files) as f64 / time.as_secs_f64();
        println!(
            "  {name:<22} {:>9.0} events per CPU second, {:>9.0} per second, {:>5.0} MB/s",
            per(cpu),
            per(wall),
            (bytes * files) as f64 / 1e6 / wall.as_secs_f64()
        );
    };
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let ours = import(&files[..1], &[]);
        let value = value(&files[0]);
        print("import", 1, ours);
        print("import --dry-run", 1, import(&files[..1], &["--dry-run"]));
        print("serde_json::Value", 1, value);
        let both = import(&files, &[]);
        print("import of two files", 2, both);
        ratios.push((
            value.0.div_duration_f64(ours.0),
            2.0 * ours.1.div_duration_f64(both.1),
        ));
    }
    match jq(&files[0]) {
        Some(took) => print("jq -c .auditID", 1, took),
        None => println!("  jq is not installed"),
    }
    for (ratio, two) in ratios {
        println!(
            "{ratio:.1} times the events per CPU second of Value; two files at {two:.2} times the speed of one"
        );
    }
}

/// Into a database of its own.
fn import(files: &[PathBuf], more: &[&str]) -> Took {
    let database = new_database();
    assert!(
        run(&mut on_shared(&database, &["schema", "apply"]))
            .status
            .success()
    );
    let data = tempfile::tempdir().unwrap();
    let data_dir = data.path().join("data");
    let mut command = on_shared(&database, &["import", "--cluster", "demo"]);
    command
        .args(more)
        .arg("--data-dir")
        .arg(data_dir)
        .args(files);
    took(&mut command)
}

fn took(command: &mut Command) -> Took {
    let begun = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut cpu = Duration::ZERO;
    let status = wait_longer_for("the end", Duration::from_secs(3_600), || {
        let is_alive = support::memory_bytes(child.id(), "VmHWM:").is_some();
        if is_alive {
            cpu = cpu_time(child.id());
        }
        child.try_wait().unwrap()
    });
    assert!(status.success());
    (cpu, begun.elapsed())
}

fn value(file: &Path) -> Took {
    let (cpu, begun) = (thread_cpu(), Instant::now());
    let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(file).unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        black_box(serde_json::from_slice::<serde_json::Value>(&line).unwrap());
        line.clear();
    }
    (thread_cpu() - cpu, begun.elapsed())
}

fn jq(file: &Path) -> Option<Took> {
    Command::new("jq").arg("--version").output().ok()?;
    Some(took(Command::new("jq").args(["-c", ".auditID"]).arg(file)))
}
