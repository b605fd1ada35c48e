//! Every format, over the same rows.

#![allow(
    clippy::too_many_lines,
    reason = "a table of cases is as long as its cases"
)]

use std::io::{self, Write};

use clap::builder::TypedValueParser;
use expect_test::{Expect, expect};

use super::table::CHUNK_ROWS;
use super::*;
use crate::cli::when;
use crate::query::{Container, LogsLink, Pod, Session, Time};

const ALL: [Format; 7] = [
    Format::Table,
    Format::Wide,
    Format::Json,
    Format::Yaml,
    Format::Csv,
    Format::Ndjson,
    Format::Name,
];

fn time(text: &str) -> Option<Time> {
    Some(Time {
        instant: text.parse().unwrap(),
        whole_seconds: !text.contains('.'),
    })
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// It was killed, and everything is known about it.
fn killed() -> Container {
    Container {
        cluster: "prod".to_owned(),
        namespace: "shop".to_owned(),
        workload_kind: some("Deployment"),
        workload: some("web"),
        pod: "web-5d9c7b8f4-x2x7p".to_owned(),
        pod_uid: uuid::Uuid::from_u128(0x1234),
        container: "web".to_owned(),
        kind: "app".to_owned(),
        container_id: some("1e10000000000000deadbeef"),
        runtime: some("containerd"),
        image: some("registry.example/shop/web:1.2"),
        image_id: some(
            "registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        ),
        node: some("node-a"),
        pod_ips: vec!["10.0.0.7".to_owned(), "fd00::7".to_owned()],
        restart: 2,
        started_at: time("2026-11-23T06:15:05Z"),
        ended_at: time("2026-11-23T06:18:25Z"),
        end_seen: true,
        exit_code: Some(137),
        signal: None,
        reason: some("Error"),
        pod_created_at: time("2026-11-23T06:15:00.123Z"),
        pod_removed_at: None,
        ended_by: some("user \"alice\", the second"),
        ended_why: some("force-deleted"),
        ended_cause: None,
        config_hash: None,
        unknown: vec!["image".to_owned(), "signal".to_owned()],
        logs: Vec::new(),
    }
}

/// It lives, and nothing is known about it that need not be.
fn bare() -> Container {
    Container {
        workload_kind: None,
        workload: None,
        pod: "api-0".to_owned(),
        container_id: None,
        runtime: None,
        image: None,
        image_id: None,
        node: None,
        pod_ips: Vec::new(),
        restart: 0,
        started_at: None,
        ended_at: None,
        end_seen: false,
        exit_code: None,
        reason: None,
        pod_created_at: None,
        ended_by: None,
        ended_why: None,
        unknown: Vec::new(),
        ..killed()
    }
}

fn pods() -> [Pod; 2] {
    let labels = [("app", "web"), ("tier", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let removed = Pod {
        cluster: "prod".to_owned(),
        namespace: "shop".to_owned(),
        workload_kind: some("Deployment"),
        workload: some("web"),
        pod: "web-5d9c7b8f4-x2x7p".to_owned(),
        pod_uid: uuid::Uuid::from_u128(0x1234),
        node: some("node-a"),
        pod_ips: vec!["10.0.0.7".to_owned()],
        labels: labels.into_iter().collect(),
        service_account: some("default"),
        created_at: time("2026-11-23T06:15:00.123Z"),
        created_by: some("system:serviceaccount:kube-system:replicaset-controller"),
        scheduled_at: time("2026-11-23T06:15:00Z"),
        started_at: time("2026-11-23T06:15:05Z"),
        delete_asked_at: time("2026-11-23T08:00:00.5Z"),
        delete_asked_by: some("alice"),
        removed_at: time("2026-11-23T08:28:30.75Z"),
        over_at: time("2026-11-23T08:28:30.75Z"),
        gone_proof: None,
        phase: some("Running"),
        status_reason: None,
        ended_by: None,
        ended_why: None,
        ended_cause: None,
        containers: 3,
        restarts: 2,
        unknown: Vec::new(),
    };
    let bare = Pod {
        workload: None,
        workload_kind: None,
        node: None,
        pod_ips: Vec::new(),
        labels: Default::default(),
        service_account: None,
        created_at: None,
        created_by: None,
        delete_asked_by: None,
        removed_at: None,
        phase: None,
        ..removed.clone()
    };
    [removed, bare]
}

/// One that is over, and one of which little is known.
fn sessions() -> [Session; 2] {
    let known = Session {
        cluster: "prod".to_owned(),
        namespace: "shop".to_owned(),
        pod: "web-0".to_owned(),
        kind: "exec".to_owned(),
        container: some("app"),
        began_at: time("2026-11-23T06:15:00.123Z"),
        over_at: time("2026-11-23T06:18:00.500Z"),
        asked_by: some("alice as bob"),
        source: some("203.0.113.9"),
        via: some("10.0.0.1"),
        code: Some(101),
        audit_id: some("a-1"),
        id: uuid::Uuid::from_u128(0x1234),
    };
    let bare = Session {
        kind: "portforward".to_owned(),
        container: None,
        over_at: None,
        asked_by: None,
        source: None,
        via: None,
        code: None,
        audit_id: None,
        ..known.clone()
    };
    [known, bare]
}

fn look(zone: &str) -> Look {
    Look {
        zone: when::zone(zone).unwrap(),
        now: "2026-11-23T12:00:00Z".parse().unwrap(),
        namespace_column: true,
        cluster_column: false,
        ..Look::plain()
    }
}

fn print<R: Row>(format: Format, look: Look, rows: &[R], end: &End) -> String {
    let mut out = Vec::new();
    let mut printer = Printer::new(format, look, &mut out);
    for row in rows {
        printer.row(row).unwrap();
    }
    printer.end(end).unwrap();
    String::from_utf8(out).unwrap()
}

fn check<R: Row>(format: Format, rows: &[R], more: Option<&str>, expected: Expect) {
    let end = End {
        more: more.map(str::to_owned),
    };
    expected.assert_eq(&print(format, look("UTC"), rows, &end));
}

#[test]
fn table_of_containers() {
    check(
        Format::Table,
        &[killed(), bare()],
        None,
        expect![[r#"
            NAMESPACE   POD                   CONTAINER   RESTART   STATE     EXIT     STARTED (UTC)         LIFETIME    NODE     WHY             BY
            shop        web-5d9c7b8f4-x2x7p   web         2         Error     137      2026-11-23 06:15:05   3m20s       node-a   force-deleted   user "alice", the second
            shop        api-0                 web         0         Running   <none>   <unknown>             <unknown>   <none>   <none>          <none>
        "#]],
    );
}

#[test]
fn wide_table_of_containers() {
    check(
        Format::Wide,
        &[killed(), bare()],
        None,
        expect![[r#"
            NAMESPACE   POD                   CONTAINER   RESTART   STATE     EXIT     STARTED (UTC)         LIFETIME    AGE         NODE     WHY             BY                         KIND   WORKLOAD         ENDED (UTC)           POD-IP             IMAGE                           CONTAINER-ID
            shop        web-5d9c7b8f4-x2x7p   web         2         Error     137      2026-11-23 06:15:05   3m20s       5h44m       node-a   force-deleted   user "alice", the second   app    Deployment/web   2026-11-23 06:18:25   10.0.0.7,fd00::7   registry.example/shop/web:1.2   1e1000000000
            shop        api-0                 web         0         Running   <none>   <unknown>             <unknown>   <unknown>   <none>   <none>          <none>                     app    <none>           <none>                <none>             <none>                          <none>
        "#]],
    );
}

#[test]
fn tables_of_pods() {
    check(
        Format::Table,
        &pods(),
        None,
        expect![[r#"
            NAMESPACE   POD                   STATE         RESTARTS   CREATED (UTC)         REMOVED (UTC)         LIFETIME    NODE     WHY      BY
            shop        web-5d9c7b8f4-x2x7p   Deleted       2          2026-11-23 06:15:00   2026-11-23 08:28:30   133m        node-a   <none>   <none>
            shop        web-5d9c7b8f4-x2x7p   Terminating   2          <unknown>             <none>                <unknown>   <none>   <none>   <none>
        "#]],
    );
    check(
        Format::Wide,
        &pods(),
        None,
        expect![[r#"
            NAMESPACE   POD                   STATE         RESTARTS   CREATED (UTC)         REMOVED (UTC)         LIFETIME    AGE         NODE     WHY      BY       POD-IP     WORKLOAD         SERVICE-ACCOUNT   CREATED-BY                                                DELETE-ASKED-BY   CONTAINERS   UID
            shop        web-5d9c7b8f4-x2x7p   Deleted       2          2026-11-23 06:15:00   2026-11-23 08:28:30   133m        5h44m       node-a   <none>   <none>   10.0.0.7   Deployment/web   default           system:serviceaccount:kube-system:replicaset-controller   alice             3            00000000-0000-0000-0000-000000001234
            shop        web-5d9c7b8f4-x2x7p   Terminating   2          <unknown>             <none>                <unknown>   <unknown>   <none>   <none>   <none>   <none>     <none>           <none>            <unknown>                                                 <none>            3            00000000-0000-0000-0000-000000001234
        "#]],
    );
}

#[test]
fn tables_of_sessions() {
    check(
        Format::Table,
        &sessions(),
        None,
        expect![[r#"
            NAMESPACE   POD     KIND          CONTAINER   BEGAN (UTC)           LASTED      BY             FROM          CODE
            shop        web-0   exec          app         2026-11-23 06:15:00   3m          alice as bob   203.0.113.9   101
            shop        web-0   portforward   <none>      2026-11-23 06:15:00   <unknown>   <unknown>      <unknown>     <unknown>
        "#]],
    );
    check(
        Format::Wide,
        &sessions(),
        None,
        expect![[r#"
            NAMESPACE   POD     KIND          CONTAINER   BEGAN (UTC)           LASTED      BY             FROM          VIA        CODE        AUDIT-ID
            shop        web-0   exec          app         2026-11-23 06:15:00   3m          alice as bob   203.0.113.9   10.0.0.1   101         a-1
            shop        web-0   portforward   <none>      2026-11-23 06:15:00   <unknown>   <unknown>      <unknown>     <none>     <unknown>   <none>
        "#]],
    );
}

#[test]
fn table_with_other_columns_in_another_zone() {
    let look = Look {
        namespace_column: false,
        cluster_column: true,
        ..look("Europe/Berlin")
    };
    expect![[r#"
        CLUSTER   POD                   CONTAINER   RESTART   STATE   EXIT   STARTED (Europe/Berlin)   LIFETIME   NODE     WHY             BY
        prod      web-5d9c7b8f4-x2x7p   web         2         Error   137    2026-11-23 07:15:05       3m20s      node-a   force-deleted   user "alice", the second
    "#]].assert_eq(&print(Format::Table, look, &[killed()], &End::default()));
}

/// The database of zones has several names for it.
#[test]
fn utc_is_called_so() {
    for zone in ["UTC", "Etc/UTC", "Zulu"] {
        let table = print(Format::Table, look(zone), &[bare()], &End::default());
        assert!(table.contains("   STARTED (UTC)   "), "{zone}: {table}");
    }
}

#[test]
fn without_headers() {
    let look = Look {
        headers: false,
        ..look("UTC")
    };
    expect![[r#"
        shop   api-0   web   0   Running   <none>   <unknown>   <unknown>   <none>   <none>   <none>
    "#]]
    .assert_eq(&print(
        Format::Table,
        look.clone(),
        &[bare()],
        &End::default(),
    ));
    let csv = print(Format::Csv, look, &[bare()], &End::default());
    assert!(csv.starts_with("prod,shop,,,api-0,"), "{csv}");
}

#[test]
fn states_of_containers() {
    let ended = killed();
    let with = |reason: Option<&str>, exit_code, end_seen| {
        let reason = reason.map(str::to_owned);
        Container {
            reason,
            exit_code,
            end_seen,
            ..ended.clone()
        }
    };
    let rows = [
        with(Some("Completed"), Some(0), true),
        with(Some("Error"), Some(137), true),
        with(Some("ContainerStatusUnknown"), None, true),
        with(None, Some(1), true),
        with(None, None, true),
        with(None, None, false),
        Container {
            ended_at: None,
            ..with(Some("ContainerStatusUnknown"), Some(137), true)
        },
        Container {
            ended_at: None,
            ..with(None, None, false)
        },
    ];
    let table = print(Format::Table, look("UTC"), &rows, &End::default());
    // NAMESPACE POD CONTAINER RESTART STATE, then a date and a time, LIFETIME AGE NODE.
    let columns = table.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}\n", cells[4], cells[7], cells[8])
    });
    expect![[r#"
        Completed 06:15:05 3m20s
        Error 06:15:05 3m20s
        ContainerStatusUnknown 06:15:05 3m20s
        ExitCode:1 06:15:05 3m20s
        Terminated 06:15:05 3m20s
        Unknown 06:15:05 3m20s
        ContainerStatusUnknown 06:15:05 <unknown>
        Running 06:15:05 5h44m
    "#]]
    .assert_eq(&columns.collect::<String>());
}

/// As in `kubectl get pods` while the pod exists; a pod that was asked to stop did not fail.
#[test]
fn states_of_pods() {
    let [removed, _] = pods();
    let lives = Pod {
        removed_at: None,
        over_at: None,
        delete_asked_at: None,
        ..removed.clone()
    };
    let with = |phase: &str, why: &str| Pod {
        phase: some(phase),
        ended_why: some(why).filter(|why| !why.is_empty()),
        ..lives.clone()
    };
    let unknown = |phase: &str, word: &str| Pod {
        unknown: vec![word.to_owned()],
        ..with(phase, "")
    };
    let removed_with = |phase: &str, why: &str| Pod {
        removed_at: removed.removed_at,
        ..with(phase, why)
    };
    let rows = [
        with("Running", ""),
        with("Succeeded", "finished"),
        with("Failed", "finished"),
        Pod {
            status_reason: some("Evicted"),
            ..with("Failed", "node-pressure")
        },
        unknown("Pending", "main not started: ImagePullBackOff"),
        unknown("Running", "end not confirmed"),
        Pod {
            delete_asked_at: removed.delete_asked_at,
            ..with("Failed", "deleted")
        },
        removed_with("Failed", "deleted"),
        removed_with("Running", "scaled-or-rolled-out"),
        removed_with("Succeeded", "finished"),
        Pod {
            gone_proof: some("replaced"),
            over_at: removed.over_at,
            ..with("Running", "unknown")
        },
    ];
    let table = print(Format::Table, look("UTC"), &rows, &End::default());
    // NAMESPACE POD STATE RESTARTS, a date and a time, REMOVED in one or two words, LIFETIME NODE WHY BY.
    let columns = table.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [.., lifetime, _, why, _] = &cells[..] else {
            panic!("{line}")
        };
        format!("{} {} {lifetime} {why}\n", cells[2], cells[6])
    });
    expect![[r#"
        Running <none> 5h44m <none>
        Completed <none> 5h44m finished
        Error <none> 5h44m finished
        Evicted <none> 5h44m node-pressure
        ImagePullBackOff <none> 5h44m <none>
        Unknown <none> <unknown> <none>
        Terminating <none> 5h44m deleted
        Deleted 2026-11-23 133m deleted
        Deleted 2026-11-23 133m scaled-or-rolled-out
        Completed 2026-11-23 133m finished
        Deleted <unknown> 133m unknown
    "#]]
    .assert_eq(&columns.collect::<String>());
}

/// With colours the columns have the same positions.
#[test]
fn colours() {
    let look = Look {
        colours: true,
        ..look("UTC")
    };
    let failed = Container {
        ended_why: some("exited"),
        ..killed()
    };
    let rows = [killed(), failed, bare()];
    let coloured = print(Format::Table, look, &rows, &End::default());
    let shown = coloured.replace("\u{1b}[", "<");
    expect![[r#"
        NAMESPACE   POD                   CONTAINER   RESTART   STATE     EXIT     STARTED (UTC)         LIFETIME    NODE     WHY             BY
        shop        web-5d9c7b8f4-x2x7p   web         2         Error     137      2026-11-23 06:15:05   3m20s       node-a   <33mforce-deleted<0m   user "alice", the second
        shop        web-5d9c7b8f4-x2x7p   web         2         <31mError<0m     137      2026-11-23 06:15:05   3m20s       node-a   exited          user "alice", the second
        shop        api-0                 web         0         Running   <none>   <unknown>             <unknown>   <none>   <none>          <none>
    "#]].assert_eq(&shown);
    let mut plain = coloured;
    for code in ["0", "31", "33"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(
        plain,
        print(Format::Table, self::look("UTC"), &rows, &End::default())
    );
}

#[test]
fn labels() {
    let look = Look {
        label_columns: vec!["app".to_owned(), "example.com/none".to_owned()],
        labels_column: true,
        ..look("UTC")
    };
    expect![[r#"
        NAMESPACE   POD                   STATE         RESTARTS   CREATED (UTC)         REMOVED (UTC)         LIFETIME    NODE     WHY      BY       APP      NONE     LABELS
        shop        web-5d9c7b8f4-x2x7p   Deleted       2          2026-11-23 06:15:00   2026-11-23 08:28:30   133m        node-a   <none>   <none>   web      <none>   app=web,tier=
        shop        web-5d9c7b8f4-x2x7p   Terminating   2          <unknown>             <none>                <unknown>   <none>   <none>   <none>   <none>   <none>   <none>
    "#]].assert_eq(&print(Format::Table, look, &pods(), &End::default()));
}

#[test]
fn custom_columns() {
    let columns = |text: &str| -> Output {
        let text = format!("custom-columns={text}");
        let text = std::ffi::OsStr::new(&text);
        let command = clap::Command::new("get");
        OutputParser.parse_ref(&command, None, text).unwrap()
    };
    let shown = |output: Output| {
        let mut out = Vec::new();
        let mut printer = Printer::new(output, look("UTC"), &mut out);
        for pod in pods() {
            printer.row(&pod).unwrap();
        }
        printer.end(&End::default()).unwrap();
        String::from_utf8(out).unwrap()
    };
    expect![[r#"
        POD                   APP      IPS        ALL            NODE     NO       N
        web-5d9c7b8f4-x2x7p   web      10.0.0.7   ["10.0.0.7"]   node-a   <none>   2
        web-5d9c7b8f4-x2x7p   <none>   <none>     []             <none>   <none>   2
    "#]].assert_eq(&shown(columns(
        "POD:.pod,APP:{.labels.app},IPS:.pod_ips[*],ALL:.pod_ips,NODE:node,NO:.labels.none,N:$.restarts",
    )));
    let fields = |text: &str| columns(text).fields::<Pod>(&look("UTC"));
    assert_eq!(fields("A:.pod,B:.labels.app"), ["pod", "labels"]);
    assert!(fields("A:.pod,B:..app").is_empty());
}

#[test]
fn one_json_document() {
    check(
        Format::Json,
        &[killed(), bare()],
        Some("1.\"2\""),
        expect![[r#"
            {
              "items": [
                {
                  "cluster": "prod",
                  "namespace": "shop",
                  "workload_kind": "Deployment",
                  "workload": "web",
                  "pod": "web-5d9c7b8f4-x2x7p",
                  "pod_uid": "00000000-0000-0000-0000-000000001234",
                  "container": "web",
                  "kind": "app",
                  "container_id": "1e10000000000000deadbeef",
                  "runtime": "containerd",
                  "image": "registry.example/shop/web:1.2",
                  "image_id": "registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                  "node": "node-a",
                  "pod_ips": [
                    "10.0.0.7",
                    "fd00::7"
                  ],
                  "restart": 2,
                  "started_at": "2026-11-23T06:15:05Z",
                  "ended_at": "2026-11-23T06:18:25Z",
                  "end_seen": true,
                  "exit_code": 137,
                  "signal": null,
                  "reason": "Error",
                  "pod_created_at": "2026-11-23T06:15:00.123Z",
                  "pod_removed_at": null,
                  "ended_by": "user \"alice\", the second",
                  "ended_why": "force-deleted",
                  "ended_cause": null,
                  "config_hash": null,
                  "unknown": [
                    "image",
                    "signal"
                  ],
                  "logs": []
                },
                {
                  "cluster": "prod",
                  "namespace": "shop",
                  "workload_kind": null,
                  "workload": null,
                  "pod": "api-0",
                  "pod_uid": "00000000-0000-0000-0000-000000001234",
                  "container": "web",
                  "kind": "app",
                  "container_id": null,
                  "runtime": null,
                  "image": null,
                  "image_id": null,
                  "node": null,
                  "pod_ips": [],
                  "restart": 0,
                  "started_at": null,
                  "ended_at": null,
                  "end_seen": false,
                  "exit_code": null,
                  "signal": null,
                  "reason": null,
                  "pod_created_at": null,
                  "pod_removed_at": null,
                  "ended_by": null,
                  "ended_why": null,
                  "ended_cause": null,
                  "config_hash": null,
                  "unknown": [],
                  "logs": []
                }
              ],
              "more": true,
              "cursor": "1.\"2\""
            }
        "#]],
    );
}

#[test]
fn one_yaml_document() {
    check(
        Format::Yaml,
        &[killed(), bare()],
        Some("1:2:3"),
        expect![[r#"
            items:
            - cluster: prod
              namespace: shop
              workload_kind: Deployment
              workload: web
              pod: web-5d9c7b8f4-x2x7p
              pod_uid: 00000000-0000-0000-0000-000000001234
              container: web
              kind: app
              container_id: 1e10000000000000deadbeef
              runtime: containerd
              image: registry.example/shop/web:1.2
              image_id: registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000
              node: node-a
              pod_ips:
              - "10.0.0.7"
              - fd00::7
              restart: 2
              started_at: "2026-11-23T06:15:05Z"
              ended_at: "2026-11-23T06:18:25Z"
              end_seen: true
              exit_code: 137
              signal: null
              reason: Error
              pod_created_at: "2026-11-23T06:15:00.123Z"
              pod_removed_at: null
              ended_by: user "alice", the second
              ended_why: force-deleted
              ended_cause: null
              config_hash: null
              unknown:
              - image
              - signal
              logs: []
            - cluster: prod
              namespace: shop
              workload_kind: null
              workload: null
              pod: api-0
              pod_uid: 00000000-0000-0000-0000-000000001234
              container: web
              kind: app
              container_id: null
              runtime: null
              image: null
              image_id: null
              node: null
              pod_ips: []
              restart: 0
              started_at: null
              ended_at: null
              end_seen: false
              exit_code: null
              signal: null
              reason: null
              pod_created_at: null
              pod_removed_at: null
              ended_by: null
              ended_why: null
              ended_cause: null
              config_hash: null
              unknown: []
              logs: []
            more: true
            cursor: "1:2:3"
        "#]],
    );
    check(
        Format::Yaml,
        &pods()[..1],
        None,
        expect![[r#"
            items:
            - cluster: prod
              namespace: shop
              workload_kind: Deployment
              workload: web
              pod: web-5d9c7b8f4-x2x7p
              pod_uid: 00000000-0000-0000-0000-000000001234
              node: node-a
              pod_ips:
              - "10.0.0.7"
              labels:
                app: web
                tier: ""
              service_account: default
              created_at: "2026-11-23T06:15:00.123Z"
              created_by: system:serviceaccount:kube-system:replicaset-controller
              scheduled_at: "2026-11-23T06:15:00Z"
              started_at: "2026-11-23T06:15:05Z"
              delete_asked_at: "2026-11-23T08:00:00.500Z"
              delete_asked_by: alice
              removed_at: "2026-11-23T08:28:30.750Z"
              over_at: "2026-11-23T08:28:30.750Z"
              gone_proof: null
              phase: Running
              status_reason: null
              ended_by: null
              ended_why: null
              ended_cause: null
              containers: 3
              restarts: 2
              unknown: []
            more: false
            cursor: null
        "#]],
    );
}

/// The expected texts have no CR: a source file can't keep it.
fn check_csv<R: Row>(rows: &[R], expected: Expect) {
    let text = print(Format::Csv, look("UTC"), rows, &End::default());
    assert_eq!(text.matches("\r\n").count(), 1 + rows.len());
    let text = text.replace("\r\n", "\n");
    assert!(!text.contains('\r'));
    expected.assert_eq(&text);
}

#[test]
fn csv() {
    let link = |name: &str, url: &str| LogsLink {
        store: "loki".to_owned(),
        name: name.to_owned(),
        url: url.to_owned(),
    };
    let linked = Container {
        logs: vec![
            link("grafana", "https://grafana.example/explore?a"),
            link("b", "https://b.example"),
        ],
        ..killed()
    };
    check_csv(
        &[linked, bare()],
        expect![[r#"
            cluster,namespace,workload_kind,workload,pod,pod_uid,container,kind,container_id,runtime,image,image_id,node,pod_ips,restart,started_at,ended_at,end_seen,exit_code,signal,reason,pod_created_at,pod_removed_at,ended_by,ended_why,ended_cause,config_hash,unknown,logs
            prod,shop,Deployment,web,web-5d9c7b8f4-x2x7p,00000000-0000-0000-0000-000000001234,web,app,1e10000000000000deadbeef,containerd,registry.example/shop/web:1.2,registry.example/shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000,node-a,10.0.0.7;fd00::7,2,2026-11-23T06:15:05Z,2026-11-23T06:18:25Z,true,137,,Error,2026-11-23T06:15:00.123Z,,"user ""alice"", the second",force-deleted,,,image;signal,name=grafana;store=loki;url=https://grafana.example/explore?a;name=b;store=loki;url=https://b.example
            prod,shop,,,api-0,00000000-0000-0000-0000-000000001234,web,app,,,,,,,0,,,false,,,,,,,,,,,
        "#]],
    );
    check_csv(
        &pods(),
        expect![[r#"
            cluster,namespace,workload_kind,workload,pod,pod_uid,node,pod_ips,labels,service_account,created_at,created_by,scheduled_at,started_at,delete_asked_at,delete_asked_by,removed_at,over_at,gone_proof,phase,status_reason,ended_by,ended_why,ended_cause,containers,restarts,unknown
            prod,shop,Deployment,web,web-5d9c7b8f4-x2x7p,00000000-0000-0000-0000-000000001234,node-a,10.0.0.7,app=web;tier=,default,2026-11-23T06:15:00.123Z,system:serviceaccount:kube-system:replicaset-controller,2026-11-23T06:15:00Z,2026-11-23T06:15:05Z,2026-11-23T08:00:00.500Z,alice,2026-11-23T08:28:30.750Z,2026-11-23T08:28:30.750Z,,Running,,,,,3,2,
            prod,shop,,,web-5d9c7b8f4-x2x7p,00000000-0000-0000-0000-000000001234,,,,,,,2026-11-23T06:15:00Z,2026-11-23T06:15:05Z,2026-11-23T08:00:00.500Z,,,2026-11-23T08:28:30.750Z,,,,,,,3,2,
        "#]],
    );
    check_csv::<Pod>(
        &[],
        expect![[r#"
            cluster,namespace,workload_kind,workload,pod,pod_uid,node,pod_ips,labels,service_account,created_at,created_by,scheduled_at,started_at,delete_asked_at,delete_asked_by,removed_at,over_at,gone_proof,phase,status_reason,ended_by,ended_why,ended_cause,containers,restarts,unknown
        "#]],
    );
}

#[test]
fn json_lines() {
    check(
        Format::Ndjson,
        &[bare(), bare()],
        Some("1"),
        expect![[r#"
            {"cluster":"prod","namespace":"shop","workload_kind":null,"workload":null,"pod":"api-0","pod_uid":"00000000-0000-0000-0000-000000001234","container":"web","kind":"app","container_id":null,"runtime":null,"image":null,"image_id":null,"node":null,"pod_ips":[],"restart":0,"started_at":null,"ended_at":null,"end_seen":false,"exit_code":null,"signal":null,"reason":null,"pod_created_at":null,"pod_removed_at":null,"ended_by":null,"ended_why":null,"ended_cause":null,"config_hash":null,"unknown":[],"logs":[]}
            {"cluster":"prod","namespace":"shop","workload_kind":null,"workload":null,"pod":"api-0","pod_uid":"00000000-0000-0000-0000-000000001234","container":"web","kind":"app","container_id":null,"runtime":null,"image":null,"image_id":null,"node":null,"pod_ips":[],"restart":0,"started_at":null,"ended_at":null,"end_seen":false,"exit_code":null,"signal":null,"reason":null,"pod_created_at":null,"pod_removed_at":null,"ended_by":null,"ended_why":null,"ended_cause":null,"config_hash":null,"unknown":[],"logs":[]}
        "#]],
    );
}

#[test]
fn names() {
    check(
        Format::Name,
        &[killed(), bare()],
        Some("1"),
        expect![[r#"
        shop/web-5d9c7b8f4-x2x7p/web
        shop/api-0/web
    "#]],
    );
    check(
        Format::Name,
        &pods()[..1],
        None,
        expect![[r#"
        shop/web-5d9c7b8f4-x2x7p
    "#]],
    );
}

#[test]
fn empty_answers() {
    for format in [Format::Table, Format::Wide, Format::Ndjson, Format::Name] {
        check::<Container>(format, &[], None, expect![[""]]);
    }
    check::<Pod>(
        Format::Json,
        &[],
        None,
        expect![[r#"
            {
              "items": [],
              "more": false,
              "cursor": null
            }
        "#]],
    );
    check::<Pod>(
        Format::Yaml,
        &[],
        None,
        expect![[r#"
            items: []
            more: false
            cursor: null
        "#]],
    );
}

/// The documents are what the rows are, and the cursor is what it was.
#[test]
fn documents_come_back() {
    let rows = vec![killed(), bare()];
    let end = End {
        more: some("1.\"2\": 3"),
    };
    let json = print(Format::Json, look("UTC"), &rows, &end);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let items: Vec<Container> = serde_json::from_value(json["items"].clone()).unwrap();
    assert_eq!(items, rows);
    assert_eq!(
        (&json["more"], &json["cursor"]),
        (&true.into(), &"1.\"2\": 3".into())
    );

    let lines = print(Format::Ndjson, look("UTC"), &rows, &end);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    assert_eq!(lines.collect::<Vec<Container>>(), rows);
}

#[test]
fn csv_has_the_fields_of_json() {
    fn fields<R: Row>(row: &R) -> Vec<String> {
        let line = print(
            Format::Ndjson,
            look("UTC"),
            std::slice::from_ref(row),
            &End::default(),
        );
        let keys = line
            .split(['{', ','])
            .filter_map(|part| part.strip_prefix('"')?.split_once("\":"));
        keys.map(|(key, _)| key.to_owned()).collect()
    }
    fn header<R: Row>() -> String {
        print::<R>(Format::Csv, look("UTC"), &[], &End::default())
    }
    let [_, pod] = pods();
    let [session, _] = sessions();
    assert_eq!(header::<Session>(), fields(&session).join(",") + "\r\n");
    assert_eq!(header::<Pod>(), fields(&pod).join(",") + "\r\n");
    assert_eq!(header::<Container>(), fields(&bare()).join(",") + "\r\n");
}

/// With the heads, the narrow rows fill the first chunk. The third keeps the widths of the second.
#[test]
fn widths_over_the_border_of_a_chunk() {
    let named = |pod: &str| Container {
        pod: pod.to_owned(),
        ..bare()
    };
    let mut rows = vec![named("narrow"); CHUNK_ROWS - 1];
    rows.push(named("much-wider-than-before"));
    rows.extend(vec![named("narrow"); CHUNK_ROWS]);
    let table = print(Format::Table, look("UTC"), &rows, &End::default());
    assert_eq!(table.lines().count(), 1 + rows.len());
    assert!(table.lines().all(|line| line == line.trim_end()));
    let lines: Vec<&str> = table.lines().collect();
    let around = [0, 1, 999, 1000, 1001, 1999, 2000].map(|i| format!("{i:4} {}\n", lines[i]));
    expect![[r#"
           0 NAMESPACE   POD      CONTAINER   RESTART   STATE     EXIT     STARTED (UTC)   LIFETIME    NODE     WHY      BY
           1 shop        narrow   web         0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
         999 shop        narrow   web         0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
        1000 shop        much-wider-than-before   web         0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
        1001 shop        narrow                   web         0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
        1999 shop        narrow                   web         0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
        2000 shop        narrow                   web         0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
    "#]].assert_eq(&around.concat());
}

/// A chunk goes out when it is full: memory has a bound.
#[test]
fn a_full_chunk_is_not_kept() {
    struct Counted<'a>(&'a std::cell::Cell<usize>);
    impl Write for Counted<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .set(self.0.get() + bytes.iter().filter(|byte| **byte == b'\n').count());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = std::cell::Cell::new(0);
    let mut out = Counted(&lines);
    let mut printer = Printer::new(Format::Table, look("UTC"), &mut out);
    for _ in 0..2 * CHUNK_ROWS {
        printer.row(&bare()).unwrap();
    }
    assert_eq!(lines.get(), 2 * CHUNK_ROWS);
    printer.end(&End::default()).unwrap();
    assert_eq!(lines.get(), 2 * CHUNK_ROWS + 1);
}

#[test]
fn nothing_commands_the_terminal() {
    let row = Container {
        namespace: "a\nb".to_owned(),
        pod: "\u{1b}[31mred\u{9b}0m\u{7f}".to_owned(),
        container: "\u{202e}trom\t\u{2028}".to_owned(),
        node: some(""),
        ..bare()
    };
    check(
        Format::Table,
        std::slice::from_ref(&row),
        None,
        expect![[r#"
            NAMESPACE   POD                           CONTAINER                RESTART   STATE     EXIT     STARTED (UTC)   LIFETIME    NODE     WHY      BY
            a\nb        \u{1b}[31mred\u{9b}0m\u{7f}   \u{202e}trom\t\u{2028}   0         Running   <none>   <unknown>       <unknown>   <none>   <none>   <none>
        "#]],
    );
    check(
        Format::Name,
        std::slice::from_ref(&row),
        None,
        expect![[r#"
            a\nb/\u{1b}[31mred\u{9b}0m\u{7f}/\u{202e}trom\t\u{2028}
        "#]],
    );
    for format in [Format::Table, Format::Wide, Format::Name] {
        let text = print(
            format,
            look("UTC"),
            std::slice::from_ref(&row),
            &End::default(),
        );
        assert!(
            !text.replace('\n', "").contains(char::is_control),
            "{text:?}"
        );
    }
}

/// Whatever the format, a closed pipe is seen as one, at the latest at the end.
#[test]
fn a_closed_pipe() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    for (format, rows) in ALL
        .into_iter()
        .flat_map(|format| [(format, 0), (format, CHUNK_ROWS)])
    {
        let mut closed = Closed;
        let mut printer = Printer::new(format, look("UTC"), &mut closed);
        let result = (0..rows).try_for_each(|_| printer.row(&bare()));
        let result = result.and_then(|()| printer.end(&End::default()));
        assert_eq!(
            result.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe,
            "{format:?} {rows}"
        );
    }
}

/// A table of rows that came with no more than the fields that it names is the same table.
#[test]
fn formats_name_the_fields_that_they_show() {
    fn hold<R: Row>(rows: &[R]) {
        for format in ALL {
            let fields = format.fields::<R>();
            let few = rows.iter().map(|row| {
                let mut row = serde_json::to_value(row).unwrap();
                let all = row.as_object_mut().unwrap();
                all.retain(|name, _| fields.is_empty() || fields.contains(&&**name));
                serde_json::from_value(row).unwrap()
            });
            let few: Vec<R> = few.collect();
            let end = End::default();
            assert_eq!(
                print(format, look("UTC"), &few, &end),
                print(format, look("UTC"), rows, &end),
                "{format:?}"
            );
        }
    }
    let late = Container {
        unknown: vec!["end not confirmed".to_owned()],
        ..bare()
    };
    hold(&[killed(), bare(), late]);
    hold(&pods());
    hold(&sessions());
}
