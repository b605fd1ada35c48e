//! In and out, in order, over restarts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::*;
use crate::spool::{FRAME_HEAD_BYTES, NotStored, OpenError, Replay, replay, status, verify};

fn texts(batches: &[SpooledBatch]) -> Vec<String> {
    batches.iter().map(text).collect()
}

#[tokio::test]
async fn batches_come_out_as_they_went_in() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    for text in ["one", "two", "three"] {
        spool.append(batch(2, text)).await.unwrap();
    }
    let batches = drain(&mut reader).await;
    assert_eq!(texts(&batches), ["one", "two", "three"]);
    assert_eq!(batches[0].parts, batch(2, "one").parts);
    assert_eq!(batches[0].rows(), 2);
    assert_eq!(batches[2].sequence, 3);
    spool.close().await;
    assert!(reader.next().await.unwrap().is_none());
}

#[tokio::test]
async fn unconfirmed_batches_come_again_after_a_restart_with_the_same_token() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    for text in ["one", "two", "three"] {
        spool.append(batch(1, text)).await.unwrap();
    }
    let before = drain(&mut reader).await;
    spool.confirm(before[0].sequence);
    // "three" is confirmed, "two" is not: the position stays before it.
    spool.confirm(before[2].sequence);
    assert_eq!(spool.stats().stored_through, 1);
    assert_eq!(spool.stats().in_flight, 1);
    spool.close().await;

    let (spool, mut reader) = open(dir.path(), small());
    assert_eq!(spool.stats().frames_waiting, 2);
    assert!(spool.stats().oldest_waiting.is_some());
    let after = drain(&mut reader).await;
    assert_eq!(texts(&after), ["two", "three"]);
    assert_eq!(after[0].token, before[1].token);
    assert_eq!(spool.append(batch(1, "four")).await.unwrap().spooled, 4);
    spool.close().await;
}

#[tokio::test]
async fn stored_waits_for_all_before() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    let first = spool.append(batch(1, "one")).await.unwrap();
    let second = spool.append(batch(1, "two")).await.unwrap();
    let batches = drain(&mut reader).await;
    spool.confirm(batches[1].sequence);
    let mut waiting = Box::pin(second.stored.wait());
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("the batch before is not stored"),
        () = std::future::ready(()) => {}
    }
    spool.confirm(batches[0].sequence);
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(first.stored.wait().await, Ok(()));

    let third = spool.append(batch(1, "three")).await.unwrap();
    spool.close().await;
    assert_eq!(third.stored.wait().await, Err(NotStored::Closed));
}

#[tokio::test]
async fn next_waits_for_a_batch_and_for_room_in_flight() {
    let dir = folder();
    let config = Config {
        in_flight_max: 1,
        ..small()
    };
    let (spool, mut reader) = open(dir.path(), config);
    let (found, mut batches) = mpsc::channel(8);
    let task = tokio::spawn(async move {
        while let Some(batch) = reader.next().await.unwrap() {
            found.send(batch.sequence).await.unwrap();
        }
    });
    spool.append(batch(1, "one")).await.unwrap();
    spool.append(batch(1, "two")).await.unwrap();
    assert_eq!(batches.recv().await, Some(1));
    assert!(batches.try_recv().is_err());
    spool.confirm(1);
    assert_eq!(batches.recv().await, Some(2));
    spool.close().await;
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_together_share_a_frame_and_a_sync() {
    let dir = folder();
    let config = Config {
        size_bytes_max: 1 << 20,
        ..small()
    };
    let (spool, mut reader) = open(dir.path(), config);
    let appends = spawn_appends_while_the_disk_hangs(&spool);
    for append in appends {
        append.await.unwrap().unwrap();
    }
    let syncs = spool.stats().syncs;
    assert!(syncs <= 4, "{syncs} syncs for 100 callers");
    let mut found = String::new();
    for batch in drain(&mut reader).await {
        assert_eq!(batch.parts.len(), 1);
        assert_eq!(batch.rows() as usize, batch.parts[0].bytes.len() / 3);
        found += &text(&batch);
    }
    let mut numbers: Vec<_> = found.as_bytes().chunks(3).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100);
    spool.close().await;
}

type Appending = tokio::task::JoinHandle<Result<crate::spool::Receipt, crate::spool::AppendError>>;

/// 100 callers, all of them in the queue, or in the frame that hangs, when this returns.
fn spawn_appends_while_the_disk_hangs(spool: &Spool) -> Vec<Appending> {
    let shared = &spool.open.shared;
    let hang = shared.faults.hang.lock().unwrap();
    let append = |number| {
        let spool = spool.clone();
        tokio::spawn(async move { spool.append(batch(1, format!("{number:03}"))).await })
    };
    let appends = (0..100).map(append).collect();
    let bytes = FRAME_HEAD_BYTES + batch(1, "000").payload_bytes();
    let deadline = Instant::now() + Duration::from_secs(10);
    tokio::task::block_in_place(|| {
        while shared.state().reserved_bytes < 100 * bytes {
            assert!(Instant::now() < deadline, "not all have come");
            std::thread::yield_now();
        }
    });
    drop(hang);
    appends
}

