//! The room's tests: what a caller sees, then (`model`) every crash and every flipped byte.

mod limits;
mod model;
mod ordinary;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Batch, Config, Part, Reader, Shape, Spool, SpooledBatch};

/// Small enough for everything to happen within a few batches.
fn small() -> Config {
    Config {
        size_bytes_max: 16 << 10,
        segment_bytes_max: 600,
        frame_bytes_max: 4 << 10,
        group_bytes_max: 4 << 10,
        queue_bytes_max: 64 << 10,
        small_frame_interval_ms: 0,
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

fn batch(rows: u32, bytes: impl Into<Bytes>) -> Batch {
    Batch {
        parts: vec![Part {
            shape: shape(),
            rows,
            bytes: bytes.into(),
        }],
    }
}

/// In memory where possible: these tests are about order, not about a disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a folder for the test")
}

fn open(dir: &Path, config: Config) -> (Spool, Reader) {
    Spool::open(dir, config, |_| {}).expect("the spool opens")
}

async fn drain(reader: &mut Reader) -> Vec<SpooledBatch> {
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_now().await.expect("the spool can be read") {
        batches.push(batch);
    }
    batches
}

/// The bytes of the first part.
fn text(batch: &SpooledBatch) -> String {
    String::from_utf8_lossy(&batch.parts[0].bytes).into_owned()
}

/// Waits for what another thread will bring about.
async fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within ten seconds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn segment_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "segment"))
        .collect();
    files.sort();
    files
}
