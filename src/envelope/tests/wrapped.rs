//! Every wrapper of `fixtures/envelopes`, and what is odd in it.

use std::io::Write;
use std::path::Path;

use super::*;
use crate::envelope::walk::LAYERS_MAX;

const MIB: usize = 1 << 20;

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/envelopes");
    std::fs::read(folder.join(name)).unwrap()
}

/// Everything that a delivery holds, a line each.
pub(super) fn decoded(body: &[u8]) -> String {
    told_within(body, MIB, MIB)
}

pub(super) fn told_within(body: &[u8], unpacked_bytes_max: usize, held_bytes_max: usize) -> String {
    let mut text = String::new();
    let limits = Limits {
        unpacked_bytes_max,
        held_bytes_max,
        reserve: &mut |_| true,
    };
    let rest = read(body, limits, &mut |found| {
        let event = found.event;
        let pod = event.response_object.as_ref();
        let pod = pod.and_then(|pod| Some(pod.metadata.as_ref()?.name.to_string()));
        let parts = [
            &*event.object_ref.subresource,
            &pod.unwrap_or_default(),
            &event.user.username,
        ];
        text += &format!(
            "{:?} {} in {:?}\n",
            event.verb,
            parts.join(" "),
            found.cluster
        );
        Ok(())
    });
    for Rejected { at, reason } in &rest.rejected {
        assert!(at.end <= body.len());
        text += &format!("rejected {} of {} bytes: {reason}\n", at.len(), body.len());
    }
    text += &format!("{} ignored", rest.ignored);
    text
}

/// The five events of the fixtures, in this cluster.
pub(super) fn life(cluster: Option<&str>, ignored: usize) -> String {
    let decoded = |what: &str| format!("{what} in {cluster:?}\n");
    [
        decoded("Create  holder kubernetes-admin"),
        decoded("Create binding  system:kube-scheduler"),
        decoded("Delete  holder kubernetes-admin"),
        decoded("Patch status holder system:node:worker-3"),
        decoded("Delete  holder system:node:worker-3"),
        format!("{ignored} ignored"),
    ]
    .concat()
}

#[test]
fn whole_lives() {
    let aks = Some(
        "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1",
    );
    let aks_lower = aks.map(str::to_lowercase);
    let eks = Some("/aws/eks/c1/cluster");
    for (name, cluster, ignored) in [
        ("bare.jsonl", None, 0),
        ("fluent-bit-without-parser.jsonl", None, 0),
        (
            "fluent-bit-with-parser-and-numeric-timestamp.jsonl",
            None,
            0,
        ),
        ("fluentd-with-and-without-parser.jsonl", None, 0),
        ("filebeat-where-log-is-an-object.jsonl", None, 0),
        ("vector-with-nanoseconds.jsonl", None, 0),
        ("logstash-with-the-original-in-event.jsonl", None, 0),
        (
            "openshift-viaq-with-overwritten-level-and-other-sources.jsonl",
            Some("9b6f8c1e-5d2a-4e7b-8f43-0c1d2e3f4a5b"),
            2,
        ),
        ("aks-with-other-categories.json", aks, 2),
        ("aks-where-properties-is-a-string.json", aks, 0),
        ("aks-log-analytics-columns.json", aks_lower.as_deref(), 0),
        ("eks-subscription.json", eks, 0),
        ("eks-subscription.json.gz", eks, 0),
        ("eks-lambda-awslogs-data.json", eks, 0),
        (
            "eks-firehose-concatenated-with-a-control-message.json",
            eks,
            2,
        ),
        ("eks-firehose-http-with-base64-records.json", eks, 1),
        ("alibaba-sls-with-nested-strings.jsonl", None, 0),
        ("otlp-string-value.json", Some("shop"), 0),
        ("otlp-kvlist-value.json", Some("shop"), 0),
        ("other-logs-in-the-same-topic.txt", None, 6),
        ("double-encoded-and-array-of-strings.json", None, 0),
    ] {
        let expected = life(cluster, ignored);
        let decoded = decoded(&fixture(name));
        assert_eq!(decoded, expected, "{name}");
    }
}

fn check(name: &str, expected: Expect) {
    expected.assert_eq(&decoded(&fixture(name)));
}

