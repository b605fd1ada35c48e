//! A watch of 10,000 pods: CPU and memory of bygone, beside kube's own `watcher` that does nothing with the objects.
//!
//!     cargo bench --bench watch                                  10,000 pods, 20,000 changes
//!     BYGONE_PODS=1000 BYGONE_EVENTS=5000 cargo bench --bench watch
//!
//! Both watch the same server of this bench, in turn, three rounds each, in processes of their own: first a list in pages
//! of 500, then 50 changes at a time, forty times a second. kube's watcher is a package of its own, `watcher`, which is
//! built when this begins. The pods are those of the recording in fixtures/, with what
//! `managedFields` and a template usually hold. CPU is that of the process, user and system. bygone's ends when ClickHouse
//! has the rows that people read, so it contains their facts, the spool and the fold; the engine is another process.

#![allow(dead_code, reason = "parts of the tests' own support")]
#![allow(clippy::unwrap_used, reason = "as in tests")]

mod figures;
mod process;

#[path = "watch/server.rs"]
mod server;
#[path = "../it/support.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use figures::Spread;
use process::{Cpu, peak_rss_bytes};
use server::Server;
use support::{Bygone, memory_bytes, setting, wait_longer_for};

const ROUNDS: usize = 3;

/// How often bygone is asked how far it is: each answer costs it CPU.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What one of the two needed.
#[derive(Clone, Copy)]
struct Need {
    list: Duration,
    changes: Duration,
    /// After the list, and at most.
    memory_bytes: u64,
    peak_bytes: u64,
}

fn main() {
    let changes = setting("BYGONE_EVENTS", 20_000) as usize;
    let pods = setting("BYGONE_PODS", 10_000) as usize;
    let server = Server::start(pods);
    println!(
        "{pods} pods of {:.1} KB, {changes} changes",
        server.pod_bytes() as f64 / 1e3
    );
    let rounds: Vec<(Need, Need)> = (0..ROUNDS)
        .map(|_| (kube(&server, changes), bygone(&server, pods, changes)))
        .collect();
    let print = |name: &str, of: fn(&(Need, Need)) -> Need| {
        let all = || rounds.iter().map(of);
        println!("{name}");
        let list = all().map(|need| need.list.as_secs_f64() * 1e6 / pods as f64);
        println!("  list      {:.1} us of CPU per pod", Spread::of(list));
        let each = all().map(|need| need.changes.as_secs_f64() * 1e6 / changes as f64);
        println!("  changes   {:.1} us of CPU each", Spread::of(each));
        let memory = all().map(|need| need.memory_bytes as f64 / 1e6);
        let peak = all().map(|need| need.peak_bytes as f64 / 1e6);
        println!(
            "  memory    {:.1} MB after the list, {:.1} MB at most",
            Spread::of(memory),
            Spread::of(peak)
        );
    };
    print("kube's watcher, doing nothing", |(kube, _)| *kube);
    print("bygone, until rows are stored", |(_, bygone)| *bygone);
    let ratio =
        |of: fn(Need) -> f64| Spread::of(rounds.iter().map(|(kube, ours)| of(*ours) / of(*kube)));
    println!("bygone by kube's watcher");
    println!("  list      {:.2}", ratio(|need| need.list.as_secs_f64()));
    println!(
        "  changes   {:.2}",
        ratio(|need| need.changes.as_secs_f64())
    );
    println!("  peak      {:.2}", ratio(|need| need.peak_bytes as f64));
}

fn bygone(server: &Server, pods: usize, changes: usize) -> Need {
    let config = format!(
        "[[watch]]\ncluster = \"bench\"\naddress = \"{}\"\n",
        server.url()
    );
    let folder = tempfile::tempdir().unwrap();
    let bygone = Bygone::start_configured(&config, folder);
    let pid = bygone.pid();
    let seen = |count: usize| {
        let minutes = Duration::from_secs(600);
        wait_longer_for("all objects", minutes, || {
            let metrics = bygone.metrics();
            let name = "bygone_watch_objects_total{cluster=\"bench\",resource=\"pods\"} ";
            let value = metrics.lines().find_map(|line| line.strip_prefix(name))?;
            if value.parse::<usize>().ok()? >= count {
                return Some(());
            }
            std::thread::park_timeout(LOOK_EVERY);
            None
        });
        bygone.drained_within(minutes);
    };
    seen(pods);
    server.wait_for_watch();
    let listed = Cpu::of(pid);
    let memory_bytes = memory_bytes(pid, "VmRSS:").unwrap();
    server.change(changes);
    seen(pods + changes);
    Need {
        list: listed.total(),
        changes: (Cpu::of(pid) - listed).total(),
        memory_bytes,
        peak_bytes: peak_rss_bytes(pid),
    }
}

fn kube(server: &Server, changes: usize) -> Need {
    let mut child = Command::new(watcher())
        .args([server.url(), changes.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "listed");
    server.wait_for_watch();
    let listed = Cpu::of(pid);
    let memory_bytes = memory_bytes(pid, "VmRSS:").unwrap();
    server.change(changes);
    assert_eq!(lines.next().unwrap().unwrap(), "changed");
    let need = Need {
        list: listed.total(),
        changes: (Cpu::of(pid) - listed).total(),
        memory_bytes,
        peak_bytes: peak_rss_bytes(pid),
    };
    end(child);
    need
}

/// The program with kube's watcher (tests/bench/watcher), which is built if it has changed.
fn watcher() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/watcher");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--release"]);
    let built = build.current_dir(&package).status().unwrap();
    assert!(built.success(), "kube's watcher was not built");
    package.join("target/release/watcher")
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}
