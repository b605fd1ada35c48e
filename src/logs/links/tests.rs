use expect_test::{Expect, expect};

use super::*;
use crate::query::Time;

const GRAFANA: &str = r#"
kind = "grafana"
address = "https://grafana.example/"
data_source = "P1"
"#;

fn at(text: &str) -> Option<Time> {
    Some(Time {
        instant: text.parse().unwrap(),
        whole_seconds: true,
    })
}

fn row() -> Container {
    Container {
        cluster: "prod".to_owned(),
        namespace: "shop".to_owned(),
        pod: "web-0".to_owned(),
        pod_uid: uuid::Uuid::from_u128(7),
        container: "app".to_owned(),
        restart: 2,
        container_id: Some("38cb".to_owned()),
        runtime: Some("containerd".to_owned()),
        node: Some("node-1".to_owned()),
        started_at: at("2026-11-24T14:00:00Z"),
        ended_at: at("2026-11-24T14:05:00Z"),
        end_seen: true,
        ..Container::default()
    }
}

fn running() -> Container {
    Container {
        ended_at: None,
        end_seen: false,
        ..row()
    }
}

/// The links of a store: `[[logs]]` without its name, and one link.
fn open(store: &str, link: &str) -> Result<Links, Error> {
    let config = format!("name = \"store\"\n{store}\n[[links]]\n{link}");
    Links::open(&[toml::from_str(&config).unwrap()])
}

fn urls(links: &Links, row: &Container) -> String {
    let now = "2026-11-24T15:00:00Z".parse().unwrap();
    let links = links.of(row, now).into_iter();
    links.map(|link| link.url + "\n").collect()
}

fn check(store: &str, link: &str, row: &Container, expected: Expect) {
    let text = match open(store, link) {
        Ok(links) => urls(&links, row),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

/// What percent-encoding hides.
fn check_decoded(store: &str, link: &str, row: &Container, expected: Expect) {
    let urls = urls(&open(store, link).unwrap(), row);
    let mut decoded = Vec::new();
    let mut rest = urls.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                decoded.push(u8::from_str_radix(digits, 16).unwrap());
            }
            other => decoded.push(other),
        }
    }
    expected.assert_eq(&String::from_utf8(decoded).unwrap());
}

