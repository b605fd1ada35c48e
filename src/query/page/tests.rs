//! Pages over made-up rows.

use expect_test::{Expect, expect};

use super::*;
use crate::query::pod_life::Asked;

fn time(text: &str) -> Time {
    Time {
        instant: format!("2026-11-23T06:{text}Z").parse().unwrap(),
        whole_seconds: !text.contains('.'),
    }
}

fn pod() -> Pod {
    let text = r#"{"cluster":"prod","namespace":"shop","workload_kind":null,"workload":null,
        "pod":"web-0","pod_uid":"00000000-0000-4000-8000-000000000001","node":"node-a","pod_ips":[],
        "labels":{},"service_account":null,"created_at":"2026-11-23T06:15:00Z","created_by":"alice",
        "scheduled_at":null,"started_at":null,"delete_asked_at":null,"delete_asked_by":null,
        "removed_at":null,"phase":"Running","ended_by":null,"ended_why":null,"ended_cause":null,
        "containers":0,"restarts":0,"unknown":[]}"#;
    serde_json::from_str(text).unwrap()
}

fn container(restart: u32, started: &str, ended: Option<&str>) -> Container {
    let text = r#"{"cluster":"prod","namespace":"shop","workload_kind":null,"workload":null,
        "pod":"web-0","pod_uid":"00000000-0000-4000-8000-000000000001","container":"app",
        "kind":"app","container_id":"","runtime":null,"image":null,"image_id":null,"node":null,
        "pod_ips":[],"restart":0,"started_at":null,"ended_at":null,"end_seen":false,
        "exit_code":null,"signal":null,"reason":null,"pod_created_at":null,"pod_removed_at":null,
        "ended_by":null,"ended_why":null,"ended_cause":null,"unknown":[]}"#;
    Container {
        restart,
        container_id: Some(format!("id{restart}")),
        started_at: Some(time(started)),
        ended_at: ended.map(time),
        ..serde_json::from_str(text).unwrap()
    }
}

fn life() -> PodLife {
    PodLife {
        owner_kind: None,
        owner: None,
        first_seen: Some(time("15:00.400")),
        ips: Vec::new(),
        restart_counts: Vec::new(),
        waiting: Vec::new(),
        status_reason: None,
        terminal_at: None,
        deletion: None,
        eviction: None,
        forced: None,
        hurried: None,
        hurried_deadline: None,
        gaps: Vec::new(),
        former: Vec::new(),
        disrupted: None,
        gone: None,
    }
}

fn page(pod: Pod, life: PodLife, containers: Vec<Container>) -> Page {
    let mut instances = Instances::default();
    containers
        .into_iter()
        .for_each(|container| instances.push(container));
    write(pod, life, instances, Sessions::default())
}

fn check(page: &Page, expected: Expect) {
    let mut text = format!("{:?}\n", page.state);
    for step in &page.steps {
        let Step { at, what, .. } = step;
        let of = step
            .instance
            .as_ref()
            .and_then(|it| it.container_id.clone());
        let words = [of, step.by.clone(), step.detail.clone()];
        let words: Vec<String> = words.into_iter().flatten().collect();
        let source = &step.source;
        text += &format!("{at} {what:?} {} | {source}\n", words.join(" "));
    }
    for gap in &page.unknown {
        text += &format!("unknown {}: {}\n", gap.what, gap.meaning);
    }
    expected.assert_eq(&text);
}

