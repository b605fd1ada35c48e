//! Full, broken, foreign, large.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::*;
use crate::disk::tiny::Tiny;
use crate::spool::format::{Identity, SegmentHead};
use crate::spool::{AppendError, NotStored, OpenError, folder as names, position};

#[tokio::test]
async fn full_at_the_cap_and_recovered_by_confirms() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    let mut kept = 0;
    let full = loop {
        match spool.append(batch(1, vec![7; 300])).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, AppendError::Full));
    assert!(spool.stats().full && !spool.has_room(500));
    let (bytes, cap) = (spool.stats().bytes, small().size_bytes_max);
    assert!(bytes <= cap && bytes > cap * 9 / 10);

    // Confirmed batches give way although their grace time has not passed.
    let mut stored = 0;
    while stored < 4 {
        spool.confirm(reader.next().await.unwrap().unwrap().sequence);
        stored += 1;
    }
    spool.append(batch(1, vec![7; 300])).await.unwrap();
    kept += 1;
    while let Some(batch) = reader.next_now().await.unwrap() {
        spool.confirm(batch.sequence);
        stored += 1;
    }
    assert_eq!(stored, kept);
    spool.close().await;
}

#[tokio::test]
async fn too_large_is_said_so_and_empty_is_stored() {
    let dir = folder();
    let (spool, _reader) = open(dir.path(), small());
    let error = spool.append(batch(1, vec![7; 5_000])).await.unwrap_err();
    let bytes_max = small().frame_bytes_max;
    assert!(matches!(error, AppendError::TooLarge { bytes_max: max, .. } if max == bytes_max));
    // Nearly as large as possible: in a segment that is larger than the usual maximum.
    spool.append(batch(1, vec![7; 4_000])).await.unwrap();
    let empty = spool.append(Batch::default()).await.unwrap();
    assert_eq!(empty.stored.wait().await, Ok(()));
    spool.close().await;
    let error = spool.append(batch(1, "late")).await.unwrap_err();
    assert!(matches!(error, AppendError::Closed));
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_frame_and_passes() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    spool.append(batch(1, "one")).await.unwrap();
    let faults = &spool.open.shared.faults;
    faults.writes.lock().unwrap().push(ErrorKind::StorageFull);
    let error = spool.append(batch(1, "lost")).await.unwrap_err();
    assert!(matches!(error, AppendError::Full));
    let length = fs::metadata(&segment_files(dir.path())[0]).unwrap().len();
    assert_eq!(length, spool.stats().bytes);
    until(|| spool.has_room(1)).await;
    assert_eq!(spool.append(batch(1, "two")).await.unwrap().spooled, 2);
    let texts: Vec<_> = drain(&mut reader).await.iter().map(text).collect();
    assert_eq!(texts, ["one", "two"]);
    spool.close().await;
}

#[tokio::test]
async fn after_a_failed_sync_or_write_the_file_is_given_up() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    let faults = &spool.open.shared.faults;
    spool.append(batch(1, "one")).await.unwrap();
    faults.syncs.lock().unwrap().push(ErrorKind::Other);
    let error = spool.append(batch(1, "lost")).await.unwrap_err();
    assert!(matches!(error, AppendError::Failed(_)));
    assert_eq!(spool.append(batch(1, "two")).await.unwrap().spooled, 3);
    faults.writes.lock().unwrap().push(ErrorKind::Other);
    spool.append(batch(1, "lost")).await.unwrap_err();
    spool.append(batch(1, "three")).await.unwrap();
    assert_eq!(segment_files(dir.path()).len(), 3);
    let batches = drain(&mut reader).await;
    let texts: Vec<_> = batches.iter().map(text).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    for batch in batches {
        spool.confirm(batch.sequence);
    }
    assert_eq!(spool.stats().frames_waiting, 0);
    assert_eq!(spool.stats().damaged, 0);
    spool.close().await;
    let (spool, mut reader) = open(dir.path(), small());
    assert!(drain(&mut reader).await.is_empty());
    assert_eq!(spool.stats().damaged, 0);
    spool.close().await;
}

/// A disk that is really full, where this may be tried.
#[tokio::test]
async fn a_tiny_file_system_fills_and_recovers() {
    let dir = folder();
    let Some(_tiny) = Tiny::mount(dir.path(), "256k") else {
        return;
    };
    fill_and_recover(dir.path().to_owned()).await;
}

async fn fill_and_recover(dir: PathBuf) {
    let config = Config {
        size_bytes_max: 10 << 20,
        segment_bytes_max: 16 << 10,
        ..small()
    };
    let (spool, mut reader) = open(&dir, config);
    let mut kept = 0_usize;
    while spool
        .append(batch(1, vec![kept as u8; 3_000]))
        .await
        .is_ok()
    {
        kept += 1;
    }
    assert!(kept > 30, "{kept} batches of 3 kB fit 256 kB");
    let mut stored = 0_usize;
    while let Some(batch) = reader.next_now().await.unwrap() {
        assert_eq!(batch.parts[0].bytes, vec![stored as u8; 3_000]);
        spool.confirm(batch.sequence);
        stored += 1;
    }
    assert_eq!(stored, kept);
    until(|| spool.has_room(4_000)).await;
    for _ in 0..100 {
        spool.append(batch(1, vec![1; 3_000])).await.unwrap();
        let batch = reader.next().await.unwrap().unwrap();
        spool.confirm(batch.sequence);
    }
    assert_eq!(spool.stats().damaged, 0);
    spool.close().await;
}

