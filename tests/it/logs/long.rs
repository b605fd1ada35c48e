//! Long logs: all lines, in order, in little memory, also where the connection breaks.

use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::Value;

use super::clickhouse;
use super::written::Line;
use crate::proxy::Proxy;
use crate::support::{self, Bygone, memory_bytes, shared, sql};

pub const LINES: u64 = 250_000;

/// Fills a table with lines of one instance, ten of each microsecond.
fn fill(database: &str) -> clickhouse::Place {
    let place = clickhouse::strongest().instance("statefulset-38e", "web-0");
    let clickhouse::Place {
        uid,
        container_id,
        container,
        began,
        ..
    } = &place;
    sql(database, &clickhouse::TABLE.replace("{table}", "long_logs"));
    sql(
        database,
        &format!(
            "INSERT INTO long_logs (Timestamp, ServiceName, Body, ResourceAttributes) \
             SELECT fromUnixTimestamp64Nano({began} + 1000 * (number - number % 10)), 'web', \
             concat('line ', leftPad(toString(number), 9, '0'), ' ', repeat('x', 100)), \
             map('k8s.pod.uid', '{uid}', 'k8s.container.name', '{container}', 'container.id', '{container_id}') \
             FROM numbers({LINES})"
        ),
    );
    place
}

/// Reads the answer as it comes, and keeps the number of every line. At the tenth part of it, `then` is told.
fn read(bygone: &Bygone, query: &[(&str, &str)], then: SyncSender<()>) -> (Vec<u64>, Value) {
    support::block_on(async {
        let url = format!("{}/api/v1/logs", bygone.api);
        let request = support::client().get(url).query(query);
        let mut response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        let (mut numbers, mut end, mut rest) = (Vec::new(), Value::Null, Vec::new());
        while let Some(chunk) = response.chunk().await.expect("a body") {
            rest.extend_from_slice(&chunk);
            while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=length).collect();
                let record: Value = serde_json::from_slice(&line).expect("JSON");
                match record["line"].as_str() {
                    Some(line) => numbers.push(line[5..14].parse().expect("a number")),
                    None => end = record,
                }
                if numbers.len() as u64 == LINES / 10 {
                    _ = then.send(());
                }
            }
        }
        (numbers, end)
    })
}

fn check(mut numbers: Vec<u64>, end: &Value) {
    assert_eq!(end["end"]["error"], Value::Null, "{end}");
    assert_eq!(end["end"]["summary"]["lines"], LINES, "{end}");
    // Ten have one time, and no order among them.
    assert!(numbers.iter().map(|number| number / 10).is_sorted());
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..LINES), "lost or doubled");
}

/// The number of a line stands behind its first word.
pub fn text(number: u64) -> String {
    format!("line {number:09} {}", "x".repeat(100))
}

/// When a line was written, of an instance that wrote its first one then: ten in each microsecond.
pub fn at(line: &Line, number: u64) -> jiff::Timestamp {
    line.at + jiff::SignedDuration::from_micros((number / 10) as i64)
}

/// Reads all lines of a store at this address, which the configuration has as `{address}`: once as they are, in little
/// memory, and once over connections that break in the middle.
pub fn check_all(database: &str, config: &str, address: &str, query: &[(&str, &str)]) {
    let beside = |address: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config.replace("{address}", address);
        Bygone::start_beside(database.to_owned(), &config, folder, &[])
    };
    let bygone = beside(address);
    let before = memory_bytes(bygone.pid(), "VmHWM:").expect("a process");
    let (numbers, end) = read(&bygone, query, sync_channel(1).0);
    let peak = memory_bytes(bygone.pid(), "VmHWM:").expect("a process");
    println!("{LINES} lines: at most {} MiB more", (peak - before) >> 20);
    assert!(peak < 128 << 20, "{peak}");
    check(numbers, &end);

    let mut proxy = Proxy::start(address, 7);
    let bygone = beside(&proxy.url());
    let (then, tenth) = sync_channel(1);
    let cutter = std::thread::spawn(move || {
        tenth.recv().expect("a tenth of the lines");
        proxy.close();
        proxy.open();
        proxy
    });
    let (numbers, end) = read(&bygone, query, then);
    check(numbers, &end);
    cutter.join().expect("it was cut").close();
}

#[test]
fn a_quarter_of_a_million_lines() {
    let _alone = support::alone();
    let database = &clickhouse::strongest().bygone.database;
    let place = fill(database);
    let engine = shared();
    let config = format!(
        "[[logs]]\nname = \"long\"\npreset = \"otel-clickhouse\"\nfrom = \"{database}.long_logs\"\n\
         address = \"{{address}}\"\nuser = \"{}\"\npassword_file = \"{}\"\n",
        engine.user,
        engine.password_file.display()
    );
    let query = [("container_id", &*place.container_id)];
    check_all(database, &config, &engine.url, &query);
}

/// Lines of a megabyte: no more of the last ones than are held, and it is said.
#[test]
fn the_last_lines_are_held_up_to_a_limit() {
    let database = clickhouse::strongest().bygone.database.clone();
    let place = clickhouse::strongest().instance("statefulset-38e", "web-0");
    let (began, container_id) = (place.began, &place.container_id);
    sql(
        &database,
        &clickhouse::TABLE.replace("{table}", "wide_logs"),
    );
    sql(
        &database,
        &format!(
            "INSERT INTO wide_logs (Timestamp, ServiceName, Body, ResourceAttributes) \
             SELECT fromUnixTimestamp64Nano({began} + 1000 * number), 'web', \
             concat('line ', leftPad(toString(number), 9, '0'), ' ', repeat('x', 524288), repeat('x', 524288)), \
             map('container.id', '{container_id}') FROM numbers(40)"
        ),
    );
    let config = "[[logs]]\nname = \"wide\"\npreset = \"otel-clickhouse\"\nfrom = \"wide_logs\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_beside(database, config, folder, &[]);
    let answer = super::ask(&bygone, &[("container_id", container_id), ("tail", "39")]);
    let summary = &answer.end["end"]["summary"];
    assert_eq!(
        (&summary["lines"], &summary["more"], &summary["tail_cut"]),
        (&31.into(), &true.into(), &true.into()),
        "{summary}"
    );
    let numbers = answer
        .lines
        .iter()
        .map(|line| line["line"].as_str().expect("text")[5..14].to_owned());
    let expected = (9..40).map(|number| format!("{number:09}"));
    assert!(numbers.eq(expected), "{summary}");
    let answer = super::ask(&bygone, &[("container_id", container_id), ("tail", "31")]);
    let summary = &answer.end["end"]["summary"];
    assert_eq!(
        (&summary["lines"], &summary["tail_cut"]),
        (&31.into(), &Value::Null),
        "{summary}"
    );
}
