use expect_test::{Expect, expect};

use super::*;
use crate::logs::{Grep, Preset, Span};

fn open(set: impl FnOnce(&mut Config)) -> Result<VictoriaLogs, Error> {
    let mut config = Config {
        name: "vl".to_owned(),
        address: Some("http://127.0.0.1:9428".to_owned()),
        ..Config::default()
    };
    set(&mut config);
    let preset = &Preset::all()["vlagent"].fields;
    let fields = config.fields.clone().or(preset);
    VictoriaLogs::open(&config, config.from.as_deref().unwrap_or_default(), &fields)
}

fn check(store: &VictoriaLogs, newest_first: bool, expected: Expect) {
    let query = Query {
        conditions: vec![
            Condition::Is {
                field: "kubernetes.container_id".to_owned(),
                values: vec!["cri-o://38cb".to_owned(), String::new()],
            },
            Condition::Contains {
                field: "log.file".to_owned(),
                part: "/a_b.c/0.log".to_owned(),
            },
        ],
        names: Vec::new(),
        span: Span {
            from: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
        },
        newest_first,
        grep: Some(Grep::new(r#"a\d+ "b""#).unwrap()),
        lines_max: None,
        sent: Default::default(),
    };
    let want = Want {
        span: Span {
            from: Timestamp::from_nanosecond(1_000_000_001).unwrap(),
            until: Timestamp::from_second(5).unwrap(),
        },
        lines_max: 1_000,
    };
    let logsql = store.logsql(&query, want).replace(" | ", "\n| ");
    expected.assert_eq(&format!("{logsql}\n"));
}

#[test]
fn queries() {
    check(
        &open(|_| ()).unwrap(),
        false,
        expect![[r#"
            _time:[1970-01-01T00:00:01.000000001Z, 1970-01-01T00:00:05Z) ("kubernetes.container_id":="cri-o://38cb" or "kubernetes.container_id":="") "log.file":~"/a_b\\.c/0\\.log" ("_msg":~"a[\\d\\x{80}-\\x{10FFFF}]+ \"b\"")
            | fields _time, "_msg"
            | sort by (_time) limit 1000
        "#]],
    );
    let all = open(|config| {
        config.from = Some("{env=\"prod\"}".to_owned());
        config.fields.stream = Some("log.iostream".to_owned());
        config.fields.tie_break = Some("log.offset".to_owned());
        config.fields.line = vec!["log".to_owned(), "_msg".to_owned()];
    });
    check(
        &all.unwrap(),
        true,
        expect![[r#"
            _time:[1970-01-01T00:00:01.000000001Z, 1970-01-01T00:00:05Z) ({env="prod"}) ("kubernetes.container_id":="cri-o://38cb" or "kubernetes.container_id":="") "log.file":~"/a_b\\.c/0\\.log" ("log":~"a[\\d\\x{80}-\\x{10FFFF}]+ \"b\"" or "_msg":~"a[\\d\\x{80}-\\x{10FFFF}]+ \"b\"")
            | fields _time, "log", "_msg", "log.iostream", "log.offset"
            | sort by (_time desc, "log.offset" desc) limit 1000
        "#]],
    );
}

#[test]
fn tenants() {
    assert_eq!(tenant(None), Ok(None));
    assert_eq!(tenant(Some("12")), Ok(Some((12, 0))));
    assert_eq!(tenant(Some("12:34")), Ok(Some((12, 34))));
    let error = open(|config| config.tenant = Some("shop".to_owned()));
    let error = error.err().expect("no number").to_string();
    assert!(error.contains("invalid tenant \"shop\""), "{error}");
}

#[test]
fn records() {
    let store = open(|config| {
        config.fields.stream = Some("stream".to_owned());
        config.fields.line = vec!["log".to_owned(), "_msg".to_owned()];
    });
    let store = store.unwrap();
    let line = |text: &str| store.line(text.as_bytes());
    let read =
        line(r#"{"_time":"2026-11-23T06:15:00.000000001Z","_msg":"a\nb","stream":"stderr"}"#);
    let read = read.unwrap();
    assert_eq!(read.at.to_string(), "2026-11-23T06:15:00.000000001Z");
    assert_eq!(
        (read.stream.as_deref(), &*read.text),
        (Some("stderr"), &b"a\nb"[..])
    );
    assert_eq!(line(r#"{"_msg":"no time"}"#), None);
    assert_eq!(line("cannot execute query"), None);
}
