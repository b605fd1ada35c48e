//! Decode + lifecycle + row encoding over a recording's bodies on one core, beside
//! `serde_json::Value` of the same bytes in the same run.
//!
//!     cargo bench --bench decode                              the recording in fixtures/
//!     TEST_CORPUS=path/to/corpus cargo bench --bench decode every recording there
//!
//! Prints MB/s and events/s of both, and their ratio in each of the rounds, which alternate.

mod recording;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;

fn main() {
    for folder in recordings() {
        let Some(bodies) = recording::bodies(&folder) else {
            continue;
        };
        compare(
            &folder.file_name().unwrap_or_default().to_string_lossy(),
            &bodies,
        );
    }
}

/// The fixture, or the folders of `TEST_CORPUS`.
fn recordings() -> Vec<PathBuf> {
    let Some(corpus) = std::env::var_os("TEST_CORPUS") else {
        println!("TEST_CORPUS is not set: only the recording in fixtures/ is measured");
        return vec![PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/recording-a"
        ))];
    };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.expect("the corpus can be listed").path())
        .collect();
    folders.sort();
    folders
}

fn compare(name: &str, bodies: &[Vec<u8>]) {
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let events = recording::events(bodies);
    let mut ours = Vec::new();
    let mut values = Vec::new();
    for _ in 0..ROUNDS {
        ours.push(timed(|| {
            bodies
                .iter()
                .for_each(|body| _ = black_box(recording::facts(black_box(body))))
        }));
        values.push(timed(|| {
            bodies
                .iter()
                .for_each(|body| _ = black_box(value(black_box(body))))
        }));
    }
    let mut ratios: Vec<f64> = ours
        .iter()
        .zip(&values)
        .map(|(ours, value)| value.div_duration_f64(*ours))
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "{name}: {} bodies, {:.1} MB, {events} events",
        bodies.len(),
        bytes as f64 / 1e6
    );
    print_speed("decode + lifecycle + rows", &mut ours, bytes, events);
    print_speed("serde_json::Value", &mut values, bytes, events);
    println!(
        "  ratio                      {:.1} (median of {ROUNDS}; {:.1} to {:.1})",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
}

fn value(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice(body).expect("a recording is JSON")
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn print_speed(name: &str, times: &mut [Duration], bytes: usize, events: usize) {
    times.sort();
    let seconds = times[ROUNDS / 2].as_secs_f64();
    println!(
        "  {name:<26} {:>6.0} MB/s {:>9.0} events/s (median of {ROUNDS})",
        bytes as f64 / 1e6 / seconds,
        events as f64 / seconds
    );
}
