//! Why a pod ended, and who asked for that.

use expect_test::expect;

use super::{check, rows};

/// A pod that a controller or a person deletes, with the first request and its removal.
fn deleted(by: &str, also: &str) -> String {
    format!(
        "
        0:00 pod a created=0:00 node=n1 restarts=main:0
        0:01 run a main/aa n=0 start=0:01
        3:00 run a early/bb n=0 start=0:01 end=3:00 exit=0 reason=Completed
        4:00 pod a created=0:00 deleted={by} event=e1
        {also}
        5:00 pod a created=0:00 removed
        "
    )
}

#[test]
fn who_asked_first_says_why() {
    check(
        &deleted("alice", ""),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: deleted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: deleted by alice complete [end not confirmed]
        "#]],
    );
    check(
        &deleted("alice/deployer", "4:10 pod a deleted=aaron event=e2"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice as deployer deletion e1 removed 5:00 why: deleted by alice as deployer [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: deleted by alice as deployer complete [end not confirmed]
        "#]],
    );
    check(
        &deleted("alice", "4:30 pod a forced=bob event=e3"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 forced e3 removed 5:00 why: force-deleted by bob [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: force-deleted by bob complete [end not confirmed]
        "#]],
    );
    check(
        &deleted("alice", "3:59 name evict by=drainer event=e4"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 3:59 by drainer deletion e1 eviction e4 removed 5:00 why: evicted by drainer [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: evicted by drainer complete [end not confirmed]
        "#]],
    );
    check(
        &deleted("alice", "4:01 name evict by=drainer event=e4"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 eviction e4 removed 5:00 why: deleted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: deleted by alice complete [end not confirmed]
        "#]],
    );
}

#[test]
fn who_asks_after_the_end_asks_for_nothing() {
    check(
        "
        0:00 pod a created=0:00 node=n1
        5:00 pod a removed
        5:00.001 name ask by=alice
        5:00.002 name ask by=bob
        ",
        expect![[r#"
            a 0:00..5:00 on n1 asked 5:00.001000 by alice removed 5:00 why: deleted by alice [created unseen]
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00 node=n1
        5:00.002 name ask by=bob
        5:00 pod a removed
        ",
        expect![[r#"
            a 0:00..5:00 on n1 removed 5:00 why: unknown [created unseen]
        "#]],
    );
}

#[test]
fn the_first_sign_that_it_had_finished_counts() {
    check(
        "
        0:00 pod a created=0:00
        4:00 pod a phase=Succeeded
        5:00 pod a phase=Succeeded
        4:30 name ask by=alice
        ",
        expect![[r#"
            a 0:00..4:30 Succeeded asked 4:30 by alice gone 4:30 proof: not found why: finished [created unseen, removal unseen]
        "#]],
    );
}

#[test]
fn the_controllers_of_kubernetes() {
    let words = |by: &str| {
        let story = deleted(by, "");
        let rows = rows(&story);
        let pod = rows.lines().next().unwrap_or_default();
        let (_, why) = pod.split_once("why: ").unwrap_or_default();
        why.split(" by").next().unwrap_or_default().to_owned()
    };
    let accounts = [
        "generic-garbage-collector",
        "pod-garbage-collector",
        "namespace-controller",
        "node-controller",
        "taint-eviction-controller",
        "replicaset-controller",
        "statefulset-controller",
        "daemon-set-controller",
        "job-controller",
        "replication-controller",
        "deployment-controller",
        "cronjob-controller",
        "ttl-after-finished-controller",
    ];
    let mut table = String::new();
    for account in accounts {
        let user = format!("system:serviceaccount:kube-system:{account}");
        table.push_str(&format!("{account}: {}\n", words(&user)));
    }
    table.push_str(&format!("scheduler: {}\n", words("system:kube-scheduler")));
    expect![[r#"
        generic-garbage-collector: garbage-collected
        pod-garbage-collector: node-lost
        namespace-controller: namespace-deleted
        node-controller: taint-evicted
        taint-eviction-controller: taint-evicted
        replicaset-controller: scaled-or-rolled-out
        statefulset-controller: scaled-or-rolled-out
        daemon-set-controller: scaled-or-rolled-out
        job-controller: job-stopped
        replication-controller: scaled-or-rolled-out
        deployment-controller: scaled-or-rolled-out
        cronjob-controller: scaled-or-rolled-out
        ttl-after-finished-controller: deleted
        scheduler: preempted
    "#]]
    .assert_eq(&table);
}

#[test]
fn forced_needs_a_node_and_a_person() {
    let forced = |node: &str, by: &str, phase: &str| {
        format!(
            "
            0:00 pod a created=0:00 {node}
            4:00 pod a deleted={by} forced={by} {phase}
            4:00 pod a removed
            "
        )
    };
    check(
        &forced("node=n1", "alice", ""),
        expect![[r#"
        a 0:00..4:00 on n1 asked 4:00 by alice removed 4:00 why: force-deleted by alice [created unseen]
    "#]],
    );
    check(
        &forced("", "alice", ""),
        expect![[r#"
        a 0:00..4:00 asked 4:00 by alice removed 4:00 why: deleted by alice [created unseen]
    "#]],
    );
    let controller = "system:serviceaccount:kube-system:x-controller";
    check(
        &forced("node=n1", controller, ""),
        expect![[r#"
        a 0:00..4:00 on n1 asked 4:00 by system:serviceaccount:kube-system:x-controller removed 4:00 why: deleted by system:serviceaccount:kube-system:x-controller [created unseen]
    "#]],
    );
    check(
        &forced("node=n1", "system:kube-controller-manager", ""),
        expect![[r#"
            a 0:00..4:00 on n1 asked 4:00 by system:kube-controller-manager removed 4:00 why: deleted by system:kube-controller-manager [created unseen]
        "#]],
    );
    // By its name, and after it had finished.
    check(
        "
        0:00 pod a created=0:00 node=n1
        4:00 name force by=alice
        ",
        expect![[r#"
            a 0:00..4:00 on n1 asked 4:00 by alice removed 4:00 why: force-deleted by alice [created unseen]
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00 node=n1
        3:00 pod a deleted=bob
        4:00 pod a phase=Succeeded
        5:00 pod a forced=alice
        5:00 pod a removed
        ",
        expect![[r#"
            a 0:00..5:00 on n1 Succeeded asked 3:00 by bob removed 5:00 why: deleted by bob [created unseen]
        "#]],
    );
}

#[test]
fn a_disruption_says_why_if_it_is_fresh() {
    let disrupted = |reason: &str, since: &str| {
        let also = format!("{since} pod a created=0:00 disrupted={reason}");
        deleted("alice", &also)
    };
    check(
        &disrupted("EvictionByEvictionAPI", "4:00"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: evicted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: evicted by alice complete [end not confirmed]
        "#]],
    );
    check(
        &disrupted("PreemptionByScheduler", "3:59"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: preempted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: preempted by alice complete [end not confirmed]
        "#]],
    );
    check(
        &disrupted("DeletionByTaintManager", "4:00"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: taint-evicted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: taint-evicted by alice complete [end not confirmed]
        "#]],
    );
    check(
        &disrupted("DeletionByPodGC", "4:00"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: node-lost by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: node-lost by alice complete [end not confirmed]
        "#]],
    );
}

#[test]
fn a_disruption_that_is_stale_or_not_known_says_nothing() {
    let disrupted = |reason: &str, since: &str| {
        let also = format!("{since} pod a created=0:00 disrupted={reason}");
        deleted("alice", &also)
    };
    // Somebody had asked before; nobody knows that reason; it is ten minutes old, and older.
    check(
        &disrupted("PreemptionByScheduler", "4:01"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: deleted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: deleted by alice complete [end not confirmed]
        "#]],
    );
    check(
        &disrupted("Whim", "3:59"),
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by alice deletion e1 removed 5:00 why: deleted by alice [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: deleted by alice complete [end not confirmed]
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00 node=n1 disrupted=PreemptionByScheduler
        10:00 pod a created=0:00 deleted=alice
        11:00 pod a removed
        ",
        expect![[r#"
            a 0:00..11:00 on n1 asked 10:00 by alice removed 11:00 why: preempted by alice [created unseen]
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00 node=n1 disrupted=PreemptionByScheduler
        10:01 pod a created=0:00 deleted=alice
        11:00 pod a removed
        ",
        expect![[r#"
            a 0:00..11:00 on n1 asked 10:01 by alice removed 11:00 why: deleted by alice [created unseen]
        "#]],
    );
}

#[test]
fn a_kubelet_ends_pods_itself() {
    for (reason, expected) in [
        (
            "Evicted",
            expect![[r#"
            a 0:00..9:00 on n1 Failed asked 9:00 by alice removed 9:00 why: node-pressure [created unseen]
        "#]],
        ),
        (
            "Preempting",
            expect![[r#"
            a 0:00..9:00 on n1 Failed asked 9:00 by alice removed 9:00 why: preempted [created unseen]
        "#]],
        ),
        (
            "NodeShutdown",
            expect![[r#"
            a 0:00..9:00 on n1 Failed asked 9:00 by alice removed 9:00 why: node-lost [created unseen]
        "#]],
        ),
        (
            "Terminated",
            expect![[r#"
            a 0:00..9:00 on n1 Failed asked 9:00 by alice removed 9:00 why: node-lost [created unseen]
        "#]],
        ),
        (
            "DeadlineExceeded",
            expect![[r#"
                a 0:00..9:00 on n1 Failed asked 9:00 by alice removed 9:00 why: deadline-exceeded [created unseen]
            "#]],
        ),
    ] {
        let story = format!(
            "
            0:00 pod a created=0:00 node=n1
            4:00 pod a created=0:00 phase=Failed reason={reason}
            9:00 pod a created=0:00 deleted=alice removed
            "
        );
        check(&story, expected);
    }
    // With the condition a reason of its own is not needed, nor does it get old.
    check(
        "
        0:00 pod a created=0:00 node=n1
        4:00 pod a created=0:00 phase=Failed disrupted=TerminationByKubelet
        59:00 pod a created=0:00 deleted=alice removed
        ",
        expect![[r#"
            a 0:00..59:00 on n1 Failed asked 59:00 by alice removed 59:00 why: node-pressure [created unseen]
        "#]],
    );
}

#[test]
fn who_asks_first_decides_in_one_second() {
    check(
        "
        0:00 pod a created=0:00 node=n1
        4:00 pod a created=0:00 deleted=system:serviceaccount:kube-system:daemon-set-controller
        4:00 pod a created=0:00 disrupted=DeletionByTaintManager
        4:02 pod a removed
        ",
        expect![[r#"
            a 0:00..4:02 on n1 asked 4:00 by system:serviceaccount:kube-system:daemon-set-controller removed 4:02 why: scaled-or-rolled-out by system:serviceaccount:kube-system:daemon-set-controller [created unseen]
        "#]],
    );
}

#[test]
fn a_kubelet_stops_containers_at_the_deadline_of_their_pod() {
    check(
        "
        0:00 pod a created=0:00 node=n1
        1:00 run a main/aa n=0 start=0:01 end=0:59 exit=0
        1:00 run a log/bb n=0 start=0:01
        9:00 run a log/bb n=0 start=0:01 end=8:58 exit=143
        9:00 pod a created=0:00 phase=Failed reason=DeadlineExceeded
        ",
        expect![[r#"
            a 0:00..now on n1 Failed why: deadline-exceeded [created unseen]
              a log/bb #0 0:01..8:59 ended 8:58 seen exit 143 why: deadline-exceeded
              a main/aa #0 0:01..1:00 ended 0:59 seen exit 0 why: exited
        "#]],
    );
}

#[test]
fn a_taint_of_a_node_that_is_lost() {
    let story = deleted(
        "system:serviceaccount:kube-system:node-controller",
        "4:30 pod a reason=NodeLost",
    );
    check(
        &story,
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by system:serviceaccount:kube-system:node-controller deletion e1 removed 5:00 why: node-lost by system:serviceaccount:kube-system:node-controller [created unseen]
              a early/bb #0 0:01..3:01 ended 3:00 seen exit 0 Completed why: exited complete
              a main/aa #0 0:01..5:00 ended 5:00 why: node-lost by system:serviceaccount:kube-system:node-controller complete [end not confirmed]
        "#]],
    );
}

#[test]
fn an_eviction_of_a_uid() {
    check(
        "
        0:00 pod a created=0:00 node=n1
        4:00 pod a evicted=drainer event=e1
        4:30 pod a created=0:00 deleted=alice event=e2
        5:00 pod a removed
        ",
        expect![[r#"
            a 0:00..5:00 on n1 asked 4:00 by drainer deletion e1 eviction e1 removed 5:00 why: evicted by drainer [created unseen]
        "#]],
    );
}
