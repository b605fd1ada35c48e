//! What the API server makes of the options of a deletion, wherever they stand, and what can't be told.
//!
//! Checked in `k8s.io/apiserver`, `pkg/endpoints/handlers/delete.go`: a body outdoes the query.

use super::*;

/// What became of the pod `n/web`, by an event of this level and verb with this query, this body and no answer.
fn facts_of(level: &str, verb: &str, query: &str, body: Value) -> String {
    let (verb, part) = verb.split_once('/').unwrap_or((verb, ""));
    let mut event = event(verb, part, Value::Null);
    event["level"] = json!(level);
    event["requestURI"] = json!(format!("{}?{query}", event["requestURI"].as_str().unwrap()));
    event["requestObject"] = body;
    name_events(&event)
}

fn name_events(event: &Value) -> String {
    let text = event.to_string();
    let event: Event = serde_json::from_str(&text).unwrap();
    let mut kinds = Vec::new();
    facts("c", &event, &mut |fact| {
        kinds.push(match &fact.said {
            Some(said) => said.what.word().to_owned(),
            None => line(fact),
        });
    })
    .unwrap();
    kinds.join(", ")
}

fn options(options: Value) -> Value {
    let mut body = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
    for (key, value) in options.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[test]
fn a_body_outdoes_the_query() {
    let none = || Value::Null;
    let graceful = || options(json!({"gracePeriodSeconds": 86400}));
    let forced = || options(json!({"gracePeriodSeconds": 0}));
    let dry = || options(json!({"dryRun": ["All"]}));
    let plain = || options(json!({}));
    let many = options(json!({"dryRun": vec!["All"; 1025], "gracePeriodSeconds": 0}));
    for (query, body, expected) in [
        ("", none(), "ask"),
        ("", plain(), "ask"),
        ("", forced(), "force"),
        ("", dry(), ""),
        ("gracePeriodSeconds=0", many, ""),
        ("gracePeriodSeconds=0", none(), "force"),
        ("gracePeriodSeconds=0", graceful(), "ask"),
        ("gracePeriodSeconds=0", plain(), "ask"),
        ("gracePeriodSeconds=00", none(), "force"),
        ("gracePeriodSeconds=5&gracePeriodSeconds=0", none(), "ask"),
        ("gracePeriodSeconds=86400", forced(), "force"),
        ("dryRun=All", none(), ""),
        ("dryRun=All", plain(), "ask"),
        ("dryRun=All", forced(), "force"),
        ("dryRun=%zz", none(), "ask"),
        ("dryRun=a;b", none(), "ask"),
        ("dryrun=All", none(), "ask"),
        ("dry%52un=%41ll", none(), ""),
        // Whatever stands where the options were.
        ("", json!("skipped-too-big-size-object"), "truncated"),
        ("dryRun=All", json!({"dryRun": {"a": 1}}), "truncated"),
        (
            "gracePeriodSeconds=0",
            json!({"gracePeriodSeconds": "soon"}),
            "truncated",
        ),
        // The API server takes no text for a number, so a relay has made it of one.
        (
            "gracePeriodSeconds=86400",
            json!({"gracePeriodSeconds": "0"}),
            "force",
        ),
    ] {
        for level in ["Request", "RequestResponse"] {
            let facts_of = facts_of(level, "delete", query, body.clone());
            assert_eq!(facts_of, expected, "{level} {query} {body}");
        }
    }
}

/// At level Metadata nobody knows whether there was a body, nor what stood in it.
#[test]
fn a_query_alone_proves_nothing() {
    for (query, expected) in [
        ("", "ask"),
        ("gracePeriodSeconds=0", "ask"),
        ("dryRun=All", "truncated"),
        ("dryRun=a;b", "ask"),
    ] {
        for level in ["Metadata", "None of ours"] {
            assert_eq!(
                facts_of(level, "delete", query, Value::Null),
                expected,
                "{level} {query}"
            );
        }
    }
}

#[test]
fn an_eviction_has_its_options_in_its_body() {
    let eviction = |options: Value| json!({"kind": "Eviction", "deleteOptions": options});
    for (query, body, expected) in [
        ("", eviction(json!(null)), "evict"),
        (
            "gracePeriodSeconds=0",
            eviction(json!({"gracePeriodSeconds": 86400})),
            "evict",
        ),
        ("gracePeriodSeconds=0", eviction(json!(null)), "evict"),
        (
            "",
            eviction(json!({"gracePeriodSeconds": 0})),
            "evict, remove",
        ),
        ("", eviction(json!({"dryRun": ["All"]})), ""),
        ("dryRun=All", eviction(json!({})), ""),
        ("", json!("skipped-too-big-size-object"), "truncated"),
    ] {
        let facts_of = facts_of("Request", "create/eviction", query, body.clone());
        assert_eq!(facts_of, expected, "{query} {body}");
    }
}

#[test]
fn other_verbs_have_theirs_in_the_query() {
    for (verb, query, expected) in [
        ("patch/status", "", "n/web node=node-7"),
        ("patch/status", "dryRun=All", ""),
        ("patch/status", "dryRun=%zz", "n/web node=node-7"),
        ("patch/status", "dryRun=a;b", "n/web node=node-7"),
    ] {
        let (_, part) = verb.split_once('/').unwrap();
        let mut event = event("patch", part, Value::Null);
        event["user"] = json!({"username": "system:node:node-7", "groups": ["system:nodes"]});
        event["requestURI"] = json!(format!("{}?{query}", event["requestURI"].as_str().unwrap()));
        event["requestObject"] = json!({"metadata": {"uid": UID}});
        let expected = if expected.is_empty() {
            String::new()
        } else {
            format!("{expected}\n")
        };
        let text = event.to_string();
        let event: Event = serde_json::from_str(&text).unwrap();
        let mut facts_of = String::new();
        facts("c", &event, &mut |fact| {
            facts_of += &format!("{}\n", line(fact))
        })
        .unwrap();
        assert_eq!(facts_of, expected, "{verb} {query}");
    }
}

/// A table without objects says nothing of what became of the pod.
#[test]
fn a_table_without_objects() {
    let table = |object: Value| json!({"kind": "Table", "rows": [{"cells": [], "object": object}]});
    let mut patch = event("patch", "", table(Value::Null));
    check(
        &patch,
        expect![[r#"
        n/web truncated=60000002 alice
    "#]],
    );
    let gone = json!({"uid": UID, "name": "web", "namespace": "n", "resourceVersion": "7",
        "deletionTimestamp": "1970-01-01T00:00:30Z", "deletionGracePeriodSeconds": 0});
    patch["responseObject"] = table(json!({"kind": "PartialObjectMetadata", "metadata": gone}));
    check(
        &patch,
        expect![[r#"
        n/web version=7 labels=[] removed=60000002
    "#]],
    );
}

#[test]
fn a_collection_as_a_table() {
    let mut event = event("deletecollection", "", json!({"kind": "Table", "rows": []}));
    event["objectRef"]["name"] = Value::Null;
    event["requestURI"] =
        json!("/api/v1/namespaces/n/pods?fieldSelector=metadata.name%3Dfs&gracePeriodSeconds=0");
    let metadata = json!({"uid": UID, "name": "fs", "namespace": "n", "resourceVersion": "7"});
    let row = json!({"object": {"kind": "PartialObjectMetadata", "metadata": metadata}});
    event["responseObject"]["rows"] = json!([row]);
    check(
        &event,
        expect![[r#"
        n/fs version=7 labels=[] asked=(60000001, "alice", "") force=(60000001, "alice", "") removed=60000002
    "#]],
    );
    event["responseObject"]["rows"] = json!([{"object": null}]);
    check(
        &event,
        expect![[r#"
        n/fs force=60000001 alice
    "#]],
    );
    event["requestObject"] = options(json!({"gracePeriodSeconds": 86400}));
    check(
        &event,
        expect![[r#"
        n/fs ask=60000001 alice
    "#]],
    );
}

/// Some codes come before anything is done, and after it was: only a Status with its reason tells.
#[test]
fn what_became_of_it_can_be_untold() {
    let status = |code: u16, reason: &str| json!({"metadata": {}, "code": code, "status": "Failure", "reason": reason});
    let bare = |code: u16| json!({"metadata": {}, "code": code});
    let early = json!({"metadata": {}, "code": 200, "message": "Connection closed early"});
    let facts_of = |verb: &str, status: &Value| {
        let (verb, part) = verb.split_once('/').unwrap_or((verb, ""));
        let mut event = event(verb, part, Value::Null);
        event["responseStatus"] = status.clone();
        if verb == "deletecollection" {
            event["objectRef"]["name"] = Value::Null;
            event["requestURI"] = json!("/api/v1/namespaces/n/pods?labelSelector=a%3Db");
        }
        name_events(&event)
    };
    let verbs = [
        "delete",
        "deletecollection",
        "create/eviction",
        "patch",
        "patch/status",
        "create",
    ];
    let mut table = String::new();
    for status in [
        bare(406),
        bare(400),
        bare(409),
        bare(404),
        bare(403),
        bare(500),
        status(504, "Timeout"),
        status(400, "BadRequest"),
        status(404, "NotFound"),
        status(409, "Conflict"),
        status(422, "Invalid"),
        early,
    ] {
        let facts_of = verbs.iter().map(|verb| match facts_of(verb, &status) {
            facts_of if facts_of.is_empty() => "-".to_owned(),
            facts_of => facts_of,
        });
        let facts_of: Vec<String> = facts_of.collect();
        let mut head = status.clone();
        head.as_object_mut().unwrap().remove("metadata");
        table += &format!("{head}: {}\n", facts_of.join(" | "));
    }
    expect![[r#"
        {"code":406}: truncated | unresolved | truncated | truncated | - | -
        {"code":400}: truncated | unresolved | truncated | truncated | - | -
        {"code":409}: truncated | unresolved | truncated | truncated | - | -
        {"code":404}: gone | - | gone | gone | gone | -
        {"code":403}: - | - | - | - | - | -
        {"code":500}: truncated | unresolved | truncated | truncated | - | -
        {"code":504,"reason":"Timeout","status":"Failure"}: truncated | unresolved | truncated | truncated | - | -
        {"code":400,"reason":"BadRequest","status":"Failure"}: - | - | - | - | - | -
        {"code":404,"reason":"NotFound","status":"Failure"}: gone | unresolved | gone | gone | gone | -
        {"code":409,"reason":"Conflict","status":"Failure"}: - | unresolved | - | - | - | -
        {"code":422,"reason":"Invalid","status":"Failure"}: - | - | - | - | - | -
        {"code":200,"message":"Connection closed early"}: truncated | unresolved | truncated | truncated | - | -
    "#]].assert_eq(&table);
}