#[tokio::test]
async fn damage_in_a_running_spool_is_told_to_who_waits_for_the_batch() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    let first = spool.append(batch(1, "one")).await.unwrap();
    let second = spool.append(batch(1, "two")).await.unwrap();
    let path = &segment_files(dir.path())[0];
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(b"?", 64 + 50).unwrap();
    for batch in drain(&mut reader).await {
        spool.confirm(batch.sequence);
    }
    assert_eq!(first.stored.wait().await, Err(NotStored::Damaged));
    assert_eq!(second.stored.wait().await, Ok(()));
    assert_eq!(spool.stats().damaged, 1);
    assert_eq!(spool.stats().waiting_bytes, 0);
    // The bytes and the report.
    assert_eq!(fs::read_dir(dir.path().join("damaged")).unwrap().count(), 2);
    spool.close().await;
}

#[tokio::test]
async fn other_versions_and_other_spools_are_refused() {
    let dir = folder();
    let (spool, reader) = open(dir.path(), small());
    spool.append(batch(1, "one")).await.unwrap();
    spool.close().await;
    drop((spool, reader));
    let file = &segment_files(dir.path())[0];
    let good = fs::read(file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(file, bytes).unwrap();
        Spool::open(dir.path(), small(), |_| {}).err().unwrap()
    };

    for version in [0, 2] {
        let mut other = good.clone();
        other[8] = version;
        let crc = crc32fast::hash(&other[..60]);
        other[60..64].copy_from_slice(&crc.to_le_bytes());
        let error = refused(&other);
        assert!(matches!(error, OpenError::Version { known: 1, .. }));
        let said = format!("version {version}, this build reads version 1");
        assert!(error.to_string().contains(&said), "{error}");
    }

    let mut foreign = good.clone();
    let identity = Identity {
        id: [9; 16],
        mark: 9,
    };
    let head = SegmentHead {
        identity,
        first: 1,
        after: 0,
    };
    foreign[..64].copy_from_slice(&head.encode());
    assert!(matches!(refused(&foreign), OpenError::Foreign(_)));

    fs::write(file, good).unwrap();
    let (_spool, mut reader) = open(dir.path(), small());
    assert_eq!(drain(&mut reader).await.len(), 1);
}

#[tokio::test]
async fn a_lost_or_torn_position_sends_again_and_skips_nothing() {
    for length in [0, 1, 64, 100, 4096, 4100, 8192] {
        let dir = folder();
        let (spool, mut reader) = open(dir.path(), small());
        for text in ["one", "two", "three"] {
            spool.append(batch(1, text)).await.unwrap();
        }
        let batches = drain(&mut reader).await;
        spool.confirm(batches[0].sequence);
        spool.close().await;
        let path = position::path(dir.path());
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(length).unwrap();

        let (spool, mut reader) = open(dir.path(), small());
        let texts: Vec<_> = drain(&mut reader).await.iter().map(text).collect();
        let unstored = ["two".to_owned(), "three".to_owned()];
        assert!(texts.ends_with(&unstored), "{length}: {texts:?}");
        spool.append(batch(1, "four")).await.unwrap();
        assert_eq!(drain(&mut reader).await.len(), 1);
        spool.close().await;

        fs::remove_file(&path).unwrap();
        let (spool, mut reader) = open(dir.path(), small());
        assert_eq!(drain(&mut reader).await.len(), 4);
        spool.close().await;
    }
}

#[tokio::test]
async fn a_large_spool_opens_at_once() {
    let dir = folder();
    let config = Config {
        size_bytes_max: 20 << 30,
        ..Config::default()
    };
    let (spool, reader) = open(dir.path(), config.clone());
    spool.append(batch(1, "one")).await.unwrap();
    let identity = spool.open.shared.identity;
    spool.close().await;
    drop((spool, reader));
    // 160 more segments of 64 MiB, sparse but for their heads: 10 GiB.
    for number in 1..=160_u64 {
        let head = SegmentHead {
            identity,
            first: 1_000 * number,
            after: 1,
        };
        let path = names::segment_path(dir.path(), head.first);
        let file = crate::disk::create(&path).unwrap();
        file.write_all_at(&head.encode(), 0).unwrap();
        // The newest is read through, which an unoptimised build does slowly.
        let bytes = if number == 160 { 4 << 20 } else { 64 << 20 };
        file.set_len(bytes).unwrap();
    }
    let begun = Instant::now();
    let (spool, mut reader) = open(dir.path(), config);
    let opened = begun.elapsed();
    eprintln!("{} bytes opened in {opened:?}", spool.stats().bytes);
    assert!(opened < Duration::from_secs(1), "{opened:?}");
    assert!(spool.stats().bytes > 9 << 30);
    assert_eq!(text(&reader.next().await.unwrap().unwrap()), "one");
    spool.append(batch(1, "two")).await.unwrap();
    spool.close().await;
}
