//! `POST /v1/audit/{cluster}`: forms, encodings, refusals.

use std::io::{Read, Write};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{self, Bygone, block_on, plain, run, sql, stdout};

/// A create of a pod whose name and uid tell it apart.
fn created(name: &str, uid: u8) -> Value {
    json!({
        "level": "RequestResponse", "auditID": name, "stage": "ResponseComplete", "verb": "create",
        "requestURI": "/api/v1/namespaces/n/pods", "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": "n", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "responseObject": {"kind": "Pod", "apiVersion": "v1", "metadata": {
            "name": name, "namespace": "n", "resourceVersion": "5",
            "uid": format!("00000000-0000-0000-0000-0000000000{uid:02x}"),
            "creationTimestamp": "2026-11-23T06:15:04Z"}},
        "stageTimestamp": "2026-11-23T06:15:04.239741Z",
    })
}

struct Post<'a> {
    bygone: &'a Bygone,
    headers: Vec<(&'static str, String)>,
}

impl Post<'_> {
    fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        let base = self
            .bygone
            .webhook
            .strip_suffix("/v1/audit/demo")
            .expect("a webhook");
        let mut request = support::client().post(format!("{base}{path}")).body(body);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        block_on(request.send()).expect("an answer")
    }

    fn demo(&self, body: impl Into<reqwest::Body>) -> StatusCode {
        let response = self.send("/v1/audit/demo", body);
        if response.status() == StatusCode::OK {
            let bytes = response.content_length().expect("a length");
            assert!((30..200).contains(&bytes), "200 has a line of JSON");
        }
        response.status()
    }
}

fn post(bygone: &Bygone) -> Post<'_> {
    Post {
        bygone,
        headers: Vec::new(),
    }
}

