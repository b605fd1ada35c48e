//! From the start of the process to its first 200 of `/readyz`, beside a ClickHouse that runs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bygone::rows::FACTS;
use bygone::spool::{Batch, Config, Part, Shape, Spool};

use crate::figures::{Goal, Spread};
use crate::recording::EncodedFacts;
use crate::support::{self, Bygone, block_on};
use crate::{disk, guard};

const EMPTY_STARTS: usize = 9;
const FULL_STARTS: usize = 5;
const EMPTY_MS: Goal = Goal::AtMost(100.0);
const FULL_MS: Goal = Goal::AtMost(1000.0);

/// How long a start may take before this gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRY_WAIT: Duration = Duration::from_millis(1);

pub fn measure(rows: &[EncodedFacts]) {
    let mut bygone = Bygone::start_args(&[], &guard::arguments());
    println!("\nstart to ready, ms");
    assert!(bygone.stop().success(), "{}", bygone.log());
    let empty = Spread::of((0..EMPTY_STARTS).map(|_| start(&mut bygone)));
    println!(
        "  empty spool                {empty:.0} {}",
        EMPTY_MS.held_by(empty)
    );
    let gigabytes = support::setting("BYGONE_BENCH_SPOOL_GB", 10);
    if gigabytes == 0 {
        println!("  full spool                 SKIPPED: BYGONE_BENCH_SPOOL_GB is 0");
        return;
    }
    let spool = bygone.data_dir().join("spool");
    let (bytes, took) = block_on(fill(&spool, rows, gigabytes * 1_000_000_000));
    println!(
        "  {:.2} GB of the recording's rows were spooled in {:.0} s",
        bytes as f64 / 1e9,
        took.as_secs_f64()
    );
    let full = Spread::of((0..FULL_STARTS).map(|_| {
        disk::forget_cached(&spool).expect("the page cache is dropped");
        start(&mut bygone)
    }));
    println!(
        "  full spool, not in cache   {full:.0} {}",
        FULL_MS.held_by(full)
    );
}

/// Starts it and kills it when it is ready. In milliseconds.
fn start(bygone: &mut Bygone) -> f64 {
    let begun = Instant::now();
    bygone.spawn_again();
    let ready = format!("{}/readyz", bygone.api);
    let asked = block_on(async {
        let client = support::client();
        loop {
            if let Ok(answer) = client.get(&ready).send().await {
                return answer.status();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not start");
            tokio::time::sleep(RETRY_WAIT).await;
        }
    });
    let took = begun.elapsed();
    assert_eq!(asked, 200, "{}", bygone.log());
    bygone.kill();
    took.as_secs_f64() * 1e3
}

/// Fills the spool by its own writer with the rows of the recording, again and again, as they would
/// be there after ClickHouse had been away for long.
async fn fill(folder: &Path, rows: &[EncodedFacts], bytes: u64) -> (u64, Duration) {
    let begun = Instant::now();
    let shape = Arc::new(Shape {
        table: FACTS.name.to_owned(),
        columns: FACTS.columns.iter().map(|&name| name.to_owned()).collect(),
        columns_version: FACTS.columns_version,
    });
    let batches: Vec<Batch> = rows
        .iter()
        .filter(|facts| !facts.is_empty())
        .map(|facts| Batch {
            parts: vec![Part {
                shape: shape.clone(),
                rows: facts.rows() as u32,
                bytes: facts.bytes().to_vec().into(),
            }],
        })
        .collect();
    let (spool, _reader) = Spool::open(folder, Config::default(), |_| {}).expect("the spool opens");
    while spool.stats().bytes < bytes {
        // Those that wait together share a frame.
        let appends = batches.iter().map(|batch| spool.append(batch.clone()));
        for appended in futures_util::future::join_all(appends).await {
            appended.expect("there is room");
        }
    }
    spool.close().await;
    (spool.stats().bytes, begun.elapsed())
}
