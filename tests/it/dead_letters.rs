//! `bygone dead-letters`: list, show, replay; and their table.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use bygone::clickhouse::Store;
use bygone::dead_letters::{self, Config, DeadLetters, Letter};
use bygone::rows::{DEAD_LETTERS, DeadLetterRow, DeadLetterRows};
use expect_test::{Expect, expect};
use tempfile::TempDir;

use crate::support::{
    BYGONE, block_on, new_database, on_shared, plain, run, shared, sql, stderr, stdout,
};

/// 2026-11-23T06:35:04.239741Z
const NOON: i64 = 1_795_415_704_239_741;

struct Home {
    data_dir: TempDir,
    ids: Vec<String>,
}

/// A data folder with these letters, the last the newest.
fn home(letters: &[&str]) -> Home {
    let data_dir = tempfile::tempdir().unwrap();
    let config = Config {
        kept_days: u32::MAX,
        ..Config::default()
    };
    let writer = DeadLetters::open(&dead_letters::folder(data_dir.path()), config).unwrap();
    let ids = (0..).zip(letters).map(|(place, bytes)| {
        let kept = writer.put(&[Letter {
            cluster: "prod",
            origin: "webhook",
            position: 7..7 + bytes.len(),
            reason: "cut off",
            received_at: jiff::Timestamp::from_microsecond(NOON + place).unwrap(),
            bytes: bytes.as_bytes(),
        }]);
        assert!(kept[0].raw);
        kept[0].id.to_string()
    });
    Home {
        ids: ids.collect(),
        data_dir,
    }
}

