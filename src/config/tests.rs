use std::collections::BTreeSet;

use super::*;
use expect_test::{Expect, expect};

fn check(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)], want: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bygone.toml");
    std::fs::write(&path, file).unwrap();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let variables = environment.iter().map(owned).collect();
    let flags: Flags = flags
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    let given = Given {
        flags: &flags,
        ..Given::default()
    };
    let text = match load_from(Some(&path), variables, given) {
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
            "config file FILE: line 1: unknown field `logg`, expected one of `data_dir`, `log`, `ingest`, `api`, `access`, `webhook`, `kafka`, `files`, `watch`, `etcd`, `clickhouse`, `engine`, `spool`, `sink`, `reconcile`, `dead_letters`, `logs`"
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
        expect![[r#"BYGONE_SINK_FLUSH_WAIT_MS: invalid type: string "soon", expected u64"#]],
    );
    check(
        "",
        &[],
        &[("ingest.listen", "7070")],
        expect![[
            r#"ingest.listen "7070" is not an address and a port: use one like 127.0.0.1:7070"#
        ]],
    );
    check(
        "",
        &[],
        &[("api.listen", "7071")],
        expect![[r#"api.listen "7071" is not an address and a port: use one like 127.0.0.1:7070"#]],
    );
}

#[test]
fn an_unknown_variable_names_the_nearest_one() {
    check(
        "",
        &[("BYGONE_WEBHOOK_BODY_BYTES", "1")],
        &[],
        expect![
            "BYGONE_WEBHOOK_BODY_BYTES: no such variable: did you mean BYGONE_WEBHOOK_BODY_BYTES_MAX?"
        ],
    );
    check(
        "",
        &[("BYGONE_ACCESS_INSECURE_", "true")],
        &[],
        expect!["BYGONE_ACCESS_INSECURE_: no such variable: did you mean BYGONE_ACCESS_INSECURE?"],
    );
    check(
        "",
        &[("BYGONE_TOKENFILE", "/t")],
        &[],
        expect!["BYGONE_TOKENFILE: no such variable: did you mean BYGONE_TOKEN_FILE?"],
    );
    check(
        "",
        &[("BYGONE_QUITE_SOMETHING_ELSE", "1")],
        &[],
        expect![[
            r#"BYGONE_QUITE_SOMETHING_ELSE: no such variable: "bygone config keys" lists them"#
        ]],
    );
}

#[test]
fn variables_that_are_no_keys_are_left_alone() {
    let others = [
        ("BYGONE_SERVER", "http://127.0.0.1:7071"),
        ("BYGONE_TOKEN_FILE", "/t"),
        ("BYGONE_KAFKA_SASL_PASSWORD", "hidden"),
        // What Kubernetes sets for Services named bygone and bygone-api.
        ("BYGONE_SERVICE_HOST", "10.96.0.7"),
        ("BYGONE_SERVICE_PORT", "7070"),
        ("BYGONE_SERVICE_PORT_INGEST", "7070"),
        ("BYGONE_PORT", "tcp://10.96.0.7:7070"),
        ("BYGONE_PORT_7070_TCP", "tcp://10.96.0.7:7070"),
        ("BYGONE_API_PORT_7071_TCP_ADDR", "10.96.0.7"),
    ];
    check("", &others, &[], expect!["info 127.0.0.1:7070 250"]);
    // A port that is not from Kubernetes is a mistake.
    check(
        "",
        &[("BYGONE_PORT", "7070")],
        &[],
        expect!["BYGONE_PORT: no such variable: did you mean BYGONE_LOG?"],
    );
}

#[test]
fn an_unknown_key_of_set_names_the_nearest_one() {
    let said = |key: &str, value: &str| {
        let set = [(key.to_owned(), value.to_owned())];
        let given = Given {
            set: &set,
            ..Given::default()
        };
        load_from(None, Vec::new(), given).unwrap_err().to_string()
    };
    expect!["--set sink.flush_wait: no such key: did you mean sink.flush_wait_ms?"]
        .assert_eq(&said("sink.flush_wait", "1"));
    expect![[r#"--set sink.flush_wait_ms: invalid type: string "-1", expected u64"#]]
        .assert_eq(&said("sink.flush_wait_ms", "-1"));
    expect!["--set kafka.sasl_mechanism: unknown variant `GSSAPI`, expected one of `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`"].assert_eq(&said("kafka.sasl_mechanism", "GSSAPI"));
}

/// A value of each kind that a key can have: as TOML, and as a flag or a variable gives it.
const VALUES: [(&str, &str); 9] = [
    ("\"127.0.0.1:9\"", "127.0.0.1:9"),
    ("9", "9"),
    ("true", "true"),
    ("false", "false"),
    ("[\"a\", \"b\"]", "a, b"),
    ("[\"topic\", \"key\"]", "topic,key"),
    ("\"latest\"", "latest"),
    ("\"PLAIN\"", "PLAIN"),
    ("{ \"a.b\" = \"c\" }", "{ \"a.b\" = \"c\" }"),
];

/// Tables that are repeated have fields that must be there.
const TABLES: [(&str, &str); 6] = [
    (
        "files",
        "[{ cluster = \"prod\", paths = [\"/var/log/audit.log\"] }]",
    ),
    (
        "watch",
        "[{ cluster = \"prod\", address = \"https://10.0.0.1:6443\" }]",
    ),
    (
        "etcd",
        "[{ cluster = \"prod\", endpoints = [\"https://10.0.0.1:2379\"] }]",
    ),
    (
        "logs",
        "[{ name = \"otel\", preset = \"otel-clickhouse\" }]",
    ),
    (
        "access.ingest",
        "[{ token_file = \"/t\", clusters = [\"prod\"] }]",
    ),
    (
        "access.api",
        "[{ token_file = \"/t\", clusters = [\"prod\"], namespaces = [\"*\"] }]",
    ),
];

fn shown(config: &Config) -> String {
    format!("{config:?}")
}

/// The configuration of a file, or none where the file does not fit.
fn of_file(text: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bygone.toml");
    std::fs::write(&path, text).unwrap();
    let config = load_from(Some(&path), Vec::new(), Given::default());
    config.ok().map(|config| shown(&config))
}

#[test]
fn every_key_can_be_set_in_each_of_three_ways() {
    let defaults = of_file("").unwrap();
    let keys = keys::all();
    assert!(keys.len() > 90, "{keys:?}");
    for key in keys {
        let credentials = TABLES.iter().filter(|(of, _)| *of == key);
        let mut values = credentials.map(|(_, value)| (*value, *value)).chain(VALUES);
        let found = values.find_map(|(toml, text)| {
            let config = of_file(&format!("{key} = {toml}"))?;
            (config != defaults).then_some((config, text))
        });
        let (file, text) = found.unwrap_or_else(|| panic!("{key}: no value of the table fits"));

        let variables = vec![(keys::variable(&key), text.to_owned())];
        let environment = load_from(None, variables, Given::default());
        let environment = environment.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(shown(&environment), file, "{key} by the environment");

        let set = [(key.clone(), text.to_owned())];
        let given = Given {
            set: &set,
            ..Given::default()
        };
        let flag = load_from(None, Vec::new(), given).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(shown(&flag), file, "{key} by --set");
    }
}

#[test]
fn every_key_has_a_variable_of_its_own() {
    let variables: BTreeSet<String> = keys().into_iter().map(|(_, variable)| variable).collect();
    assert_eq!(variables.len(), keys::all().len());
}
