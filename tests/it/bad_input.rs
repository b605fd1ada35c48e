//! Wrong input gets one line that names the thing and says what to do, and its exit code.

use expect_test::{Expect, expect};

use crate::support::{BYGONE, on_shared, plain, run, shared, stderr, stdout};

fn check(args: &[&str], code: i32, expected: Expect) {
    let output = run(plain(BYGONE).args(args));
    let said = stderr(&output);
    assert_eq!(
        said.lines().count(),
        1,
        "{args:?} is told in one line: {said}"
    );
    assert_eq!(stdout(&output), "", "{args:?}");
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    expected.assert_eq(said.trim_end());
}

#[test]
fn flags() {
    check(
        &["get"],
        64,
        expect![[
            r#"bygone: the following required arguments were not provided: <WHAT>: see "bygone help""#
        ]],
    );
    check(
        &["get", "services"],
        64,
        expect![[
            r#"bygone: invalid value 'services' for '<WHAT>' [possible values: containers, pods, sessions, clusters, namespaces, workloads, nodes, images] see "bygone help""#
        ]],
    );
    check(
        &["get", "pods", "--sinse", "2h"],
        64,
        expect![[
            r#"bygone: unexpected argument '--sinse' found tip: a similar argument exists: '--since': see "bygone help""#
        ]],
    );
    check(
        &["get", "pods", "-o", "xml"],
        64,
        expect![[
            r#"bygone: unknown output format "xml": use one of table, wide, json, yaml, csv, ndjson, name, custom-columns=, jsonpath=: see "bygone help""#
        ]],
    );
    check(
        &["get", "pods", "--limit", "1000001"],
        64,
        expect![[
            r#"bygone: invalid value '1000001' for '--limit <ROWS>': use a number from 1 to 1000000: see "bygone help""#
        ]],
    );
    check(
        &["get", "pods", "-A", "-n", "x"],
        64,
        expect![[
            r#"bygone: the argument '--all-namespaces' cannot be used with '--namespace <NAMES>': see "bygone help""#
        ]],
    );
    check(
        &["frobnicate"],
        64,
        expect![[r#"bygone: unrecognized subcommand 'frobnicate': see "bygone help""#]],
    );
}

#[test]
fn times_and_filters() {
    check(
        &["get", "pods", "--since", "tuesday"],
        64,
        expect![[r#"bygone: --since: invalid duration "tuesday": use 90s, 15m, 2h, 1d or 1d12h"#]],
    );
    check(
        &["get", "pods", "--from", "yesterdayish"],
        64,
        expect![[
            r#"bygone: --from: invalid time "yesterdayish": use 2026-11-23T06:15:00Z, '2026-11-23 06:15', 06:15, 'yesterday 14:00', 'monday 06:15', now, or seconds since 1970"#
        ]],
    );
    check(
        &["get", "pods", "--at", "06:15", "--since", "2h"],
        64,
        expect![[r#"bygone: --at and --since cannot be combined"#]],
    );
    check(
        &[
            "get",
            "pods",
            "--zone",
            "UTC",
            "--from",
            "2026-11-23",
            "--to",
            "2026-11-22",
        ],
        64,
        expect![
            "bygone: --to: the end 2026-11-22T00:00:00Z is not after the start 2026-11-23T00:00:00Z"
        ],
    );
    check(
        &["get", "pods", "--zone", "Europe/Atlantis"],
        64,
        expect![[
            r#"bygone: --zone: invalid time zone "Europe/Atlantis": use a name like Europe/Berlin, UTC, local, or an offset like +02:00"#
        ]],
    );
    check(
        &["get", "pods", "-l", "a like b"],
        64,
        expect![[
            r#"bygone: --selector: invalid selector "a like b": use key=value, key!=value, 'key in (a,b)', 'key notin (a,b)', key or '!key'"#
        ]],
    );
    check(
        &["get", "pods", "--workload", "web"],
        64,
        expect![[r#"bygone: --workload: invalid workload "web": use kind/name, like deploy/web"#]],
    );
    check(
        &["get", "pods", "--ip", "10.0"],
        64,
        expect![[r#"bygone: --ip: invalid IP address "10.0": use one like 10.0.3.17"#]],
    );
    check(
        &["get", "pods", "--uid", "7"],
        64,
        expect![[r#"bygone: --uid: invalid uid "7": use the UUID of a pod"#]],
    );
    check(
        &["get", "pods", "--cursor", "7"],
        64,
        expect![[
            r#"bygone: --cursor: invalid cursor "7": pass the value printed by the previous answer"#
        ]],
    );
}

#[test]
fn stores() {
    let nowhere = ["--data-dir", "/dev/null/bygone"];
    check(
        &[&["get", "pods"], &nowhere[..]].concat(),
        2,
        expect![[
            r#"bygone: no ClickHouse is configured and no bygone is running in /dev/null/bygone: start "bygone serve", or pass --server URL or --clickhouse-url URL"#
        ]],
    );
    check(
        &["get", "pods", "--server", "http://127.0.0.1:1"],
        2,
        expect![[
            r#"bygone: no bygone is reachable at http://127.0.0.1:1: Connection refused (os error 111): is "bygone serve" running?"#
        ]],
    );
    check(
        &["get", "pods", "--server", "not a url"],
        2,
        expect![[
            r#"bygone: invalid server URL "not a url": use one like http://127.0.0.1:7071: builder error: relative URL without a base"#
        ]],
    );
    check(
        &["get", "pods", "--clickhouse-url", "http://127.0.0.1:1"],
        2,
        expect![[
            r#"bygone: clickhouse at http://127.0.0.1:1 cannot be reached: Connection refused (os error 111): check clickhouse.url, and that it runs"#
        ]],
    );
    check(
        &["get", "pods", "--clickhouse-url", "clickhouse:8123"],
        2,
        expect![[
            r#"bygone: invalid clickhouse url "clickhouse:8123": use one like http://127.0.0.1:8123"#
        ]],
    );
    check(
        &["reconcile", "--retention", "a year"],
        64,
        expect![[
            r#"bygone: invalid value 'a year' for '--retention <DAYS>': use days, like 400d: see "bygone help""#
        ]],
    );
    check(
        &["schema", "apply"],
        64,
        expect![[
            r#"bygone: no ClickHouse is configured: pass --clickhouse-url http://HOST:8123 (the embedded engine applies its schema itself)"#
        ]],
    );
    check(
        &[&["serve"], &nowhere[..]].concat(),
        2,
        expect![[r#"bygone: data folder /dev/null/bygone: Not a directory (os error 20)"#]],
    );
}

#[test]
fn a_library_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    let listen = [
        "--ingest-listen",
        "127.0.0.1:0",
        "--api-listen",
        "127.0.0.1:0",
    ];
    let args = [
        "serve",
        "--engine",
        "/nonexistent/libchdb.so",
        "--data-dir",
        folder,
    ];
    check(
        &[&args[..], &listen].concat(),
        2,
        expect![
            "bygone: the engine exited during start-up (exit status: 2): cannot load the engine /nonexistent/libchdb.so: dlopen failed"
        ],
    );
}

#[test]
fn a_wrong_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong\n").expect("written");
    let output =
        run(on_shared("x", &["schema", "apply"]).env("BYGONE_CLICKHOUSE_PASSWORD_FILE", &file));
    assert_eq!(output.status.code(), Some(2));
    expect![[r#"
        bygone: schema apply: clickhouse at URL rejected the password of user tester: see clickhouse.user and clickhouse.password_file
    "#]].assert_eq(&stderr(&output).replace(&shared().url, "URL"));
}

#[test]
fn configuration() {
    check(
        &["serve", "--ingest-listen", "7070"],
        2,
        expect![[
            r#"bygone: ingest.listen "7070" is not an address and a port: use one like 127.0.0.1:7070"#
        ]],
    );
    check(
        &["serve", "--api-listen", "7071"],
        2,
        expect![[
            r#"bygone: api.listen "7071" is not an address and a port: use one like 127.0.0.1:7070"#
        ]],
    );
    check(
        &["serve", "--log", "=="],
        64,
        expect![[
            r#"bygone: log filter "==": invalid filter directive: use one like info or bygone=debug"#
        ]],
    );
    check(
        &["config", "print", "--config", "/nonexistent.toml"],
        2,
        expect![[
            r#"bygone: config file /nonexistent.toml: No such file or directory (os error 2)"#
        ]],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    std::fs::write(&file, "[ingest]\nlisten = \"127.0.0.1:1\"\nport = 7\n").expect("written");
    let output = run(plain(BYGONE)
        .args(["config", "print", "--config"])
        .arg(&file));
    assert_eq!(output.status.code(), Some(2));
    expect![[r#"
        bygone: config file FILE: line 2: unknown field `port`, expected one of `listen`, `tls_certificate_file`, `tls_key_file`, `client_ca_file`, `client_certificate_required`, `reload_seconds`, `connections_max`, `handshake_seconds_max`, `header_seconds_max`, `idle_seconds_max`, `header_bytes_max`, `body_bytes_per_second_min`, `body_grace_seconds`, `http2_streams_max`, `http2_stream_window_bytes`, `http2_connection_window_bytes`, `drain_seconds_max`
    "#]].assert_eq(&stderr(&output).replace(file.to_str().unwrap(), "FILE"));
}

#[test]
fn configuration_by_variables_and_flags() {
    let said = |set: &[(&str, &str)], args: &[&str]| {
        let mut command = plain(BYGONE);
        let output = run(command.args(args).envs(set.iter().copied()));
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    expect![[r#"
        bygone: BYGONE_ENGINE_INSECUR: no such variable: did you mean BYGONE_ENGINE_INSECURE?
    "#]]
    .assert_eq(&said(
        &[("BYGONE_ENGINE_INSECUR", "false")],
        &["config", "print"],
    ));
    expect![[r#"
        bygone: --set spool.size_bytes: no such key: did you mean spool.size_bytes_max?
    "#]]
    .assert_eq(&said(
        &[],
        &["config", "print", "--set", "spool.size_bytes=1"],
    ));
}
