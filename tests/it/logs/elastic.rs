//! Records as agents write them, in a real OpenSearch.

use reqwest::Method;
use serde_json::{Value, json};

use super::search::{self, Mapping, Template};
use super::server::{self, recorded};
use super::written::{self, Instance, Line, Told};
use super::{Answer, ask, check_some, links};
use crate::support::{self, Bygone};

/// A bygone on the same history, with one store.
pub fn beside(preset: &str, from: &str) -> Bygone {
    let config = format!(
        "[[logs]]\nname = \"os\"\npreset = \"{preset}\"\nkind = \"opensearch\"\naddress = \"{}\"\nfrom = \"{from}\"\n",
        search::shared().server.address
    );
    server::beside(&config)
}

/// An agent with what it wrote.
struct Agent {
    preset: &'static str,
    /// Of the index, where it is not the preset's name.
    suffix: &'static str,
    mapping: Mapping,
    told: Told,
    record: fn(&Line) -> Value,
}

fn agents() -> Vec<Agent> {
    use Mapping::{Guessed, Keywords, Words};
    use Told::{ContainerId, Names, Restart, Uid};
    let agent = |preset, suffix, mapping, told, record: fn(&Line) -> Value| Agent {
        preset,
        suffix,
        mapping,
        told,
        record,
    };
    vec![
        agent(
            "fluent-bit-elasticsearch",
            "",
            Guessed,
            ContainerId,
            fluent_bit,
        ),
        agent("fluent-bit-elasticsearch", "-names", Guessed, Names, names),
        agent("fluentd-elasticsearch", "", Guessed, Uid, fluentd),
        agent("fluentd-elasticsearch", "-keywords", Keywords, Uid, fluentd),
        agent("filebeat", "", Keywords, ContainerId, filebeat),
        agent("filebeat-pods", "", Keywords, Restart, pods),
        agent("elastic-agent", "", Keywords, ContainerId, filebeat),
        agent("vector-elasticsearch", "", Guessed, Restart, vector),
        agent("otel-elasticsearch", "", Keywords, Restart, otel),
        agent("viaq-elasticsearch", "", Guessed, ContainerId, viaq),
        agent("viaq-elasticsearch", "-words", Words, ContainerId, viaq),
    ]
}

fn path(it: &Instance) -> String {
    let Instance {
        namespace,
        pod,
        folder_uid,
        container,
        restart,
        ..
    } = it;
    format!(
        "/var/log/pods/{namespace}_{pod}_{folder_uid}/{container}/{restart}.log.20261124-140500"
    )
}

fn offset(line: &Line) -> usize {
    let number = line.text.rsplit(' ').next().expect("a number");
    number.parse::<usize>().expect("a number") * 100
}

fn fluent_bit(line: &Line) -> Value {
    let it = &line.instance;
    json!({
        "@timestamp": line.at.to_string(),
        "log": format!("{}\n", line.text),
        "stream": line.stream,
        "kubernetes": {
            "namespace_name": it.namespace,
            "pod_name": it.pod,
            "pod_id": it.uid,
            "container_name": it.container,
            "docker_id": it.container_id,
            "host": it.node,
            "labels": { "app": it.container },
        },
    })
}

/// Short-lived pods lack what the API server would have said; and here the file's name as well.
fn names(line: &Line) -> Value {
    let mut record = fluent_bit(line);
    let kubernetes = record["kubernetes"].as_object_mut().expect("an object");
    kubernetes.retain(|name, _| !matches!(&**name, "pod_id" | "docker_id"));
    record
}

/// It read /var/log/pods.
fn fluentd(line: &Line) -> Value {
    let mut record = fluent_bit(line);
    let kubernetes = record["kubernetes"].as_object_mut().expect("an object");
    kubernetes.remove("docker_id");
    record
}

pub fn filebeat(line: &Line) -> Value {
    let it = &line.instance;
    json!({
        "@timestamp": line.at.to_string(),
        "message": line.text,
        "stream": line.stream,
        "container": { "id": it.container_id },
        "kubernetes": {
            "namespace": it.namespace,
            "pod": { "name": it.pod, "uid": it.uid },
            "container": { "name": it.container },
            "node": { "name": it.node },
        },
        "log": { "offset": offset(line) },
    })
}

/// Without metadata of the container.
fn pods(line: &Line) -> Value {
    json!({
        "@timestamp": line.at.to_string(),
        "message": line.text,
        "stream": line.stream,
        "kubernetes": { "pod": { "name": line.instance.pod } },
        "log": { "offset": offset(line), "file": { "path": path(&line.instance) } },
    })
}

fn vector(line: &Line) -> Value {
    let it = &line.instance;
    json!({
        "timestamp": line.at.to_string(),
        "message": line.text,
        "stream": line.stream,
        "file": path(it),
        "kubernetes": {
            "pod_namespace": it.namespace,
            "pod_name": it.pod,
            "pod_uid": it.uid,
            "container_name": it.container,
            // What its pod's status said by then.
            "container_id": "containerd://another",
            "pod_node_name": it.node,
        },
    })
}

