//! How long the lines of one instance take, beside the store's own bare query for the same lines in the same run.
//!
//!     cargo bench --bench lines
//!     BYGONE_STORES=clickhouse,victorialogs,loki cargo bench --bench lines
//!
//! Two figures each: until the first line is there, and until the last one is. bygone is asked over its API, which looks
//! the instance up in the history first; the bare query is the one that it sends (`explain`), and asks the store for
//! JSON over one new connection as well. They take turns, eleven times; each figure is the median, with the lowest and
//! the highest. Beside them: how long the instance alone takes, which no answer can do without.

#[allow(dead_code, reason = "another bench uses the rest")]
mod figures;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../it/support.rs"]
mod support;

use std::process::{Command, Stdio};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use figures::{Goal, Spread};
use support::{Bygone, block_on, client, free_address, shared, sql, wait_for};

const TURNS: usize = 11;

const UID: &str = "00000000-0000-4000-8000-0000000be7c4";

const GOAL: Goal = Goal::AtMost(1.5);

/// A line of a usual length.
fn text(number: usize) -> String {
    format!("line {number:09} {}", "x".repeat(100))
}

/// A store with lines of the instance, a millisecond apart.
struct Store {
    name: &'static str,
    /// How many lines answers have.
    counts: &'static [usize],
    bygone: Bygone,
    /// What the bare query is sent by, made of what `explain` says.
    bare: fn(&str, &str, usize) -> RequestBuilder,
    address: String,
    _folder: Option<TempDir>,
}

fn main() {
    let stores = std::env::var("BYGONE_STORES").unwrap_or("clickhouse".to_owned());
    for name in stores.split(',') {
        let began = Timestamp::now() - SignedDuration::from_hours(1);
        match name {
            "clickhouse" => report(&clickhouse(began)),
            "victorialogs" => report(&victorialogs(began)),
            "loki" => report(&loki(began)),
            other => panic!("BYGONE_STORES: {other:?} is not clickhouse, victorialogs or loki"),
        }
    }
}

fn report(store: &Store) {
    println!("{}", store.name);
    for count in store.counts {
        let lines = count.to_string();
        let query = [("uid", UID), ("head", &*lines), ("explain", "true")];
        let asking = || client().get(format!("{}/api/v1/logs", store.bygone.api));
        let (explained, ..) = timed(asking().query(&query));
        let end = explained.lines().last().expect("an end");
        let end: Value = serde_json::from_str(end).expect("JSON");
        let attempt = &end["end"]["summary"]["parts"][0]["attempts"][0];
        assert_eq!(end["end"]["summary"]["lines"], *count, "{end}");
        let sent = attempt["queries"][0].as_str().expect("a query");
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..TURNS {
            let (answer, first, last) = timed((store.bare)(&store.address, sent, *count));
            assert!(answer.contains(&text(count - 1)), "{answer:.200}");
            let (answer, our_first, our_last) = timed(asking().query(&query[..2]));
            assert!(answer.contains(&text(count - 1)), "{answer:.200}");
            let instance = client().get(format!("{}/api/v1/containers", store.bygone.api));
            let (_, _, look_up) = timed(instance.query(&query[..1]));
            let turn = [first, last, our_first, our_last, look_up];
            for (times, time) in times.iter_mut().zip(turn) {
                times.push(time);
            }
        }
        let ratio = |ours: usize, bare: usize| {
            let pairs = times[ours].iter().zip(&times[bare]);
            Spread::of(pairs.map(|(ours, bare)| ours / bare))
        };
        let spread = |index: usize| Spread::of(times[index].iter().copied());
        println!(
            "  {count:>7} lines; the instance alone, from the history: {:>6.1} ms",
            spread(4)
        );
        for (what, bare, ours) in [("first", 0, 2), ("last", 1, 3)] {
            let ratio = ratio(ours, bare);
            println!(
                "  {count:>7} lines, {what:<5} bare {:>6.1} ms, bygone {:>6.1} ms, ratio {ratio:.2} {}",
                spread(bare),
                spread(ours),
                GOAL.held_by(ratio)
            );
        }
    }
}

