//! What is too much, too long or impossible costs itself, and not the event.

use super::*;

/// The facts of a pod's creation with this metadata and this status: whether it is said to be truncated, and how many
/// labels, instances and bytes of texts they have.
fn kept(metadata: Value, status: Value) -> (bool, usize, usize, usize) {
    let text = event("create", "", pod(metadata, status)).to_string();
    let event: Event = serde_json::from_str(&text).unwrap();
    let (mut truncated, mut labels, mut instances, mut bytes) = (false, 0, 0, 0);
    facts("c", &event, &mut |fact| {
        truncated |= fact.truncated;
        labels += fact.labels.map_or(0, <[_]>::len);
        instances += usize::from(!fact.container.is_empty());
        let owner = fact.owner.as_ref().map_or(0, |owner| owner.name.len());
        let image = fact.image.map_or(0, |image| image.image.len());
        bytes = bytes.max(owner).max(image).max(fact.status_reason.len());
        assert_ne!(fact.pod_uid, 0);
        assert_eq!((fact.namespace, fact.pod), ("n", "web"));
    })
    .unwrap();
    (truncated, labels, instances, bytes)
}

fn labels(count: usize) -> Value {
    let labels = (0..count).map(|number| (format!("l{number}"), json!("v")));
    json!({"labels": labels.collect::<serde_json::Map<_, _>>()})
}

fn statuses(count: usize) -> Value {
    let one = |number: usize| json!({"name": format!("c{number}"), "containerID": id("aa"), "restartCount": 0});
    json!({"containerStatuses": (0..count).map(one).collect::<Vec<_>>()})
}

#[test]
fn the_first_of_many_are_kept() {
    assert_eq!(kept(labels(1024), json!({})), (false, 1024, 0, 0));
    assert_eq!(kept(labels(1025), json!({})), (true, 1024, 0, 0));
    assert_eq!(kept(json!({}), statuses(1024)), (false, 0, 1024, 0));
    assert_eq!(kept(json!({}), statuses(1025)), (true, 0, 1024, 0));
    let owner = json!({"kind": "Job", "name": "j", "controller": true});
    let owners = |count: usize| json!({"ownerReferences": vec![owner.clone(); count]});
    assert_eq!(kept(owners(1024), json!({})), (false, 0, 0, 1));
    assert_eq!(kept(owners(1025), json!({})), (true, 0, 0, 1));
}

#[test]
fn long_texts_are_cut() {
    let owner = |name: String| json!({"ownerReferences": [{"kind": "Job", "name": name, "controller": true}]});
    assert_eq!(
        kept(owner("a".repeat(1024)), json!({})),
        (false, 0, 0, 1024)
    );
    assert_eq!(
        kept(owner("a".repeat(1_300_000)), json!({})),
        (true, 0, 0, 1024)
    );
    // Not within a character.
    assert_eq!(
        kept(owner("ä".repeat(513) + "a"), json!({})),
        (true, 0, 0, 1024)
    );
    assert_eq!(
        kept(owner("a".to_owned() + &"ä".repeat(513)), json!({})),
        (true, 0, 0, 1023)
    );
    assert_eq!(
        kept(json!({}), json!({"reason": "r".repeat(2_000)})),
        (true, 0, 0, 1024)
    );
    let image = json!({"containerStatuses": [{"name": "main", "containerID": id("aa"), "image": "i".repeat(2_000)}]});
    assert_eq!(kept(json!({}), image), (true, 0, 1, 1024));
}

#[test]
fn what_cannot_be_is_not_known() {
    let container = |change: Value| {
        let mut container = json!({"name": "main", "containerID": id("aa"), "restartCount": 2});
        for (key, value) in change.as_object().unwrap() {
            container[key] = value.clone();
        }
        event(
            "patch",
            "",
            pod(json!({}), json!({"containerStatuses": [container]})),
        )
    };
    // The event is of the first of January.
    let running = |time: &str| container(json!({"state": {"running": {"startedAt": time}}}));
    check(
        &running("1970-01-02T00:01:00Z"),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:2
            App main aa00 #2 version=7 runtime=containerd started=86460
        "#]],
    );
    for time in [
        "1970-01-02T00:01:01Z",
        "2099-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "soon",
    ] {
        check(
            &running(time),
            expect![[r#"
                n/web version=7 node=node-1 labels=[] restarts=main:2 truncated=yes
                App main aa00 #2 version=7 runtime=containerd
            "#]],
        );
    }
    let terminated = json!({"terminated": {"containerID": id("aa"), "exitCode": 1, "startedAt": "1970-01-01T00:00:10Z",
        "finishedAt": "9999-12-31T23:59:59Z"}});
    check(
        &container(json!({"state": terminated})),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:2 truncated=yes
            App main aa00 #2 version=7 runtime=containerd started=10 ended=0 1 0 
        "#]],
    );
    check(
        &container(json!({"restartCount": -1})),
        expect![[r#"
            n/web version=7 node=node-1 labels=[] restarts=main:0 truncated=yes
            App main aa00 #0 version=7 runtime=containerd
        "#]],
    );
}

/// A part of a selector selects more than the whole.
#[test]
fn long_selectors_select_nothing_that_can_be_told() {
    let mut event = event("deletecollection", "", Value::Null);
    event["objectRef"]["name"] = Value::Null;
    event["requestURI"] = json!(format!(
        "/api/v1/namespaces/n/pods?labelSelector=a%3D{}",
        "b".repeat(1_100)
    ));
    check(
        &event,
        expect![[r#"
        n/ collect=60000001 alice selector=?
    "#]],
    );
}
