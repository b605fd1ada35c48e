//! The embedded engine, run for real: what it keeps, whom it lets in, when it ends.
//!
//! The library is `BYGONE_ENGINE_LIBRARY`, or else the pinned one, installed once.

mod closed;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bygone::engine::{self, Config, Engine, EngineError, Options};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{Bygone, wait_for};

/// Any one wait of these tests.
const DEADLINE: Duration = Duration::from_secs(30);
const DATA_DIR_VARIABLE: &str = "BYGONE_TEST_ENGINE_DATA_DIR";

async fn options(data_dir: &Path) -> Options {
    let library = match std::env::var_os("BYGONE_ENGINE_LIBRARY") {
        Some(path) => PathBuf::from(path),
        None => engine::install(&engine::cache_folder().unwrap())
            .await
            .unwrap(),
    };
    Options {
        config: Config {
            library: Some(library),
            memory_bytes_max: 1 << 30,
            ..Config::default()
        },
        data_dir: data_dir.to_owned(),
        program: Some(env!("CARGO_BIN_EXE_bygone").into()),
        tcp_port: None,
        readable: None,
    }
}

async fn start(data_dir: &Path) -> Engine {
    Engine::start(options(data_dir).await).await.unwrap()
}

/// One statement over HTTP as `user`, with bygone's key: status and body. `None` if nobody answers.
async fn post(
    (url, key): (&str, &str),
    user: &str,
    password: &str,
    sql: &str,
) -> Option<(u16, String)> {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!(
        "POST / HTTP/1.0\r\nX-Bygone-Key: {key}\r\nX-ClickHouse-User: {user}\r\nX-ClickHouse-Key: {password}\r\n\
         Content-Length: {}\r\n\r\n{sql}",
        sql.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut reply = String::new();
    let read = timeout(DEADLINE, stream.read_to_string(&mut reply))
        .await
        .unwrap();
    read.ok()?;
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.trim().to_owned()))
}

/// One statement as our user that must succeed.
async fn ask(engine: &Engine, sql: &str) -> String {
    let at = (engine.url(), &*engine.key());
    let reply = post(at, engine.user(), engine.password(), sql).await;
    match reply {
        Some((200, body)) => body,
        other => panic!("{sql}: {other:?}"),
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process runs; a dead one that nobody has reaped does not.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn starts_answers_and_stops() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let (url, pid) = (engine.url().to_owned(), engine.pid().unwrap());
    assert!(url.starts_with("http://127.0.0.1:"));
    assert!(engine.pid().is_some());
    assert_eq!(ask(&engine, "SELECT 1").await, "1");
    assert_eq!(ask(&engine, "SELECT timezone()").await, "UTC");

    let folder = dir.path().join("clickhouse");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("engine.log")), 0o600);
    assert_eq!(mode(&folder.join("config.xml")), 0o600);
    // ClickHouse has this file while it runs and removes it when it ends in good order.
    assert!(folder.join("status").exists());

    let begin = Instant::now();
    engine.stop().await;
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "it had to be killed"
    );
    assert!(!runs(pid));
    assert!(!folder.join("status").exists());
    assert_eq!(post((&url, ""), "bygone", "", "SELECT 1").await, None);
}

/// The log of `bygone serve` has a warning of an engine that failed, and none of one that ended because it was asked to.
#[test]
fn an_end_that_was_asked_for_is_no_warning() {
    let mut bygone = Bygone::start_embedded(&[]);
    let failed = bygone.engine_pid().unwrap();
    signal(failed, Signal::KILL);
    let pid = wait_for("another engine", || {
        let back = bygone.log().contains("the engine answers again");
        bygone.engine_pid().filter(|pid| back && *pid != failed)
    });
    assert!(bygone.rows(&["pods"]).is_empty());
    let begin = Instant::now();
    assert!(bygone.stop().success());
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(!runs(pid));
    let log = bygone.log();
    let of_engine = |line: &&str| line.contains(" WARN ") && line.contains("the engine ");
    let warnings: Vec<&str> = log.lines().filter(of_engine).collect();
    let [failure] = warnings[..] else {
        panic!("{warnings:#?}")
    };
    assert!(
        failure.contains("the engine exited (signal: 9"),
        "{failure}"
    );
    assert!(!bygone.data_dir().join("clickhouse/status").exists());
}

#[tokio::test]
async fn confirmed_rows_survive_a_stop_and_a_kill() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    ask(&engine, "CREATE DATABASE d").await;
    ask(
        &engine,
        "CREATE TABLE d.t (n UInt64) ENGINE = MergeTree ORDER BY n",
    )
    .await;
    ask(&engine, "INSERT INTO d.t SELECT number FROM numbers(1000)").await;
    engine.stop().await;

    let engine = start(dir.path()).await;
    assert_eq!(
        ask(&engine, "SELECT count(), sum(n) FROM d.t").await,
        "1000\t499500"
    );
    for n in 0..20 {
        ask(&engine, &format!("INSERT INTO d.t VALUES ({n})")).await;
    }
    let (url, killed) = (engine.url().to_owned(), engine.pid().unwrap());
    signal(killed, Signal::KILL);
    eventually("another process answers", || {
        engine.pid().is_some_and(|pid| pid != killed)
    })
    .await;
    assert_eq!(engine.url(), url);
    assert_eq!(
        ask(&engine, "SELECT count(), sum(n) FROM d.t").await,
        "1020\t499690"
    );
    engine.stop().await;
}

