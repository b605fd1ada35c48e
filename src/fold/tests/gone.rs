//! What proves that a pod was gone.

use expect_test::expect;

use super::{check, rows};

#[test]
fn a_deleted_node_takes_its_pods_along() {
    check(
        "
        0:00 pod a created=0:00 node=n1 restarts=main:0
        0:01 run a main/aa n=0 start=0:01
        5:00 node n1 gone
        6:00 pod a created=0:00
        ",
        expect![[r#"
            a 0:00..6:00 on n1 gone 6:00 proof: node deleted why: node-lost [created unseen, removal unseen]
              a main/aa #0 0:01..6:00 ended 6:00 why: node-lost complete [end not confirmed]
        "#]],
    );
    // It was heard of after that minute.
    check(
        "
        0:00 pod a created=0:00 node=n1
        5:00 node n1 gone
        6:01 pod a created=0:00
        ",
        expect![[r#"
            a 0:00..now on n1 [created unseen]
        "#]],
    );
    // The node came back within ten minutes, and later than that.
    check(
        "
        0:00 pod a created=0:00 node=n1
        5:00 node n1 gone
        15:00 node n1 came
        ",
        expect![[r#"
            a 0:00..now on n1 [created unseen]
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00 node=n1
        5:00 node n1 gone
        15:01 node n1 came
        ",
        expect![[r#"
            a 0:00..6:00 on n1 gone 6:00 proof: node deleted why: node-lost [created unseen, removal unseen]
        "#]],
    );
    // Another node; and the deletion of before it was created.
    check(
        "
        6:00 pod a created=6:00 node=n1
        5:30 node n1 gone
        7:00 node n2 gone
        ",
        expect![[r#"
            a 6:00..now on n1 [created unseen]
        "#]],
    );
}

#[test]
fn an_emptied_namespace_had_no_pods() {
    check(
        "
        0:00 pod a created=0:00
        5:00 space finalize by=system:serviceaccount:kube-system:namespace-controller
        6:00 pod b created=6:00
        ",
        expect![[r#"
            a 0:00..5:00 gone 5:00 proof: namespace empty why: unknown [created unseen, removal unseen]
            b 6:00..now [created unseen]
        "#]],
    );
}

#[test]
fn what_was_not_found_was_gone() {
    check(
        "
        0:00 pod a created=0:00
        5:00 name gone by=alice
        ",
        expect![[r#"
            a 0:00..5:00 gone 5:00 proof: not found why: unknown [created unseen, removal unseen]
        "#]],
    );
    check(
        "
        0:00 pod a created=0:00
        0:00 pod b created=0:00
        5:00 name gone uid=a by=system:node:n1
        ",
        expect![[r#"
            a 0:00..5:00 gone 5:00 proof: not found why: unknown [created unseen, removal unseen]
            b 0:00..now [created unseen]
        "#]],
    );
    // Before that second was over it may not have been there.
    check(
        "
        6:00 pod a created=5:00
        5:00.900 name gone by=alice
        ",
        expect![[r#"
            a 5:00..now [created unseen]
        "#]],
    );
}

#[test]
fn the_better_evidence_wins_at_the_same_instant() {
    check(
        "
        0:00 pod a created=0:00 node=n1
        5:00 node n1 gone
        6:00 name gone by=alice
        6:00 space finalize by=system:serviceaccount:kube-system:namespace-controller
        ",
        expect![[r#"
            a 0:00..6:00 on n1 gone 6:00 proof: node deleted why: node-lost [created unseen, removal unseen]
        "#]],
    );
}

#[test]
fn a_deletecollection_is_about_what_its_selector_selects() {
    let selectors = [
        "",
        "app=web",
        "app==web",
        "app=web,v=1",
        "app=api",
        "app=web,v=2",
        "x=1",
        "app",
        "app!=web",
        "app=!web",
        "=web",
        "?",
    ];
    let mut table = String::new();
    for selector in selectors {
        let story = format!(
            "
            0:00 pod a created=0:00 node=n1 labels=app:web,v:1
            5:00 space purge by=alice event=e1 selector={selector}
            "
        );
        table.push_str(&format!("{selector:?}: {}", rows(&story)));
    }
    expect![[r#"
        "": a 0:00..5:00 on n1 labels [app:web, v:1] asked 5:00 by alice deletion e1 forced e1 removed 5:00 why: force-deleted by alice [created unseen]
        "app=web": a 0:00..5:00 on n1 labels [app:web, v:1] asked 5:00 by alice deletion e1 forced e1 removed 5:00 why: force-deleted by alice [created unseen]
        "app==web": a 0:00..5:00 on n1 labels [app:web, v:1] asked 5:00 by alice deletion e1 forced e1 removed 5:00 why: force-deleted by alice [created unseen]
        "app=web,v=1": a 0:00..5:00 on n1 labels [app:web, v:1] asked 5:00 by alice deletion e1 forced e1 removed 5:00 why: force-deleted by alice [created unseen]
        "app=api": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "app=web,v=2": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "x=1": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "app": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "app!=web": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "app=!web": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "=web": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
        "?": a 0:00..now on n1 labels [app:web, v:1] [created unseen]
    "#]].assert_eq(&table);
}

#[test]
fn what_has_finished_goes_when_that_is_asked() {
    check(
        "
        0:00 pod a created=0:00
        4:00 pod a created=0:00 phase=Succeeded
        9:00 name ask by=alice
        ",
        expect![[r#"
            a 0:00..9:00 Succeeded asked 9:00 by alice gone 9:00 proof: not found why: finished [created unseen, removal unseen]
        "#]],
    );
    let story = |what: &str| {
        format!(
            "
            4:00 pod a created=0:00 phase=Succeeded
            9:00 {what} by=alice
            "
        )
    };
    check(
        &story("name evict"),
        expect![[r#"
        a 0:00..9:00 Succeeded asked 9:00 by alice gone 9:00 proof: not found why: finished [created unseen, removal unseen]
    "#]],
    );
    check(
        &story("space collect"),
        expect![[r#"
        a 0:00..9:00 Succeeded asked 9:00 by alice gone 9:00 proof: not found why: finished [created unseen, removal unseen]
    "#]],
    );
}

/// Who looks for a pod under a path of the pod, and does not find it, proves that it was gone. Not a kubelet of another
/// node, and not where the pod was heard of since.
#[test]
fn what_was_not_found_and_was_heard_of_since() {
    for (user, node, later, is_gone) in [
        ("alice", "n1", "", true),
        ("system:node:n1", "n1", "", true),
        ("system:node:n2", "n1", "", false),
        ("system:node:n2", "", "", true),
        ("alice", "n1", "5:00 pod a node=n1", false),
        (
            "system:node:n1",
            "n1",
            "5:00 run a main/aa n=0 start=0:02",
            false,
        ),
        ("alice", "n1", "3:00 pod a node=n1", true),
    ] {
        let node = match node {
            "" => String::new(),
            node => format!("node={node}"),
        };
        let story = format!("0:00 pod a created=0:00 {node}\n4:00 name gone by={user}\n{later}\n");
        let reported = rows(&story);
        let pod = reported.lines().next().unwrap_or_default();
        assert_eq!(pod.contains("..4:00"), is_gone, "{story}{reported}");
    }
}

/// The API server gives no time to a pod that has no node: it is gone as soon as that is asked.
#[test]
fn a_pod_without_a_node_goes_when_that_is_asked() {
    let cases = [
        ("it has no node", "5:00 name evict by=alice"),
        (
            "bound since",
            "5:00 name evict by=alice\n6:00 pod a node=n1 bound",
        ),
        (
            "heard of since",
            "5:00 name ask by=alice\n6:00 pod a labels= version=2",
        ),
        (
            "a kubelet spoke of it",
            "4:00 name status by=system:node:n1\n5:00 name ask by=alice",
        ),
        (
            "a finalizer holds it",
            "4:00 pod a labels= held version=2\n5:00 name force by=alice",
        ),
        (
            "a finalizer held it",
            "3:00 pod a labels= held version=2\n4:00 pod a labels= version=3\n5:00 name force by=alice",
        ),
        (
            "a kubelet's deletion comes when nothing holds it",
            "4:00 pod a labels= held version=2 node=n1\n5:00 name remove by=system:node:n1",
        ),
        ("within its first second", "0:00.900 name force by=alice"),
        (
            "within its first second, and heard of since",
            "0:00.900 name force by=alice\n0:01 pod a labels= version=2",
        ),
    ];
    let reported: Vec<String> = cases
        .iter()
        .map(|(case, said)| {
            let story = format!("0:00 pod a created=0:00 labels= version=1 phase=Pending\n{said}");
            format!("{case}: {}", rows(&story))
        })
        .collect();
    let metadata = rows("0:00 pod a created=0:00 labels= version=1\n5:00 name evict by=alice");
    let reported = [
        &reported[..],
        &[format!("only its metadata was seen: {metadata}")],
    ]
    .concat();
    expect![[r#"
        it has no node: a 0:00..5:00 Pending asked 5:00 by alice gone 5:00 proof: not found why: evicted by alice [created unseen, removal unseen]
        bound since: a 0:00..now on n1 Pending asked 5:00 by alice [created unseen]
        heard of since: a 0:00..now Pending asked 5:00 by alice [created unseen]
        a kubelet spoke of it: a 0:00..now on n1 Pending asked 5:00 by alice [created unseen]
        a finalizer holds it: a 0:00..now Pending asked 5:00 by alice [created unseen]
        a finalizer held it: a 0:00..5:00 Pending asked 5:00 by alice removed 5:00 why: deleted by alice [created unseen]
        a kubelet's deletion comes when nothing holds it: a 0:00..5:00 on n1 Pending removed 5:00 why: unknown [created unseen]
        within its first second: a 0:00..0:00.900000 Pending asked 0:00.900000 by alice removed 0:00.900000 why: deleted by alice [created unseen]
        within its first second, and heard of since: a 0:00..now Pending asked 0:00.900000 by alice [created unseen]
        only its metadata was seen: a 0:00..now asked 5:00 by alice [created unseen]
    "#]].assert_eq(&reported.concat());
}
