//! A file that is larger than any memory: what the import holds of it.
//!
//!     BYGONE_IMPORT_MIB=5120 cargo test --test it import::large -- --ignored --nocapture

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{path, text};
use crate::support::{
    cpu_time, made_log, memory_bytes, new_database, number, on_shared, recording_a, run, setting,
    stderr, wait_longer_for,
};

/// Memory that the process has taken, as `Bygone::rss_bytes` counts it.
const RSS_BYTES_MAX: u64 = 192 << 20;

#[test]
#[ignore = "minutes and gigabytes: BYGONE_IMPORT_MIB says how many"]
fn memory_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let log = path(&folder, "audit.log");
    let size = setting("BYGONE_IMPORT_MIB", 256) << 20;
    let (events, _) = made_log::write(&recording_a(), &log, size, 0);
    let database = new_database();
    let applied = run(&mut on_shared(&database, &["schema", "apply"]));
    assert!(applied.status.success(), "{}", stderr(&applied));
    let data = path(&folder, "data");
    let args = [
        "import",
        "--cluster",
        "demo",
        "--data-dir",
        text(&data),
        text(&log),
    ];
    let begun = Instant::now();
    let mut child = on_shared(&database, &args)
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let (mut highest, mut cpu) = (0, Duration::ZERO);
    let status = wait_longer_for("the end", Duration::from_secs(7_200), || {
        if let Some(bytes) = memory_bytes(child.id(), "RssAnon:") {
            (highest, cpu) = (highest.max(bytes), cpu_time(child.id()));
        }
        child.try_wait().unwrap()
    });
    assert!(status.success());
    let size = std::fs::metadata(&log).unwrap().len();
    assert_eq!(
        number(&database, "SELECT position FROM positions FINAL"),
        size
    );
    println!(
        "{} MiB, {events} events: {} MiB at most, {:.1} s of CPU ({:.0} events/s of it), {:.1} s",
        size >> 20,
        highest >> 20,
        cpu.as_secs_f64(),
        events as f64 / cpu.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    assert!(highest <= RSS_BYTES_MAX, "{} MiB", highest >> 20);
}