/// The answer, and the milliseconds until its first and its last line was there.
fn timed(request: RequestBuilder) -> (String, f64, f64) {
    block_on(async {
        let begun = Instant::now();
        let mut response = request.send().await.expect("an answer");
        let status = response.status();
        let (mut body, mut first) = (Vec::new(), None);
        while let Some(chunk) = response.chunk().await.expect("a body") {
            body.extend_from_slice(&chunk);
            first.get_or_insert_with(|| begun.elapsed());
        }
        let last = begun.elapsed().as_secs_f64() * 1e3;
        let text = String::from_utf8(body).expect("text");
        assert!(status.is_success(), "{status}: {text:.400}");
        let first = first.expect("a line").as_secs_f64() * 1e3;
        (text, first, last)
    })
}

/// A bygone that knows the instance.
fn bygone(config: &str, began: Timestamp) -> Bygone {
    let bygone = Bygone::start_configured(config, tempfile::tempdir().expect("a folder"));
    let second = Timestamp::from_second(began.as_second()).expect("a time");
    let event = json!({
        "level": "RequestResponse", "auditID": "status", "stage": "ResponseComplete",
        "verb": "patch", "requestURI": "/api/v1/namespaces/n/pods/web-0/status",
        "user": {"username": "system:node:node-1", "groups": ["system:nodes", "system:authenticated"]},
        "objectRef": {"resource": "pods", "namespace": "n", "name": "web-0", "apiVersion": "v1",
            "subresource": "status"},
        "responseStatus": {"code": 200},
        "stageTimestamp": began.to_string(),
        "responseObject": {
            "kind": "Pod",
            "metadata": {"name": "web-0", "namespace": "n", "uid": UID, "resourceVersion": "7",
                "creationTimestamp": second.to_string()},
            "spec": {"nodeName": "node-1"},
            "status": {"phase": "Running", "containerStatuses": [{
                "name": "app", "containerID": format!("containerd://{:064x}", 7), "restartCount": 0,
                "state": {"running": {"startedAt": second.to_string()}},
            }]},
        },
    });
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event]});
    bygone.post_all([list.to_string()]);
    bygone
}

fn clickhouse(began: Timestamp) -> Store {
    let config = "[[logs]]\nname = \"otel\"\npreset = \"otel-clickhouse\"\n";
    let bygone = bygone(config, began);
    let table = "CREATE TABLE otel_logs (Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), \
        TimestampTime DateTime DEFAULT toDateTime(Timestamp), ServiceName LowCardinality(String), Body String CODEC(ZSTD(1)), \
        ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), \
        LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1))) ENGINE = MergeTree \
        PARTITION BY toDate(TimestampTime) PRIMARY KEY (ServiceName, TimestampTime) \
        ORDER BY (ServiceName, TimestampTime, Timestamp)";
    sql(&bygone.database, table);
    let (nanoseconds, id) = (began.as_nanosecond(), format!("{:064x}", 7));
    let rows = format!(
        "INSERT INTO otel_logs (Timestamp, ServiceName, Body, ResourceAttributes, LogAttributes) \
         SELECT fromUnixTimestamp64Nano({nanoseconds} + 1000000 * number), 'app', \
         concat('line ', leftPad(toString(number), 9, '0'), ' ', repeat('x', 100)), \
         map('k8s.pod.uid', '{UID}', 'k8s.container.name', 'app', 'container.id', '{id}'), \
         map('log.iostream', 'stdout') FROM numbers(200000)"
    );
    sql(&bygone.database, &rows);
    Store {
        name: "ClickHouse",
        counts: &[1_000, 10_000, 100_000],
        address: bygone.database.clone(),
        bygone,
        bare: |database, sent, count| {
            let password = std::fs::read_to_string(&shared().password_file).expect("a password");
            // One more tells bygone whether more follow.
            let sent = sent.replace(&format!("LIMIT {}", count + 1), &format!("LIMIT {count}"));
            client()
                .post(&shared().url)
                .query(&[("database", database)])
                .header("X-ClickHouse-User", &shared().user)
                .header("X-ClickHouse-Key", password.trim())
                .body(format!("{sent} FORMAT JSONEachRow"))
        },
        _folder: None,
    }
}

