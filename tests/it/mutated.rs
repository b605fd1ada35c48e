//! What the fuzz targets of `fuzz/` check, over their seeds and a few thousand mutations of them: the
//! same checks, without a fuzzer's search.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::Random;

#[path = "../../fuzz/targets/checks/config.rs"]
mod config;
#[path = "../../fuzz/targets/checks/spool.rs"]
mod spool;
#[path = "../../fuzz/targets/checks/stored.rs"]
pub mod stored;
#[path = "../../fuzz/targets/checks/webhook.rs"]
mod webhook;

/// No input may take longer, on a busy machine with a debug build.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

/// Pieces that a mutation puts in.
const PIECES: [&[u8]; 21] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"null",
    b"1e999",
    b"\\ud800",
    b"\xff",
    b"\"items\":[",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"-9223372036854775809",
    b"auditID",
    b"\0",
    b"\xef\xbb\xbf",
    b"\n2026-11-28T09:00:00Z stdout P ",
    b"{\"log\":\"",
];

fn check(seeds: fn(&Path) -> Vec<Vec<u8>>, check: fn(&[u8]), mutations: u64) {
    let seeds = seeds(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut random = Random(1);
    for seed in &seeds {
        check_one(check, seed);
    }
    for _ in 0..mutations {
        let mut input = seeds[random.below(seeds.len() as u64) as usize].clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &seeds, &mut random);
        }
        check_one(check, &input);
    }
}

fn check_one(check: fn(&[u8]), input: &[u8]) {
    let begun = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| check(input)));
    let shown = String::from_utf8_lossy(input);
    assert!(
        done.is_ok(),
        "this input, of {} bytes: {shown}",
        input.len()
    );
    let took = begun.elapsed();
    assert!(took < INPUT_TIME_MAX, "{took:?} for {shown}");
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() as u64 + 1) as usize;
    let length = random.below(40) as usize;
    let end = (at + length).min(input.len());
    match random.below(6) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 => input.truncate(at),
        2 => _ = input.drain(at..end),
        3 => input.extend_from_within(at..end),
        4 => {
            let piece = PIECES[random.below(PIECES.len() as u64) as usize];
            input.splice(at..at, piece.iter().copied());
        }
        _ => {
            let other = &seeds[random.below(seeds.len() as u64) as usize];
            let from = random.below(other.len() as u64 + 1) as usize;
            input.splice(at..end, other[from..].iter().take(200).copied());
        }
    }
}

#[test]
fn webhook_bodies() {
    check(webhook::seeds, webhook::check, 3000);
}

#[test]
fn values_of_etcd() {
    check(stored::seeds, stored::check, 10_000);
}

#[test]
fn spool_files() {
    check(spool::seeds, spool::check, 1000);
}

#[test]
fn configuration_files() {
    check(config::seeds, config::check, 2000);
}