fn otel(line: &Line) -> Value {
    let it = &line.instance;
    json!({
        "@timestamp": line.at.to_string(),
        "body": { "text": line.text },
        "attributes": { "log.iostream": line.stream },
        "resource": { "attributes": {
            "k8s.namespace.name": it.namespace,
            "k8s.pod.name": it.pod,
            "k8s.pod.uid": it.folder_uid,
            "k8s.container.name": it.container,
            "k8s.container.restart_count": it.restart.to_string(),
            "k8s.node.name": it.node,
        } },
    })
}

fn viaq(line: &Line) -> Value {
    let it = &line.instance;
    json!({
        "@timestamp": line.at.to_string(),
        "message": line.text,
        "hostname": it.node,
        "kubernetes": {
            "namespace_name": it.namespace,
            "pod_name": it.pod,
            "pod_id": it.uid,
            "container_name": it.container,
            "container_id": format!("containerd://{}", it.container_id),
        },
        "openshift": { "cluster_id": "0d3c0e6c-6b5c-4d32-a5a7-5f0c6d5f8a11" },
    })
}

pub fn template(name: &str, mapping: Mapping, shards: u32, is_stream: bool) {
    search::shared().template(&Template {
        name,
        pattern: &format!("{name}.*"),
        mapping,
        shards,
        is_stream,
    });
}

#[test]
fn every_instance_as_every_agent_writes() {
    let written = &recorded().written;
    for (number, agent) in agents().into_iter().enumerate() {
        let name = format!("every-{}{}", agent.preset, agent.suffix);
        template(&name, agent.mapping, 2, agent.preset == "elastic-agent");
        let records: Vec<(String, Value)> = written
            .iter()
            .map(|line| {
                // An index of each hour, as others have one of each day.
                let hour = line.at.strftime("%H");
                (format!("{name}.{hour}"), (agent.record)(line))
            })
            .collect();
        search::shared().write(&records);
        let bygone = beside(agent.preset, &format!("{name}.*"));
        let counts = check_some(&bygone, a_half(written, number), written, agent.told);
        println!("{name}: {counts:?}");
        assert!(counts.instances >= 60, "{name}: {counts:?}");
        let is_strong = agent.told.is_strong();
        assert!(!is_strong || counts.blurred == 0, "{name}: {counts:?}");
    }
}

/// Every second instance: each agent is asked about others.
fn a_half(written: &[Line], number: usize) -> Vec<Instance> {
    let instances = written::instances(written).into_iter();
    instances.skip(number % 2).step_by(2).collect()
}

/// Lines of one instance that are written here and nowhere else.
fn lines_of(count: usize, at: impl Fn(usize) -> jiff::Timestamp) -> Vec<Line> {
    let first = &recorded().written[0];
    let line = |number: usize| Line {
        instance: first.instance.clone(),
        at: at(number),
        stream: "stdout",
        text: format!("number {number}"),
    };
    (0..count).map(line).collect()
}

fn ask_all(bygone: &Bygone, more: &[(&str, &str)]) -> Answer {
    let it = &recorded().written[0].instance;
    let restart = it.restart.to_string();
    let mut query = vec![
        ("uid", &*it.uid),
        ("container", &*it.container),
        ("instance", &*restart),
    ];
    query.extend_from_slice(more);
    let answer = ask(bygone, &query);
    assert_eq!(answer.status, 200, "{}", answer.end);
    answer
}

fn texts(answer: &Answer) -> Vec<&str> {
    let lines = answer.lines.iter();
    lines
        .map(|line| line["line"].as_str().expect("text"))
        .collect()
}

/// Half of them in an index with milliseconds, half in one with nanoseconds.
#[test]
fn an_answer_of_many_pages_is_whole_and_in_order() {
    let began = recorded().written[0].at;
    let lines = lines_of(30_000, |number| {
        began + jiff::SignedDuration::from_millis(number as i64)
    });
    let [guessed, keywords] = ["pages-guessed", "pages-keywords"];
    template(guessed, Mapping::Guessed, 3, false);
    template(keywords, Mapping::Keywords, 3, false);
    let records: Vec<(String, Value)> = lines
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let name = if number % 2 == 0 { guessed } else { keywords };
            (format!("{name}.1"), fluent_bit(line))
        })
        .collect();
    search::shared().write(&records);
    let bygone = beside("fluent-bit-elasticsearch", "pages-*");
    let expected: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
    let answer = ask_all(&bygone, &[]);
    assert!(texts(&answer) == expected, "{}", answer.end);
    let part = &answer.end["end"]["summary"]["parts"][0];
    assert_eq!(part["identity"], "container-id", "{part}");
    let last = ask_all(&bygone, &[("tail", "2500")]);
    assert!(texts(&last) == expected[27_500..], "{}", last.end);
    let some = ask_all(&bygone, &[("grep", "number 1234$")]);
    assert_eq!(texts(&some), ["number 1234"]);
    // No point in time is left behind.
    support::wait_for("the end of all points in time", || {
        let path = "/_search/point_in_time/_all";
        let points = search::shared().call(Method::GET, path, String::new());
        (points["pits"] == json!([])).then_some(())
    });
}