/// Kubernetes keeps whole seconds: a step that can't precede another one is sorted after it.
#[test]
fn whole_seconds_stand_where_they_belong() {
    let asked = |at| {
        Some(Asked {
            at: time(at),
            by: Some("bob".to_owned()),
            event: None,
        })
    };
    let pod = Pod {
        scheduled_at: Some(time("15:00.300")),
        started_at: Some(time("15:00")),
        removed_at: Some(time("15:09.900")),
        phase: Some("Failed".to_owned()),
        ..pod()
    };
    let life = PodLife {
        ips: vec![("10.0.0.7".to_owned(), time("15:01.100"))],
        eviction: asked("15:08.500"),
        deletion: asked("15:08.500"),
        disrupted: Some((time("15:08"), Some("EvictionByEvictionAPI".to_owned()))),
        terminal_at: Some(time("15:09.100")),
        ..life()
    };
    let ended = |why: &str, container| Container {
        ended_why: Some(why.to_owned()),
        end_seen: true,
        exit_code: Some(143),
        ..container
    };
    let containers = vec![
        ended("exited", container(0, "15:00", Some("15:08"))),
        ended("evicted", container(1, "15:08", Some("15:08"))),
    ];
    check(
        &page(pod, life, containers),
        expect![[r#"
            Removed
            2026-11-23T06:15:00Z Created alice | metadata.creationTimestamp; account from the create request
            2026-11-23T06:15:00.300Z Scheduled node-a | create of pods/binding
            2026-11-23T06:15:00Z TakenUp  | status.startTime
            2026-11-23T06:15:00Z ContainerStarted id0 | the container's status: startedAt
            2026-11-23T06:15:01.100Z AddressSeen 10.0.0.7 | the first event with it in status.podIPs
            2026-11-23T06:15:08Z ContainerEnded id0 Terminated(143) | the container's status: finishedAt
            2026-11-23T06:15:08Z ContainerStarted id1 | the container's status: startedAt
            2026-11-23T06:15:08.500Z EvictionAsked bob | create of pods/eviction
            2026-11-23T06:15:08Z Disrupted EvictionByEvictionAPI | condition DisruptionTarget: lastTransitionTime
            2026-11-23T06:15:08Z ContainerEnded id1 Terminated(143) | the container's status: finishedAt
            2026-11-23T06:15:09.100Z Finished Failed | the first event with this phase
            2026-11-23T06:15:09.900Z Removed  | the event with which the API server removed it
        "#]],
    );
}

#[test]
fn what_nobody_saw() {
    let pod = Pod {
        created_at: None,
        created_by: None,
        unknown: vec!["created unseen".to_owned(), "something new".to_owned()],
        ..pod()
    };
    let life = PodLife {
        gone: Some((time("15:30.200"), "replaced".to_owned())),
        restart_counts: vec![("app".to_owned(), 4), ("other".to_owned(), 0)],
        ..life()
    };
    let over = |container| Container {
        unknown: vec![
            "workload inferred".to_owned(),
            "end not confirmed".to_owned(),
        ],
        ..container
    };
    let containers = vec![
        over(container(1, "15:01", Some("15:03"))),
        over(container(2, "15:03", Some("15:30.200"))),
    ];
    check(
        &page(pod, life, containers),
        expect![[r#"
            Gone
            2026-11-23T06:15:00.400Z FirstSeen  | the first event about it
            2026-11-23T06:15:01Z ContainerStarted id1 | the container's status: startedAt
            2026-11-23T06:15:03Z ContainerEnded id1 | not reported; the start of a later instance
            2026-11-23T06:15:03Z ContainerStarted id2 | the container's status: startedAt
            2026-11-23T06:15:30.200Z ContainerEnded id2 | not reported; the proof that its pod was gone
            2026-11-23T06:15:30.200Z Gone  | a later pod of its name was created
            unknown created unseen: its creator is unknown: the event is missing, or did not name the pod
            unknown something new: see schema/README.md
            unknown end not confirmed: its end was not reported: how and when it ended is unknown; the time shown is when its pod was gone or a later instance started
            unknown end not confirmed: its end was not reported: how and when it ended is unknown; the time shown is when its pod was gone or a later instance started
            unknown 3 instances unseen: the restart count of app implies 5 instances, events reported 2
            unknown 1 instances unseen: the restart count of other implies 1 instances, events reported 0
        "#]],
    );
}

#[test]
fn whether_it_lives() {
    let lives = page(pod(), life(), vec![container(0, "15:01", None)]);
    assert_eq!(lives.state, State::Lives);
    assert_eq!(lives.steps.len(), 2);
    let late = || Pod {
        unknown: vec!["end not confirmed".to_owned()],
        ..pod()
    };
    let unconfirmed = page(late(), life(), Vec::new());
    assert_eq!(unconfirmed.state, State::NotConfirmed);
    let gone = PodLife {
        gone: Some((time("15:30.200"), "a newer word".to_owned())),
        ..life()
    };
    let gone = page(late(), gone, Vec::new());
    assert_eq!(gone.state, State::Gone);
    assert_eq!(gone.steps.last().unwrap().source, "see schema/README.md");
}

/// An address is the pod's until it is done, even if the pod stays for long.
#[test]
fn until_when_an_address_was_its_own() {
    let told = PodLife {
        ips: vec![("10.0.0.7".to_owned(), time("15:01.100"))],
        terminal_at: Some(time("15:09.100")),
        ..life()
    };
    let page = page(pod(), told, Vec::new());
    assert_eq!(page.addresses[0].to, Some(time("15:09.100")));
}

#[test]
fn of_many_instances_the_newest_are_on_the_page() {
    let many = INSTANCES_MAX as u32 + 3;
    let containers = (0..many).map(|restart| container(restart, "15:01", None));
    let told = PodLife {
        restart_counts: vec![("app".to_owned(), many)],
        ..life()
    };
    let whole = page(pod(), told, containers.collect());
    assert_eq!(whole.containers.len(), INSTANCES_MAX);
    assert_eq!(
        (whole.containers_left_out, whole.containers[0].restart),
        (3, 3)
    );
    assert_eq!(whole.unknown[0].what, "1 instances unseen");
    let seventh = instance_of(&container(7, "15:00", None));
    let one = whole.of_instance(&seventh);
    assert_eq!((one.containers.len(), one.containers[0].restart), (1, 7));
    assert_eq!(one.steps.len(), 2, "its pod's creation, and its own start");
}
