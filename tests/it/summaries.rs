//! `bygone get clusters|namespaces|workloads|nodes|images` on recording-a.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::asking::{api_rows, rows, text};
use crate::get::RECORDED;
use crate::support::{stderr, stdout};

/// Summaries count what the lists show.
#[test]
fn summaries() {
    let containers = rows(&["containers"]);
    let pods = rows(&["pods"]);
    for (what, field) in [
        ("clusters", "cluster"),
        ("namespaces", "namespace"),
        ("workloads", "workload"),
        ("nodes", "node"),
        ("images", "image"),
    ] {
        let sums = rows(&[what]);
        assert_eq!(sums, api_rows(what, &[]), "{what}");
        assert!(!sums.is_empty());
        for sum in &sums {
            let is_it = |row: &&Value| {
                let place = [("namespace", "namespace"), ("kind", "workload_kind")];
                let is_there = place
                    .iter()
                    .all(|(of, field)| sum[of].is_null() || sum[of] == row[field]);
                is_there && row[field] == sum["name"]
            };
            let instances: Vec<&Value> = containers.iter().filter(is_it).collect();
            let restarts = instances
                .iter()
                .filter(|row| row["restart"].as_i64() > Some(0))
                .count();
            let uids: BTreeSet<&str> = instances.iter().map(|row| text(row, "pod_uid")).collect();
            let pods = match what {
                "images" => uids.len(),
                _ => pods.iter().filter(is_it).count(),
            };
            let counted = [&sum["pods"], &sum["instances"], &sum["restarts"]];
            let counted = counted.map(|count| usize::try_from(count.as_u64().unwrap()).unwrap());
            assert_eq!(counted, [pods, instances.len(), restarts], "{sum}");
        }
    }
}

#[test]
fn summaries_as_people_see_them() {
    let shown = |question: &str| {
        let output = RECORDED.get(&question.split(' ').collect::<Vec<_>>());
        format!("{question}\n{}{}", stdout(&output), stderr(&output))
    };
    expect_test::expect![[r#"
        clusters --zone UTC
        NAME   PODS   INSTANCES   RESTARTS   FIRST (UTC)           LAST (UTC)            WORST-END
        demo   157    232         38         2026-11-23 06:15:04   2026-11-23 06:18:23   OOMKilled(137)
        nodes worker-* --zone UTC
        CLUSTER   NAME       PODS   INSTANCES   RESTARTS   FIRST (UTC)           LAST (UTC)            WORST-END
        demo      worker-0   18     32          10         2026-11-23 06:15:04   2026-11-23 06:16:13   Error(127)
        demo      worker-1   36     52          7          2026-11-23 06:15:07   2026-11-23 06:18:23   OOMKilled(137)
        demo      worker-2   31     43          2          2026-11-23 06:15:08   2026-11-23 06:17:03   Error(255)
        demo      worker-3   22     31          3          2026-11-23 06:15:08   2026-11-23 06:16:14   Error(1)
        demo      worker-4   24     42          8          2026-11-23 06:15:08   2026-11-23 06:16:14   Unknown(255)
        demo      worker-5   5      4           0          2026-11-23 06:15:07   2026-11-23 06:16:17   <none>
        demo      worker-6   17     28          8          2026-11-23 06:15:07   2026-11-23 06:16:17   Error(137)
        workloads --exit-code 137 --zone UTC
        CLUSTER   NAMESPACE      NAME                PODS   INSTANCES   RESTARTS   FIRST (UTC)           LAST (UTC)            WORST-END
        demo      pressure-3a5   Deployment/filler   1      1           0          2026-11-23 06:15:54   2026-11-23 06:15:58   ContainerStatusUnknown(137)
        images *nginx* --state failed --zone UTC
        CLUSTER   NAME                             PODS   INSTANCES   RESTARTS   FIRST (UTC)           LAST (UTC)            WORST-END
        demo      docker.io/library/nginx:1.27.3   7      9           3          2026-11-23 06:15:13   2026-11-23 06:15:52   Unknown(255)
        namespaces kube-system -o ndjson
        {"cluster":"demo","namespace":null,"kind":null,"name":"kube-system","pods":2,"instances":2,"restarts":0,"first":"2026-11-23T06:15:04.000Z","last":"2026-11-23T06:15:22.328Z","worst_end":null}
        workloads web -o name
        Deployment/web
        StatefulSet/web
        nodes worker-77
        no nodes found: searched all clusters, all namespaces, any time
        no node "worker-77" in this scope; similar: worker-0, worker-1, worker-2, worker-3, worker-4
        nodes a/b
        bygone: NAME: invalid node "a/b": use its name, with * and ? as wildcards
    "#]].assert_eq(
        &[
            "clusters --zone UTC",
            "nodes worker-* --zone UTC",
            "workloads --exit-code 137 --zone UTC",
            "images *nginx* --state failed --zone UTC",
            "namespaces kube-system -o ndjson",
            "workloads web -o name",
            "nodes worker-77",
            "nodes a/b",
        ]
        .map(shown)
        .concat(),
    );
}
