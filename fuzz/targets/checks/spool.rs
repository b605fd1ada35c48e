//! What must hold of the spool's reader for any bytes in its folder: it does not panic, and hands out
//! nothing that was not written, nor anything twice.
//!
//! A spool of some batches is written once. Each input is a list of changes to its files, or stands in
//! place of one; the folder is then opened and drained as after a start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bygone::spool::{self, Batch, Config, Part, Shape, Spool};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Batches of the spool that is changed, some to a segment.
const BATCHES: u64 = 12;

/// Bytes of an input that make one change: file, offset (two), what to do, with which byte.
const CHANGE_BYTES: usize = 5;

/// An input that begins with this byte or a higher one replaces the file that the second names.
const REPLACES: u8 = 0xf0;

type Files = BTreeMap<PathBuf, Vec<u8>>;

struct Written {
    files: Files,
    /// The rows of each batch.
    rows: BTreeSet<Vec<u8>>,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().max_blocking_threads(2);
    builder.build().expect("a runtime")
});

static WRITTEN: LazyLock<Written> = LazyLock::new(write);

/// Changes to begin with: none, one of each sort in each file, and each file in place of each.
pub fn seeds(_: &Path) -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new()];
    let files = WRITTEN.files.len() as u8;
    for file in 0..files {
        for what in 0..6 {
            seeds.push(vec![file, 90, 0, what, 7]);
        }
        for bytes in WRITTEN.files.values() {
            seeds.push([&[REPLACES, file], &bytes[..]].concat());
        }
    }
    seeds
}

pub fn check(input: &[u8]) {
    let mut files = WRITTEN.files.clone();
    change(&mut files, input);
    let folder = folder();
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    }
    // From outside: any answer will do.
    _ = spool::status(folder.path());
    _ = spool::verify(folder.path());
    RUNTIME.block_on(drain(folder.path()));
}

async fn drain(folder: &Path) {
    // A folder that can't be opened hands out nothing.
    let Ok((spool, mut reader)) = Spool::open(folder, config(), |_| {}) else {
        return;
    };
    let mut seen = BTreeSet::new();
    let mut rows_seen = BTreeSet::new();
    while let Some(batch) = reader.next_now().await.expect("the disk can be read") {
        assert!(seen.insert(batch.sequence), "{} twice", batch.sequence);
        for part in &batch.parts {
            assert_eq!(part.shape, shape());
            let rows = part.bytes.to_vec();
            assert!(WRITTEN.rows.contains(&rows), "rows that nobody wrote");
            assert_eq!(usize::try_from(part.rows), Ok(rows.len() / 8));
            assert!(rows_seen.insert(rows), "rows twice");
        }
        spool.confirm(batch.sequence);
    }
    // It takes batches again, behind whatever was there.
    let receipt = spool.append(batch(BATCHES)).await.expect("there is room");
    assert!(!seen.contains(&receipt.spooled), "a sequence twice");
    let again = reader.next_now().await.expect("readable").expect("a batch");
    assert_eq!(again.parts[0].bytes, rows(BATCHES));
    spool.close().await;
}

fn change(files: &mut Files, input: &[u8]) {
    let names: Vec<PathBuf> = files.keys().cloned().collect();
    let chosen = |number: u8| &names[usize::from(number) % names.len()];
    if let [first, file, content @ ..] = input
        && *first >= REPLACES
    {
        files.insert(chosen(*file).clone(), content.to_vec());
        return;
    }
    for change in input.chunks_exact(CHANGE_BYTES) {
        let file = files.get_mut(chosen(change[0])).expect("a file");
        let offset = usize::from(u16::from_le_bytes([change[1], change[2]]));
        let at = offset % file.len().max(1);
        match (change[3] % 6, file.get(at).copied()) {
            (_, None) => file.push(change[4]),
            (0, Some(byte)) => file[at] = byte ^ change[4],
            (1, _) => file[at] = change[4],
            (2, _) => file.truncate(at),
            (3, _) => _ = file.remove(at),
            (4, _) => file.insert(at, change[4]),
            // Bytes from here again at the end, as when a write went to two places.
            _ => {
                let end = (at + usize::from(change[4])).min(file.len());
                file.extend_from_within(at..end);
            }
        }
    }
}

fn write() -> Written {
    let folder = folder();
    let rows = RUNTIME.block_on(async {
        let (spool, mut reader) = Spool::open(folder.path(), config(), |_| {}).expect("opens");
        let mut all = BTreeSet::new();
        for number in 0..BATCHES {
            spool.append(batch(number)).await.expect("there is room");
            all.insert(rows(number));
        }
        // One is confirmed, so that there is a position.
        let first = reader.next_now().await.expect("readable").expect("a batch");
        spool.confirm(first.sequence);
        spool.close().await;
        all
    });
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a name").into();
            files.insert(name, std::fs::read(path).expect("a file"));
        }
    }
    Written { files, rows }
}

/// Segments of two or three batches.
fn config() -> Config {
    Config {
        size_bytes_max: 1 << 20,
        segment_bytes_max: 400,
        frame_bytes_max: 4 << 10,
        group_bytes_max: 4 << 10,
        queue_bytes_max: 64 << 10,
        small_frame_interval_ms: 0,
        in_flight_max: 1_000,
        ..Config::default()
    }
}

fn shape() -> Arc<Shape> {
    Arc::new(Shape {
        table: "facts".to_owned(),
        columns: vec!["a".to_owned(), "b".to_owned()],
        columns_version: 3,
    })
}

fn batch(number: u64) -> Batch {
    let bytes = rows(number);
    Batch {
        parts: vec![Part {
            shape: shape(),
            rows: (bytes.len() / 8) as u32,
            bytes: bytes.into(),
        }],
    }
}

/// Rows of eight bytes: no batch has those of another.
fn rows(number: u64) -> Vec<u8> {
    (0..=number)
        .flat_map(|row| (number << 32 | row).to_le_bytes())
        .collect()
}

/// In memory where possible: a disk would be the slowest part.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a folder")
}