#[tokio::test]
async fn a_folder_has_one_engine() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let begin = Instant::now();
    let error = Engine::start(options(dir.path()).await).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(8));
    assert!(matches!(error, EngineError::Held { .. }), "{error}");
    let folder = dir.path().join("clickhouse").canonicalize().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "another engine is running in {} (process {}): stop that bygone, \
             or use another data folder",
            folder.display(),
            engine.pid().unwrap()
        )
    );
    assert_eq!(ask(&engine, "SELECT 1").await, "1");
    engine.stop().await;
}

#[tokio::test]
async fn what_the_child_says_is_the_error() {
    let dir = TempDir::new().unwrap();
    let mut options = options(dir.path()).await;
    options.config.library = Some("/nowhere/libchdb.so".into());
    let begin = Instant::now();
    let error = Engine::start(options).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(8));
    assert!(matches!(error, EngineError::Ended { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("): cannot load the engine /nowhere/libchdb.so: "),
        "{message}"
    );
}

#[tokio::test]
async fn only_our_user_gets_in() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let key = engine.key();
    let url = (engine.url(), &*key);
    let (status, body) = post(url, "bygone", "wrong", "SELECT 1").await.unwrap();
    assert_eq!(status, 403);
    assert!(body.contains("AUTHENTICATION_FAILED"), "{body}");
    // The server's own session must be able to log in as `default` without a password. Its
    // quota is used up by then, or anybody could close our listener.
    for sql in [
        "SYSTEM STOP LISTEN HTTP",
        "SELECT number FROM system.numbers LIMIT 1",
    ] {
        let (status, body) = post(url, "default", "", sql).await.unwrap();
        assert_ne!(status, 200, "{sql}: {body}");
        assert!(body.contains("QUOTA_EXCEEDED"), "{sql}: {body}");
    }
    assert_eq!(ask(&engine, "SELECT 1").await, "1");
    engine.stop().await;
}

#[tokio::test]
async fn the_password_is_nowhere_to_be_read() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    ask(&engine, "SELECT 1").await;
    let pid = engine.pid().unwrap();
    let folder = dir.path().join("clickhouse");
    for path in [
        PathBuf::from(format!("/proc/{pid}/cmdline")),
        PathBuf::from(format!("/proc/{pid}/environ")),
        folder.join("engine.log"),
        folder.join("config.xml"),
    ] {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(engine.password()), "{}", path.display());
    }
    assert_eq!(engine.password().len(), 64);
    assert!(!format!("{engine:?}").contains(engine.password()));
    engine.stop().await;
}

#[tokio::test]
async fn inserts_are_synced_and_memory_is_bounded() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let sql = "SELECT name, value FROM system.merge_tree_settings \
               WHERE name IN ('fsync_after_insert', 'fsync_part_directory') ORDER BY name";
    assert_eq!(
        ask(&engine, sql).await,
        "fsync_after_insert\t1\nfsync_part_directory\t1"
    );
    let sql = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'";
    assert_eq!(ask(&engine, sql).await, (1_u64 << 30).to_string());
    engine.stop().await;
}

/// `system` is a database in memory here: its tables on disk were in their own way at the
/// second start.
#[tokio::test]
async fn the_query_log_can_be_read_at_every_start() {
    let dir = TempDir::new().unwrap();
    for _ in 0..2 {
        let engine = start(dir.path()).await;
        ask(&engine, "SELECT 'find me'").await;
        ask(&engine, "SYSTEM FLUSH LOGS").await;
        let sql = "SELECT count() FROM system.query_log \
                   WHERE query = 'SELECT \\'find me\\'' AND type = 'QueryFinish'";
        assert_eq!(ask(&engine, sql).await, "1");
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_term_signal_is_not_for_the_child() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let pid = engine.pid().unwrap();
    signal(pid, Signal::TERM);
    assert_eq!(ask(&engine, "SELECT sleep(0.2)").await, "0");
    assert_eq!(engine.pid(), Some(pid));
    engine.stop().await;
}

#[tokio::test]
async fn a_drop_leaves_no_server() {
    let dir = TempDir::new().unwrap();
    let engine = start(dir.path()).await;
    let pid = engine.pid().unwrap();
    drop(engine);
    eventually("the child is gone", || !runs(pid)).await;
}

#[tokio::test]
async fn a_killed_parent_leaves_no_server_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "engine::the_parent_to_be_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(DATA_DIR_VARIABLE, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = parent.stdout.take().unwrap();
    let child = BufReader::new(said)
        .lines()
        .find_map(|line| line.unwrap().split_once("child=")?.1.parse().ok());
    let child: u32 = child.expect("the parent says which child it has");
    assert!(runs(child));
    parent.kill().unwrap();
    parent.wait().unwrap();
    // At once, as a service manager would: the child may still be ending.
    let engine = start(dir.path()).await;
    assert!(!runs(child));
    assert_eq!(ask(&engine, "SELECT count() FROM d.t").await, "1000");
    engine.stop().await;
}

/// Not a test: the process that the one above kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn the_parent_to_be_killed() {
    let Some(data_dir) = std::env::var_os(DATA_DIR_VARIABLE) else {
        return;
    };
    let engine = start(Path::new(&data_dir)).await;
    ask(&engine, "CREATE DATABASE d").await;
    ask(
        &engine,
        "CREATE TABLE d.t (n UInt64) ENGINE = MergeTree ORDER BY n",
    )
    .await;
    ask(&engine, "INSERT INTO d.t SELECT number FROM numbers(1000)").await;
    println!("child={}", engine.pid().unwrap());
    sleep(DEADLINE).await;
}
