//! VictoriaLogs: what vlagent and OpenTelemetry's collector write there.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use super::server::{Server, beside, otlp, recorded};
use super::written::{Line, Told};
use super::{Answer, ask, check_all, links};
use crate::support::{self, Bygone, block_on, text_of};

pub struct Loaded {
    pub server: Server,
    pub written: &'static [Line],
}

pub static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let server = Server::start("victorialogs.sh", 1, "/health");
    Loaded {
        server,
        written: &recorded().written,
    }
});

impl Loaded {
    /// Writes records for one account, backwards: the store sorts, and not the order of arrival.
    pub fn write(&self, account: u32, records: &[Value]) {
        let records: Vec<String> = records.iter().rev().map(Value::to_string).collect();
        let request = self
            .server
            .request(Method::POST, "/insert/jsonline?_stream_fields=stream")
            .header("AccountID", account)
            .header("Content-Type", "application/stream+json")
            .body(records.join("\n"));
        self.server.takes(request);
        self.flush();
    }

    pub fn flush(&self) {
        self.server
            .takes(self.server.request(Method::GET, "/internal/force_flush"));
    }

    /// A bygone that asks for the lines of one account.
    pub fn asking(&self, account: u32, preset: &str, more: &str) -> Bygone {
        let config = format!(
            "[[logs]]\nname = \"vl\"\npreset = \"{preset}\"\naddress = \"{}\"\ntenant = \"{account}\"\n{more}",
            self.server.address
        );
        beside(&config)
    }

    /// A record as vlagent writes it, at a time in the life of the instance.
    pub fn vlagent(line: &Line, at: Timestamp, text: &str) -> Value {
        let it = &line.instance;
        json!({
            "_time": at.to_string(),
            "_msg": text,
            "kubernetes.pod_namespace": it.namespace,
            "kubernetes.pod_name": it.pod,
            "kubernetes.container_name": it.container,
            "kubernetes.container_id": format!("containerd://{}", it.container_id),
            "kubernetes.pod_node_name": it.node,
        })
    }

    /// Asks for one instance.
    pub fn ask(&self, bygone: &Bygone, line: &Line, more: &[(&str, &str)]) -> Answer {
        let it = &line.instance;
        let restart = it.restart.to_string();
        let mut query = vec![
            ("uid", &*it.uid),
            ("container", &*it.container),
            ("instance", &*restart),
        ];
        query.extend(more);
        ask(bygone, &query)
    }
}

pub fn texts(answer: &Answer) -> Vec<&str> {
    let lines = answer.lines.iter();
    lines
        .map(|line| line["line"].as_str().expect("text"))
        .collect()
}

/// It writes no UID, and a container ID that may be another instance's.
#[test]
fn every_instance_as_vlagent_writes_it() {
    let loaded = &*LOADED;
    let lines = loaded.written.iter();
    let records: Vec<Value> = lines
        .map(|line| Loaded::vlagent(line, line.at, &line.text))
        .collect();
    loaded.write(1, &records);
    let bygone = loaded.asking(1, "vlagent", "");
    let counts = check_all(&bygone, loaded.written, Told::Names);
    println!("{counts:?}");
    assert!(counts.instances > 150, "{counts:?}");
    let answer = loaded.ask(&bygone, &loaded.written[0], &[]);
    let part = &answer.end["end"]["summary"]["parts"][0];
    let uncertain = part["uncertain"].to_string();
    assert!(uncertain.contains("the application's own"), "{uncertain}");
    assert_eq!(part["identity"], Told::Names.identity(), "{part}");
}

#[test]
fn every_instance_as_opentelemetry_writes_it() {
    let loaded = &*LOADED;
    for (account, told) in (20..).zip(Told::ALL) {
        let requests = loaded.written.iter().map(|line| {
            let (resource, own) = attributes(line, told);
            otlp::record(&resource, line.at.as_nanosecond(), &line.text, &own)
        });
        // Messages of one type, one behind the other, are one message.
        let body = requests.rev().collect::<Vec<_>>().concat();
        let request = loaded
            .server
            .request(Method::POST, "/insert/opentelemetry/v1/logs")
            .header("AccountID", account)
            .header("Content-Type", "application/x-protobuf")
            .body(body);
        loaded.server.takes(request);
        loaded.flush();
        let bygone = loaded.asking(account, "otel-victorialogs", "");
        let counts = check_all(&bygone, loaded.written, told);
        println!("{told:?}: {counts:?}");
        assert!(counts.instances > 150, "{told:?}: {counts:?}");
        assert!(
            !told.is_strong() || counts.blurred == 0,
            "{told:?}: {counts:?}"
        );
    }
}

/// Of the resource, and of the record.
pub fn attributes(
    line: &Line,
    told: Told,
) -> (otlp::Attributes<'static>, otlp::Attributes<'static>) {
    let it = &line.instance;
    let mut resource = vec![
        ("k8s.namespace.name", it.namespace.clone()),
        ("k8s.pod.name", it.pod.clone()),
        ("k8s.container.name", it.container.clone()),
        ("k8s.node.name", it.node.clone()),
    ];
    if told != Told::Names {
        resource.push(("k8s.pod.uid", it.folder_uid.clone()));
    }
    if matches!(told, Told::ContainerId | Told::Restart) {
        resource.push(("k8s.container.restart_count", it.restart.to_string()));
    }
    if told == Told::ContainerId {
        resource.push(("container.id", it.container_id.clone()));
    }
    (resource, vec![("log.iostream", line.stream.to_owned())])
}

/// An instance that lives long enough.
pub fn long(written: &[Line]) -> &Line {
    let alive = SignedDuration::from_secs(15);
    let lines = written.windows(6).find(|lines| {
        lines[0].instance == lines[5].instance && lines[5].at.duration_since(lines[0].at) > alive
    });
    &lines.expect("an instance of some seconds")[0]
}

