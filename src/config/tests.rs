use super::*;
use expect_test::{Expect, expect};

fn check(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)], want: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bygone.toml");
    std::fs::write(&path, file).unwrap();
    let environment = |name: &str| {
        environment
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let flags = flags
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    let text = match load_from(Some(&path), environment, &flags) {
        Ok(config) => format!(
            "{} {} {}",
            config.log,
            config.ingest.listen.unwrap_or_default(),
            config.sink.flush_wait_ms
        ),
        Err(error) => error
            .to_string()
            .replace(&path.display().to_string(), "FILE"),
    };
    want.assert_eq(&text);
}

#[test]
fn each_layer_beats_the_one_before() {
    let file = "log = \"warn\"\n[ingest]\nlisten = \"127.0.0.1:1\"\n";
    check("", &[], &[], expect![[r#"info 127.0.0.1:7070 250"#]]);
    check(file, &[], &[], expect![[r#"warn 127.0.0.1:1 250"#]]);
    let environment = [
        ("BYGONE_INGEST_LISTEN", "127.0.0.1:2"),
        ("BYGONE_SINK_FLUSH_WAIT_MS", "9"),
    ];
    check(file, &environment, &[], expect![[r#"warn 127.0.0.1:2 9"#]]);
    let flags = [("ingest.listen", "[::1]:3")];
    check(file, &environment, &flags, expect![[r#"warn [::1]:3 9"#]]);
}

#[test]
fn what_is_wrong_is_named() {
    check(
        "logg = 1",
        &[],
        &[],
        expect![
            "config file FILE: line 1: unknown field `logg`, expected one of `data_dir`, `log`, `ingest`, `api`, `access`, `webhook`, `kafka`, `clickhouse`, `engine`, `spool`, `sink`, `reconcile`, `dead_letters`"
        ],
    );
    check(
        "\n[sink]\nflush_wait_ms = \"soon\"",
        &[],
        &[],
        expect![[r#"config file FILE: line 3: invalid type: string "soon", expected u64"#]],
    );
    check(
        "[ingest",
        &[],
        &[],
        expect![[r#"config file FILE: line 1: unclosed table, expected `]`"#]],
    );
    check(
        "",
        &[("BYGONE_SINK_FLUSH_WAIT_MS", "soon")],
        &[],
        expect![[r#"BYGONE_SINK_FLUSH_WAIT_MS: "soon" is not a number"#]],
    );
    check(
        "",
        &[],
        &[("ingest.listen", "7070")],
        expect![[
            r#"ingest.listen "7070" is not an address and a port: write it like 127.0.0.1:7070"#
        ]],
    );
    check(
        "",
        &[],
        &[("api.listen", "7071")],
        expect![[
            r#"api.listen "7071" is not an address and a port: write it like 127.0.0.1:7070"#
        ]],
    );
}

#[test]
fn every_key_is_one_of_the_configuration() {
    for key in KEYS {
        let mut table = Table::new();
        let text = if ["_max", "_ms", "_seconds", "_days"]
            .iter()
            .any(|unit| key.ends_with(unit))
        {
            "7"
        } else if [".insecure", ".keep", ".enabled", ".tls"]
            .iter()
            .any(|it| key.ends_with(it))
        {
            "true"
        } else {
            "seven"
        };
        set(&mut table, key, text, key).unwrap();
        parse(table).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}
