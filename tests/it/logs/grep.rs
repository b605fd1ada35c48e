//! `--grep` finds the same lines whatever a store does with the expression: ClickHouse (RE2) and VictoriaLogs (Go's) get a
//! wider one, and here all that comes is filtered.

use bygone::logs::Grep;
use jiff::SignedDuration;
use serde_json::Value;

use super::victorialogs::{LOADED, Loaded, long};
use super::{ask, clickhouse};
use crate::support::{Bygone, sql};

/// Also with line ends, as some agents keep them, beyond ASCII, and not UTF-8.
const LINES: [&[u8]; 14] = [
    b"timeout",
    b"a timeout\n",
    b"a timeout\r\n",
    b"timeout after 12 ms",
    "timeout after ٣ ms".as_bytes(),
    "grün".as_bytes(),
    b"gr\xffn",
    b"grn\n",
    "273 \u{212a}".as_bytes(),
    b"273 kelvin",
    b"a\tb\n",
    b"a\x0bb",
    b"ERROR $1.50 [x]",
    b"a\nb",
];

const EXPRESSIONS: [&str; 20] = [
    "timeout$",
    r"timeout\z",
    "^timeout$",
    r"\d+ ms$",
    r"[\d] ms",
    r"\bms\b",
    "^gr.n$",
    r"gr[^a-z\d]n",
    r"r\wn",
    r"\W",
    "(?i)^GR.N$",
    "(?i)273 k",
    "(?i)error",
    r"a\sb",
    "^a",
    r"\$[0-9]{1,2}\.",
    r"\[x\]$",
    "ü",
    r"\p{Lu}{2}",
    "",
];

/// The texts of all lines that an expression finds.
fn found(bygone: &Bygone, instance: &[(&str, &str)], expression: &str) -> Vec<String> {
    let mut query = instance.to_vec();
    query.push(("grep", expression));
    let answer = ask(bygone, &query);
    assert_eq!(answer.status, 200, "{expression}: {}", answer.end);
    assert_eq!(answer.end["end"]["error"], Value::Null, "{expression}");
    let lines = answer.lines.iter();
    let texts = lines.map(|line| line["line"].as_str().expect("text").to_owned());
    texts.collect()
}

fn check(bygone: &Bygone, instance: &[(&str, &str)], lines: &[&[u8]]) {
    for expression in EXPRESSIONS {
        let grep = Grep::new(expression).expect("an expression");
        let shown = lines.iter().map(|line| {
            let end = line.iter().rposition(|byte| !b"\r\n".contains(byte));
            &line[..end.map_or(0, |end| end + 1)]
        });
        let wanted = shown.filter(|line| grep.is_match(line));
        let expected: Vec<String> = wanted
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        assert!(!expected.is_empty(), "{expression}");
        assert_eq!(
            found(bygone, instance, expression),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn in_clickhouse() {
    let place = clickhouse::strongest().instance("statefulset-38e", "web-0");
    let database = &clickhouse::strongest().bygone.database;
    sql(database, &clickhouse::TABLE.replace("{table}", "grep_logs"));
    let lines: Vec<String> = LINES
        .iter()
        .map(|line| format!("'{}'", hex::encode(line)))
        .collect();
    sql(
        database,
        &format!(
            "INSERT INTO grep_logs (Timestamp, Body, ResourceAttributes) \
             SELECT fromUnixTimestamp64Nano({} + number * 1000), unhex([{}][number + 1]), \
             map('container.id', '{}') FROM numbers({})",
            place.began,
            lines.join(", "),
            place.container_id,
            LINES.len()
        ),
    );
    let config = "[[logs]]\nname = \"grep\"\npreset = \"otel-clickhouse\"\nfrom = \"grep_logs\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_beside(database.clone(), config, folder, &[]);
    check(&bygone, &[("container_id", &*place.container_id)], &LINES);
}

#[test]
fn in_victorialogs() {
    let line = long(LOADED.written);
    let lines = LINES
        .into_iter()
        .filter(|line| str::from_utf8(line).is_ok());
    let lines: Vec<&[u8]> = lines.collect();
    let records = lines.iter().enumerate().map(|(number, text)| {
        let at = line.at + SignedDuration::from_millis(number as i64);
        Loaded::vlagent(line, at, &String::from_utf8_lossy(text))
    });
    LOADED.write(50, &records.collect::<Vec<_>>());
    let bygone = LOADED.asking(50, "vlagent", "");
    let it = &line.instance;
    let restart = it.restart.to_string();
    let instance = [
        ("uid", &*it.uid),
        ("container", &*it.container),
        ("instance", &*restart),
    ];
    check(&bygone, &instance, &lines);
}
