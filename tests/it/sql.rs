//! People's own SQL: `bygone sql`, and the account of the embedded engine with which other programs
//! read the views, tried with the real ones (`tests/clients.sh`).

use std::io::Write;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bygone::clickhouse::Store;
use bygone::engine::{READER, READER_SECONDS_MAX, reader_password};
use bygone::schema::{Limits, stop_excess};
use expect_test::{Expect, expect};

use crate::support::{self, Account, BYGONE, Bygone, block_on, plain, run, stderr, stdout};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients.sh");

/// The first worked question of `schema/README.md`, its times as RFC 3339 has them.
const QUESTION: &str = "SELECT namespace, pod, node FROM pods_with_ip(cluster = 'demo', ip = '10.244.1.8', \
     since = '2026-11-23T06:15:28Z', until = '2026-11-23T08:15:29+02:00')";
const ANSWER: &str = "daemonset-399\tagent-hf2z5\tworker-1";

/// A bygone with an engine of its own that has stored a recording, and who reads it.
struct World {
    bygone: Bygone,
    /// As `--dsn` shows it.
    dsn: String,
    /// The engine's address.
    url: String,
    password: String,
    /// An account with all rights.
    owner: Account,
}

impl World {
    fn start() -> World {
        let folder = tempfile::tempdir().unwrap();
        let owner = Account::write(&folder.path().join("data"));
        let library = support::library().display().to_string();
        let environment = [("BYGONE_ENGINE_LIBRARY", library)];
        let bygone = Bygone::start_in(folder, "bygone".to_owned(), &environment, &[]);
        let bodies = support::read(&support::recording_a(), "bodies.jsonl");
        bygone.post_all(bodies.lines().map(str::to_owned));
        bygone.drained();
        let password = reader_password(&bygone.data_dir()).unwrap();
        let mut world = World {
            bygone,
            dsn: String::new(),
            url: String::new(),
            password,
            owner,
        };
        world.dsn = world.said(&["--dsn"]).trim().to_owned();
        let (_, address) = world.dsn.split_once('@').unwrap();
        let address = address.strip_suffix("/bygone").unwrap();
        world.url = format!("http://{address}");
        world
    }

    /// `bygone sql` with its data folder.
    fn sql(&self, args: &[&str]) -> Output {
        let mut command = plain(BYGONE);
        command.arg("sql").args(args);
        run(command.arg("--data-dir").arg(self.bygone.data_dir()))
    }

    /// What it prints.
    fn said(&self, args: &[&str]) -> String {
        let output = self.sql(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    /// Asks over HTTP as the reader, with parameters in the URL: the answer, or what was said
    /// instead.
    fn reader(&self, parameters: &str, statement: &str) -> Result<String, String> {
        let request = support::client()
            .post(format!("{}/{parameters}", self.url))
            .basic_auth(READER, Some(&self.password));
        let (status, text) = answer(request.body(statement.to_owned()));
        if status == 200 { Ok(text) } else { Err(text) }
    }

    fn refuses(&self, (parameters, statement): (&str, &str), why: &str) {
        match self.reader(parameters, statement) {
            Ok(answer) => panic!("{parameters} {statement}: {answer}"),
            Err(said) => assert!(said.contains(why), "{parameters} {statement}: {said}"),
        }
    }
}

fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    block_on(async {
        let mut response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            body.extend_from_slice(&chunk);
        }
        (status, String::from_utf8(body).unwrap().trim().to_owned())
    })
}

#[test]
fn the_embedded_engine_answers_sql() {
    let world = World::start();
    formats(&world);
    wrong_statements(&world);
    every_client_reads(&world);
    every_way_to_log_in(&world);
    times(&world);
    cannot(&world);
    limits_are_lowered_and_not_raised(&world);
    lifted_limits_end_the_query(&world);
    survives_a_restart(world);
}