#[test]
fn grafana() {
    let promtail = "preset = \"promtail\"";
    check(
        promtail,
        GRAFANA,
        &row(),
        expect![[r#"
        https://grafana.example/explore?schemaVersion=1&orgId=1&panes=%7B%22log%22%3A%7B%22datasource%22%3A%22P1%22%2C%22queries%22%3A%5B%7B%22datasource%22%3A%7B%22type%22%3A%22loki%22%2C%22uid%22%3A%22P1%22%7D%2C%22direction%22%3A%22forward%22%2C%22editorMode%22%3A%22code%22%2C%22expr%22%3A%22%7Bnamespace%3D%5C%22shop%5C%22%2C%20container%3D%5C%22app%5C%22%2C%20filename%3D~%5C%22.%2A%2Fshop_web%5C%5C%5C%5C-0_00000000%5C%5C%5C%5C-0000%5C%5C%5C%5C-0000%5C%5C%5C%5C-0000%5C%5C%5C%5C-000000000007%2Fapp%2F2%5C%5C%5C%5C.log.%2A%5C%22%7D%22%2C%22queryType%22%3A%22range%22%2C%22refId%22%3A%22A%22%7D%5D%2C%22range%22%3A%7B%22from%22%3A%221795528500000%22%2C%22to%22%3A%221795529401000%22%7D%7D%7D
    "#]],
    );
    check_decoded(
        promtail,
        GRAFANA,
        &row(),
        expect![[r#"
        https://grafana.example/explore?schemaVersion=1&orgId=1&panes={"log":{"datasource":"P1","queries":[{"datasource":{"type":"loki","uid":"P1"},"direction":"forward","editorMode":"code","expr":"{namespace=\"shop\", container=\"app\", filename=~\".*/shop_web\\\\-0_00000000\\\\-0000\\\\-0000\\\\-0000\\\\-000000000007/app/2\\\\.log.*\"}","queryType":"range","refId":"A"}],"range":{"from":"1795528500000","to":"1795529401000"}}}
    "#]],
    );
    let victorialogs = "preset = \"otel-victorialogs\"";
    check_decoded(
        victorialogs,
        GRAFANA,
        &running(),
        expect![[r#"
        https://grafana.example/explore?schemaVersion=1&orgId=1&panes={"log":{"datasource":"P1","queries":[{"datasource":{"type":"victoriametrics-logs-datasource","uid":"P1"},"editorMode":"code","expr":"(\"k8s.pod.uid\":=\"00000000-0000-0000-0000-000000000007\") (\"k8s.container.name\":=\"app\") (\"k8s.container.restart_count\":=\"2\")","queryType":"instant","refId":"A"}],"range":{"from":"1795528500000","to":"now"}}}
    "#]],
    );
    let clickhouse = "preset = \"otel-clickhouse\"\nfrom = \"otel.otel_logs\"";
    check_decoded(
        clickhouse,
        GRAFANA,
        &row(),
        expect![[r#"
        https://grafana.example/explore?schemaVersion=1&orgId=1&panes={"log":{"datasource":"P1","queries":[{"datasource":{"type":"grafana-clickhouse-datasource","uid":"P1"},"editorType":"sql","format":2,"queryType":"logs","rawSql":"SELECT `Timestamp` AS timestamp, toString(`Body`) AS body FROM `otel`.`otel_logs` WHERE `Timestamp` >= $__fromTime_ms AND `Timestamp` <= $__toTime_ms AND `TimestampTime` >= $__fromTime AND `TimestampTime` <= $__toTime AND toString(`ResourceAttributes`['k8s.pod.uid']) IN ('00000000-0000-0000-0000-000000000007') AND toString(`ResourceAttributes`['k8s.container.name']) IN ('app') AND toString(`ResourceAttributes`['k8s.container.restart_count']) IN ('2') ORDER BY `Timestamp` LIMIT 5000","refId":"A"}],"range":{"from":"1795528500000","to":"1795529401000"}}}
    "#]],
    );
    let elastic = "preset = \"fluent-bit-elasticsearch\"";
    let second = format!("{GRAFANA}organization = 2");
    check_decoded(
        elastic,
        &second,
        &row(),
        expect![[r#"
        https://grafana.example/explore?schemaVersion=1&orgId=2&panes={"log":{"datasource":"P1","queries":[{"bucketAggs":[],"datasource":{"type":"elasticsearch","uid":"P1"},"metrics":[{"id":"1","type":"logs"}],"query":"(kubernetes.docker_id:\"containerd://38cb\" OR kubernetes.docker_id:\"38cb\")","refId":"A","timeField":"@timestamp"}],"range":{"from":"1795528500000","to":"1795529401000"}}}
    "#]],
    );
}

#[test]
fn kibana() {
    let filebeat = "preset = \"filebeat\"";
    let link = "kind = \"kibana\"\naddress = \"https://kibana.example\"\ndata_view = \"logs-*\"";
    check(
        filebeat,
        link,
        &row(),
        expect![[r#"
        https://kibana.example/app/discover#/?_g=%28time%3A%28from%3A%272026-11-24T13%3A55%3A00.000Z%27%2Cto%3A%272026-11-24T14%3A10%3A01.000Z%27%29%29&_a=%28columns%3A%21%28%27message%27%29%2Cindex%3A%27logs-%2A%27%2Cquery%3A%28language%3Alucene%2Cquery%3A%27%28container.id%3A%22containerd%3A%2F%2F38cb%22%20OR%20container.id%3A%2238cb%22%29%27%29%2Csort%3A%21%28%21%28%27%40timestamp%27%2Casc%29%29%29
    "#]],
    );
    let space = format!("{link}\nspace = \"it's\"");
    check_decoded(
        "preset = \"filebeat-pods\"",
        &space,
        &running(),
        expect![[r#"
            https://kibana.example/s/it's/app/discover#/?_g=(time:(from:'2026-11-24T13:55:00.000Z',to:'now'))&_a=(columns:!('message'),index:'logs-*',query:(language:lucene,query:'(log.file.path:"/shop_web-0_00000000-0000-0000-0000-000000000007/app/2.log" OR log.file.path:*\/shop_web\-0_00000000\-0000\-0000\-0000\-000000000007\/app\/2.log*)'),sort:!(!('@timestamp',asc)))
        "#]],
    );
}

#[test]
fn opensearch_dashboards() {
    let link = r#"
        kind = "opensearch-dashboards"
        address = "https://search.example/_dashboards"
        index_pattern = "a6cffd50"
    "#;
    check(
        "preset = \"viaq-elasticsearch\"\nkind = \"opensearch\"",
        link,
        &row(),
        expect![[r#"
            https://search.example/_dashboards/app/data-explorer/discover#?_a=%28discover%3A%28columns%3A%21%28%27message%27%2C%27structured%27%29%2CisDirty%3A%21f%2Csort%3A%21%28%21%28%27%40timestamp%27%2Casc%29%29%29%2Cmetadata%3A%28indexPattern%3A%27a6cffd50%27%2Cview%3Adiscover%29%29&_g=%28filters%3A%21%28%29%2CrefreshInterval%3A%28pause%3A%21t%2Cvalue%3A0%29%2Ctime%3A%28from%3A%272026-11-24T13%3A55%3A00.000Z%27%2Cto%3A%272026-11-24T14%3A10%3A01.000Z%27%29%29&_q=%28filters%3A%21%28%29%2Cquery%3A%28language%3Alucene%2Cquery%3A%27%28kubernetes.container_id%3A%22containerd%3A%2F%2F38cb%22%20OR%20kubernetes.container_id%3A%2238cb%22%29%27%29%29
        "#]],
    );
    check_decoded(
        "preset = \"viaq-elasticsearch\"",
        link,
        &row(),
        expect![[r#"
        https://search.example/_dashboards/app/data-explorer/discover#?_a=(discover:(columns:!('message','structured'),isDirty:!f,sort:!(!('@timestamp',asc))),metadata:(indexPattern:'a6cffd50',view:discover))&_g=(filters:!(),refreshInterval:(pause:!t,value:0),time:(from:'2026-11-24T13:55:00.000Z',to:'2026-11-24T14:10:01.000Z'))&_q=(filters:!(),query:(language:lucene,query:'(kubernetes.container_id:"containerd://38cb" OR kubernetes.container_id:"38cb")'))
    "#]],
    );
}

#[test]
fn vmui() {
    let store = "preset = \"vlagent\"\naddress = \"https://vl.example\"\ntenant = \"3:4\"";
    check(
        store,
        "kind = \"vmui\"",
        &row(),
        expect![[r#"
        https://vl.example/select/vmui/?#/?query=%28%22kubernetes.pod_namespace%22%3A%3D%22shop%22%29%20%28%22kubernetes.pod_name%22%3A%3D%22web-0%22%29%20%28%22kubernetes.container_name%22%3A%3D%22app%22%29&g0.range_input=5m1s&g0.end_input=2026-11-24T14%3A05%3A01&g0.relative_time=none&accountID=3&projectID=4
    "#]],
    );
    check_decoded(
        store,
        "kind = \"vmui\"",
        &row(),
        expect![[r#"
        https://vl.example/select/vmui/?#/?query=("kubernetes.pod_namespace":="shop") ("kubernetes.pod_name":="web-0") ("kubernetes.container_name":="app")&g0.range_input=5m1s&g0.end_input=2026-11-24T14:05:01&g0.relative_time=none&accountID=3&projectID=4
    "#]],
    );
}

#[test]
fn templates() {
    let only = "links_only = true";
    let all = "{cluster} {namespace} {pod} {uid} {container} {container_id} {runtime} {restart} {node} \
               {from_ms} {to_ms} {from_s} {to_s} {from_iso} {to_iso} {store}";
    let all = all.replace(' ', "/");
    let template =
        |url: &str| format!("kind = \"template\"\ntemplate = \"https://a.example/{url}\"");
    check(
        only,
        &template(&all),
        &row(),
        expect![[r#"
        https://a.example/prod/shop/web-0/00000000-0000-0000-0000-000000000007/app/38cb/containerd/2/node-1/1795528500000/1795529401000/1795528500/1795529401/2026-11-24T13%3A55%3A00.000Z/2026-11-24T14%3A10%3A01.000Z/store
    "#]],
    );
    check(
        only,
        &template(
            "#$3FqueryDetail$3D~(start~'{from_iso:cloudwatch}~editorString~'filter*20{pod:cloudwatch})",
        ),
        &row(),
        expect![[r#"
            https://a.example/#$3FqueryDetail$3D~(start~'2026-11-24T13*3A55*3A00.000Z~editorString~'filter*20web-0)
        "#]],
    );
    check(
        "preset = \"promtail\"",
        &template("?q={query}"),
        &row(),
        expect![[r#"
            https://a.example/?q=%7Bnamespace%3D%22shop%22%2C%20container%3D%22app%22%2C%20filename%3D~%22.%2A%2Fshop_web%5C%5C-0_00000000%5C%5C-0000%5C%5C-0000%5C%5C-0000%5C%5C-000000000007%2Fapp%2F2%5C%5C.log.%2A%22%7D
        "#]],
    );
    // Without an ID there is nothing to link to.
    let unknown = Container {
        container_id: None,
        ..row()
    };
    check(only, &template("{container_id}"), &unknown, expect![""]);
}

#[test]
fn what_is_no_template() {
    for (url, problem) in [
        ("{pood}", "no such placeholder {pood}: did you mean {pod}?"),
        (
            "{xyzzy}",
            "no such placeholder {xyzzy}: there are cluster, namespace, pod, uid, container, container_id, \
             runtime, restart, node, from_ms, to_ms, from_s, to_s, from_iso, to_iso, store, query",
        ),
        (
            "{pod:url}",
            "no such encoding \"url\" in {pod:url}: there is cloudwatch",
        ),
        (
            "{pod",
            "invalid template: write braces that are no placeholder as %7B and %7D",
        ),
        (
            "pod}",
            "invalid template: write braces that are no placeholder as %7B and %7D",
        ),
        (
            "a b",
            "invalid template: write spaces as %20, line ends as %0A",
        ),
        (
            "{query}",
            "{query} needs the store's preset, or its kind and fields",
        ),
    ] {
        let link = format!("kind = \"template\"\ntemplate = \"https://a.example/{url}\"");
        let error = open("links_only = true", &link).err().unwrap().to_string();
        assert_eq!(
            error,
            format!("logs store store: link \"template\": {problem}")
        );
    }
}

/// The identity that an agent always writes goes first, and one that time alone tells apart has no slack.
#[test]
fn identities() {
    let template =
        "kind = \"template\"\ntemplate = \"https://a.example/{from_iso}/{to_iso}?{query}\"";
    check_decoded(
        "preset = \"kube-logging-loki\"",
        template,
        &row(),
        expect![[r#"
            https://a.example/2026-11-24T13:55:00.000Z/2026-11-24T14:10:01.000Z?{namespace="shop", container="app", container_id=~"containerd://38cb|38cb"}
        "#]],
    );
    check_decoded(
        "preset = \"otel-loki\"",
        template,
        &row(),
        expect![[r#"
        https://a.example/2026-11-24T13:55:00.000Z/2026-11-24T14:10:01.000Z?{k8s_namespace_name="shop", k8s_container_name="app"} | k8s_pod_uid="00000000-0000-0000-0000-000000000007" | k8s_container_restart_count="2"
    "#]],
    );
    check_decoded(
        "preset = \"alloy\"",
        template,
        &row(),
        expect![[r#"
        https://a.example/2026-11-24T14:00:00.000Z/2026-11-24T14:05:01.000Z?{namespace="shop", container="app"} | pod="web-0"
    "#]],
    );
    let by_id = format!("{template}\nidentity = \"container-id\"");
    check_decoded(
        "preset = \"otel-loki\"",
        &by_id,
        &row(),
        expect![[r#"
            https://a.example/2026-11-24T13:55:00.000Z/2026-11-24T14:10:01.000Z?{k8s_namespace_name="shop", k8s_container_name="app"} | container_id="containerd://38cb" or container_id="38cb"
        "#]],
    );
    check_decoded("preset = \"alloy\"", &by_id, &row(), expect![""]);
}

/// Nothing that a pod's author chooses ends its place in a query, or in the URL.
#[test]
fn hostile_names() {
    let row = Container {
        pod: "a' OR \"1\"&x=#{%}\n!(".to_owned(),
        container: "c\\\"') --".to_owned(),
        ..row()
    };
    let names = "fields.namespace = \"ns\"\nfields.pod = \"pod\"\nfields.container = \"c\"\nfields.line = [\"line\"]";
    let template = "kind = \"template\"\ntemplate = \"https://a.example/{pod}?{query}\"";
    let store = |kind: &str| format!("kind = \"{kind}\"\nfrom = \"logs\"\n{names}");
    check(
        &store("elasticsearch"),
        template,
        &row,
        expect![[r#"
        https://a.example/a%27%20OR%20%221%22%26x%3D%23%7B%25%7D%0A%21%28?ns%3A%22shop%22%20AND%20pod%3A%22a%27%20OR%20%5C%221%5C%22%26x%3D%23%7B%25%7D%0A%21%28%22%20AND%20c%3A%22c%5C%5C%5C%22%27%29%20--%22
    "#]],
    );
    check_decoded(
        &store("clickhouse"),
        template,
        &row,
        expect![[r#"
        https://a.example/a' OR "1"&x=#{%}
        !(?SELECT `Timestamp` AS timestamp, toString(`line`) AS body FROM `logs` WHERE `Timestamp` >= fromUnixTimestamp64Milli(1795528800000) AND `Timestamp` <= fromUnixTimestamp64Milli(1795529101000) AND toString(`ns`) IN ('shop') AND toString(`pod`) IN ('a\' OR "1"&x=#{%}
        !(') AND toString(`c`) IN ('c\\"\') --') ORDER BY `Timestamp` LIMIT 5000
    "#]],
    );
    check_decoded(
        &store("victorialogs"),
        template,
        &row,
        expect![[r#"
        https://a.example/a' OR "1"&x=#{%}
        !(?(logs) ("ns":="shop") ("pod":="a' OR \"1\"&x=#{%}\n!(") ("c":="c\\\"') --")
    "#]],
    );
}

#[test]
fn what_cannot_be_linked() {
    let promtail = "preset = \"promtail\"";
    for (store, link, problem) in [
        (
            promtail,
            "kind = \"grafana\"\ndata_source = \"x\"",
            "link \"grafana\": a link of kind grafana needs address",
        ),
        (
            promtail,
            "kind = \"grafana\"\naddress = \"https://g\"",
            "link \"grafana\": a link of kind grafana needs data_source",
        ),
        (
            promtail,
            "kind = \"grafana\"\nname = \"G\"\naddress = \"grafana:3000\"\ndata_source = \"x\"",
            "link \"G\": invalid address \"grafana:3000\": use one like https://grafana.example",
        ),
        (
            promtail,
            "kind = \"grafana\"\nspace = \"x\"",
            "link \"grafana\": a link of kind grafana has no space",
        ),
        (
            promtail,
            "kind = \"kibana\"\naddress = \"https://k\"\ndata_view = \"x\"",
            "link \"kibana\": kibana shows no store of this kind",
        ),
        (
            promtail,
            "kind = \"vmui\"",
            "link \"vmui\": vmui shows no store of this kind",
        ),
        (
            "links_only = true",
            GRAFANA,
            "link \"grafana\": name the store's preset, or its kind and fields",
        ),
    ] {
        let error = open(store, link).err().unwrap().to_string();
        assert_eq!(error, format!("logs store store: {problem}"));
    }
    let none: Config = toml::from_str("name = \"store\"\nlinks_only = true").unwrap();
    let error = Links::open(&[none]).err().unwrap().to_string();
    assert_eq!(
        error,
        "logs store store: links_only is set, and there is no [[logs.links]]"
    );
}

/// What the documentation shows can be copied.
#[test]
fn links_of_the_documentation() {
    #[derive(serde::Deserialize)]
    struct File {
        logs: Vec<Config>,
    }
    let text = include_str!("../../../docs/logs.md");
    let blocks = text.split("```toml\n").skip(1);
    let mut configs = Vec::new();
    for block in blocks {
        let (block, _) = block.split_once("```").unwrap();
        let file: File = toml::from_str(block).unwrap();
        configs.extend(file.logs);
    }
    let links = Links::open(&configs).unwrap();
    let links = links.of(&row(), Timestamp::MAX).into_iter();
    let links: String = links
        .filter(|link| link.name == "template")
        .map(|link| format!("{} {}\n", link.store, link.url))
        .collect();
    expect![[r#"
        splunk https://splunk.example/en-US/app/search/search?q=search%20index%3Dk8s%20k8s.pod.uid%3D00000000-0000-0000-0000-000000000007%20k8s.container.name%3Dapp%20k8s.container.restart_count%3D2%20%7C%20sort%200%20_time&earliest=1795528500&latest=1795529401
        cloudwatch https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:logs-insights$3FqueryDetail$3D~(end~'2026-11-24T14*3A10*3A01.000Z~start~'2026-11-24T13*3A55*3A00.000Z~timeType~'ABSOLUTE~tz~'UTC~editorString~'fields*20*40timestamp*2C*20log*0A*7C*20filter*20kubernetes.docker_id*20*3D*20*2238cb*22*0A*7C*20sort*20*40timestamp*20asc~source~(~'*2Faws*2Fcontainerinsights*2Fprod*2Fapplication))
        datadog https://app.datadoghq.com/logs?query=container_id%3A38cb&from_ts=1795528500000&to_ts=1795529401000&live=false
        gke https://console.cloud.google.com/logs/query;query=resource.type%3D%22k8s_container%22%0Aresource.labels.namespace_name%3D%22shop%22%0Aresource.labels.pod_name%3D%22web-0%22%0Aresource.labels.container_name%3D%22app%22%0Atimestamp%3E%3D%222026-11-24T14%3A00%3A00.000Z%22%0Atimestamp%3C%222026-11-24T14%3A05%3A01.000Z%22?project=shop-prod
    "#]].assert_eq(&links);
}