impl Home {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = plain(BYGONE);
        command.arg("dead-letters").args(args);
        run(command.arg("--data-dir").arg(self.data_dir.path()))
    }

    fn check(&self, args: &[&str], expected: Expect) {
        let output = self.run(args);
        let code = output.status.code().unwrap();
        let folder = self.data_dir.path().display().to_string();
        let err = stderr(&output).replace(&folder, "DATA");
        expected.assert_eq(&format!("{}--- {code}\n{err}", stdout(&output)));
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = dead_letters::folder(self.data_dir.path());
        let entries = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Names a running bygone in the data folder, which is a webhook that we play.
    fn announce(&self, ingest: &str) {
        let running = format!(r#"{{"pid":1,"api":"http://127.0.0.1:1","ingest":"{ingest}"}}"#);
        std::fs::write(self.data_dir.path().join("running.json"), running).unwrap();
    }
}

#[test]
fn list_is_what_is_on_disk() {
    let home = home(&["first", "{\"second\""]);
    home.check(&["list"], expect![[r#"
        ID                                     RECEIVED (UTC)        CLUSTER   ORIGIN    REASON    FROM   BYTES
        2579c8c8-2b57-8cf7-8b25-c88a527750e9   2026-11-23 06:35:04   prod      webhook   cut off   7      9
        d4287f88-4692-8980-9cbe-d2122d4152da   2026-11-23 06:35:04   prod      webhook   cut off   7      5
        --- 0
    "#]]);
    home.check(&["list", "-o", "ndjson"], expect![[r#"
        {"id":"2579c8c8-2b57-8cf7-8b25-c88a527750e9","cluster":"prod","origin":"webhook","reason":"cut off","received_at":"2026-11-23T06:35:04.239742Z","position_from":7,"bytes":9,"sha256":"9fe03e864a2bf4f215f863eee6ca4f18b1759d24e0cf599727c1f629d7ab45d4"}
        {"id":"d4287f88-4692-8980-9cbe-d2122d4152da","cluster":"prod","origin":"webhook","reason":"cut off","received_at":"2026-11-23T06:35:04.239741Z","position_from":7,"bytes":5,"sha256":"a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"}
        --- 0
    "#]]);
    let output = home.run(&["list", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    std::fs::write(&home.files()[0], "damaged").unwrap();
    home.check(&["list"], expect![[r#"
        ID                                     RECEIVED (UTC)        CLUSTER   ORIGIN    REASON    FROM   BYTES
        2579c8c8-2b57-8cf7-8b25-c88a527750e9   2026-11-23 06:35:04   prod      webhook   cut off   7      9
        --- 2
        bygone: dead letters file DATA/dead-letters/00001795415704239741-d4287f88469289809cbed2122d4152da.letters is damaged: its header cannot be read
    "#]]);
}

#[test]
fn nothing_is_1_and_wrong_usage_64() {
    let home = home(&[]);
    home.check(
        &["list"],
        expect![[r#"
        --- 1
        no dead letters found
    "#]],
    );
    home.check(
        &["list", "-o", "json"],
        expect![[r#"
        {
          "items": [],
          "more": false,
          "cursor": null
        }
        --- 1
        no dead letters found
    "#]],
    );
    home.check(
        &["show", "88325389-2b0f-8cda-958c-dee212629707"],
        expect![[r#"
            --- 1
            there is no dead letter 88325389-2b0f-8cda-958c-dee212629707
        "#]],
    );
    home.check(&["show", "second"], expect![[r#"
        --- 64
        bygone: invalid value 'second' for '<ID>': invalid character: found `s` at 0: see "bygone help"
    "#]]);
    home.check(
        &["replay"],
        expect![[r#"
        --- 64
        bygone: the following required arguments were not provided: <ID>... see "bygone help"
    "#]],
    );
    home.check(
        &["replay", "--all"],
        expect![[r#"
        --- 2
        bygone: no bygone is running in DATA: start one with "bygone serve"
    "#]],
    );
}

#[test]
fn show_tells_bytes_only_with_raw() {
    let home = home(&["a \u{1b}[31msecret"]);
    home.check(
        &["show", &home.ids[0]],
        expect![[r#"
        id             014f6914-7d9b-8d4d-be54-e63e8198cbc7
        cluster        prod
        origin         webhook
        reason         cut off
        received_at    2026-11-23T06:35:04.239741Z
        position_from  7
        bytes          13
        sha256         8234360f6162c1ed375b8a52adf679eefcc0d025f8329272612032336e3de91b
        --- 0
    "#]],
    );
    let output = home.run(&["show", "--raw", &home.ids[0]]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"a \x1b[31msecret"[..], &b""[..])
    );
    let file = &home.files()[0];
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file, bytes).unwrap();
    let output = home.run(&["show", "--raw", &home.ids[0]]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(2), String::new())
    );
    assert!(
        stderr(&output).contains("is damaged"),
        "{}",
        stderr(&output)
    );
}

/// A webhook that answers as the body says. Returns its address.
async fn webhook(posted: Arc<AtomicU32>) -> String {
    let receive = move |body: String| async move {
        let count = posted.fetch_add(1, Ordering::Relaxed);
        match &*body {
            "good" => [("bygone-rejected", "0")].into_response(),
            "bad" => [("bygone-rejected", "2")].into_response(),
            "of an older build" => StatusCode::OK.into_response(),
            "busy" if count == 0 => {
                let again = [("retry-after", "0")];
                (StatusCode::SERVICE_UNAVAILABLE, again).into_response()
            }
            "busy" => [("bygone-rejected", "0")].into_response(),
            _ => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        }
    };
    let routes = Router::new().route("/v1/audit/prod", post(receive));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

#[test]
fn replay_removes_what_was_accepted_whole_and_nothing_else() {
    let posted = Arc::new(AtomicU32::new(0));
    let address = block_on(webhook(posted.clone()));
    let replay = |letters: &[&str], place: Option<usize>, expected: Expect| {
        let home = home(letters);
        home.announce(&address);
        let id = place.map_or("--all", |place| &*home.ids[place]);
        let output = home.run(&["replay", id]);
        let code = output.status.code().unwrap();
        let left = stdout(&home.run(&["list", "-o", "ndjson"])).lines().count();
        let said = format!(
            "{}{}--- {code}, {left} left\n",
            stdout(&output),
            stderr(&output)
        );
        let said = (0..).zip(&home.ids).fold(said, |said, (place, id)| {
            said.replace(id, &format!("letter {place}"))
        });
        expected.assert_eq(&said);
    };
    replay(
        &["busy", "good"],
        Some(0),
        expect![[r#"
        letter 0 accepted
        1 accepted and removed, 0 still unreadable, 0 failed
        --- 0, 1 left
    "#]],
    );
    assert_eq!(
        posted.load(Ordering::Relaxed),
        2,
        "once more after 503, and not the other"
    );
    replay(
        &["good", "bad", "busy"],
        None,
        expect![[r#"
        letter 2 accepted
        letter 1 still unreadable, 2 rejected
        letter 0 accepted
        2 accepted and removed, 1 still unreadable, 0 failed
        --- 1, 1 left
    "#]],
    );
    replay(
        &["good", "of an older build", "large"],
        None,
        expect![[r#"
            letter 0 accepted
            bygone: letter letter 2 is kept: the webhook answered 413 Payload Too Large
            bygone: letter letter 1 is kept: the webhook did not report whether it could be read
            1 accepted and removed, 0 still unreadable, 2 failed
            --- 2, 2 left
        "#]],
    );
    replay(
        &["bad"],
        Some(0),
        expect![[r#"
        letter 0 still unreadable, 2 rejected
        0 accepted and removed, 1 still unreadable, 0 failed
        --- 1, 1 left
    "#]],
    );
}

#[test]
fn replay_needs_a_running_bygone() {
    let home = home(&["good"]);
    home.check(
        &["replay", "--all"],
        expect![[r#"
        --- 2
        bygone: no bygone is running in DATA: start one with "bygone serve"
    "#]],
    );
    home.announce("http://127.0.0.1:1");
    home.check(&["replay", "--all"], expect![[r#"
        --- 2
        bygone: no bygone is reachable at http://127.0.0.1:1: Connection refused (os error 111): is it still running?
    "#]]);
    assert_eq!(home.files().len(), 1);
}

#[test]
fn the_table_takes_the_metadata() {
    let database = new_database();
    let output = run(&mut on_shared(&database, &["schema", "apply"]));
    assert!(output.status.success(), "{}", stderr(&output));
    let shared = shared();
    let password = std::fs::read_to_string(&shared.password_file).unwrap();
    let password = secrecy::SecretString::from(password);
    let store = Store::at(&shared.url, &shared.user, Some(&password), &database).unwrap();
    let mut rows = DeadLetterRows::default();
    for received_at in [NOON, NOON + 1] {
        rows.push(&DeadLetterRow {
            cluster: "prod",
            id: 0x8832_5389_2b0f_8cda_958c_dee2_1262_9707,
            origin: "webhook",
            reason: "cut off",
            received_at,
            position_from: 100,
            bytes: 3,
            sha256: [0xab; 32],
            raw_kept: true,
        });
    }
    let columns = DEAD_LETTERS.columns.join(", ");
    let insert = format!(
        "INSERT INTO {} ({columns}) FORMAT RowBinary",
        DEAD_LETTERS.name
    );
    block_on(store.insert(&insert, &[rows.into_bytes().into()], "token")).unwrap();
    let select = "SELECT * REPLACE (lower(hex(sha256)) AS sha256) FROM dead_letters FINAL \
                  FORMAT Vertical";
    expect![[r#"
        Row 1:
        ──────
        cluster:       prod
        id:            88325389-2b0f-8cda-958c-dee212629707
        origin:        webhook
        reason:        cut off
        received_at:   2026-11-23 06:35:04.239742
        position_from: 100
        bytes:         3
        sha256:        abababababababababababababababababababababababababababababababab
        raw_kept:      1
    "#]]
    .assert_eq(&sql(&database, select));
    let plain = "SELECT name FROM system.columns WHERE database = currentDatabase() \
                 AND table = 'dead_letters' AND comment = ''";
    assert_eq!(sql(&database, plain), "");
}

#[test]
fn no_data_folder_is_an_empty_one() {
    let output = run(plain(BYGONE).args(["dead-letters", "list", "--data-dir", "/nonexistent/x"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(!Path::new("/nonexistent/x").exists());
}
