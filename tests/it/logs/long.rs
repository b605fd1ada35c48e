//! Long logs: all lines, in order, in little memory, also where the connection breaks.

use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::Value;

use super::clickhouse;
use crate::proxy::Proxy;
use crate::support::{self, Bygone, memory_bytes, shared, sql};

const LINES: u64 = 250_000;

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
fn read(bygone: &Bygone, container_id: &str, then: SyncSender<()>) -> (Vec<u64>, Value) {
    support::block_on(async {
        let url = format!("{}/api/v1/logs", bygone.api);
        let query = [("container_id", container_id)];
        let request = support::client().get(url).query(&query);
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

#[test]
fn a_quarter_of_a_million_lines() {
    let _alone = support::alone();
    let database = clickhouse::strongest().bygone.database.clone();
    let place = fill(&database);
    let config = "[[logs]]\nname = \"long\"\npreset = \"otel-clickhouse\"\nfrom = \"long_logs\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_beside(database.clone(), config, folder, &[]);
    let before = memory_bytes(bygone.pid(), "VmHWM:").expect("a process");
    let (numbers, end) = read(&bygone, &place.container_id, sync_channel(1).0);
    let peak = memory_bytes(bygone.pid(), "VmHWM:").expect("a process");
    println!("{LINES} lines: at most {} MiB more", (peak - before) >> 20);
    assert!(peak < 128 << 20, "{peak}");
    check(numbers, &end);

    // The same over connections that break in the middle.
    let mut proxy = Proxy::start(&shared().url, 7);
    let (user, password) = (&shared().user, shared().password_file.display());
    let config = format!(
        "{config}address = \"{}\"\nuser = \"{user}\"\npassword_file = \"{password}\"\n",
        proxy.url()
    )
    .replace("\"long_logs\"", &format!("\"{database}.long_logs\""));
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_beside(database, &config, folder, &[]);
    let (then, tenth) = sync_channel(1);
    let cutter = std::thread::spawn(move || {
        tenth.recv().expect("a tenth of the lines");
        proxy.close();
        proxy.open();
        proxy
    });
    let (numbers, end) = read(&bygone, &place.container_id, then);
    check(numbers, &end);
    cutter.join().expect("it was cut").close();
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
