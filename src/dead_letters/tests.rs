use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::draft::{FILE_LETTERS_MAX, blocks};
use super::index::LETTERS_MAX;
use super::*;
use crate::disk::tiny::Tiny;

/// 2026-11-23T06:35:04.239741Z
const NOON: i64 = 1_795_415_704_239_741;

const CANARY: &str = "CANARY-7c0f2e";

fn at(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(microsecond).unwrap()
}

fn letter(bytes: &[u8], received_at: i64) -> Letter<'_> {
    Letter {
        cluster: "prod",
        origin: "webhook",
        position: 100..100 + bytes.len(),
        reason: "cut off",
        received_at: at(received_at),
        bytes,
    }
}

/// A folder that is not there yet.
struct Home {
    root: TempDir,
    folder: PathBuf,
}

fn home() -> Home {
    let root = tempfile::tempdir().unwrap();
    let folder = folder(root.path());
    Home { root, folder }
}

/// The letters of these tests are of a day that may be long ago.
fn for_long() -> Config {
    Config {
        kept_days: 36_500,
        ..Config::default()
    }
}

impl Home {
    fn open(&self, config: Config) -> DeadLetters {
        let letters = DeadLetters::open(&self.folder, config).unwrap();
        letters.state().pruned = Some(Instant::now());
        letters
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn disk_bytes(&self) -> u64 {
        let sizes = self.files().into_iter();
        sizes
            .map(|file| blocks(fs::metadata(file).unwrap().len()))
            .sum()
    }

    /// The output of `list`, one line per letter, with the bytes that `show` has for it.
    fn listed(&self) -> String {
        let mut text = String::new();
        for found in list(&self.folder).unwrap() {
            match found {
                Ok(found) => {
                    let raw = show(&self.folder, found.id).unwrap().1;
                    let raw = String::from_utf8_lossy(&raw).into_owned();
                    let Summary {
                        received_at,
                        reason,
                        position_from,
                        ..
                    } = found;
                    text += &format!("{received_at} {reason} at {position_from}: {raw}\n");
                }
                Err(Error::Damaged { what, .. }) => text += &format!("damaged: {what}\n"),
                Err(error) => panic!("{error}"),
            }
        }
        text
    }

    fn check(&self, expected: Expect) {
        expected.assert_eq(&self.listed());
    }
}

fn raw_of(kept: &[Kept]) -> Vec<bool> {
    kept.iter().map(|kept| kept.raw).collect()
}

#[test]
fn one_file_a_delivery_newest_first() {
    let home = home();
    let letters = home.open(for_long());
    let kept = letters.put(&[letter(b"one", NOON), letter(b"two", NOON)]);
    assert_eq!(raw_of(&kept), [true, true]);
    assert_eq!((kept[1].bytes, kept[1].position.clone()), (3, 100..103));
    letters.put(&[letter(b"three", NOON + 1)]);
    assert!(letters.put(&[]).is_empty());
    assert_eq!(home.files().len(), 2);
    home.check(expect![[r#"
        2026-11-23T06:35:04.239742Z cut off at 100: three
        2026-11-23T06:35:04.239741Z cut off at 100: one
        2026-11-23T06:35:04.239741Z cut off at 100: two
    "#]]);
    let file = fs::read_to_string(&home.files()[0]).unwrap();
    expect![[r#"
        ={"format":"bygone dead letters","version":1,"letters":2,"table_bytes":552,"raw_bytes":6} 8b94f323bd9fff24
        +{"id":"88325389-2b0f-8cda-958c-dee212629707","cluster":"prod","origin":"webhook","reason":"cut off","received_at":"2026-11-23T06:35:04.239741Z","position_from":100,"bytes":3,"sha256":"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","at":0} c9dd01e8eb4f3bbb
        +{"id":"b7fda8c2-1cb2-88c5-8d2f-95fefbae6c3d","cluster":"prod","origin":"webhook","reason":"cut off","received_at":"2026-11-23T06:35:04.239741Z","position_from":100,"bytes":3,"sha256":"3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","at":3} c6ff16615639c50a
        onetwo"#]].assert_eq(&file);
}

#[test]
fn ids_are_those_of_cluster_and_bytes() {
    let id = |letter: &Letter| Kept::of(letter).id;
    let first = letter(b"x", NOON);
    expect!["82bb5185-e881-82e6-bd73-22f2d5c40925"].assert_eq(&id(&first).to_string());
    let elsewhere = Letter {
        origin: "kafka audit/3/17",
        position: 0..1,
        reason: "not json",
        ..first.clone()
    };
    assert_eq!(id(&elsewhere), id(&first));
    assert_ne!(
        id(&Letter {
            cluster: "test",
            ..first.clone()
        }),
        id(&first)
    );
    assert_ne!(id(&letter(b"y", NOON)), id(&first));
    let nothing = |at: usize| Letter {
        position: at..at,
        ..letter(b"", NOON)
    };
    assert_eq!(id(&nothing(7)), id(&nothing(7)));
    assert_ne!(id(&nothing(7)), id(&nothing(8)));
}

#[test]
fn what_comes_again_is_not_written_again() {
    let home = home();
    let letters = home.open(for_long());
    let first = letters.put(&[
        letter(b"one", NOON),
        letter(b"one", NOON),
        letter(b"two", NOON),
    ]);
    let again = letters.put(&[letter(b"one", NOON + 9), letter(b"two", NOON + 9)]);
    assert_eq!((&again[0], &again[1]), (&first[0], &first[2]));
    assert_eq!(home.files().len(), 1);
    // Another process of ours, later.
    let letters = home.open(for_long());
    let kept = letters.put(&[letter(b"two", NOON + 10), letter(b"three", NOON + 10)]);
    assert_eq!(raw_of(&kept), [true, true]);
    home.check(expect![[r#"
        2026-11-23T06:35:04.239751Z cut off at 100: three
        2026-11-23T06:35:04.239741Z cut off at 100: one
        2026-11-23T06:35:04.239741Z cut off at 100: two
    "#]]);
}

#[test]
fn what_was_removed_is_written_again() {
    let home = home();
    let letters = home.open(for_long());
    let kept = letters.put(&[letter(b"one", NOON), letter(b"two", NOON)]);
    remove(&home.folder, kept[0].id).unwrap();
    let gone = show(&home.folder, kept[0].id).unwrap_err();
    assert!(matches!(gone, Error::Absent(id) if id == kept[0].id));
    assert!(matches!(
        remove(&home.folder, kept[0].id),
        Err(Error::Absent(_))
    ));
    let file = fs::read(&home.files()[0]).unwrap();
    assert!(file.ends_with(b"\n\0\0\0two"), "its bytes are gone");
    home.check(expect![[r#"
        2026-11-23T06:35:04.239741Z cut off at 100: two
    "#]]);
    // In the same microsecond: the file's name is taken by what is left of the first.
    assert_eq!(raw_of(&letters.put(&[letter(b"one", NOON)])), [true]);
    assert_eq!(home.files().len(), 2);
    remove(&home.folder, kept[1].id).unwrap();
    assert_eq!(home.files().len(), 1, "a file goes with its last letter");
    fs::remove_file(&home.files()[0]).unwrap();
    assert_eq!(raw_of(&letters.put(&[letter(b"one", NOON)])), [true]);
    home.check(expect![[r#"
        2026-11-23T06:35:04.239741Z cut off at 100: one
    "#]]);
}

#[test]
fn ten_thousand_letters_are_one_file_and_their_number_has_a_limit() {
    let home = home();
    let letters = home.open(for_long());
    let put = |count: usize, round: i64| {
        let texts: Vec<String> = (0..count).map(|n| format!("{round}/{n}")).collect();
        let all: Vec<Letter> = texts
            .iter()
            .map(|text| letter(text.as_bytes(), NOON + round))
            .collect();
        letters.put(&all).iter().filter(|kept| kept.raw).count()
    };
    assert_eq!(put(10_000, 0), 10_000);
    assert_eq!(home.files().len(), 1);
    assert_eq!(put(FILE_LETTERS_MAX + 1, 1), FILE_LETTERS_MAX);
    for round in 2..=4 {
        put(FILE_LETTERS_MAX, round);
    }
    assert_eq!(home.files().len(), 5);
    put(FILE_LETTERS_MAX, 5);
    assert_eq!(home.files().len(), 5, "the oldest made room");
    assert_eq!(list(&home.folder).unwrap().count(), LETTERS_MAX);
    let state = letters.state();
    let index = state.index.as_ref().unwrap();
    assert_eq!(index.count(), (LETTERS_MAX, LETTERS_MAX));
}

#[test]
fn the_oldest_make_room() {
    let home = home();
    let size_bytes_max = 64 << 10;
    let letters = home.open(Config {
        size_bytes_max,
        ..Config::default()
    });
    for round in 0..40_u8 {
        let bytes = vec![round; 10_000];
        assert_eq!(
            raw_of(&letters.put(&[letter(&bytes, NOON + i64::from(round))])),
            [true]
        );
        assert!(home.disk_bytes() <= size_bytes_max);
    }
    let left: Vec<u8> = list(&home.folder)
        .unwrap()
        .map(|found| found.unwrap().raw().unwrap()[0])
        .collect();
    // 10,000 bytes and a table are three blocks; five times that are 60 KiB.
    assert_eq!(left, [39, 38, 37, 36, 35]);
    // Another process of ours counts what it finds.
    let letters = home.open(Config {
        size_bytes_max,
        ..Config::default()
    });
    letters.put(&[letter(&[99; 10_000], NOON + 99)]);
    assert!(home.disk_bytes() <= size_bytes_max);
}

#[test]
fn a_letter_over_the_cap_is_known_by_its_metadata_alone() {
    let home = home();
    let letters = home.open(Config {
        size_bytes_max: 64 << 10,
        ..Config::default()
    });
    letters.put(&[letter(b"before", NOON)]);
    let large = vec![b'x'; 70_000];
    let half = vec![b'y'; 40_000];
    let more = vec![b'z'; 40_000];
    let kept = letters.put(&[
        letter(&large, NOON + 1),
        letter(&half, NOON + 1),
        letter(&more, NOON + 1),
        letter(b"small", NOON + 1),
    ]);
    assert_eq!(raw_of(&kept), [false, true, false, true]);
    assert_eq!(kept[0].bytes, 70_000);
    assert!(home.disk_bytes() <= 64 << 10);
    assert!(
        home.listed().ends_with("before\n"),
        "nothing made room in vain"
    );
    let letters = home.open(Config {
        size_bytes_max: 0,
        ..Config::default()
    });
    assert_eq!(raw_of(&letters.put(&[letter(b"x", NOON + 2)])), [false]);
}

#[test]
fn an_empty_letter_needs_no_file() {
    let home = home();
    let kept = home.open(for_long()).put(&[letter(b"", NOON)]);
    assert_eq!((raw_of(&kept), home.files().len()), (vec![false], 0));
}

#[test]
fn what_is_too_old_is_removed() {
    let home = home();
    let day = 24 * 60 * 60 * 1_000_000;
    let letters = home.open(Config {
        kept_days: 7,
        ..Config::default()
    });
    letters.put(&[letter(b"one", NOON)]);
    letters.put(&[letter(b"two", NOON + day)]);
    assert_eq!(letters.prune(at(NOON + 7 * day)), 0);
    assert_eq!(letters.prune(at(NOON + 7 * day + 1)), 1);
    home.check(expect![[r#"
        2026-11-24T06:35:04.239741Z cut off at 100: two
    "#]]);
    // It is forgotten as well.
    assert_eq!(raw_of(&letters.put(&[letter(b"one", NOON + day)])), [true]);
    assert_eq!(home.files().len(), 2);
    assert_eq!(letters.prune(at(NOON + 30 * day)), 2);
    assert_eq!(letters.prune(at(0)), 0);
}

#[test]
fn opening_and_putting_prune() {
    let home = home();
    let old = Timestamp::now().as_microsecond() - 8 * 24 * 60 * 60 * 1_000_000;
    home.open(for_long()).put(&[letter(b"old", old)]);
    assert_eq!(home.files().len(), 1);
    // Also where no more are kept.
    let letters = home.open(Config {
        keep: false,
        ..Config::default()
    });
    assert_eq!(home.files().len(), 0);
    home.open(for_long()).put(&[letter(b"old", old)]);
    letters.put(&[letter(b"new", NOON)]);
    assert_eq!(home.files().len(), 1, "not more than once an hour");
    letters.state().pruned = Instant::now().checked_sub(PRUNE_EVERY);
    letters.put(&[letter(b"new", NOON)]);
    assert_eq!(home.files().len(), 0);
}

#[test]
fn only_the_owner_may_read() {
    let home = home();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    fs::create_dir(&home.folder).unwrap();
    fs::set_permissions(&home.folder, Permissions::from_mode(0o755)).unwrap();
    home.open(for_long()).put(&[letter(b"one", NOON)]);
    assert_eq!(mode(&home.folder), 0o700);
    assert_eq!(mode(&home.files()[0]), 0o600);
}

#[test]
fn what_a_killed_writer_left_is_removed() {
    let home = home();
    home.open(for_long()).put(&[letter(b"one", NOON)]);
    let file = home.files()[0].clone();
    fs::rename(&file, file.with_extension("letters.tmp")).unwrap();
    fs::write(home.folder.join("notes.tmp"), "not ours").unwrap();
    home.check(expect![""]);
    home.open(for_long());
    assert_eq!(home.files(), [home.folder.join("notes.tmp")]);
}

/// Whether any file below holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = fs::read(path).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn without_keep_no_byte_is_on_disk() {
    let home = home();
    let content = format!(r#"{{"data":{{"password":"{CANARY}"}}"#);
    let secret = [letter(content.as_bytes(), NOON)];
    let letters = home.open(Config {
        keep: false,
        ..Config::default()
    });
    let kept = letters.put(&secret);
    assert_eq!(raw_of(&kept), [false]);
    assert!(!format!("{kept:?}").contains(CANARY));
    assert!(!home.folder.exists());
    assert!(!holds(home.root.path(), CANARY));
    assert_eq!(list(&home.folder).unwrap().count(), 0);
    // The same test can fail.
    let kept_raw = home.open(for_long()).put(&secret);
    assert_eq!(kept_raw[0].sha256, kept[0].sha256);
    assert!(holds(home.root.path(), CANARY));
    remove(&home.folder, kept[0].id).unwrap();
    assert!(!holds(home.root.path(), CANARY));
    // The folder is there now.
    assert_eq!(raw_of(&letters.put(&secret)), [false]);
    assert!(!holds(home.root.path(), CANARY));
}

#[test]
fn damage_anywhere_is_told_and_never_a_wrong_byte() {
    let home = home();
    let letters = home.open(for_long());
    let raw: [&[u8]; 3] = [b"first letter", b"second letter", b"third letter"];
    let kept = letters.put(&raw.map(|raw| letter(raw, NOON)));
    let file = home.files()[0].clone();
    let whole = fs::read(&file).unwrap();
    let look = |what: &str| {
        let found: Vec<_> = list(&home.folder).unwrap().collect();
        let mut good = 0;
        for found in found.iter().flatten() {
            let place = kept.iter().position(|kept| kept.id == found.id);
            match show(&home.folder, found.id) {
                Ok((_, bytes)) => {
                    assert_eq!(bytes, raw[place.expect("one of ours")], "{what}");
                    good += 1;
                }
                Err(Error::Damaged { .. }) => {}
                Err(error) => panic!("{what}: {error}"),
            }
        }
        let told = found.iter().any(Result::is_err);
        (good, told)
    };
    assert_eq!(look("whole"), (3, false));
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(look(&format!("cut at {length}")).1, "cut at {length}");
    }
    let raw_at = whole.len() - raw.concat().len();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x06;
        fs::write(&file, &damaged).unwrap();
        let (good, told) = look(&format!("flipped at {at}"));
        // A mark that turned from + into - is the one bit flip that is not detected: it removes its letter.
        let mark = whole[at] == b'+' && at < raw_at;
        assert_eq!(
            (told, good < 3),
            (at < raw_at && !mark, true),
            "flipped at {at}"
        );
    }
}

#[test]
fn damage_costs_no_more_than_it_must() {
    let home = home();
    let letters = home.open(for_long());
    letters.put(&[letter(b"one", NOON), letter(b"two", NOON)]);
    letters.put(&[letter(b"three", NOON + 1)]);
    let (older, newer) = (home.files()[0].clone(), home.files()[1].clone());
    let text = fs::read_to_string(&older).unwrap();
    fs::write(&older, text.replacen("webhook", "wobhook", 1)).unwrap();
    fs::write(&newer, "").unwrap();
    home.check(expect![[r#"
        damaged: its header cannot be read
        damaged: a line of its table cannot be read, one letter is lost
        2026-11-23T06:35:04.239741Z cut off at 100: two
    "#]]);
    let file = fs::read(&older).unwrap();
    fs::write(&older, &file[..file.len() - 1]).unwrap();
    fs::write(&newer, "{}\n".repeat(100)).unwrap();
    let letters = home.open(for_long());
    assert_eq!(raw_of(&letters.put(&[letter(b"one", NOON + 2)])), [true]);
    let listed = home.listed();
    assert_eq!(
        listed
            .lines()
            .filter(|line| line.starts_with("damaged"))
            .count(),
        3
    );
}

#[test]
fn a_full_disk_stops_nothing() {
    let home = home();
    fs::create_dir_all(&home.folder).unwrap();
    let Some(_tiny) = Tiny::mount(&home.folder, "64k") else {
        return;
    };
    let letters = home.open(for_long());
    assert_eq!(raw_of(&letters.put(&[letter(b"small", NOON)])), [true]);
    let large = vec![b'x'; 200_000];
    let kept = letters.put(&[
        letter(b"small", NOON + 1),
        letter(&large, NOON + 1),
        letter(b"new", NOON + 1),
    ]);
    assert_eq!(raw_of(&kept), [true, false, false]);
    assert_eq!(home.files().len(), 1, "no half of a file stays");
    assert_eq!(
        raw_of(&letters.put(&[letter(b"new", NOON + 2)])),
        [true],
        "it recovers by itself"
    );
    assert!(home.listed().contains(": new\n"));
}

#[test]
fn a_folder_that_went_away_stops_nothing() {
    let home = home();
    let letters = home.open(for_long());
    fs::remove_dir_all(&home.folder).unwrap();
    assert_eq!(raw_of(&letters.put(&[letter(b"one", NOON)])), [false]);
}

#[test]
fn readers_work_beside_a_writer() {
    let home = home();
    let config = Config {
        size_bytes_max: 64 << 10,
        ..Config::default()
    };
    let letters = home.open(config);
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        let reader = |remove: bool| {
            let folder = &home.folder;
            let is_done = &is_done;
            move || {
                while !is_done() {
                    for found in list(folder).unwrap() {
                        let found = found.unwrap();
                        match found.raw() {
                            Ok(raw) => assert_eq!(raw.len(), 5_000),
                            Err(Error::Absent(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                        if remove {
                            found.remove().unwrap();
                        }
                    }
                }
            }
        };
        scope.spawn(reader(false));
        scope.spawn(reader(true));
        for round in 0..200_u8 {
            let texts = [round, round.wrapping_add(1)].map(|fill| vec![fill; 5_000]);
            let both = texts
                .each_ref()
                .map(|text| letter(text, NOON + i64::from(round)));
            assert_eq!(raw_of(&letters.put(&both)), [true, true]);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
