//! Links: decoded as the user interfaces decode them, and then asked of the real stores.

use std::process::Output;

use reqwest::Method;
use reqwest::Url;
use serde_json::{Value, json};

use super::written::{self, Line};
use super::{clickhouse, search};
use crate::support::{self, BYGONE, Bygone, on_shared, plain, run, stderr, stdout};

/// What a page would ask its store.
#[derive(Debug)]
pub struct Page {
    pub query: String,
    /// Milliseconds since 1970.
    pub from: i64,
    pub to: i64,
}

impl Page {
    /// Of Grafana's Explore: the first pane, of a data source of this kind.
    pub fn grafana(url: &str, kind: &str) -> Page {
        let url = Url::parse(url).expect("a URL");
        assert_eq!(url.path(), "/explore");
        let mut pairs = url.query_pairs();
        let panes = pairs.find(|(name, _)| name == "panes").expect("panes").1;
        let panes: Value = serde_json::from_str(&panes).expect("JSON");
        let (name, pane) = panes
            .as_object()
            .expect("panes")
            .iter()
            .next()
            .expect("one");
        assert_eq!(name.len(), 3, "other names are replaced");
        let query = &pane["queries"][0];
        assert_eq!(query["datasource"], json!({"type": kind, "uid": "P1"}));
        assert_eq!(pane["datasource"], "P1");
        let text = ["expr", "rawSql", "query"].map(|name| query[name].as_str());
        let time = |name: &str| match pane["range"][name].as_str().expect("a string") {
            "now" => now_ms(),
            text => text.parse().expect("milliseconds"),
        };
        Page {
            query: text
                .into_iter()
                .flatten()
                .next()
                .expect("a query")
                .to_owned(),
            from: time("from"),
            to: time("to"),
        }
    }

    /// Of Discover in OpenSearch Dashboards.
    pub fn dashboards(url: &str) -> Page {
        let (path, state) = url.split_once("#?").expect("a fragment");
        assert!(path.ends_with("/app/data-explorer/discover"), "{url}");
        let state = state_of(state);
        assert_eq!(state["_a"]["metadata"]["indexPattern"], "lines");
        let query = &state["_q"]["query"];
        assert_eq!(query["language"], "lucene");
        Page::of_state(query, &state["_g"]["time"])
    }

    /// Of Discover in Kibana.
    pub fn kibana(url: &str) -> Page {
        let (path, state) = url.split_once("#/?").expect("a fragment");
        assert!(path.ends_with("/app/discover"), "{url}");
        let state = state_of(state);
        assert_eq!(state["_a"]["index"], "lines");
        assert_eq!(state["_a"]["query"]["language"], "lucene");
        Page::of_state(&state["_a"]["query"], &state["_g"]["time"])
    }

    fn of_state(query: &Value, time: &Value) -> Page {
        let time = |name: &str| match time[name].as_str().expect("a time") {
            "now" => now_ms(),
            text => {
                let time: jiff::Timestamp = text.parse().expect("RFC 3339");
                time.as_millisecond()
            }
        };
        Page {
            query: query["query"].as_str().expect("a query").to_owned(),
            from: time("from"),
            to: time("to"),
        }
    }

    /// Of VMUI: the whole seconds of a duration before its end.
    pub fn vmui(url: &str) -> Page {
        let (path, state) = url.split_once("#/?").expect("a fragment");
        assert!(path.ends_with("/select/vmui/?"), "{url}");
        let url = Url::parse(&format!("form:?{state}")).expect("a URL");
        let value = |wanted: &str| {
            let mut pairs = url.query_pairs();
            let pair = pairs.find(|(name, _)| name == wanted);
            pair.expect("a value").1.into_owned()
        };
        assert_eq!(value("g0.relative_time"), "none");
        let end: jiff::Timestamp = format!("{}Z", value("g0.end_input"))
            .parse()
            .expect("a time");
        let to = end.as_millisecond();
        let range: jiff::SignedDuration = value("g0.range_input").parse().expect("a duration");
        Page {
            query: value("query"),
            from: to - range.as_secs() * 1000,
            to,
        }
    }

