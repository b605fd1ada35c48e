//! A run of operations over real files is recorded, with what stood on disk before and after every
//! append. Then every state that a crash could have left, and every kind of damage, is opened and
//! drained. What must hold: no batch comes out that did not go in; what was acknowledged and not
//! confirmed comes out, unless its own bytes were damaged; and then it is reported.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Append(usize),
    /// Takes a batch, and confirms the one in flight with this index.
    Confirm(usize),
    Reopen,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0_usize..120).prop_map(Op::Append),
        3 => (0_usize..4).prop_map(Op::Confirm),
        1 => Just(Op::Reopen),
    ];
    prop::collection::vec(op, 1..24)
}

/// A folder's files.
type Files = BTreeMap<PathBuf, Vec<u8>>;
/// Batches by their sequence.
type Batches = BTreeMap<u64, Vec<u8>>;

fn files(dir: &Path) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().into();
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

fn put(files: &Files) -> tempfile::TempDir {
    let dir = folder();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn is_segment(name: &Path) -> bool {
    name.extension().is_some_and(|ext| ext == "segment")
}

/// A place in the run where a crash may come.
struct Moment {
    before: Files,
    after: Files,
    /// Acknowledged before.
    kept: Batches,
    /// Confirmed before; the position on disk may be older.
    stored_through: u64,
    /// What was being written.
    coming: (u64, Vec<u8>),
}

struct Run {
    moments: Vec<Moment>,
    end: Files,
    /// All that was ever appended.
    appended: Batches,
    /// In the end confirmed through here, and so in the position file.
    stored_through: u64,
}

fn config() -> Config {
    Config {
        in_flight_max: 1_000,
        ..small()
    }
}

async fn record(ops: &[Op]) -> Run {
    let dir = folder();
    let (mut spool, mut reader) = open(dir.path(), config());
    let mut appended = Batches::new();
    let mut in_flight: Vec<SpooledBatch> = Vec::new();
    let mut moments = Vec::new();
    for (number, op) in ops.iter().enumerate() {
        match op {
            Op::Append(length) => {
                let bytes = vec![number as u8 + 1; length + 1];
                let (before, kept) = (files(dir.path()), appended.clone());
                let receipt = spool.append(batch(1, bytes.clone())).await.unwrap();
                appended.insert(receipt.spooled, bytes.clone());
                moments.push(Moment {
                    before,
                    after: files(dir.path()),
                    kept,
                    stored_through: spool.stats().stored_through,
                    coming: (receipt.spooled, bytes),
                });
            }
            Op::Confirm(index) => {
                in_flight.extend(reader.next_now().await.unwrap());
                if !in_flight.is_empty() {
                    let batch = in_flight.remove(index % in_flight.len());
                    spool.confirm(batch.sequence);
                }
            }
            Op::Reopen => {
                spool.close().await;
                in_flight.clear();
                (spool, reader) = open(dir.path(), config());
            }
        }
    }
    let stored_through = spool.stats().stored_through;
    spool.close().await;
    Run {
        moments,
        end: files(dir.path()),
        appended,
        stored_through,
    }
}

struct Drained {
    batches: Batches,
    damaged: u64,
}

async fn drained(files: &Files) -> Drained {
    let dir = put(files);
    let (spool, mut reader) = open(dir.path(), config());
    let mut batches = Batches::new();
    for batch in drain(&mut reader).await {
        let before = batches.insert(batch.sequence, batch.parts[0].bytes.to_vec());
        assert!(before.is_none(), "{} came twice", batch.sequence);
        spool.confirm(batch.sequence);
    }
    let stats = spool.stats();
    assert_eq!((stats.frames_waiting, stats.waiting_bytes), (0, 0));
    // And it goes on: a batch that comes now is not mistaken for an old one.
    let new = spool.append(batch(1, "new")).await.unwrap().spooled;
    let next = drain(&mut reader).await;
    assert_eq!(next.iter().map(|it| it.sequence).collect::<Vec<_>>(), [new]);
    assert!(batches.keys().all(|sequence| *sequence < new));
    spool.close().await;
    Drained {
        batches,
        damaged: stats.damaged,
    }
}

/// Every length that the newest file may have when the machine stops in the middle of an append,
/// with the rest missing, zeros, or garbage.
async fn check_crashes(moment: &Moment) {
    let mut segments = moment.after.iter().filter(|(name, _)| is_segment(name));
    let (newest, after) = segments.next_back().unwrap();
    let before = moment.before.get(newest).map_or(0, Vec::len);
    for length in before..=after.len() {
        for filler in [None, Some(0_u8), Some(0x5a)] {
            let mut bytes = after[..length].to_vec();
            if let Some(filler) = filler {
                bytes.resize(after.len(), filler);
            }
            check_crash(moment, newest, bytes).await;
        }
    }
}

async fn check_crash(moment: &Moment, newest: &Path, bytes: Vec<u8>) {
    let at = format!("{} bytes of {}", bytes.len(), newest.display());
    let whole = bytes == moment.after[newest];
    let mut crashed = moment.before.clone();
    crashed.insert(newest.to_owned(), bytes);
    let drained = drained(&crashed).await;
    let mut expected = moment.kept.clone();
    if whole {
        expected.insert(moment.coming.0, moment.coming.1.clone());
    }
    // The position on disk may be older than what was confirmed, not newer: some that come first
    // were confirmed, and none is missing.
    let from = drained.batches.keys().next().copied();
    let from = from.unwrap_or(u64::MAX).min(moment.stored_through + 1);
    assert_eq!(drained.batches, expected.split_off(&from), "{at}");
    assert_eq!(drained.damaged, 0, "a crash is no damage: {at}");
}

/// Where each frame of a segment file lies, by a reading of the format that is not the room's.
fn frames(bytes: &[u8]) -> Vec<(u64, Range<usize>)> {
    let number = |at: usize, length: usize| {
        let mut number = [0; 8];
        number[..length].copy_from_slice(&bytes[at..at + length]);
        u64::from_le_bytes(number)
    };
    let mut frames = Vec::new();
    let mut at = 64;
    while at < bytes.len() {
        let end = at + 40 + number(at + 8, 4) as usize;
        frames.push((number(at + 16, 8), at..end));
        at = end;
    }
    frames
}

/// Damages a range of one file of the finished run.
async fn check_damage(run: &Run, name: &Path, hit: Range<usize>, damage: impl Fn(&mut Vec<u8>)) {
    let mut files = run.end.clone();
    damage(files.get_mut(name).unwrap());
    if files == run.end {
        return;
    }
    let drained = drained(&files).await;
    for (sequence, bytes) in &drained.batches {
        let went_in = run.appended.get(sequence);
        assert_eq!(went_in, Some(bytes), "a wrong batch {sequence}");
    }
    let mut struck = Vec::new();
    if is_segment(name) {
        let touched = |range: &Range<usize>| range.start < hit.end && hit.start < range.end;
        let frames = frames(&run.end[name]).into_iter();
        struck.extend(frames.filter(|(_, range)| touched(range)).map(|(it, _)| it));
    }
    let at = format!("{} at {hit:?}", name.display());
    let mut lost = false;
    for (sequence, _) in run.appended.range(run.stored_through + 1..) {
        let came = drained.batches.contains_key(sequence);
        assert!(
            came || struck.contains(sequence),
            "{sequence} is lost: {at}"
        );
        lost |= !came;
    }
    assert!(
        !lost || drained.damaged > 0,
        "a loss was not reported: {at}"
    );
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// How often; `SPOOL_MODEL_CASES` for a long run.
fn cases() -> ProptestConfig {
    let cases = std::env::var("SPOOL_MODEL_CASES").ok();
    ProptestConfig {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

type Place = (Index, Index, usize, u8);

fn places() -> impl Strategy<Value = Vec<Place>> {
    let place = (any::<Index>(), any::<Index>(), 1_usize..80, any::<u8>());
    prop::collection::vec(place, 40)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_crash_loses_what_was_acknowledged(ops in ops()) {
        runtime().block_on(async {
            let run = record(&ops).await;
            for moment in run.moments.iter().rev().take(3) {
                check_crashes(moment).await;
            }
        });
    }

    #[test]
    fn damage_is_reported_and_never_makes_a_wrong_row(ops in ops(), places in places()) {
        runtime().block_on(async {
            let run = record(&ops).await;
            for place in &places {
                check_place(&run, place).await;
            }
        });
    }
}

/// A byte flipped, a hole, a range of garbage, the rest cut off, a range taken out.
async fn check_place(run: &Run, (file, at, length, flip): &Place) {
    let files: Vec<_> = run.end.iter().filter(|it| !it.1.is_empty()).collect();
    let (name, bytes) = files[file.index(files.len())];
    let (at, flip) = (at.index(bytes.len()), flip | 1);
    let end = (at + length).min(bytes.len());
    check_damage(run, name, at..at + 1, |bytes| bytes[at] ^= flip).await;
    check_damage(run, name, at..end, |bytes| bytes[at..end].fill(0)).await;
    check_damage(run, name, at..end, |bytes| bytes[at..end].fill(flip)).await;
    check_damage(run, name, at..bytes.len(), |bytes| bytes.truncate(at)).await;
    check_damage(run, name, at..bytes.len(), |bytes| {
        drop(bytes.drain(at..end))
    })
    .await;
}

/// Every single byte of a run with several segments.
#[tokio::test]
async fn every_flipped_byte() {
    let mut ops: Vec<_> = (0..12).map(|number| Op::Append(20 + number)).collect();
    ops.insert(3, Op::Confirm(0));
    ops.insert(7, Op::Reopen);
    let run = record(&ops).await;
    assert!(run.end.keys().filter(|name| is_segment(name)).count() > 2);
    for (name, bytes) in &run.end {
        for at in 0..bytes.len() {
            // Most of the position file is empty.
            if is_segment(name) || bytes[at] != 0 {
                check_damage(&run, name, at..at + 1, |bytes| bytes[at] ^= 0x10).await;
            }
        }
    }
}
