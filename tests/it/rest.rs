//! The REST surface as programs meet it: problems, forms, encodings, single documents, its own description.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::{Method, header};
use serde_json::Value;

use crate::get::RECORDED;
use crate::support::{self, Bygone};

/// An answer as it came.
struct Answer {
    status: u16,
    headers: header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn send(method: Method, base: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    support::block_on(async {
        let mut request = support::client().request(method, format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send().await.expect("an answer");
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.expect("a body") {
            body.extend_from_slice(&chunk);
        }
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        }
    })
}

fn get(path: &str, headers: &[(&str, &str)]) -> Answer {
    send(Method::GET, &RECORDED.api, path, headers)
}

fn accepting(path: &str, accept: &str) -> Answer {
    get(path, &[("accept", accept)])
}

fn assert_problem(answer: &Answer, status: u16, kind: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{text}");
    assert_eq!(problem["type"], format!("/api/v1/docs#{kind}"), "{text}");
    for field in ["title", "detail"] {
        let value = problem[field].as_str().expect("text");
        assert!(!value.is_empty(), "{text}");
    }
}

#[test]
fn every_error_is_a_problem() {
    let nobody = "/api/v1/pods/00000000-0000-4000-8000-000000000000";
    for (path, status, kind) in [
        ("/api/v1/pods?limit=x", 400, "invalid-request"),
        ("/api/v1/pods?limit=0", 400, "invalid-request"),
        ("/api/v1/pods?nonsense=1", 400, "invalid-request"),
        ("/api/v1/pods?user=alice", 400, "invalid-request"),
        ("/api/v1/nodes?user=alice", 400, "invalid-request"),
        ("/api/v1/nodes?fields=name", 400, "invalid-request"),
        ("/api/v1/images?state=pending", 400, "invalid-request"),
        ("/api/v1/pods/abc", 400, "invalid-request"),
        ("/api/v1/pods/%FF", 400, "invalid-request"),
        ("/api/v1/containers/4f2d", 400, "invalid-request"),
        ("/api/v1/containers/nothexatall", 400, "invalid-request"),
        (
            "/api/v1/containers/4f2d4f2d?since=1h",
            400,
            "invalid-request",
        ),
        (
            "/api/v1/coverage?at=2026-11-23T06:00:00Z",
            400,
            "invalid-request",
        ),
        (nobody, 404, "not-found"),
        ("/api/v1/containers/0000000000000000", 404, "not-found"),
        ("/api/v1/nowhere", 404, "not-found"),
        ("/", 404, "not-found"),
    ] {
        assert_problem(&get(path, &[]), status, kind);
    }
    for method in [Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let refused = send(method, &RECORDED.api, "/api/v1/pods", &[]);
        assert_problem(&refused, 405, "method-not-allowed");
        assert_eq!(refused.header("allow"), "GET,HEAD");
    }
    for path in [
        "/api/v1/pods",
        "/api/v1/coverage",
        "/api/v1/sources",
        nobody,
    ] {
        assert_problem(&accepting(path, "image/png"), 406, "not-acceptable");
    }
    assert_problem(
        &accepting("/api/v1/coverage", "text/csv"),
        406,
        "not-acceptable",
    );
    for (name, value, status, kind) in [
        ("host", "evil.example", 421, "misdirected"),
        ("origin", "http://evil.example", 403, "forbidden"),
    ] {
        let refused = get("/api/v1/pods", &[(name, value)]);
        assert_problem(&refused, status, kind);
    }
    let form = [
        ("user-agent", "Mozilla/5.0"),
        ("content-type", "text/plain"),
    ];
    assert_problem(&get("/api/v1/pods", &form), 415, "unsupported-media-type");
}

#[test]
fn accept_chooses_the_form() {
    let path = "/api/v1/containers?namespace=crash-3a2&fields=pod,container,restart,exit_code";
    let answer = get(path, &[]);
    assert_eq!(answer.header("content-type"), "application/json");
    let rows = answer.json()["items"].as_array().expect("a list").clone();
    assert!(rows.len() > 1, "{rows:?}");

    let answer = accepting(path, "application/yaml");
    assert_eq!(answer.header("content-type"), "application/yaml");
    let document: Value = serde_saphyr::from_str(&answer.text()).expect("YAML");
    assert_eq!(document["items"].as_array(), Some(&rows));
    assert_eq!(document["more"], false);

    let answer = accepting(path, "application/x-ndjson");
    let text = answer.text();
    let (last, lines) = text.lines().collect::<Vec<_>>().split_last().map_or_else(
        || panic!("no lines"),
        |(last, lines)| ((*last).to_owned(), lines.join(",")),
    );
    assert_eq!(last, r#"{"end":{"more":false,"cursor":null}}"#);
    let lines: Value = serde_json::from_str(&format!("[{lines}]")).expect("JSON");
    assert_eq!(lines.as_array(), Some(&rows));

    let answer = accepting(path, "text/csv, application/json;q=0.5");
    assert!(answer.header("content-type").starts_with("text/csv"));
    let text = answer.text();
    assert_eq!(text.lines().next(), Some("pod,container,restart,exit_code"));
    assert_eq!(text.lines().count(), rows.len() + 1);
    assert!(text.ends_with("\r\n"));

    let all = accepting("/api/v1/pods?limit=1", "text/csv").text();
    assert!(all.starts_with("cluster,namespace,workload_kind,workload,pod,pod_uid,node,"));
    let none = accepting("/api/v1/pods?namespace=none", "text/csv").text();
    assert_eq!(
        none.lines().collect::<Vec<_>>(),
        [all.lines().next().expect("a header")]
    );
}

/// What has no place in CSV follows it.
#[test]
fn the_end_of_csv_is_in_its_trailers() {
    let address = RECORDED.api.trim_start_matches("http://");
    let said = |query: &str| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("a limit");
        let request = format!(
            "GET /api/v1/{query} HTTP/1.1\r\nHost: {address}\r\nAccept: text/csv\r\n\
             TE: trailers\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let cut = said("pods?limit=2&fields=pod");
    assert!(cut.contains("\r\nbygone-more: true\r\n"), "{cut}");
    assert!(cut.contains("\r\nbygone-cursor: "), "{cut}");
    let whole = said("pods?fields=pod");
    assert!(whole.contains("\r\nbygone-more: false\r\n"), "{whole}");
    assert!(!whole.contains("\r\nbygone-cursor: "), "{whole}");
    let cut = said("nodes?limit=2");
    assert!(cut.contains("\r\nbygone-more: true\r\n"), "{cut}");
    let whole = said("nodes");
    assert!(whole.contains("\r\nbygone-more: false\r\n"), "{whole}");
}

/// Summaries are rows in every form.
#[test]
fn summaries_in_every_form() {
    let answer = get("/api/v1/nodes?limit=2", &[]).json();
    let rows = answer["items"].as_array().expect("a list");
    assert_eq!((rows.len(), &answer["more"]), (2, &Value::Bool(true)));
    let yaml = accepting("/api/v1/nodes?limit=2", "application/yaml").text();
    let yaml: Value = serde_saphyr::from_str(&yaml).expect("YAML");
    assert_eq!(yaml, answer);
    let lines = accepting("/api/v1/nodes?limit=2", "application/x-ndjson").text();
    let last = lines.lines().last().expect("an end");
    assert_eq!(last, r#"{"end":{"more":true,"cursor":null}}"#);
    let csv = accepting("/api/v1/nodes?limit=2", "text/csv").text();
    assert!(csv.starts_with("cluster,namespace,kind,name,pods,instances,restarts,first,last,"));
    assert_eq!(csv.lines().count(), 3);
    assert_problem(
        &accepting("/api/v1/nodes", "image/png"),
        406,
        "not-acceptable",
    );
}

#[test]
fn answers_are_packed_where_that_is_accepted() {
    let path = "/api/v1/containers?limit=1000";
    let plain = get(path, &[]);
    assert_eq!(plain.header("content-encoding"), "");
    let packed = |encoding: &str| {
        let answer = get(path, &[("accept-encoding", encoding)]);
        assert_eq!(answer.header("content-encoding"), encoding);
        assert!(answer.header("vary").contains("accept"));
        assert!(answer.body.len() * 4 < plain.body.len(), "{encoding}");
        answer.body
    };
    let mut text = Vec::new();
    let gzip = packed("gzip");
    let mut decoder = flate2::read::GzDecoder::new(&*gzip);
    decoder.read_to_end(&mut text).expect("gzip");
    assert_eq!(text, plain.body);
    let text = zstd::decode_all(&*packed("zstd")).expect("zstd");
    assert_eq!(text, plain.body);
    let problem = get("/api/v1/nowhere", &[("accept-encoding", "gzip")]);
    assert_eq!(problem.status, 404);
}

#[test]
fn a_container_is_found_by_its_id() {
    let list = get("/api/v1/containers?namespace=crash-3a2&limit=1", &[]);
    let row = list.json()["items"][0].clone();
    let id = row["container_id"].as_str().expect("an ID");
    assert_eq!(id.len(), 64);
    for path in [id, &id[..12], &id[..8], &*id.to_uppercase()] {
        let answer = get(&format!("/api/v1/containers/{path}"), &[]);
        assert_eq!((answer.status, answer.json()), (200, row.clone()), "{path}");
    }
    let path = format!("/api/v1/containers/{id}");
    let yaml: Value =
        serde_saphyr::from_str(&accepting(&path, "application/yaml").text()).expect("YAML");
    assert_eq!(yaml, row);
    let csv = accepting(&path, "text/csv").text();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let elsewhere = get(&format!("{path}?namespace=default"), &[]);
    assert_problem(&elsewhere, 404, "not-found");
}

const TWO_READERS: &str = r#"
[[access.api]]
token_file = "{dir}/all.token"
clusters = ["*"]
namespaces = ["*"]
[[access.api]]
token_file = "{dir}/default.token"
clusters = ["*"]
namespaces = ["default"]
"#;

/// An ID opens nothing that its reader may not see, and does not say that there is something.
#[test]
fn an_id_is_narrowed_as_rows_are() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["all", "default"] {
        let file = folder.path().join(format!("{name}.token"));
        std::fs::write(file, format!("{name}-secret-0123456789\n")).expect("written");
    }
    let bygone = Bygone::start_beside(RECORDED.database.clone(), TWO_READERS, folder, &[]);
    let ask = |path: &str, name: &str| {
        let token = format!("Bearer {name}-secret-0123456789");
        send(Method::GET, &bygone.api, path, &[("authorization", &token)])
    };
    let list = ask("/api/v1/containers?namespace=crash-3a2&limit=1", "all");
    let list = list.json();
    let id = list["items"][0]["container_id"].as_str().expect("an ID");
    for path in [id, &id[..8]] {
        let path = format!("/api/v1/containers/{path}");
        assert_eq!(ask(&path, "all").status, 200);
        let other = ask(&path, "default");
        assert_problem(&other, 404, "not-found");
        assert!(!other.text().contains("crash"), "{}", other.text());
        let named = ask(&format!("{path}?namespace=crash-3a2"), "default");
        assert_problem(&named, 403, "forbidden");
        assert_problem(&ask(&path, "nobody"), 401, "unauthorized");
    }
    // The description says nothing of the data.
    assert_eq!(ask("/api/v1/openapi.json", "nobody").status, 200);
}

/// A cluster that was restored from another one's backup has the same IDs.
#[test]
fn an_id_of_several_is_ambiguous() {
    let mut bygone = Bygone::start();
    let bodies = support::read(&support::recording_a(), "bodies.jsonl");
    let bodies = || bodies.lines().map(str::to_owned);
    bygone.post_all(bodies());
    bygone.webhook = format!("{}/v1/audit/other", bygone.ingest);
    bygone.post_all(bodies());
    let get = |path: &str| send(Method::GET, &bygone.api, path, &[]);
    let row = get("/api/v1/containers?namespace=crash-3a2&cluster=other&limit=1").json();
    let row = &row["items"][0];
    let id = row["container_id"].as_str().expect("an ID");
    let uid = row["pod_uid"].as_str().expect("a UID");
    for path in [format!("containers/{id}"), format!("pods/{uid}")] {
        let several = get(&format!("/api/v1/{path}"));
        assert_problem(&several, 409, "ambiguous");
        assert!(several.text().contains("other"), "{}", several.text());
        assert_eq!(get(&format!("/api/v1/{path}?cluster=other")).status, 200);
    }
}

#[test]
fn it_describes_itself() {
    let served = get("/api/v1/openapi.json", &[]);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.text(), include_str!("../../docs/openapi.json"));
    let page = get("/api/v1/docs", &[("accept", "text/html")]);
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

/// The fields of rows are those of their description, in its order.
#[test]
fn rows_are_as_described() {
    let document: Value =
        serde_json::from_str(include_str!("../../docs/openapi.json")).expect("JSON");
    for (path, schema) in [("containers", "Container"), ("pods", "Pod")] {
        let text = get(&format!("/api/v1/{path}?limit=1"), &[]).json();
        let row = text["items"][0].as_object().expect("a row");
        let fields = &document["components"]["schemas"][schema]["properties"];
        let fields = fields.as_object().expect("fields");
        let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(row), names(fields), "{path}");
    }
}

#[test]
fn the_process_and_its_answers_are_measured() {
    assert_eq!(get("/api/v1/pods?limit=1", &[]).status, 200);
    assert_eq!(get("/api/v1/pods/abc", &[]).status, 400);
    assert_eq!(get("/api/v1/no/such/path", &[]).status, 404);
    let metrics = RECORDED.metrics();
    let build = format!(
        "bygone_build_info{{version=\"{}\"",
        env!("CARGO_PKG_VERSION")
    );
    for part in [
        &*build,
        "bygone_api_answer_seconds_bucket{route=\"/api/v1/pods\",code=\"200\",le=\"0.001\"}",
        "bygone_api_answer_seconds_count{route=\"/api/v1/pods/{uid}\",code=\"400\"}",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
    ] {
        assert!(metrics.contains(part), "{part}: {metrics}");
    }
    assert!(!metrics.contains("/api/v1/no/such/path"));
}