    /// Asks OpenSearch as these pages and Grafana do, and returns a field of what it finds.
    pub fn found_in(&self, index: &str, time: &str, line: &str) -> Vec<String> {
        let body = json!({
            "size": 5_000,
            "query": { "bool": { "filter": [
                { "query_string": { "query": self.query, "analyze_wildcard": true } },
                { "range": { time: { "gte": self.from, "lte": self.to, "format": "epoch_millis" } } },
            ] } },
        });
        let path = format!("/{index}/_search");
        let found = search::shared().call(Method::POST, &path, body.to_string());
        let hits = found["hits"]["hits"].as_array().expect("hits");
        let line = |hit: &Value| {
            hit["_source"][line]
                .as_str()
                .expect("text")
                .trim_end()
                .to_owned()
        };
        hits.iter().map(line).collect()
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The parameters of a fragment, which are Rison.
fn state_of(fragment: &str) -> Value {
    let url = Url::parse(&format!("form:?{fragment}")).expect("a URL");
    let pairs = url.query_pairs();
    let parsed = pairs.map(|(name, text)| {
        let mut rest = &*text;
        let value = rison(&mut rest);
        assert_eq!(rest, "", "behind {text}");
        (name.into_owned(), value)
    });
    Value::Object(parsed.collect())
}

/// One value of Rison, which is cut off its text.
fn rison(text: &mut &str) -> Value {
    if let Some(rest) = text.strip_prefix("!(") {
        *text = rest;
        let mut values = Vec::new();
        while !takes(text, ')') {
            values.push(rison(text));
            takes(text, ',');
        }
        return Value::Array(values);
    }
    for (word, value) in [
        ("!t", json!(true)),
        ("!f", json!(false)),
        ("!n", Value::Null),
    ] {
        if let Some(rest) = text.strip_prefix(word) {
            *text = rest;
            return value;
        }
    }
    if takes(text, '(') {
        let mut fields = serde_json::Map::new();
        while !takes(text, ')') {
            let name = rison(text);
            assert!(takes(text, ':'), "no value at {text}");
            let value = rison(text);
            fields.insert(name.as_str().expect("a name").to_owned(), value);
            takes(text, ',');
        }
        return Value::Object(fields);
    }
    if takes(text, '\'') {
        let mut string = String::new();
        let mut characters = text.char_indices();
        loop {
            match characters.next().expect("the end of a string") {
                (_, '!') => string.push(characters.next().expect("a character").1),
                (end, '\'') => {
                    *text = &text[end + 1..];
                    return Value::String(string);
                }
                (_, other) => string.push(other),
            }
        }
    }
    let end = text
        .find(|c| "'!:(),*@$ ".contains(c))
        .unwrap_or(text.len());
    let (id, rest) = text.split_at(end);
    assert!(!id.is_empty(), "no value at {text}");
    *text = rest;
    serde_json::from_str(id).unwrap_or_else(|_| json!(id))
}

fn takes(text: &mut &str, wanted: char) -> bool {
    let rest = text.strip_prefix(wanted);
    *text = rest.unwrap_or(text);
    rest.is_some()
}

/// Follows the link of this name of every third instance, and compares what `found` finds by it with what was written.
pub fn check(bygone: &Bygone, written: &[Line], name: &str, found: impl Fn(&str) -> Vec<String>) {
    let mut count = 0;
    for instance in written::instances(written).into_iter().step_by(3) {
        let rows = rows(bygone, &format!("uid={}", instance.uid));
        let row = rows.iter().find(|row| {
            row["container_id"] == instance.container_id.as_str()
                && row["container"] == instance.container.as_str()
        });
        let row = row.expect("a row of the instance");
        let links = row["logs"].as_array().expect("links");
        let link = links.iter().find(|link| link["name"] == name);
        let url = link.expect("a link")["url"].as_str().expect("a URL");
        let mut found = found(url);
        // Lines of one instant have no order.
        found.sort_unstable();
        let expected: Vec<&str> = written
            .iter()
            .filter(|line| line.instance == instance)
            .map(|line| &*line.text)
            .collect();
        assert_eq!(found, expected, "{instance:?} {url}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

/// What `/api/v1/containers` answers.
fn rows(bygone: &Bygone, query: &str) -> Vec<Value> {
    let url = format!("{}/api/v1/containers?{query}", bygone.api);
    let text = support::block_on(async {
        let answer = support::client().get(url).send().await.expect("an answer");
        support::text_of(answer).await
    });
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    let items = answer["items"].as_array();
    items.unwrap_or_else(|| panic!("{text}")).clone()
}

/// Two stores: one that is read, and one that is only linked to.
const CONFIG: &str = r#"
[[logs]]
name = "otel"
preset = "otel-clickhouse"

[[logs.links]]
kind = "grafana"
name = "explore"
address = "https://grafana.example"
data_source = "P1"

[[logs]]
name = "splunk"
links_only = true

[[logs.links]]
kind = "template"
template = "https://splunk.example/en-US/app/search/search?q=search%20{uid}&earliest={from_s}&latest={to_s}"
"#;

/// A bygone with links, about the history of the strongest store, and the container that is asked about.
fn linked() -> (Bygone, clickhouse::Place) {
    let strongest = clickhouse::strongest();
    let database = strongest.bygone.database.clone();
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_beside(database, CONFIG, folder, &[]);
    (bygone, strongest.instance("crash-3a2", "oom"))
}

fn urls(rows: &[Value]) -> Vec<&str> {
    let newest_first = rows.iter().rev();
    let links = newest_first.flat_map(|row| row["logs"].as_array().expect("links"));
    links
        .map(|link| link["url"].as_str().expect("a URL"))
        .collect()
}

/// Rows of container instances have them, also as a field that is asked for alone.
#[test]
fn rows_have_them() {
    let (bygone, place) = linked();
    let uid = &place.uid;
    let all = rows(&bygone, &format!("uid={uid}"));
    assert!(all.len() > 1, "{all:?}");
    for row in &all {
        assert_eq!(row["logs"][0]["store"], "otel", "{row}");
        assert_eq!(row["logs"][1]["name"], "template", "{row}");
    }
    let alone = rows(&bygone, &format!("uid={uid}&fields=restart,logs"));
    let expected: Vec<Value> = all
        .iter()
        .map(|row| json!({ "restart": row["restart"], "logs": row["logs"] }))
        .collect();
    assert_eq!(alone, expected);
    let without = rows(&bygone, &format!("uid={uid}&fields=restart"));
    assert!(without.iter().all(|row| row.get("logs").is_none()));
}

/// Commands show links where they show container instances, with a running bygone and without one.
#[test]
fn commands_show_them() {
    let (bygone, place) = linked();
    let all = rows(&bygone, &format!("uid={}", place.uid));
    let urls = urls(&all);
    let config = bygone.data_dir().with_file_name("bygone.toml");
    let config = config.to_str().expect("UTF-8");
    shown_by(&place, &urls, |args| {
        run(plain(BYGONE).args(args).args(["--server", &bygone.api]))
    });
    let database = &bygone.database;
    shown_by(&place, &urls, |args| {
        run(on_shared(database, args).args(["--config", config]))
    });
}

fn shown_by(place: &clickhouse::Place, urls: &[&str], ask: impl Fn(&[&str]) -> Output) {
    let (uid, name) = (&*place.uid, &*place.container);
    let shown = |args: &str| {
        let args: Vec<&str> = args.split(' ').chain(["--uid", uid]).collect();
        let output = ask(&args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let text = shown(&format!("logs -c {name} --url --since 3650d"));
    assert_eq!(text.lines().collect::<Vec<_>>(), urls);
    let json = shown("logs --instance 0 --url -o json");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let items = json["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{json}");
    let first = (&items[0]["restart"], &items[0]["url"]);
    assert_eq!(first, (&json!(0), &json!(urls[0])));
    let page = shown("describe pod");
    let link = format!("         otel, explore: {}\n", urls[0]);
    assert!(page.contains(&link), "{page}");
    let table = shown("get containers -o wide");
    let heads = table.lines().next().expect("heads");
    assert!(heads.ends_with("LOGS"), "{table}");
    assert!(table.contains(urls[0]), "{table}");
    let path = shown("get containers -o jsonpath={.items[0].logs[1].url}");
    assert!(urls.contains(&path.trim()), "{path}");
    assert!(!shown("get pods -o json").contains("\"logs\""));
}

/// Without links that is said, and there is no column.
#[test]
fn without_links() {
    let strongest = clickhouse::strongest();
    let place = strongest.instance("crash-3a2", "oom");
    let ask = |args: &[&str]| {
        let of = ["--uid", &place.uid, "--server", &strongest.bygone.api];
        run(plain(BYGONE).args(args).args(of))
    };
    let output = ask(&["logs", "--url"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("no links to their lines are configured"),
        "{said}"
    );
    let output = ask(&["get", "containers", "-o", "wide"]);
    assert!(!stdout(&output).contains("LOGS"));
}
