//! The text of pages that no recording has.

use super::*;
use crate::query::{Container, Instance};
use expect_test::expect;
use jiff::tz::TimeZone;

fn page() -> Page {
    let pod = r#"{"cluster":"prod","namespace":"shop","workload_kind":null,"workload":null,
        "pod":"web\u001b[31m-0","pod_uid":"00000000-0000-4000-8000-000000000001","node":null,
        "pod_ips":[],"labels":{},"service_account":null,"created_at":"2026-11-23T06:15:00Z",
        "created_by":null,"scheduled_at":null,"started_at":null,"delete_asked_at":null,
        "delete_asked_by":null,"removed_at":null,"phase":null,"ended_by":null,
        "ended_why":"a new word","ended_cause":null,"containers":0,"restarts":0,"unknown":[]}"#;
    let container = r#"{"cluster":"prod","namespace":"shop","workload_kind":null,"workload":null,
        "pod":"web-0","pod_uid":"00000000-0000-4000-8000-000000000001","container":"app",
        "kind":"app","container_id":"abc","runtime":null,"image":null,"image_id":null,"node":null,
        "pod_ips":[],"restart":0,"started_at":"2026-11-23T06:15:01Z","ended_at":null,
        "end_seen":false,"exit_code":null,"signal":null,"reason":null,"pod_created_at":null,
        "pod_removed_at":null,"ended_by":null,"ended_why":null,"ended_cause":null,"unknown":[]}"#;
    let container: Container = serde_json::from_str(container).unwrap();
    let step = |restart| Step {
        at: container.started_at.unwrap(),
        what: What::ContainerStarted,
        instance: Some(Instance {
            container: "app".to_owned(),
            restart,
            container_id: Some("abc".to_owned()),
        }),
        by: None,
        detail: None,
        source: "its status".to_owned(),
        audit_id: None,
        session: None,
    };
    let restarts = 0..(FIRST_STEPS + LAST_STEPS) as u32 + 5;
    Page {
        pod: serde_json::from_str(pod).unwrap(),
        state: State::Lives,
        status_reason: None,
        owner_kind: None,
        owner: None,
        addresses: Vec::new(),
        steps: restarts.map(step).collect(),
        more_sessions: false,
        containers: vec![container.clone(); 12],
        containers_left_out: 7,
        waiting: Vec::new(),
        unknown: Vec::new(),
    }
}

/// The newest of four pods of a name.
fn one_of_four() -> Described {
    let newest = vec![Other {
        command: "bygone describe pod --uid X".to_owned(),
        from: None,
        to: None,
        ended_why: Some("evicted".to_owned()),
        ended_by: Some("alice".to_owned()),
    }];
    Described {
        page: page(),
        subject: Subject::Pod,
        others: Others { count: 3, newest },
    }
}

/// Omitted and absent parts are marked, and no name commands the terminal.
#[test]
fn a_long_life() {
    let look = Look {
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        now: "2026-11-23T07:15:00Z".parse().unwrap(),
        ..Look::plain()
    };
    let mut out = Vec::new();
    write_page(PageFormat::Text, &one_of_four(), &look, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let steps = text.lines().filter(|line| line.ends_with("its status"));
    assert_eq!(steps.count(), FIRST_STEPS + LAST_STEPS);
    // Of the steps only those around the gap.
    let plain = |line: &&str| {
        !line.ends_with("its status") || line.contains(" #19 ") || line.contains(" #25 ")
    };
    let shown: Vec<&str> = text.lines().filter(plain).collect();
    expect![[r#"
        The newest of 4 pods of this name; the others are listed at the end.

        Pod:             web\u{1b}[31m-0
        Namespace:       shop
        Cluster:         prod
        UID:             00000000-0000-4000-8000-000000000001
        State:           exists; last phase unknown
        Ended:           a new word
        Lifetime:        60m so far
        Owner:           <none>
        Node:            <none>
        Addresses:       <none>
        Service account: <none>

        Timeline (Europe/Berlin):
          2026-11-23 07:15:01   app #19 started   its status
          ... 5 more steps: -o json has them
          2026-11-23 07:15:01   app #25 started   its status

        Containers:
          app (app container), 0 restarts:
            ... 2 earlier instances: bygone get containers --uid 00000000-0000-4000-8000-000000000001
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
            #0   Running   since 2026-11-23 07:15:01, 59m
                 abc
          ... 7 older instances: bygone get containers --uid 00000000-0000-4000-8000-000000000001

        Unknown: nothing

        3 other pods of this name, newest first:
          <unknown> to now   evicted by alice   bygone describe pod --uid X
          ... 2 older: "bygone get" lists them"#]].assert_eq(&shown.join("\n"));
}