/// Starts a store by a script of `tests/`.
fn start(script: &str, ports: usize, ready: &str) -> (String, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let ports: Vec<String> = (0..ports)
        .map(|_| free_address().port().to_string())
        .collect();
    let script = format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(script);
    command.arg("start").arg(folder.path()).args(&ports);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    // Its stdin is closed by the end of this process alone.
    std::mem::forget(child.expect("bash"));
    let address = format!("http://127.0.0.1:{}", ports[0]);
    wait_for(ready, || {
        let answer = block_on(client().get(format!("{address}{ready}")).send()).ok()?;
        answer.status().is_success().then_some(())
    });
    (address, folder)
}

fn victorialogs(began: Timestamp) -> Store {
    let (address, folder) = start("victorialogs.sh", 1, "/health");
    let records = (0..20_000).map(|number| {
        let record = json!({
            "_time": (began + SignedDuration::from_millis(number as i64)).to_string(), "_msg": text(number),
            "k8s.pod.uid": UID, "k8s.container.name": "app", "container.id": format!("{:064x}", 7),
            "log.iostream": "stdout",
        });
        format!("{record}\n")
    });
    let insert = client()
        .post(format!(
            "{address}/insert/jsonline?_stream_fields=k8s.pod.uid"
        ))
        .header("Content-Type", "application/stream+json");
    takes(insert.body(records.collect::<String>()));
    takes(client().get(format!("{address}/internal/force_flush")));
    let config = format!(
        "[[logs]]\nname = \"vl\"\npreset = \"otel-victorialogs\"\naddress = \"{address}\"\n"
    );
    Store {
        name: "VictoriaLogs",
        counts: &[1_000, 10_000],
        bygone: bygone(&config, began),
        bare: |address, sent, count| {
            let (_, logsql) = sent.split_once(" query=").expect("a query");
            let (logsql, _) = logsql.rsplit_once(" limit ").expect("a limit");
            let logsql = format!("{logsql} limit {count}");
            client()
                .get(format!("{address}/select/logsql/query"))
                .query(&[("query", logsql)])
        },
        address,
        _folder: Some(folder),
    }
}

fn loki(began: Timestamp) -> Store {
    let (address, folder) = start("loki.sh", 2, "/ready");
    let tenant = |request: RequestBuilder| request.header("X-Scope-OrgID", "bench");
    for first in (0..20_000).step_by(2_000) {
        let values = (first..first + 2_000).map(|number: usize| {
            let at = began + SignedDuration::from_millis(number as i64);
            json!([at.as_nanosecond().to_string(), text(number), {"pod": "web-0"}])
        });
        let values: Vec<Value> = values.collect();
        let streams = json!({"streams": [{"stream": {"namespace": "n", "container": "app"}, "values": values}]});
        takes(tenant(client().post(format!("{address}/loki/api/v1/push"))).json(&streams));
    }
    let config = format!(
        "[[logs]]\nname = \"loki\"\npreset = \"alloy\"\naddress = \"{address}\"\ntenant = \"bench\"\n"
    );
    Store {
        name: "Loki",
        counts: &[1_000, 5_000],
        bygone: bygone(&config, began),
        bare: |address, sent, count| {
            let (others, logql) = sent.split_once(" query=").expect("a query");
            let others = others.split(' ').filter_map(|part| part.split_once('='));
            let mut query: Vec<(&str, String)> = others
                .map(|(name, value)| (name, value.to_owned()))
                .collect();
            for (name, value) in &mut query {
                if *name == "limit" {
                    *value = count.to_string();
                }
            }
            query.push(("query", logql.to_owned()));
            let request =
                client().request(Method::GET, format!("{address}/loki/api/v1/query_range"));
            request.query(&query).header("X-Scope-OrgID", "bench")
        },
        address,
        _folder: Some(folder),
    }
}

fn takes(request: RequestBuilder) {
    let answer = block_on(request.send()).expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
}
