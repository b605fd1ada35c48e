use expect_test::expect;

use super::*;
use crate::logs::conditions::{conditions, names};
use crate::logs::{Grep, Identity, Instance, Preset, Span};

fn open(preset: &str, set: impl FnOnce(&mut Config)) -> Result<Loki, Error> {
    let mut config = Config {
        name: "loki".to_owned(),
        address: Some("http://127.0.0.1:3100".to_owned()),
        ..Config::default()
    };
    set(&mut config);
    let preset = &Preset::all()[preset];
    let from = config.from.clone().unwrap_or_else(|| preset.from.clone());
    let fields = config.fields.clone().or(&preset.fields);
    Loki::open(&config, &from, &fields)
}

/// How each preset asks for an instance.
#[test]
fn presets() {
    let instance = Instance {
        cluster: "prod".to_owned(),
        namespace: "shop".to_owned(),
        pod: "web-0".to_owned(),
        uid: uuid::Uuid::from_u128(7),
        container: "app".to_owned(),
        restart: 2,
        container_id: Some("38cb".to_owned()),
        runtime: Some("cri-o".to_owned()),
        ..Instance::default()
    };
    let mut text = String::new();
    for (name, preset) in Preset::all() {
        if preset.kind != crate::logs::Kind::Loki {
            continue;
        }
        text.push_str(&format!("{name}\n"));
        for identity in Identity::ALL {
            let Some(conditions) = conditions(identity, &preset.fields, &instance) else {
                continue;
            };
            let query = Query {
                conditions,
                names: names(&preset.fields, &instance),
                span: Span {
                    from: Timestamp::UNIX_EPOCH,
                    until: Timestamp::UNIX_EPOCH,
                },
                newest_first: false,
                grep: Some(Grep::new("a b").unwrap()),
                lines_max: None,
                sent: Default::default(),
            };
            let logql = open(name, |_| ()).unwrap().logql(&query);
            text.push_str(&format!("  {identity:?}: {logql}\n"));
        }
    }
    expect![[r#"
        alloy
          Names: {namespace="shop", container="app"} |~ "a b" | pod="web-0"
        fluent-bit-loki
          ContainerId: {job="fluent-bit"} |= "38cb" | json bygone_0="kubernetes.docker_id" | bygone_0="cri-o://38cb" or bygone_0="38cb"
          Uid: {job="fluent-bit"} |= "00000000-0000-0000-0000-000000000007" |= "app" | json bygone_0="kubernetes.pod_id", bygone_1="kubernetes.container_name" | bygone_0="00000000-0000-0000-0000-000000000007" | bygone_1="app"
          Names: {job="fluent-bit"} |= "shop" |= "web-0" |= "app" | json bygone_0="kubernetes.namespace_name", bygone_1="kubernetes.pod_name", bygone_2="kubernetes.container_name" | bygone_0="shop" | bygone_1="web-0" | bygone_2="app"
        kube-logging-loki
          ContainerId: {namespace="shop", container="app", container_id=~"cri\\-o://38cb|38cb"} |~ "a b"
          Uid: {namespace="shop", container="app", pod_id="00000000-0000-0000-0000-000000000007"} |~ "a b"
          Names: {namespace="shop", container="app", pod="web-0"} |~ "a b"
        otel-loki
          ContainerId: {k8s_namespace_name="shop", k8s_container_name="app"} |~ "a b" | container_id="cri-o://38cb" or container_id="38cb"
          Restart: {k8s_namespace_name="shop", k8s_container_name="app"} |~ "a b" | k8s_pod_uid="00000000-0000-0000-0000-000000000007" | k8s_container_restart_count="2"
          Uid: {k8s_namespace_name="shop", k8s_container_name="app"} |~ "a b" | k8s_pod_uid="00000000-0000-0000-0000-000000000007"
          Names: {k8s_namespace_name="shop", k8s_container_name="app"} |~ "a b" | k8s_pod_name="web-0" | k8s_cluster_name="prod" or k8s_cluster_name=""
        promtail
          Restart: {namespace="shop", container="app", filename=~".*/shop_web\\-0_00000000\\-0000\\-0000\\-0000\\-000000000007/app/2\\.log.*"} |~ "a b"
          Names: {namespace="shop", container="app", pod="web-0"} |~ "a b"
        viaq-loki
          ContainerId: {kubernetes_namespace_name="shop", kubernetes_container_name="app"} |= "38cb" | json bygone_0="kubernetes.container_id" | bygone_0="cri-o://38cb" or bygone_0="38cb"
          Uid: {kubernetes_namespace_name="shop", kubernetes_container_name="app"} |= "00000000-0000-0000-0000-000000000007" | json bygone_0="kubernetes.pod_id" | bygone_0="00000000-0000-0000-0000-000000000007"
          Names: {kubernetes_namespace_name="shop", kubernetes_container_name="app", kubernetes_pod_name="web-0"}
    "#]].assert_eq(&text);
}

#[test]
fn a_store_without_a_selector_is_refused() {
    let error = open("fluent-bit-loki", |config| {
        config.from = Some(String::new())
    });
    let error = error.err().expect("no selector").to_string();
    assert!(error.contains("Loki needs a label"), "{error}");
    let error = open("promtail", |config| {
        config.fields.uid = Some("stream:a-b".to_owned());
    });
    let error = error.err().expect("no label").to_string();
    assert!(error.contains("invalid field \"stream:a-b\""), "{error}");
}

#[test]
fn the_text_of_lines_that_are_json() {
    let loki = open("viaq-loki", |_| ()).unwrap();
    let labels = HashMap::new();
    let line = |text: &str| {
        let line = loki.line(&labels, "1000000001", text.to_owned()).unwrap();
        String::from_utf8(line.text).unwrap()
    };
    assert_eq!(line(r#"{"message":"a \"b\"\n"}"#), "a \"b\"");
    let structured = r#"{"message":"","structured":{"a":1}}"#;
    assert_eq!(line(structured), r#"{"a":1}"#);
    // What has neither is shown as it is.
    assert_eq!(line("plain"), "plain");
    assert_eq!(line(r#"{"log":"a"}"#), r#"{"log":"a"}"#);
    assert_eq!(loki.line(&labels, "yesterday", String::new()), None);
}

#[test]
fn limits_are_understood_by_their_words() {
    let said = |said: &str| {
        limit(Error::Refused {
            store: String::new(),
            status: "400 Bad Request".to_owned(),
            said: said.to_owned(),
        })
    };
    let lines = said(
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (6000 > 5000)",
    );
    assert!(matches!(lines, Failed::LinesMax(5_000, _)), "{lines:?}");
    let long = said("the query time range exceeds the limit (query length: 800h, limit: 721h)");
    assert!(matches!(long, Failed::TooLong(_)), "{long:?}");
    let other = said("parse error at line 1, col 2: syntax error");
    assert!(matches!(other, Failed::Other(_)), "{other:?}");
}
