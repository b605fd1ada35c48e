//! Loki: what the agents write there, each in its own way.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use super::server::{Server, beside, otlp, recorded};
use super::victorialogs::{attributes, long, texts};
use super::written::{Line, Told};
use super::{Answer, ask, check_all, links};
use crate::support::{self, BYGONE, Bygone, block_on, plain, run, stderr, wait_for};

pub struct Loaded {
    pub server: Server,
    pub written: &'static [Line],
}

pub static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let server = Server::start("loki.sh", 2, "/ready");
    Loaded {
        server,
        written: &recorded().written,
    }
});

/// A line as an agent writes it: labels, the line, its structured metadata.
pub struct Entry {
    pub labels: Value,
    at: i128,
    line: String,
    own: Value,
}

impl Loaded {
    pub fn push(&self, tenant: &str, entries: impl IntoIterator<Item = Entry>) {
        let mut streams: BTreeMap<String, Vec<(i128, Value)>> = BTreeMap::new();
        for Entry {
            labels,
            at,
            line,
            own,
        } in entries
        {
            let values = streams.entry(labels.to_string()).or_default();
            values.push((at, json!([at.to_string(), line, own])));
        }
        let count: usize = streams.values().map(Vec::len).sum();
        let streams: Vec<Value> = streams
            .into_iter()
            .map(|(labels, mut values)| {
                // Loki takes only lines that are not far behind the newest one of their stream.
                values.sort_by_key(|(at, _)| *at);
                let values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
                let labels: Value = serde_json::from_str(&labels).expect("JSON");
                json!({ "stream": labels, "values": values })
            })
            .collect();
        let request = self
            .server
            .request(Method::POST, "/loki/api/v1/push")
            .header("X-Scope-OrgID", tenant)
            .json(&json!({ "streams": streams }));
        self.server.takes(request);
        self.flushed(tenant, count);
    }

    /// Lines of a week ago are found in chunks, and not where new ones wait: returns when those of a tenant are there.
    #[allow(clippy::disallowed_methods, reason = "answers of our own server")]
    pub fn flushed(&self, tenant: &str, count: usize) {
        let hour = SignedDuration::from_hours(1);
        let times = self.written.iter().map(|line| line.at);
        let (first, last) = (times.clone().min(), times.max());
        let from = first.expect("lines") - hour;
        let until = last.expect("lines") + hour;
        let lines_max = count.min(5_000);
        let query = [
            ("query", "{service_name=~\".+\"}".to_owned()),
            ("start", from.as_nanosecond().to_string()),
            ("end", until.as_nanosecond().to_string()),
            ("limit", lines_max.to_string()),
        ];
        wait_for("the lines in Loki", || {
            let flush = self.server.request(Method::POST, "/flush");
            self.server.takes(flush.header("X-Scope-OrgID", tenant));
            let request = self.server.request(Method::GET, "/loki/api/v1/query_range");
            let request = request.query(&query).header("X-Scope-OrgID", tenant);
            let answer: Value = block_on(async { request.send().await.ok()?.json().await.ok() })?;
            let streams = answer.pointer("/data/result")?.as_array()?.iter();
            let lines = streams.filter_map(|stream| Some(stream["values"].as_array()?.len()));
            (lines.sum::<usize>() == lines_max).then_some(())
        });
    }

    /// Returns when Loki counts so many lines of a tenant.
    #[allow(clippy::disallowed_methods, reason = "answers of our own server")]
    fn counts(&self, tenant: &str, lines: u64) {
        let last = self.written.iter().map(|line| line.at).max();
        let until = last.expect("lines") + SignedDuration::from_hours(1);
        let query = [
            (
                "query",
                "sum(count_over_time({service_name=~\".+\"}[4h]))".to_owned(),
            ),
            ("time", until.as_nanosecond().to_string()),
        ];
        wait_for("all lines in Loki", || {
            let flush = self.server.request(Method::POST, "/flush");
            self.server.takes(flush.header("X-Scope-OrgID", tenant));
            let request = self.server.request(Method::GET, "/loki/api/v1/query");
            let request = request.query(&query).header("X-Scope-OrgID", tenant);
            let answer: Value = block_on(async { request.send().await.ok()?.json().await.ok() })?;
            let counted = answer.pointer("/data/result/0/value/1")?.as_str()?;
            (counted == lines.to_string()).then_some(())
        });
    }

    pub fn asking(&self, tenant: &str, preset: &str, more: &str) -> Bygone {
        let config = format!(
            "[[logs]]\nname = \"loki\"\npreset = \"{preset}\"\naddress = \"{}\"\ntenant = \"{tenant}\"\n{more}",
            self.server.address
        );
        beside(&config)
    }

    /// Writes all lines as an agent would, and asks for them.
    fn check(&self, preset: &str, told: Told, entry: impl Fn(&Line) -> Entry) {
        self.push(preset, self.written.iter().map(entry));
        self.check_written(preset, preset, told);
    }