fn formats(world: &World) {
    let check = |format: &str, expected: Expect| {
        let question =
            "SELECT namespace, count() AS pods FROM pods GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 2";
        expected.assert_eq(&world.said(&[question, "-o", format]));
    };
    check(
        "table",
        expect![[r#"
        ┌─namespace─────┬─pods─┐
        │ jobs-3a7      │   14 │
        │ daemonset-399 │   12 │
        └───────────────┴──────┘
    "#]],
    );
    check(
        "ndjson",
        expect![[r#"
        {"namespace":"jobs-3a7","pods":14}
        {"namespace":"daemonset-399","pods":12}
    "#]],
    );
    check(
        "csv",
        expect![[r#"
        "namespace","pods"
        "jobs-3a7",14
        "daemonset-399",12
    "#]],
    );
    check(
        "tsv",
        expect![[r#"
        namespace	pods
        jobs-3a7	14
        daemonset-399	12
    "#]],
    );
    check(
        "markdown",
        expect![[r#"
        | namespace | pods |
        |:-|-:|
        | jobs-3a7 | 14 |
        | daemonset-399 | 12 |
    "#]],
    );
    check(
        "vertical",
        expect![[r#"
        Row 1:
        ──────
        namespace: jobs-3a7
        pods:      14

        Row 2:
        ──────
        namespace: daemonset-399
        pods:      12
    "#]],
    );
    check("Values", expect!["('jobs-3a7',14),('daemonset-399',12)"]);
    formats_of_values(world);
}

fn formats_of_values(world: &World) {
    let json = world.said(&["SELECT 1 AS one", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["data"][0]["one"], 1);

    let mut command = plain(BYGONE);
    command.args(["sql", "-o", "tsv", "--data-dir"]);
    let mut child = command
        .arg(world.bygone.data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A question mark is no place for a parameter.
    let statement = b"SELECT\n'why?' AS a;\n";
    child.stdin.take().unwrap().write_all(statement).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output), "a\nwhy?\n");
}

fn wrong_statements(world: &World) {
    let said = |args: &[&str], code: i32| {
        let output = world.sql(args);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        stderr(&output).replace(&world.url, "URL")
    };
    expect![[r#"
        bygone: clickhouse at URL: code 47: Unknown expression identifier `pot` in scope SELECT pot FROM pods. Maybe you meant: ['pod']. (UNKNOWN_IDENTIFIER) (version 26.7.2.1)
    "#]].assert_eq(&said(&["SELECT pot FROM pods"], 2));
    expect![[r#"
        bygone: clickhouse at URL: code 497: bygone_reader: Not enough privileges. To execute this query, it's necessary to have the grant DROP VIEW ON bygone.pods. (ACCESS_DENIED) (version 26.7.2.1)
    "#]].assert_eq(&said(&["DROP VIEW pods"], 2));
    expect![[r#"
        bygone: invalid value 'xls' for '--output <FORMAT>': use table, vertical, json, ndjson, csv, tsv, markdown, or a ClickHouse format like Parquet: see "bygone help"
    "#]].assert_eq(&said(&["SELECT 1", "-o", "xls"], 64));
    expect![[r#"
        bygone: no statement on stdin
    "#]]
    .assert_eq(&said(&[], 64));
    // An answer that fails half-way is none.
    let late = "SELECT throwIf(number = 900000) FROM numbers(1000000)";
    let output = world.sql(&[late, "-o", "tsv"]);
    assert_eq!((output.status.code(), stdout(&output).len()), (Some(2), 0));
}

fn every_client_reads(world: &World) {
    for (client, dsn) in [
        ("python", world.dsn.clone()),
        ("go", world.dsn.clone()),
        ("jdbc", world.said(&["--dsn=jdbc"]).trim().to_owned()),
    ] {
        let mut command = plain(CLIENTS);
        let output = run(command.args([client, &dsn, QUESTION]));
        let said = (stdout(&output).trim().to_owned(), stderr(&output));
        assert_eq!(said, (ANSWER.to_owned(), String::new()), "{client}");
    }
    let curl = world.said(&["--dsn=curl"]);
    let output = run(plain("sh").args(["-c", &format!("{} -s", curl.trim())]));
    assert_eq!(stdout(&output), "1\n");
}

/// As clients of ClickHouse send account and password, and as nobody gets in.
fn every_way_to_log_in(world: &World) {
    let client = support::client();
    let password = &*world.password;
    let question = "SELECT count() FROM pods";
    let header = |user: &str, password: &str| {
        let request = client.post(&world.url).body(question);
        answer(
            request
                .header("X-ClickHouse-User", user)
                .header("X-ClickHouse-Key", password),
        )
    };
    assert_eq!(header(READER, password), (200, "157".to_owned()));
    assert_eq!(header(READER, "wrong").0, 403);
    for other in ["default", "bygone", "bygone_reader2", ""] {
        assert_eq!(header(other, "").0, 404, "{other}");
    }
    // By GET, as links are.
    let get = client.get(format!("{}/?query=SELECT%201", world.url));
    let get = get.basic_auth(READER, Some(password));
    assert_eq!(answer(get), (200, "1".to_owned()));
    // Whoever is let in as one account can't become another.
    let as_default = |request: reqwest::RequestBuilder| answer(request.body("SELECT 1")).0;
    let url = format!("{}/?user=default", world.url);
    let by_header = client.post(&url).header("X-ClickHouse-User", READER);
    assert_ne!(as_default(by_header), 200);
    for other in ["", "wrong", &password[1..]] {
        let request = client.post(&url).basic_auth(READER, Some(other));
        assert_eq!(as_default(request), 404, "{other}");
    }
    // The reader itself can, but gains nothing: `default` is the engine's own session, whose quota
    // is used up, and which has no rights here.
    for statement in [
        "SYSTEM STOP LISTEN HTTP",
        "SELECT * FROM bygone.facts",
        "SELECT * FROM bygone.pods",
        "SELECT * FROM system.query_log",
        "CREATE TABLE bygone.mine (a UInt8) ENGINE = Memory",
    ] {
        let said = world.reader("?user=default&password=", statement);
        let said = said.expect_err(statement);
        let refused = ["QUOTA_EXCEEDED", "ACCESS_DENIED"].map(|why| said.contains(why));
        assert_ne!(refused, [false; 2], "{statement}: {said}");
    }
    let twice = client.post(&world.url).header("X-ClickHouse-User", READER);
    let of_default = format!("Basic {}", STANDARD.encode("default:"));
    assert_ne!(as_default(twice.header("Authorization", of_default)), 200);
    assert_eq!(as_default(client.post(&world.url)), 404);
}

/// Views take times in any usual form.
fn times(world: &World) {
    let count = |since: &str, until: &str| {
        let sql = format!("SELECT count() FROM pods_between(since = {since}, until = {until})");
        world
            .reader("", &sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let first = count("'2026-11-23 06:00:00'", "'2026-11-23 06:15:30'");
    assert_ne!(first, "157");
    for (since, until) in [
        ("'2026-11-23T06:00:00Z'", "'2026-11-23T06:15:30Z'"),
        ("'2026-11-23'", "'2026-11-23T06:15:30.000Z'"),
        ("'2026-11-23T06:00:00Z'", "'2026-11-23T07:15:30+01:00'"),
        ("1795413600", "1795414530"),
        ("1795413600000", "1795414530000"),
        (
            "toDateTime('2026-11-23 06:00:00', 'UTC')",
            "toDateTime64('2026-11-23 06:15:30', 3, 'UTC')",
        ),
    ] {
        assert_eq!(count(since, until), first, "{since} {until}");
    }
    assert_eq!(count("'1900-01-01'", "'2299-12-31T23:59:59Z'"), "157");
    let wrong = "SELECT count() FROM pods_between(since = 'monday', until = now())";
    world.refuses(("", wrong), "CANNOT_PARSE_DATETIME");
}

fn cannot(world: &World) {
    let denied = "(ACCESS_DENIED)";
    for (statement, why) in [
        // Write.
        ("INSERT INTO bygone.facts (cluster) VALUES ('x')", denied),
        ("DROP VIEW bygone.pods", denied),
        ("CREATE TABLE bygone.mine (a UInt8) ENGINE = Memory", denied),
        ("CREATE TEMPORARY TABLE mine (a UInt8)", denied),
        ("ALTER USER bygone_reader IDENTIFIED BY 'x'", denied),
        ("GRANT SELECT ON bygone.* TO bygone_reader", denied),
        // Reach out.
        (
            "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
            denied,
        ),
        ("SELECT * FROM file('config.xml', CSV, 'a String')", denied),
        ("SELECT * FROM remote('127.0.0.1', system.one)", denied),
        (
            "SELECT * FROM s3('http://bucket.s3.amazonaws.com/x.csv', CSV, 'a String')",
            denied,
        ),
        ("SELECT * FROM executable('id', CSV, 'a String')", denied),
        (
            "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
            denied,
        ),
        ("SELECT file('/etc/passwd')", "CANNOT_OPEN_FILE"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "INTO_OUTFILE_NOT_ALLOWED"),
        // See more than the views.
        ("SELECT * FROM bygone.facts", denied),
        (
            "SELECT * FROM merge('bygone', '^facts$')",
            "CANNOT_EXTRACT_TABLE_STRUCTURE",
        ),
        ("SELECT * FROM system.query_log", denied),
        ("SELECT * FROM system.processes", denied),
        ("SELECT * FROM system.users", denied),
        // Disturb.
        ("SYSTEM SHUTDOWN", denied),
        ("KILL QUERY WHERE 1", denied),
    ] {
        world.refuses(("", statement), why);
        // Nor where it has left the read-only mode.
        let lifted = format!("{statement} SETTINGS readonly = DEFAULT");
        if statement.starts_with("SELECT *") {
            world.refuses(("", &lifted), why);
        }
    }
    let session = "?session_id=without";
    assert_eq!(
        world.reader(session, "SET readonly = DEFAULT"),
        Ok(String::new())
    );
    world.refuses(
        (
            session,
            "CREATE TABLE bygone.mine (a UInt8) ENGINE = Memory",
        ),
        denied,
    );
    world.refuses((session, "DROP VIEW bygone.pods"), denied);
    let databases = world.reader("", "SHOW DATABASES");
    assert_eq!(databases, Ok("bygone".to_owned()));
}

fn limits_are_lowered_and_not_raised(world: &World) {
    let setting = |name: &str| format!("SELECT toString(getSetting('{name}'))");
    for (name, most) in [
        ("max_execution_time", READER_SECONDS_MAX),
        ("max_memory_usage", 2_000_000_000),
        ("max_rows_to_read", 500_000_000),
        ("max_bytes_to_read", 100_000_000_000),
        ("max_result_rows", 1_000_000),
        ("max_threads", 4),
    ] {
        let with = |value: u64| world.reader(&format!("?{name}={value}"), &setting(name));
        assert_eq!(world.reader("", &setting(name)), Ok(most.to_string()));
        assert_eq!(with(most - 1), Ok((most - 1).to_string()), "{name}");
        // Of threads 0 is the number of processors.
        let none = (name != "max_threads").then_some(0);
        for value in none.into_iter().chain([most + 1]) {
            let said = with(value).expect_err(name);
            assert!(
                said.contains("SETTING_CONSTRAINT_VIOLATION"),
                "{name}: {said}"
            );
        }
        // Another profile does not help.
        let elsewhere = format!("?profile=default&{name}={}", most + 1);
        world.refuses((&elsewhere, "SELECT 1"), "SETTING_CONSTRAINT_VIOLATION");
    }
    world.refuses(("?readonly=0", "SELECT 1"), "READONLY");
    for change in ["priority=3", "max_untracked_memory=3", "log_queries=0"] {
        let change = format!("?{change}");
        world.refuses((&change, "SELECT 1"), "SETTING_CONSTRAINT_VIOLATION");
    }
}

/// The engine lets clients lift limits by `= DEFAULT`: bygone ends what goes on then.
fn lifted_limits_end_the_query(world: &World) {
    let owner = &world.owner;
    let password = owner.password.clone().into();
    let store = Store::at(&world.url, &owner.user, Some(&password), "bygone").unwrap();
    let endless = "SELECT sleepEachRow(1) FROM numbers(600) \
         SETTINGS max_block_size = 1, max_execution_time = DEFAULT FORMAT Null";
    let request = support::client()
        .post(&world.url)
        .basic_auth(READER, Some(&world.password))
        .body(endless);
    let query = support::spawn(async move { request.send().await.unwrap().status().as_u16() });
    let limits = Limits {
        seconds_max: 2,
        memory_bytes_max: u64::MAX,
    };
    support::wait_for("the end of the query", || {
        block_on(stop_excess(&store, READER, limits)).unwrap();
        query.is_finished().then_some(())
    });
    assert_eq!(block_on(query).unwrap(), 500);
}

fn survives_a_restart(mut world: World) {
    world.bygone.stop();
    let missing = world.sql(&["SELECT 1"]);
    assert_eq!(missing.status.code(), Some(2));
    let folder = world.bygone.data_dir().display().to_string();
    expect![[r#"
        bygone: no bygone is running in DIR: start one with "bygone serve", or pass its --data-dir, or a ClickHouse with --clickhouse-url
    "#]].assert_eq(&stderr(&missing).replace(&folder, "DIR"));
    world.bygone.spawn_again();
    support::wait_for("bygone", || world.bygone.serves().then_some(()));
    assert_eq!(
        world.said(&["SELECT count() FROM pods", "-o", "csv"]),
        "\"count()\"\n157\n"
    );
    let again = reader_password(&world.bygone.data_dir()).unwrap();
    assert_eq!(again, world.password);
}

#[test]
fn a_port_of_ones_own_is_kept() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    let taken = run(plain(BYGONE)
        .args([
            "serve",
            "--ingest-listen",
            "127.0.0.1:0",
            "--api-listen",
            "127.0.0.1:0",
        ])
        .args(["--set", &format!("engine.port={port}")])
        .arg("--engine")
        .arg(support::library())
        .arg("--data-dir")
        .arg(tempfile::tempdir().unwrap().path()));
    assert_eq!(taken.status.code(), Some(2));
    let last = stderr(&taken);
    let last = last
        .lines()
        .last()
        .unwrap_or_default()
        .replace(&port, "PORT");
    expect!["bygone: cannot listen on 127.0.0.1:PORT, which is engine.port: Address already in use (os error 98): Address already in use (os error 98)"].assert_eq(&last);
    drop(free);
    let set = format!("engine.port={port}");
    let bygone = Bygone::start_embedded(&["--set", &set]);
    let output = run(plain(BYGONE)
        .args(["sql", "--dsn", "--data-dir"])
        .arg(bygone.data_dir()));
    let dsn = stdout(&output);
    assert!(
        dsn.trim().ends_with(&format!("@127.0.0.1:{port}/bygone")),
        "{dsn}"
    );
}

/// A ClickHouse of one's own is asked as the account that is configured, in its read-only mode.
#[test]
fn a_clickhouse_of_ones_own() {
    let database = support::new_database();
    let apply = run(&mut support::on_shared(&database, &["schema", "apply"]));
    assert!(apply.status.success(), "{}", stderr(&apply));
    let ask = |statement: &str| {
        let output = run(&mut support::on_shared(
            &database,
            &["sql", "-o", "tsv", statement],
        ));
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, said, _) = ask("SELECT count() AS n FROM pods");
    assert_eq!((code, &*said), (Some(0), "n\n0\n"));
    let (code, _, said) = ask("CREATE TABLE x (a UInt8) ENGINE = Memory");
    assert_eq!(code, Some(2));
    assert!(said.contains("read"), "{said}");
    let (_, _, said) = ask("SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')");
    assert!(
        said.contains("code 497") || said.contains("code 164"),
        "{said}"
    );
}