#[tokio::test]
async fn small_frames_keep_their_distance_and_the_first_does_not_wait() {
    let dir = folder();
    let config = Config {
        // The first and the large one may take as long as a busy machine likes, but not this long.
        small_frame_interval_ms: 2_000,
        group_rows_max: 2_001,
        small_frame_rows: 2_000,
        ..small()
    };
    let (spool, mut reader) = open(dir.path(), config);
    let begun = Instant::now();
    spool.append(batch(1, "one")).await.unwrap();
    spool.append(batch(2_000, "large")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1_900));
    let (two, three) = tokio::join!(spool.append(batch(1, "two")), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Fills the group, so that it is not waited any longer.
        spool.append(batch(2_000, "three")).await
    });
    assert_eq!(two.unwrap().spooled, three.unwrap().spooled);
    assert!(begun.elapsed() < Duration::from_millis(1_900));
    assert_eq!(
        texts(&drain(&mut reader).await),
        ["one", "large", "twothree"]
    );
    spool.close().await;
}

#[tokio::test]
async fn one_process_at_a_time_and_nobody_else_may_read() {
    let dir = folder();
    let dir = dir.path().join("spool");
    let (spool, reader) = open(&dir, small());
    spool.append(batch(1, "one")).await.unwrap();
    let error = Spool::open(&dir, small(), |_| {}).err().unwrap();
    assert!(matches!(error, OpenError::Locked(_)));
    assert!(error.to_string().contains(dir.to_str().unwrap()));
    assert!(status(&dir).unwrap().in_use);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    // Without a close: the lock goes when the threads have seen that all handles are gone.
    drop((spool, reader));
    until(|| Spool::open(&dir, small(), |_| {}).is_ok()).await;
}

/// Appends batches of 100 bytes and confirms each.
async fn append_and_confirm(spool: &Spool, reader: &mut Reader, count: usize) {
    for _ in 0..count {
        spool.append(batch(1, vec![7; 100])).await.unwrap();
        for batch in drain(reader).await {
            spool.confirm(batch.sequence);
        }
    }
}

#[tokio::test]
async fn segments_are_deleted_after_the_grace_time() {
    let dir = folder();
    let config = Config {
        kept_after_stored_seconds: 0,
        ..small()
    };
    let (spool, mut reader) = open(dir.path(), config);
    append_and_confirm(&spool, &mut reader, 20).await;
    assert_eq!(spool.stats().waiting_bytes, 0);
    assert_eq!(spool.stats().frames_waiting, 0);
    assert_eq!(spool.stats().oldest_waiting, None);
    until(|| segment_files(dir.path()).len() == 1).await;
    spool.close().await;
    let (spool, mut reader) = open(dir.path(), small());
    assert!(drain(&mut reader).await.is_empty());
    assert_eq!(spool.stats().damaged, 0);
    assert_eq!(spool.append(batch(1, "on")).await.unwrap().spooled, 21);
    spool.close().await;
}

#[tokio::test]
async fn replay_sends_what_is_kept_again_under_new_tokens() {
    let dir = folder();
    let (spool, mut reader) = open(dir.path(), small());
    append_and_confirm(&spool, &mut reader, 10).await;
    assert!(matches!(
        replay(dir.path(), Replay::All),
        Err(OpenError::Locked(_))
    ));
    spool.close().await;
    assert_eq!(status(dir.path()).unwrap().frames_waiting, 0);
    let later = SystemTime::now();
    assert_eq!(replay(dir.path(), Replay::Since(later)).unwrap(), None);
    assert_eq!(replay(dir.path(), Replay::All).unwrap(), Some(1));
    assert_eq!(status(dir.path()).unwrap().frames_waiting, 10);

    let config = Config {
        in_flight_max: 100,
        ..small()
    };
    let (spool, mut reader) = open(dir.path(), config);
    let again = drain(&mut reader).await;
    assert_eq!(again.len(), 10);
    assert!(again[0].token.ends_with("-r1"));
    spool.close().await;
}

#[tokio::test]
async fn verify_reads_beside_the_process_that_writes() {
    let dir = folder();
    let (spool, _reader) = open(dir.path(), small());
    for _ in 0..10 {
        spool.append(batch(3, vec![7; 100])).await.unwrap();
    }
    let verified = verify(dir.path()).unwrap();
    let frames: u64 = verified.segments.iter().map(|it| it.frames).sum();
    let rows: u64 = verified.segments.iter().map(|it| it.rows).sum();
    assert_eq!((frames, rows), (10, 30));
    assert!(verified.segments.len() > 1);
    assert!(verified.segments.iter().all(|it| it.damage.is_empty()));

    let file = &segment_files(dir.path())[0];
    let mut bytes = fs::read(file).unwrap();
    bytes[150] ^= 1;
    fs::write(file, bytes).unwrap();
    let verified = verify(dir.path()).unwrap();
    assert_eq!(verified.segments[0].damage.len(), 1);
    assert_eq!(verified.segments[1].damage, [""; 0]);
    spool.close().await;
}