    fn check_written(&self, tenant: &str, preset: &str, told: Told) {
        let bygone = self.asking(tenant, preset, "");
        let counts = check_all(&bygone, self.written, told);
        assert!(counts.instances > 150, "{preset}: {counts:?}");
        println!("{tenant}, {told:?}: {counts:?}");
        assert!(
            !told.is_strong() || counts.blurred == 0,
            "{preset}: {counts:?}"
        );
    }

    /// The lines that Loki itself has of what a page asks.
    #[allow(clippy::disallowed_methods, reason = "answers of our own server")]
    fn found(&self, tenant: &str, page: &links::Page) -> Vec<String> {
        let query = [
            ("query", page.query.clone()),
            ("start", format!("{}000000", page.from)),
            ("end", format!("{}000000", page.to)),
            ("limit", "5000".to_owned()),
        ];
        let request = self.server.request(Method::GET, "/loki/api/v1/query_range");
        let request = request.query(&query).header("X-Scope-OrgID", tenant);
        let answer: Value = block_on(async {
            let answer = request.send().await.expect("an answer");
            answer.json().await.expect("JSON")
        });
        let streams = answer["data"]["result"].as_array().expect("streams");
        let values = streams
            .iter()
            .flat_map(|stream| stream["values"].as_array().expect("lines"));
        values
            .map(|value| value[1].as_str().expect("text").to_owned())
            .collect()
    }

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

#[test]
fn every_instance_as_fluent_bit_writes_it() {
    LOADED.check("fluent-bit-loki", Told::ContainerId, |line| {
        let it = &line.instance;
        let record = json!({
            "stream": line.stream,
            "_p": "F",
            "log": format!("{}\n", line.text),
            "kubernetes": {
                "namespace_name": it.namespace,
                "pod_name": it.pod,
                "pod_id": it.uid,
                "container_name": it.container,
                "docker_id": it.container_id,
                "host": it.node,
            },
        });
        Entry {
            labels: json!({ "job": "fluent-bit" }),
            at: line.at.as_nanosecond(),
            line: record.to_string(),
            own: json!({}),
        }
    });
}

#[test]
fn every_instance_as_the_kube_logging_operator_writes_it() {
    LOADED.check("kube-logging-loki", Told::ContainerId, |line| {
        let it = &line.instance;
        Entry {
            labels: json!({
                "namespace": it.namespace,
                "pod": it.pod,
                "pod_id": it.uid,
                "container": it.container,
                "container_id": it.container_id,
                "host": it.node,
            }),
            at: line.at.as_nanosecond(),
            line: line.text.clone(),
            own: json!({}),
        }
    });
}

#[test]
fn every_instance_as_openshift_writes_it() {
    LOADED.check("viaq-loki", Told::ContainerId, |line| {
        let it = &line.instance;
        let record = json!({
            "message": line.text,
            "kubernetes": {
                "namespace_name": it.namespace,
                "pod_name": it.pod,
                "pod_id": it.uid,
                "container_name": it.container,
                "container_id": format!("containerd://{}", it.container_id),
            },
            "hostname": it.node,
            "log_type": "application",
        });
        Entry {
            labels: json!({
                "kubernetes_namespace_name": it.namespace,
                "kubernetes_pod_name": it.pod,
                "kubernetes_container_name": it.container,
                "kubernetes_host": it.node,
                "log_type": "application",
            }),
            at: line.at.as_nanosecond(),
            line: record.to_string(),
            own: json!({}),
        }
    });
}

#[test]
fn every_instance_as_promtail_writes_it() {
    LOADED.check("promtail", Told::Restart, promtail);
}

#[test]
fn every_instance_as_alloy_writes_it() {
    LOADED.check("alloy", Told::Names, |line| {
        alloy(line, line.at.as_nanosecond(), &line.text)
    });
}

fn promtail(line: &Line) -> Entry {
    let it = &line.instance;
    let file = format!(
        "/var/log/pods/{}_{}_{}/{}/{}.log",
        it.namespace, it.pod, it.folder_uid, it.container, it.restart
    );
    Entry {
        labels: json!({
            "namespace": it.namespace,
            "pod": it.pod,
            "container": it.container,
            "filename": file,
            "node_name": it.node,
            "stream": line.stream,
        }),
        at: line.at.as_nanosecond(),
        line: line.text.clone(),
        own: json!({}),
    }
}

pub fn alloy(line: &Line, at: i128, text: &str) -> Entry {
    let it = &line.instance;
    Entry {
        labels: json!({ "namespace": it.namespace, "container": it.container, "stream": line.stream }),
        at,
        line: text.to_owned(),
        own: json!({ "pod": it.pod, "k8s_pod_name": it.pod, "flags": "F" }),
    }
}

#[test]
fn every_instance_as_opentelemetry_writes_it() {
    let loaded = &*LOADED;
    for told in Told::ALL {
        let mut written: Vec<&Line> = loaded.written.iter().collect();
        written.sort_by_key(|line| line.at);
        let requests = written.into_iter().map(|line| {
            let (resource, own) = attributes(line, told);
            otlp::record(&resource, line.at.as_nanosecond(), &line.text, &own)
        });
        let tenant = format!("otel-{}", told.identity());
        let request = loaded
            .server
            .request(Method::POST, "/otlp/v1/logs")
            .header("X-Scope-OrgID", &tenant)
            .header("Content-Type", "application/x-protobuf")
            .body(requests.collect::<Vec<_>>().concat());
        loaded.server.takes(request);
        loaded.flushed(&tenant, loaded.written.len());
        loaded.check_written(&tenant, "otel-loki", told);
    }
}

#[test]
fn many_lines_come_in_order_and_once() {
    let loaded = &*LOADED;
    let line = long(loaded.written);
    loaded.push(
        "many",
        (0..20_000).map(|number| {
            // Some of one time.
            let at = line.at + SignedDuration::from_micros(number / 3 * 900);
            alloy(line, at.as_nanosecond(), &format!("number {number:05}"))
        }),
    );
    let bygone = loaded.asking("many", "alloy", "");
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
    let entry = |number| {
        let at = super::long::at(line, number);
        alloy(line, at.as_nanosecond(), &super::long::text(number))
    };
    for first in (0..super::long::LINES).step_by(10_000) {
        loaded.push("quarter", (first..first + 10_000).map(entry));
    }
    loaded.counts("quarter", super::long::LINES);
    let config = "[[logs]]\nname = \"loki\"\npreset = \"alloy\"\naddress = \"{address}\"\ntenant = \"quarter\"\n";
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

/// More lines of one instant than a page has; and more than Loki gives at all.
#[test]
fn many_lines_of_one_instant() {
    let loaded = &*LOADED;
    let line = long(loaded.written);
    let at = line.at.as_nanosecond();
    for (tenant, lines) in [("crowd", 3_000), ("crowds", 6_000)] {
        loaded.push(
            tenant,
            (0..lines).map(|number| alloy(line, at, &format!("number {number}"))),
        );
    }
    let bygone = loaded.asking("crowd", "alloy", "");
    let answer = loaded.ask(&bygone, line, &[]);
    let mut given = texts(&answer);
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 3_000, "{}", answer.end);
    let bygone = loaded.asking("crowds", "alloy", "");
    let answer = loaded.ask(&bygone, line, &[]);
    let error = answer.end["end"]["error"].to_string();
    assert!(
        error.contains("5000 or more lines have the time") && error.contains("max_entries_limit"),
        "{error}"
    );
    // Lines may have gone out before, so a status can't say it: the command does.
    let mut command = plain(BYGONE);
    command.args([
        "logs",
        "--uid",
        &line.instance.uid,
        "-c",
        &line.instance.container,
    ]);
    command.args(["--instance", &line.instance.restart.to_string()]);
    let output = run(command.args(["--server", &bygone.api]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("bygone: logs store loki: 5000 or more lines have the time"),
        "{said}"
    );
}

/// Values with everything in them that means something to LogQL.
#[test]
fn hostile_texts_are_texts() {
    let loaded = &*LOADED;
    let line = &loaded.written[0];
    for (number, value) in super::HOSTILE.into_iter().enumerate() {
        let tenant = format!("hostile-{number}");
        let at = line.at.as_nanosecond();
        let mut found = alloy(line, at, &format!("found {value}"));
        found.labels["where"] = json!(value);
        loaded.push(&tenant, [found, alloy(line, at, "other")]);
        let selector = format!("{{where={}}}", json!(value));
        let from = format!("from = {}\n", json!(selector));
        let bygone = loaded.asking(&tenant, "alloy", &from);
        let answer = loaded.ask(&bygone, line, &[]);
        let expected = format!("found {value}");
        assert_eq!(texts(&answer), [expected], "{}", answer.end);
    }
}

#[test]
fn a_tenant_has_to_be_named() {
    let loaded = &*LOADED;
    let config = format!(
        "[[logs]]\nname = \"loki\"\npreset = \"alloy\"\naddress = \"{}\"\n",
        loaded.server.address
    );
    let bygone = beside(&config);
    let answer = loaded.ask(&bygone, &loaded.written[0], &[]);
    assert_eq!(answer.status, 502, "{}", answer.end);
    let detail = answer.end["detail"].as_str().expect("a detail");
    assert!(
        detail.starts_with("logs store loki refused bygone's credentials"),
        "{detail}"
    );
    let log = bygone.log();
    assert!(
        log.contains("logs store loki refused our credentials (401"),
        "{log}"
    );
}

/// Grafana passes the query on as it is.
#[test]
fn links_find_the_same() {
    let loaded = &*LOADED;
    loaded.push("linked", loaded.written.iter().map(promtail));
    let link = r#"
[[logs.links]]
kind = "grafana"
address = "https://grafana.example"
data_source = "P1"
"#;
    let bygone = loaded.asking("linked", "promtail", link);
    links::check(&bygone, loaded.written, "grafana", |url| {
        loaded.found("linked", &links::Page::grafana(url, "loki"))
    });
}
