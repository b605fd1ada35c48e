//! `bygone import` of a large log, beside a bare `serde_json::Value` of each line, and `jq -c .auditID` where there is one,
//! in the same run.
//!
//!     cargo bench --bench import                          256 MiB in one file, then two such files
//!     BYGONE_IMPORT_MIB=1024 cargo bench --bench import   another size
//!
//! The file is the recording in fixtures/ over and over, each time with other pods. What is measured:
//!
//! - `--dry-run`: reading, cutting, decoding and facts. Its CPU is compared with that of the Value loop.
//! - The import, from the file to rows that ClickHouse has confirmed: CPU of its own process, and that of the engine apart.
//! - Two files beside one, by the clock: one on one core, two on all.
//!
//! Rounds alternate.

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
use support::{
    BYGONE, cpu_time, environment, made_log, new_database, on_shared, plain, run, setting, shared,
    wait_longer_for,
};

const ROUNDS: usize = 3;

/// Runs what follows on the first core alone.
const ONE_CORE: &[&str] = &["taskset", "-c", "0"];

#[derive(Clone, Copy, Default)]
struct Took {
    cpu: Duration,
    wall: Duration,
    /// CPU of ClickHouse.
    engine: Duration,
}

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
    let print = |name: &str, files: u64, Took { cpu, wall, engine }: Took| {
        let per = |time: Duration| (events * files) as f64 / time.as_secs_f64();
        let megabytes = |time: Duration| (bytes * files) as f64 / 1e6 / time.as_secs_f64();
        println!(
            "  {name:<28} {:>5.0} MB and {:>7.0} events per CPU second; {:>5.0} MB/s by the clock; engine {:.1} s of CPU",
            megabytes(cpu),
            per(cpu),
            megabytes(wall),
            engine.as_secs_f64()
        );
    };
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let value = value(&files[0]);
        let dry = import(&files[..1], &["--dry-run"], ONE_CORE);
        let dry_two = import(&files, &["--dry-run"], &[]);
        let ours = import(&files[..1], &[], ONE_CORE);
        let two = import(&files, &[], &[]);
        print("serde_json::Value", 1, value);
        print("--dry-run, one core", 1, dry);
        print("--dry-run of two files", 2, dry_two);
        print("import, one core", 1, ours);
        print("import of two files", 2, two);
        let cpu = |took: Took| value.cpu.div_duration_f64(took.cpu);
        let faster = |one: Took, two: Took| 2.0 * one.wall.div_duration_f64(two.wall);
        ratios.push([cpu(dry), cpu(ours), faster(dry, dry_two), faster(ours, two)]);
    }
    match jq(&files[0]) {
        Some(took) => print("jq -c .auditID", 1, took),
        None => println!("  jq is not installed"),
    }
    for [dry, ours, dry_two, two] in ratios {
        println!(
            "events per CPU second of Value: {dry:.1} times by --dry-run, {ours:.1} times by the import; \
             two files at {dry_two:.2} and {two:.2} times the speed of one"
        );
    }
}

/// Into a database of its own. `by` is the program that starts it, if there is one.
fn import(files: &[PathBuf], more: &[&str], by: &[&str]) -> Took {
    let database = new_database();
    assert!(
        run(&mut on_shared(&database, &["schema", "apply"]))
            .status
            .success()
    );
    let data = tempfile::tempdir().unwrap();
    let mut command = match by {
        [] => plain(BYGONE),
        [program, args @ ..] => {
            let mut command = plain(program);
            command.args(args).arg(BYGONE);
            command
        }
    };
    command
        .envs(environment(&database))
        .args(["import", "--cluster", "demo"])
        .args(more)
        .arg("--data-dir")
        .arg(data.path().join("data"))
        .args(files);
    let engine = cpu_time(shared().pid());
    let took = took(&mut command);
    let engine = cpu_time(shared().pid()) - engine;
    Took { engine, ..took }
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
    Took {
        cpu,
        wall: begun.elapsed(),
        ..Took::default()
    }
}

fn value(file: &Path) -> Took {
    let (cpu, begun) = (thread_cpu(), Instant::now());
    let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(file).unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        black_box(serde_json::from_slice::<serde_json::Value>(&line).unwrap());
        line.clear();
    }
    Took {
        cpu: thread_cpu() - cpu,
        wall: begun.elapsed(),
        ..Took::default()
    }
}

fn jq(file: &Path) -> Option<Took> {
    Command::new("jq").arg("--version").output().ok()?;
    Some(took(Command::new("jq").args(["-c", ".auditID"]).arg(file)))
}