#[test]
fn a_quarter_of_a_million_lines() {
    let _alone = support::alone();
    let first = &recorded().written[0];
    template("quarter", Mapping::Keywords, 3, false);
    let records = (0..super::long::LINES).map(|number| {
        let line = Line {
            at: super::long::at(first, number),
            text: super::long::text(number),
            ..first.clone()
        };
        ("quarter.1".to_owned(), fluent_bit(&line))
    });
    search::shared().write(&records.collect::<Vec<_>>());
    let config = "[[logs]]\nname = \"os\"\nkind = \"opensearch\"\npreset = \"fluent-bit-elasticsearch\"\n\
                  address = \"{address}\"\nfrom = \"quarter.*\"\n";
    let query = [("container_id", &*first.instance.container_id)];
    let database = &recorded().bygone.database;
    super::long::check_all(database, config, &search::shared().server.address, &query);
}

#[test]
fn thousands_of_lines_of_one_millisecond_are_each_given_once() {
    let began = recorded().written[0].at;
    let lines = lines_of(5_000, |number| {
        began + jiff::SignedDuration::from_nanos(number as i64)
    });
    let name = "instant";
    template(name, Mapping::Guessed, 3, false);
    let records: Vec<(String, Value)> = lines
        .iter()
        .map(|line| (format!("{name}.1"), fluent_bit(line)))
        .collect();
    search::shared().write(&records);
    let bygone = beside("fluent-bit-elasticsearch", "instant.*");
    let mut expected: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
    expected.sort_unstable();
    for more in [&[][..], &[("tail", "100000")]] {
        let answer = ask_all(&bygone, more);
        let mut given = texts(&answer);
        given.sort_unstable();
        assert!(given == expected, "{}: {}", given.len(), answer.end);
    }
}

#[test]
fn what_indices_lack_is_named() {
    let bygone = beside("fluent-bit-elasticsearch", "no-such-*");
    let answer = ask(&bygone, &[("name", "web-0")]);
    assert_eq!(answer.status, 502, "{}", answer.end);
    let (log, missing) = (bygone.log(), "logs store os has no index no-such-*");
    assert!(log.contains(missing), "{log}");
    let detail = answer.end["detail"].to_string();
    assert!(detail.contains(missing), "{detail}");
    let first = &recorded().written[0];
    let record = json!({"@timestamp": first.at.to_string(), "log": "x"});
    search::shared().write(&[
        ("lacking-all-but-time".to_owned(), record),
        // Cannot be sorted by time, but has nothing to sort.
        ("lacking-all".to_owned(), json!({"note": "x"})),
    ]);
    let bygone = beside("fluent-bit-elasticsearch", "lacking-*");
    let answer = ask_all(&bygone, &[]);
    let why = &answer.end["end"]["summary"]["parts"][0]["why"];
    let fields = "no record of the store has fields kubernetes.docker_id, kubernetes.pod_id, kubernetes.namespace_name: ";
    assert_eq!(why.as_array().map(Vec::len), Some(1), "{why}");
    assert!(why[0].as_str().expect("text").starts_with(fields), "{why}");
}

/// Whatever an index makes of the fields: the queries are Lucene's, which the store reads itself.
#[test]
fn links_find_the_same() {
    let written = &recorded().written;
    let agents = agents().into_iter().filter(|agent| {
        let is_strong = matches!(agent.told, Told::ContainerId | Told::Restart);
        let is_flat = !matches!(agent.preset, "otel-elasticsearch" | "elastic-agent");
        is_strong && is_flat
    });
    for (number, agent) in agents.enumerate() {
        let name = format!("linked-{}{}", agent.preset, agent.suffix);
        template(&name, agent.mapping, 1, false);
        let records: Vec<(String, Value)> = written
            .iter()
            .map(|line| (format!("{name}.all"), (agent.record)(line)))
            .collect();
        search::shared().write(&records);
        let config = format!(
            r#"
[[logs]]
name = "os"
preset = "{}"
kind = "opensearch"
links_only = true

[[logs.links]]
kind = "opensearch-dashboards"
address = "https://search.example/_dashboards"
index_pattern = "lines"

[[logs.links]]
kind = "kibana"
address = "https://kibana.example"
data_view = "lines"

[[logs.links]]
kind = "grafana"
address = "https://grafana.example"
data_source = "P1"
"#,
            agent.preset
        );
        let bygone = server::beside(&config);
        let time = match agent.preset {
            "vector-elasticsearch" => "timestamp",
            _ => "@timestamp",
        };
        let line = match agent.preset {
            "fluent-bit-elasticsearch" => "log",
            _ => "message",
        };
        let index = format!("{name}.all");
        let found = |page: links::Page| page.found_in(&index, time, line);
        // One kind of link for each agent: they differ in where the query is alone.
        match number % 3 {
            0 => links::check(&bygone, written, "opensearch-dashboards", |url| {
                found(links::Page::dashboards(url))
            }),
            1 => links::check(&bygone, written, "grafana", |url| {
                found(links::Page::grafana(url, "elasticsearch"))
            }),
            _ => links::check(&bygone, written, "kibana", |url| {
                found(links::Page::kibana(url))
            }),
        }
    }
}