#[test]
fn many_lines_come_in_order_and_once() {
    let loaded = &*LOADED;
    let line = long(loaded.written);
    let records: Vec<Value> = (0..20_000)
        .map(|number| {
            // Some of one time.
            let at = line.at + SignedDuration::from_micros(number / 3 * 900);
            Loaded::vlagent(line, at, &format!("number {number:05}"))
        })
        .collect();
    loaded.write(5, &records);
    let bygone = loaded.asking(5, "vlagent", "");
    let answer = loaded.ask(&bygone, line, &[]);
    let mut given = texts(&answer);
    assert_eq!(given.len(), 20_000, "{}", answer.end);
    let third = |text: &&str| text["number ".len()..].parse::<u32>().expect("a number") / 3;
    assert!(given.iter().map(third).is_sorted());
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 20_000);
    let answer = loaded.ask(&bygone, line, &[("tail", "2")]);
    assert_eq!(texts(&answer), ["number 19998", "number 19999"]);
    let answer = loaded.ask(&bygone, line, &[("grep", "number 0[01]{4}$")]);
    assert_eq!(texts(&answer).len(), 16);
}

#[test]
fn a_quarter_of_a_million_lines() {
    let _alone = support::alone();
    let loaded = &*LOADED;
    let line = long(loaded.written);
    for first in (0..super::long::LINES).step_by(50_000) {
        let records = (first..first + 50_000).map(|number| {
            let at = super::long::at(line, number);
            Loaded::vlagent(line, at, &super::long::text(number))
        });
        loaded.write(7, &records.collect::<Vec<_>>());
    }
    let config =
        "[[logs]]\nname = \"vl\"\npreset = \"vlagent\"\naddress = \"{address}\"\ntenant = \"7\"\n";
    let it = &line.instance;
    let restart = it.restart.to_string();
    let query = [
        ("uid", &*it.uid),
        ("container", &*it.container),
        ("instance", &*restart),
    ];
    let database = &recorded().bygone.database;
    super::long::check_all(database, config, &loaded.server.address, &query);
}

/// More lines of one instant than a page has.
#[test]
fn many_lines_of_one_instant() {
    let loaded = &*LOADED;
    let line = long(loaded.written);
    let records: Vec<Value> = (0..3_000)
        .map(|number| Loaded::vlagent(line, line.at, &format!("number {number}")))
        .collect();
    loaded.write(6, &records);
    let bygone = loaded.asking(6, "vlagent", "");
    let answer = loaded.ask(&bygone, line, &[]);
    let mut given = texts(&answer);
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 3_000, "{}", answer.end);
}

/// Names of fields with everything in them that means something to LogsQL: they are quoted as values are.
#[test]
fn hostile_texts_are_texts() {
    let loaded = &*LOADED;
    let line = &loaded.written[0];
    for (account, field) in (10..).zip(super::HOSTILE) {
        let other = Loaded::vlagent(line, line.at, "other");
        let mut record = Loaded::vlagent(line, line.at, "found");
        record[field] = json!(line.instance.namespace);
        loaded.write(account, &[record, other]);
        let more = format!("[logs.fields]\nnamespace = {}\n", json!(field));
        let bygone = loaded.asking(account, "vlagent", &more);
        let answer = loaded.ask(&bygone, line, &[]);
        assert_eq!(texts(&answer), ["found"], "{field:?}: {}", answer.end);
    }
}

#[test]
fn a_query_that_is_refused_is_an_error() {
    let loaded = &*LOADED;
    let bygone = loaded.asking(1, "vlagent", "from = \"a) | ((\"\n");
    let answer = loaded.ask(&bygone, &loaded.written[0], &[]);
    assert_eq!(answer.status, 502, "{}", answer.end);
    let log = bygone.log();
    assert!(
        log.contains("logs store vl refused the query (400 Bad Request)"),
        "{log}"
    );
}

/// Grafana's data source and VMUI pass the query on as it is.
#[test]
fn links_find_the_same() {
    let loaded = &*LOADED;
    let records: Vec<Value> = loaded.written.iter().map(record).collect();
    loaded.write(8, &records);
    let links = r#"
[[logs.links]]
kind = "vmui"

[[logs.links]]
kind = "grafana"
address = "https://grafana.example"
data_source = "P1"
"#;
    let bygone = loaded.asking(8, "otel-victorialogs", links);
    let found = |page: &links::Page| {
        let query = [
            ("query", page.query.clone()),
            ("start", page.from.to_string()),
            ("end", page.to.to_string()),
        ];
        let request = loaded.server.request(Method::POST, "/select/logsql/query");
        let request = request.query(&query).header("AccountID", 8);
        let text = block_on(async { text_of(request.send().await.expect("an answer")).await });
        let line = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("JSON");
            record["_msg"].as_str().expect("text").to_owned()
        };
        text.lines().map(line).collect()
    };
    links::check(&bygone, loaded.written, "vmui", |url| {
        assert!(url.ends_with("&accountID=8&projectID=0"), "{url}");
        found(&links::Page::vmui(url))
    });
    links::check(&bygone, loaded.written, "grafana", |url| {
        found(&links::Page::grafana(
            url,
            "victoriametrics-logs-datasource",
        ))
    });
}

/// As its OTLP endpoint stores it.
fn record(line: &Line) -> Value {
    let (resource, own) = attributes(line, Told::Restart);
    let fields = resource.into_iter().chain(own);
    let mut record: Value = fields.map(|(name, value)| (name, json!(value))).collect();
    record["_time"] = json!(line.at.to_string());
    record["_msg"] = json!(line.text);
    record
}
