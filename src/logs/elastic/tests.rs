//! Against a small stand-in for Elasticsearch, which can do what a real one does seldom. A real OpenSearch is asked in
//! `tests/it/logs/elastic.rs`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use jiff::Timestamp;

use super::*;
use crate::logs::conditions::Condition;
use crate::logs::span::Span;

/// What goes wrong with the searches, by their number; the others go right.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    /// Half of the page comes, and the connection ends.
    Half,
    /// The point in time is gone.
    Gone,
    Html,
    Failed,
    Partial,
    Forbidden,
}

/// Lines of one millisecond each ten.
const LINES: usize = 4_005;

#[derive(Clone)]
struct StandIn(Arc<Inner>);

struct Inner {
    trouble: (usize, Trouble),
    searches: AtomicUsize,
    /// Points in time that were opened and not closed.
    points: Mutex<Vec<String>>,
    log: Mutex<Vec<String>>,
}

async fn answer(State(StandIn(inner)): State<StandIn>, uri: Uri, request: Request) -> Response {
    let method = request.method().to_string();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap_or_default();
    inner
        .log
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    match (&*method, uri.path()) {
        ("GET", "/logs-*/_field_caps") => Json(json!({
            "indices": ["logs-1"],
            "fields": { "@timestamp": {"date": {}}, "id": {"keyword": {}} },
        }))
        .into_response(),
        ("POST", "/logs-*/_pit") => {
            let mut points = inner.points.lock().unwrap();
            let id = format!("point {}", points.len());
            points.push(id.clone());
            Json(json!({ "id": id })).into_response()
        }
        ("DELETE", "/_pit") => {
            let id = body["id"].as_str().unwrap();
            inner.points.lock().unwrap().retain(|point| point != id);
            Json(json!({"succeeded": true})).into_response()
        }
        ("POST", "/logs-*/_search" | "/_search") => search(&inner, &body),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn search(inner: &Inner, body: &Value) -> Response {
    assert_eq!(body["pit"].is_null(), body["sort"][1].get("_doc").is_some());
    let number = inner.searches.fetch_add(1, Ordering::Relaxed);
    let trouble = match inner.trouble {
        (at, trouble) if at == number => trouble,
        _ => Trouble::None,
    };
    let size = usize::try_from(body["size"].as_u64().unwrap()).unwrap();
    let filters = body["query"]["bool"]["filter"].as_array().unwrap();
    let from = &filters.last().unwrap()["range"]["@timestamp"]["gte"];
    let from: Timestamp = from.as_str().unwrap().parse().unwrap();
    let after = &body["search_after"];
    let after = (after[0].as_i64(), after[1].as_u64());
    let hits = (0..LINES as u64).map(|number| {
        let at = (number / 10) as i64 * 1_000_000;
        (at, number)
    });
    let hits = hits
        .filter(|(at, number)| {
            let is_behind = (Some(*at), Some(*number)) > after;
            is_behind && i128::from(*at) >= from.as_nanosecond()
        })
        .take(size);
    let hits: Vec<Value> = hits
        .map(|(at, number)| json!({"_source": {"log": format!("line {number}")}, "sort": [at, number]}))
        .collect();
    let found = json!({
        "pit_id": body["pit"]["id"],
        "timed_out": false,
        "_shards": {"failed": u8::from(matches!(trouble, Trouble::Partial))},
        "hits": {"hits": hits},
    });
    match trouble {
        Trouble::None | Trouble::Partial => Json(found).into_response(),
        Trouble::Half => {
            let text = found.to_string();
            let half = text[..text.len() / 2].to_owned();
            let broken = [Ok(half), Err(std::io::Error::other("cut"))];
            axum::body::Body::from_stream(futures_util::stream::iter(broken)).into_response()
        }
        Trouble::Gone => StatusCode::NOT_FOUND.into_response(),
        Trouble::Html => axum::response::Html("<p>log in</p>").into_response(),
        Trouble::Forbidden => StatusCode::FORBIDDEN.into_response(),
        Trouble::Failed => {
            let reason = json!({"error": {"root_cause": [{"reason": "all shards failed"}]}});
            (StatusCode::INTERNAL_SERVER_ERROR, Json(reason)).into_response()
        }
    }
}

/// Reads all lines, and returns them or the error, and what was asked.
async fn read(at: usize, trouble: Trouble) -> (Result<Vec<String>, String>, Vec<String>) {
    let stand_in = StandIn(Arc::new(Inner {
        trouble: (at, trouble),
        searches: AtomicUsize::new(0),
        points: Mutex::default(),
        log: Mutex::default(),
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config {
        name: "es".to_owned(),
        address: Some(format!("http://{}", listener.local_addr().unwrap())),
        ..Config::default()
    };
    let router = Router::new().fallback(answer).with_state(stand_in.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let fields = Fields {
        container_id: Some("id".to_owned()),
        line: vec!["log".to_owned()],
        ..Fields::default()
    };
    let index = Index::open(&config, Dialect::Elasticsearch, "logs-*", &fields).unwrap();
    let mut pages = Arc::new(index).pages(Query {
        conditions: vec![Condition::Is {
            field: "id".to_owned(),
            values: vec!["a".to_owned()],
        }],
        names: Vec::new(),
        span: Span {
            from: Timestamp::MIN,
            until: Timestamp::MAX,
        },
        newest_first: false,
        grep: None,
        lines_max: None,
        sent: Default::default(),
    });
    let mut lines = Vec::new();
    let outcome = loop {
        match pages.next().await {
            Ok(page) if page.is_empty() => break Ok(lines),
            Ok(page) => {
                let texts = page.into_iter().map(|line| String::from_utf8(line.text));
                lines.extend(texts.map(Result::unwrap));
            }
            Err(error) => break Err(error.to_string()),
        }
    };
    if outcome.is_ok() {
        let points = stand_in.0.points.lock().unwrap();
        // The one that is gone needs no end.
        let expected = usize::from(matches!(trouble, Trouble::Gone));
        assert_eq!(points.len(), expected, "{trouble:?}");
    }
    let log = stand_in.0.log.lock().unwrap().clone();
    (outcome, log)
}

#[tokio::test]
async fn all_pages_in_points_in_time_of_elasticsearch() {
    let whole: Vec<String> = (0..LINES).map(|number| format!("line {number}")).collect();
    let (lines, log) = read(0, Trouble::None).await;
    assert!(lines.unwrap() == whole);
    expect_test::expect![[r#"
        GET /logs-*/_field_caps
        POST /logs-*/_search
        POST /logs-*/_pit
        POST /_search
        POST /_search
        POST /_search
        POST /_search
        DELETE /_pit
    "#]]
    .assert_eq(&(log.join("\n") + "\n"));
    // In the first page, and in a later one.
    for at in [0, 2] {
        let (lines, _) = read(at, Trouble::Half).await;
        assert!(lines.unwrap() == whole, "{at}");
    }
    let (lines, _) = read(2, Trouble::Gone).await;
    assert!(lines.unwrap() == whole);
}

#[tokio::test]
async fn what_is_no_page_is_an_error_and_not_the_end() {
    let mut said = String::new();
    for (at, trouble) in [
        (0, Trouble::Gone),
        (1, Trouble::Html),
        (1, Trouble::Failed),
        (1, Trouble::Partial),
        (1, Trouble::Forbidden),
    ] {
        let (outcome, _) = read(at, trouble).await;
        said += &format!("{}\n", outcome.unwrap_err());
    }
    expect_test::expect![[r#"
        logs store es has no index logs-*: check what [[logs]] names
        logs store es sent an answer that can't be read: it answered 200 OK: an HTML page: check its address, and what stands in front of it
        logs store es refused the query (500 Internal Server Error): all shards failed
        logs store es: a part of it did not answer
        logs store es refused our credentials (403 Forbidden): check its user and files
    "#]]
    .assert_eq(&said);
}

#[test]
fn patterns() {
    for (pattern, is_valid) in [
        ("logs-*", true),
        ("app-*,infra-*,-app-old", true),
        ("eu:logs-*.otel-*", true),
        ("", false),
        ("_all", false),
        ("../secret", false),
        ("logs?x=1", false),
        ("logs-*/_doc", false),
    ] {
        assert_eq!(is_pattern(pattern), is_valid, "{pattern}");
    }
}