#[test]
fn google_says_it_in_its_own_words() {
    check(
        "gke-log-entries-with-refused-dry-run-and-other-logs.jsonl",
        expect![[r#"
            Create   kubernetes-admin in Some("p/europe-west1/c")
            Delete  holder system:node:worker-3 in Some("p/europe-west1/c")
            Create  holder kubernetes-admin in Some("p/europe-west1/c")
            Create binding  system:kube-scheduler in Some("p/europe-west1/c")
            Delete  holder kubernetes-admin in Some("p/europe-west1/c")
            Patch status holder system:node:worker-3 in Some("p/europe-west1/c")
            Delete  holder system:node:worker-3 in Some("p/europe-west1/c")
            2 ignored"#]],
    );
    let refused = open_first("gke-log-entries-with-refused-dry-run-and-other-logs.jsonl");
    assert!(refused.contains("code: Some(403)"), "{refused}");
}

fn open_first(name: &str) -> String {
    let mut first = None;
    let limits = Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: MIB,
        reserve: &mut |_| true,
    };
    read(&fixture(name), limits, &mut |found| {
        first.get_or_insert_with(|| format!("{:?}", found.event.response_status));
        Ok(())
    });
    first.unwrap()
}

#[test]
fn what_was_cut_is_salvaged_or_rejected() {
    // The create is cut in its request and says nothing of its pod; the status in the spec.
    check(
        "aks-where-log-is-cut-at-16-kib.json",
        expect![[r#"
        Create  holder kubernetes-admin in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        Patch status big-env system:node:worker-1 in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        rejected 18198 of 41602 bytes: cut off
        0 ignored"#]],
    );
    check(
        "eks-truncated-message.json",
        expect![[r#"
        Patch status holder system:node:worker-3 in Some("/aws/eks/c1/cluster")
        0 ignored"#]],
    );
    check(
        "aks-with-skipped-too-big-size-object.json",
        expect![[r#"
        Create  holder kubernetes-admin in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        Create binding  system:kube-scheduler in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        Delete  holder kubernetes-admin in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        Patch status holder system:node:worker-3 in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        Delete  holder system:node:worker-3 in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        Delete   kubernetes-admin in Some("/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1")
        0 ignored"#]],
    );
    check(
        "elastic-agent-without-metadata.json",
        expect![[r#"
        rejected 953 of 954 bytes: stripped of metadata
        0 ignored"#]],
    );
}

/// A cut event has the time of its wrapper, and of its status what stood before the cut.
#[test]
fn what_is_salvaged() {
    let body = fixture("eks-truncated-message.json");
    let mut found_one = false;
    let limits = Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: MIB,
        reserve: &mut |_| true,
    };
    read(&body, limits, &mut |found| {
        found_one = true;
        assert_eq!(found.event.at.to_string(), "2026-11-23T06:15:21.727Z");
        let object = found.event.response_object.as_ref().unwrap();
        assert!(object.spec.0.is_some(), "the spec is whole");
        let status = object.status.0.as_ref().unwrap();
        assert_eq!(&*status.phase, "Failed");
        assert!(status.container_statuses.is_none());
        Ok(())
    });
    assert!(found_one);
}

/// Without a status nobody knows whether the request was refused, without a URL whether it was real.
#[test]
fn a_cut_event_that_says_too_little() {
    let uri = r#""requestURI":"/x","#;
    let status = r#""responseStatus":{"code":200},"#;
    for (uri, status, is_told) in [(uri, status, true), (uri, "", false), ("", status, false)] {
        let cut = format!(
            r#"{{"auditID":"1","stage":"ResponseComplete","verb":"delete",{uri}"objectRef":{{"resource":"pods"}},{status}"responseObject":{{"kind":"Pod","metadata":{{"name":"a"}},"spec":{{"a"#
        );
        let record = serde_json::json!({"log": cut, "time": "2026-11-23T06:15:04Z"}).to_string();
        let decoded = decoded(record.as_bytes());
        assert_eq!(decoded.starts_with("Delete  a"), is_told, "{decoded}");
        assert_eq!(decoded.contains(": cut off"), !is_told, "{decoded}");
    }
}

#[test]
fn text_in_wrappers_that_is_no_event() {
    let of = |text: &str| decoded(serde_json::json!({ "log": text }).to_string().as_bytes());
    assert_eq!(of("I1123 06:15:04.239741 1 x.go:1] x"), "1 ignored");
    assert_eq!(
        of("no log that we know"),
        "rejected 29 of 29 bytes: not an audit event\n0 ignored"
    );
    assert_eq!(
        of("{\"auditID\":\"1\""),
        "rejected 28 of 28 bytes: cut off\n0 ignored"
    );
    assert_eq!(
        of("{\"a\":1}\n{\"b\""),
        "rejected 27 of 27 bytes: not an audit event\nrejected 27 of 27 bytes: cut off\n0 ignored"
    );
}

/// However long the white space before it is, and wherever its escapes stand.
#[test]
fn a_text_is_known_by_what_it_names() {
    for spaces in (0..20).chain(490..520) {
        let text = format!("{}{}\n", " ".repeat(spaces), event("a"));
        let decoded = decoded(serde_json::json!({ "log": text }).to_string().as_bytes());
        assert!(decoded.starts_with("Delete"), "{spaces}: {decoded}");
    }
}

#[test]
fn layers_have_an_end() {
    let mut text = event("a");
    for layer in 1..=LAYERS_MAX + 2 {
        text = serde_json::json!({ "message": text }).to_string();
        let decoded = decoded(text.as_bytes());
        assert_eq!(
            decoded.contains("Delete"),
            layer <= LAYERS_MAX,
            "{layer}: {decoded}"
        );
        assert_eq!(
            decoded.contains("wrapped too deep"),
            layer > LAYERS_MAX,
            "{layer}: {decoded}"
        );
    }
    let list = [
        &"{\"records\":[".repeat(50_000),
        &*event("a"),
        &"]}".repeat(50_000),
    ]
    .concat();
    assert!(!decoded(list.as_bytes()).contains("Delete"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_parts_have_limits() {
    let body = gzip(event("a").as_bytes());
    let bytes = event("a").len();
    assert!(told_within(&body, bytes, MIB).starts_with("Delete"));
    let too_much = format!(
        "rejected {0} of {0} bytes: unpacks to too much\n0 ignored",
        body.len()
    );
    assert_eq!(told_within(&body, bytes - 1, MIB), too_much);
    // A bomb is not unpacked beyond the limit, wherever it is.
    let bomb = gzip(&vec![b' '; 100 * MIB]);
    let packed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bomb);
    let inside = serde_json::json!({ "awslogs": { "data": packed } }).to_string();
    assert!(told_within(&bomb, MIB, 2 * MIB).ends_with("unpacks to too much\n0 ignored"));
    assert!(
        told_within(inside.as_bytes(), MIB, 2 * MIB).ends_with("unpacks to too much\n0 ignored")
    );
    // Packed parts of one delivery share the limit.
    let two = format!("{}\n{}\n", based(&body), based(&body));
    assert_eq!(
        told_within(two.as_bytes(), 2 * bytes, MIB)
            .matches("Delete")
            .count(),
        2
    );
    assert_eq!(
        told_within(two.as_bytes(), 2 * bytes - 1, MIB)
            .matches("Delete")
            .count(),
        1
    );
    let broken = [&body[..20], &body[30..]].concat();
    assert!(
        decoded(&broken).contains("broken base64, gzip or zstd"),
        "{}",
        decoded(&broken)
    );
    assert!(decoded(b"H4sI!\n").contains("broken base64, gzip or zstd"));
}

fn based(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

/// A refused event has the place of what it was wrapped in.
#[test]
fn refused_events_in_wrappers() {
    let wrapped = serde_json::json!({ "message": event("b") }).to_string();
    let body = format!("{}\n{wrapped}\n{}\n", event("a"), event("c"));
    let limits = Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: MIB,
        reserve: &mut |_| true,
    };
    let mut names = String::new();
    let rest = read(body.as_bytes(), limits, &mut |found| {
        names += &found.event.object_ref.name;
        match &*found.event.object_ref.name {
            "b" => Err(Reason::Unreadable),
            _ => Ok(()),
        }
    });
    assert_eq!(names, "abc");
    assert_eq!(rest.rejected.len(), 1);
    assert_eq!(&body[rest.rejected[0].at.clone()], wrapped);
}

#[test]
fn memory_is_asked_for_and_may_be_refused() {
    let body = serde_json::json!({ "message": event("a") }).to_string();
    let mut asked = 0;
    let limits = Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: MIB,
        reserve: &mut |bytes| {
            asked += bytes;
            true
        },
    };
    assert!(!read(body.as_bytes(), limits, &mut |_| Ok(())).starved);
    assert_eq!(asked, 64 << 10);
    let limits = Limits {
        unpacked_bytes_max: 0,
        held_bytes_max: MIB,
        reserve: &mut |_| false,
    };
    let mut events = 0;
    let rest = read(body.as_bytes(), limits, &mut |_| {
        events += 1;
        Ok(())
    });
    assert!(rest.starved);
    assert_eq!(events, 0);
    // What can never be held is rejected, and does not come again for ever.
    assert!(told_within(body.as_bytes(), 0, 100).contains("unpacks to too much"));
}

/// Wherever a wrapped list is cut or one of its bytes is changed, nothing panics.
#[test]
fn damage_anywhere() {
    for name in [
        "aks-where-properties-is-a-string.json",
        "eks-subscription.json.gz",
        "otlp-kvlist-value.json",
    ] {
        let body = fixture(name);
        for at in (0..body.len()).step_by(97) {
            decoded(&body[..at]);
            let mut damaged = body.clone();
            damaged[at] = b'"';
            decoded(&damaged);
        }
    }
}