fn names(bygone: &Bygone) -> Vec<String> {
    bygone.drained();
    let rows = bygone.rows(&["pods"]);
    let mut names: Vec<String> = rows
        .iter()
        .map(|row| row["pod"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_form_is_stored() {
    let bygone = Bygone::start();
    let forms = [
        json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [created("a", 1)]}).to_string(),
        json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1beta1", "items": [created("b", 2)]}).to_string(),
        json!({"items": [created("c", 3)]}).to_string(),
        created("d", 4).to_string(),
        json!([created("e", 5), created("f", 6)]).to_string(),
        format!("{}\n{}\n", created("g", 7), created("h", 8)),
    ];
    let mut expected = Vec::new();
    for (form, new) in
        forms
            .into_iter()
            .zip([&["a"][..], &["b"], &["c"], &["d"], &["e", "f"], &["g", "h"]])
    {
        assert_eq!(post(&bygone).demo(form), 200, "{}", bygone.log());
        expected.extend(new.iter().map(|name| (*name).to_owned()));
        assert_eq!(names(&bygone), expected, "what 200 promised comes");
    }
}

#[test]
fn packed_bodies() {
    let bygone = Bygone::start();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(created("gzip", 1).to_string().as_bytes())
        .expect("packed");
    let packed = |encoding: &str, body: Vec<u8>| {
        let headers = vec![("content-encoding", encoding.to_owned())];
        Post {
            bygone: &bygone,
            headers,
        }
        .demo(body)
    };
    assert_eq!(packed("gzip", gzip.finish().expect("packed")), 200);
    let zstd = zstd::encode_all(created("zstd", 2).to_string().as_bytes(), 1).expect("packed");
    assert_eq!(packed("zstd", zstd), 200);
    assert_eq!(packed("br", vec![1]), 415);
    assert_eq!(packed("gzip", b"not gzip".to_vec()), 400);
    assert_eq!(names(&bygone), ["gzip", "zstd"]);
}

#[test]
fn bad_parts_do_not_hold_up_good_ones() {
    let bygone = Bygone::start();
    let (a, b) = (created("a", 1), created("b", 2));
    let secret = "CANARY-in-a-broken-part";
    let mistyped = created("c", 3)
        .to_string()
        .replace("\"n\"", "{\"secret\":\"SECRET\"}")
        .replace("SECRET", secret);
    assert_eq!(
        post(&bygone).demo(format!("{{\"items\":[{a},{mistyped},{b}]}}")),
        200
    );
    assert_eq!(names(&bygone), ["a", "b"]);
    assert_eq!(post(&bygone).demo(format!("no JSON at all: {secret}")), 200);
    assert_eq!(post(&bygone).demo(""), 200);
    let log = bygone.log();
    assert!(
        log.contains("mistyped field") && log.contains("not json"),
        "{log}"
    );
    assert!(!log.contains(secret), "{log}");
}

#[test]
fn refusals() {
    let bygone = Bygone::start();
    assert_eq!(post(&bygone).send("/v1/audit/a%20b", "{}").status(), 400);
    let named_by_a_cloud = post(&bygone).send("/v1/audit/%2Faws%2Feks%2Fprod%2Fcluster", "{}");
    assert_eq!(named_by_a_cloud.status(), 200);
    assert_eq!(post(&bygone).send("/v1/audit/", "{}").status(), 404);
    assert_eq!(post(&bygone).send("/v1/audit/a/b", "{}").status(), 404);
    let base = bygone.webhook.clone();
    assert_eq!(
        block_on(support::client().get(base).send())
            .expect("an answer")
            .status(),
        405
    );
}

#[test]
fn a_body_over_the_maximum_or_the_budget() {
    let limits = [
        ("BYGONE_WEBHOOK_EVENT_BYTES_MAX", "1000000"),
        ("BYGONE_WEBHOOK_MEMORY_BYTES_MAX", "3000000"),
    ];
    let bygone = Bygone::start_set(&limits);
    let event = created("a", 1).to_string();
    let padded = |bytes: usize| format!("{event}{}", " ".repeat(bytes - event.len()));
    assert_eq!(post(&bygone).demo(padded(1_000_001)), 200);
    let zstd = vec![("content-encoding", "zstd".to_owned())];
    let packed = |headers, body: Vec<u8>| {
        Post {
            bygone: &bygone,
            headers,
        }
        .demo(body)
    };
    assert_eq!(packed(zstd.clone(), vec![0; 1_000_001]), 413);
    assert_eq!(packed(zstd, b"not zstd".to_vec()), 400);
    let brotli = vec![("content-encoding", "br".to_owned())];
    assert_eq!(packed(brotli.clone(), b"brotli".to_vec()), 415);
    assert_eq!(packed(brotli, b"again?".to_vec()), 415);
    bygone.drained();
    let letters = "SELECT reason, bytes FROM dead_letters FINAL ORDER BY reason FORMAT CSV";
    assert_eq!(
        sql(&bygone.database, letters),
        "\"body refused: broken packing\",8\n\
         \"body refused: too large\",1000001\n\
         \"body refused: unknown encoding\",6\n",
        "each once"
    );
    let tight = [
        ("BYGONE_WEBHOOK_EVENT_BYTES_MAX", "1000000"),
        ("BYGONE_WEBHOOK_MEMORY_BYTES_MAX", "500000"),
    ];
    let bygone = Bygone::start_set(&tight);
    let response = post(&bygone).send("/v1/audit/demo", padded(900_000));
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(post(&bygone).demo(padded(400_000)), 200);
}

/// As many events as there are, each of 200 kB, in one body of far more than may be held at once.
#[test]
fn a_large_body_is_read_in_portions() {
    let limits = [
        ("BYGONE_WEBHOOK_EVENT_BYTES_MAX", "1000000"),
        ("BYGONE_WEBHOOK_MEMORY_BYTES_MAX", "8000000"),
    ];
    let large = |name: &str, uid: u8, bytes: usize| {
        let mut event = created(name, uid);
        event["requestObject"] = json!({"spec": {"containers": [{"args": ["x".repeat(bytes)]}]}});
        event
    };
    let mut items: Vec<Value> = (1..=100)
        .map(|uid| large(&format!("pod-{uid:03}"), uid, 200_000))
        .collect();
    items.insert(50, large("too-long", 200, 2_000_000));
    let expected: Vec<String> = (1..=100).map(|uid| format!("pod-{uid:03}")).collect();
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items});
    let list = list.to_string();
    // serde_json sorts members, an API server does not: the kind comes first.
    let (items, kind) = list
        .strip_prefix(r#"{"apiVersion":"audit.k8s.io/v1","items":"#)
        .and_then(|rest| rest.strip_suffix(r#","kind":"EventList"}"#))
        .map(|items| {
            (
                items,
                r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{}"#,
            )
        })
        .expect("its members in order");
    let list = format!("{kind},\"items\":{items}}}\n");
    let lines = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(items).expect("items");
    let lines: Vec<&str> = lines.iter().map(|item| item.get()).collect();
    let forms = [list.clone(), items.to_owned(), lines.join("\n")];
    for body in forms {
        let bygone = Bygone::start_set(&limits);
        let bytes = body.len();
        let response = post(&bygone).send("/v1/audit/demo", body);
        assert_eq!(response.status(), 200, "{}", bygone.log());
        assert_eq!(response.headers()["bygone-rejected"], "1");
        assert_eq!(names(&bygone), expected);
        let letters = "SELECT reason, bytes > 2000000, position_from > 10000000, raw_kept \
                       FROM dead_letters FINAL FORMAT CSV";
        assert_eq!(sql(&bygone.database, letters), "\"too long\",1,1,0\n");
        let peak = bygone.rss_bytes() >> 20;
        println!("{bytes} bytes: {peak} MiB held after");
        let coverage = plain(support::BYGONE)
            .args(["coverage", "-o", "ndjson", "--server", &bygone.api])
            .output()
            .expect("an answer");
        let coverage = stdout(&coverage);
        assert!(coverage.contains(r#""too long":1"#), "{coverage}");
    }
}

#[test]
fn without_clickhouse_the_spool_keeps_what_was_acknowledged() {
    let bygone = Bygone::start();
    sql(&bygone.database, "RENAME TABLE facts TO elsewhere");
    assert_eq!(post(&bygone).demo(created("a", 1).to_string()), 200);
    support::wait_for("a word in the log", || {
        bygone
            .log()
            .contains("rows wait in the spool")
            .then_some(())
    });
    assert!(
        bygone.metrics().contains("bygone_spool_waiting_frames 1"),
        "{}",
        bygone.metrics()
    );
    sql(&bygone.database, "RENAME TABLE elsewhere TO facts");
    assert_eq!(post(&bygone).demo(created("b", 2).to_string()), 200);
    assert_eq!(names(&bygone), ["a", "b"]);
    assert_eq!(
        bygone.log().matches("rows wait in the spool").count(),
        1,
        "told once"
    );
    assert!(
        bygone.log().contains("clickhouse accepts rows again"),
        "{}",
        bygone.log()
    );
}

/// Batches that wait together share an INSERT.
#[test]
fn waiting_requests_share_an_insert() {
    let bygone = Bygone::start_set(&[("BYGONE_SINK_FLUSH_WAIT_MS", "250")]);
    let bodies = (1..=8).map(|number| created(&format!("p{number}"), number).to_string());
    bygone.post_all(bodies);
    assert_eq!(names(&bygone).len(), 8);
    let metrics = bygone.metrics();
    let batches = metrics
        .lines()
        .find_map(|line| line.strip_prefix("bygone_sink_batches_total "));
    let batches: u32 = batches.expect("batches").parse().expect("a number");
    assert!(batches <= 2, "8 requests made {batches} INSERTs");
}

#[test]
fn a_full_spool_says_503_and_recovers() {
    let small = [
        ("BYGONE_SPOOL_SIZE_BYTES_MAX", "300000"),
        ("BYGONE_SPOOL_SEGMENT_BYTES_MAX", "60000"),
        ("BYGONE_SPOOL_FRAME_BYTES_MAX", "60000"),
        ("BYGONE_SPOOL_GROUP_BYTES_MAX", "30000"),
    ];
    let bygone = Bygone::start_set(&small);
    sql(&bygone.database, "RENAME TABLE facts TO elsewhere");
    let mut acknowledged = Vec::new();
    let refused = loop {
        let name = format!("p{:04}", acknowledged.len());
        let mut event = created(&name, 0);
        event["responseObject"]["metadata"]["uid"] =
            format!("00000000-0000-0000-0000-{:012x}", acknowledged.len() + 1).into();
        let long = "x".repeat(1_000);
        let long = json!({"a": &long, "b": &long, "c": &long, "d": &long, "e": &long});
        event["responseObject"]["metadata"]["labels"] = long;
        let response = post(&bygone).send("/v1/audit/demo", event.to_string());
        if response.status() != 200 {
            break response;
        }
        acknowledged.push(name);
        assert!(
            acknowledged.len() < 200,
            "the spool takes more than its cap"
        );
    };
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "2");
    let ready = block_on(
        support::client()
            .get(format!("{}/readyz", bygone.api))
            .send(),
    )
    .expect("an answer");
    assert_eq!(ready.status(), 503);
    sql(&bygone.database, "RENAME TABLE elsewhere TO facts");
    assert_eq!(names(&bygone), acknowledged);
    assert_eq!(post(&bygone).demo(created("after", 250).to_string()), 200);
}

#[test]
fn sigterm_ends_it_in_order() {
    let mut bygone = Bygone::start_embedded(&[]);
    assert_eq!(post(&bygone).demo(created("a", 1).to_string()), 200);
    let status = bygone.stop();
    assert!(status.success(), "{status}: {}", bygone.log());
    assert!(!bygone.data_dir().join("running.json").exists());
    let engine_gone = run(plain("pgrep").args(["-P", &bygone.pid().to_string()]));
    assert!(engine_gone.stdout.is_empty(), "the engine is still there");
}

/// An event that changed a pod and does not say which is a letter of its own, not its whole delivery.
#[test]
fn an_unreadable_object_is_a_letter_of_its_own() {
    let bygone = Bygone::start_set(&[("BYGONE_DEAD_LETTERS_KEEP", "false")]);
    let mut bad = created("bad", 1);
    bad["responseObject"]["metadata"]["uid"] = "no uuid".into();
    let nil = created("nil", 0);
    let list = format!(
        "{{\"items\":[{},{bad},{nil},{}]}}",
        created("a", 2),
        created("b", 3)
    );
    assert_eq!(post(&bygone).demo(list), 200);
    assert_eq!(names(&bygone), ["a", "b"]);
    let kept = "SELECT reason, bytes, raw_kept FROM dead_letters ORDER BY bytes";
    let bytes = [bad, nil].map(|event| event.to_string().len());
    assert_eq!(
        sql(&bygone.database, kept),
        format!(
            "unreadable object\t{}\t0\nunreadable object\t{}\t0\n",
            bytes[0], bytes[1]
        )
    );
}

/// A body that comes too slowly is not wrong: its sender is told to try again, on a new connection.
#[test]
fn a_slow_body_may_be_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let bygone = Bygone::start_configured("[ingest]\nbody_grace_seconds = 1\n", folder);
    let address = bygone.ingest.strip_prefix("http://").expect("a URL");
    let mut stream = std::net::TcpStream::connect(address).expect("connected");
    let wait = Some(Duration::from_secs(20));
    stream.set_read_timeout(wait).expect("a limit");
    let head = "POST /v1/audit/demo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{}";
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer, then the end");
    let answer = answer.to_lowercase();
    assert!(answer.starts_with("http/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    // One that breaks off is.
    let mut stream = std::net::TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(wait).expect("a limit");
    let chunked = "POST /v1/audit/demo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n";
    stream.write_all(chunked.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 400");
}

/// Of a large body what came is kept; that the rest did not is remembered.
#[test]
fn a_large_body_that_comes_too_slowly_is_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = "[ingest]\nbody_grace_seconds = 1\n[webhook]\nevent_bytes_max = 10000\n";
    let bygone = Bygone::start_configured(limits, folder);
    let address = bygone.ingest.strip_prefix("http://").expect("a URL");
    let mut stream = std::net::TcpStream::connect(address).expect("connected");
    let wait = Some(Duration::from_secs(20));
    stream.set_read_timeout(wait).expect("a limit");
    let head = "POST /v1/audit/demo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n";
    let lines: Vec<String> = (1..=110)
        .map(|uid| created(&format!("pod-{uid:03}"), uid).to_string())
        .collect();
    // The last one does not come whole, whatever a portion holds.
    let lines = [&lines[..109], &[lines[109][..20].to_owned()]].concat();
    let begun = [head, &lines.join("\n")].concat();
    stream.write_all(begun.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer, then the end");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let kept = names(&bygone);
    assert!((50..110).contains(&kept.len()), "{} kept", kept.len());
    let letters = "SELECT reason, bytes FROM dead_letters FINAL FORMAT CSV";
    assert_eq!(
        sql(&bygone.database, letters),
        "\"body refused: not in time\",1000000\n"
    );
}

/// The good items are stored, the bad one is a dead letter, the answer is 200. What is skipped is not
/// judged: an event with trouble there is the event that it is.
#[test]
fn one_bad_item_of_every_kind_among_good_ones() {
    let bygone = Bygone::start();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let event = created("bad", 255).to_string();
    let at = |place: &str, value: &str| event.replacen(place, value, 1);
    let bad = [
        ("null", "null".to_owned(), "mistyped field"),
        ("a scalar", "17".to_owned(), "mistyped field"),
        ("a text", "\"text\"".to_owned(), "mistyped field"),
        ("no event", "{}".to_owned(), "not an audit event"),
        ("cut off", event[..90].to_owned(), "cut off"),
        ("deep", at("\"alice\"", &deep), "mistyped field"),
        ("a lone surrogate", at("alice", "\\ud800"), "not json"),
        ("out of range", at(":201", ":1e999"), "not json"),
        ("of another range", at(":201", ":70000"), "mistyped field"),
    ];
    let mut expected = Vec::new();
    for (number, (kind, bad, _)) in bad.iter().enumerate() {
        let good = [0, 1].map(|side| {
            created(
                &format!("good-{number}-{side}"),
                2 * number as u8 + side + 1,
            )
        });
        expected.extend([0, 1].map(|side| format!("good-{number}-{side}")));
        let list = format!("{{\"items\":[{},{bad},{}]}}", good[0], good[1]);
        let response = post(&bygone).send("/v1/audit/demo", list);
        assert_eq!(response.status(), 200, "{kind}");
        assert_eq!(response.headers()["bygone-rejected"], "1", "{kind}");
    }
    assert_eq!(names(&bygone), expected);
    let mut reasons: Vec<&str> = bad.iter().map(|(_, _, reason)| *reason).collect();
    reasons.sort_unstable();
    let told = sql(
        &bygone.database,
        "SELECT reason FROM dead_letters ORDER BY reason",
    );
    assert_eq!(told.lines().collect::<Vec<_>>(), reasons);

    let skipped = [deep.as_str(), "\"\\ud800\"", "1e999"];
    for (number, trouble) in skipped.iter().enumerate() {
        let name = format!("skipped-{number}");
        let event = created(&name, 100 + number as u8).to_string();
        let event = event.replacen("{", &format!("{{\"annotations\":{{\"x\":{trouble}}},"), 1);
        let response = post(&bygone).send("/v1/audit/demo", event);
        assert_eq!(response.headers()["bygone-rejected"], "0", "{name}");
        expected.push(name);
    }
    assert_eq!(names(&bygone), expected);
}
