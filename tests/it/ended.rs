//! Why pods ended, and who asked for it, against what the workload of recording-a did.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{self, Bygone, json_lines};

/// `scenario | pods by how their names begin | how many of them | ended_why | ended_by | what the workload did`.
/// `~` is a service account of kube-system.
const FATES: &str = "\
apply | applied | 1 | deleted | kubernetes-admin | kubectl delete pod applied
bare | | 7 | deleted | kubernetes-admin | kubectl delete pods -l app=bare
big | big- | 3 | deleted | kubernetes-admin | kubectl delete pods --all
binding | | 2 | deleted | kubernetes-admin | kubectl delete pods --all
collection | many- | 8 | deleted | kubernetes-admin | deletecollection app=many
collection | other | 1 | force-deleted | kubernetes-admin | deletecollection forced
crash | oom | 1 | taint-evicted | ~node-controller | kubectl taint node worker-1
crash | | 6 | deleted | kubernetes-admin | kubectl delete pods --all
cronjob | minutely- | 3 | finished | | create cronjob minutely
daemonset | agent- | 6 | scaled-or-rolled-out | ~daemon-set-controller | kubectl set image daemonset/agent
daemonset | agent- | 6 | garbage-collected | ~generic-garbage-collector | kubectl delete daemonset/agent
deadline | limited | 1 | deadline-exceeded | | create pod limited
drain | stay- | 2 | evicted | kubernetes-admin | kubectl drain worker-2
drain | mover- | 3 | garbage-collected | ~generic-garbage-collector | kubectl delete deployment/mover
dryrun | real | 1 | deleted | kubernetes-admin | kubectl delete pod real
ephemeral | target | 1 | deleted | kubernetes-admin | kubectl delete pod target
evict | lone | 1 | evicted | kubernetes-admin | evict lone
evict | guarded- | 1 | evicted | kubernetes-admin | evict guarded-
evict | guarded- | 2 | garbage-collected | ~generic-garbage-collector | kubectl delete deployment/guarded
exec | shell | 1 | deleted | kubernetes-admin | kubectl delete pod shell
exitcodes | | 10 | finished | | create pod exit-0
failures | once | 1 | deleted | kubernetes-admin | kubectl delete pod once
finalizer | held | 1 | deleted | kubernetes-admin | delete pod held
force | f1 | 1 | force-deleted | kubernetes-admin | kubectl delete pod f1 --force
force | f2 | 1 | deleted | kubernetes-admin | kubectl delete pod f2 --now
force | f3 | 1 | force-deleted | kubernetes-admin | delete pod f3
force | stubborn | 1 | deleted | kubernetes-admin | delete pod stubborn
force | twice | 1 | deleted | kubernetes-admin | delete pod twice
force | soon | 1 | force-deleted | kubernetes-admin | kubectl delete pod soon --force
gates | gated | 1 | deleted | kubernetes-admin | delete pod gated
imagepull | | 2 | deleted | kubernetes-admin | kubectl delete pods -l app=pull
impersonate | by-robot | 1 | deleted | system:serviceaccount:impersonate-393:robot | delete pod as robot by-robot
impersonate | by-alice | 1 | deleted | kubernetes-admin as alice@example.com | kubectl delete pod by-alice --as=alice@example.com
jobs | | 11 | finished | | create job batch
jobs | late- | 1 | job-stopped | ~job-controller | create job late
jobs | retrying- | 1 | taint-evicted | ~node-controller | kubectl taint node worker-1
jobs | retrying- | 1 | garbage-collected | ~generic-garbage-collector | kubectl delete job retrying
mirror | node-agent- | 1 | deleted | kubernetes-admin | kubectl -n kube-system delete pod node-agent-0-worker-0
mirror | node-agent- | 1 | | |
nodelost | doomed-0 | 1 | deleted | kubernetes-admin | kubectl delete pod doomed-0
nodelost | doomed- | 2 | node-lost | ~pod-garbage-collector | kubectl delete node worker-5
nodesilent | silent | 1 | taint-evicted | ~node-controller | node stop worker-6
nodesilent | | 2 | deleted | kubernetes-admin | kubectl delete pods --all
nsdelete | | 3 | namespace-deleted | ~namespace-controller | kubectl delete namespace nsdelete-392
orphan | keep- | 2 | garbage-collected | ~generic-garbage-collector | kubectl delete rs/adopter
preempt | low- | 2 | preempted | system:kube-scheduler | create pod high
preempt | | 2 | deleted | kubernetes-admin | kubectl delete pods --all
pressure | | 7 | node-pressure | | create deployment filler
reboot | one-shot | 1 | finished | | create pod one-shot
reboot | survivor | 1 | deleted | kubernetes-admin | kubectl delete pods -l app=boot
replicaset | pool- | 3 | scaled-or-rolled-out | ~replicaset-controller | kubectl scale rs/pool
replicaset | pool-tw6rb | 1 | deleted | kubernetes-admin | delete pod pool-tw6rb
replicaset | pool- | 1 | garbage-collected | ~generic-garbage-collector | kubectl delete rs/pool
resize | sized | 1 | deleted | kubernetes-admin | kubectl delete pod sized
reuse | flip | 4 | force-deleted | kubernetes-admin | delete pod flip
reuse | flip | 1 | deleted | kubernetes-admin | delete pod flip
rollout | web- | 7 | scaled-or-rolled-out | ~replicaset-controller | kubectl set image deployment/web
rollout | web- | 1 | taint-evicted | ~node-controller | kubectl taint node worker-1
rollout | web- | 1 | garbage-collected | ~generic-garbage-collector | kubectl delete deployment/web
secrets | holder | 1 | deleted | kubernetes-admin | kubectl delete pod/holder
serverside | | 3 | deleted | kubernetes-admin | kubectl delete pods --all
statefulset | web-0 | 1 | deleted | kubernetes-admin | delete pod web-0
statefulset | web-0 | 1 | force-deleted | kubernetes-admin | kubectl delete pod web-0 --force
statefulset | web- | 5 | scaled-or-rolled-out | ~statefulset-controller | kubectl rollout restart statefulset/web
statefulset | web-0 | 1 | garbage-collected | ~generic-garbage-collector | kubectl delete statefulset/web
taint | | 2 | taint-evicted | ~node-controller | kubectl taint node worker-1
unschedulable | | 3 | deleted | kubernetes-admin | kubectl delete pod nowhere";

#[test]
fn every_scenario() {
    let folder = support::recording_a();
    let done = json_lines(&folder, "workload.jsonl");
    what_was_done(&done);
    let bygone = Bygone::start();
    bygone.post_all(
        support::read(&folder, "bodies.jsonl")
            .lines()
            .map(str::to_owned),
    );
    compare(&bygone, "recent");
    let recent = containers(&bygone);
    bygone.reconciled();
    compare(&bygone, "filed");
    assert_eq!(containers(&bygone), recent);
}

fn fates() -> impl Iterator<Item = [&'static str; 6]> {
    FATES.lines().map(|line| {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        fields.try_into().expect("six fields")
    })
}

/// The table names things that happened, in every scenario.
fn what_was_done(done: &[Value]) {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    for [.., did] in fates() {
        let happened = done.iter().any(|line| {
            line["note"] == "ok"
                && format!("{} {}", text(line, "op"), text(line, "target")).starts_with(did)
        });
        assert!(happened, "the workload did no {did:?}");
    }
    let scenarios: BTreeSet<String> = done.iter().map(|line| text(line, "scenario")).collect();
    let named: BTreeSet<String> = fates().map(|[scenario, ..]| scenario.to_owned()).collect();
    assert_eq!(scenarios, named);
}

fn compare(bygone: &Bygone, when: &str) {
    let mut pods = bygone.rows(&["pods", "-A"]);
    let text = |row: &Value, key: &str| {
        let text = row[key].as_str().unwrap_or_default();
        text.replace("system:serviceaccount:kube-system:", "~")
    };
    for [scenario, pod, count, why, by, _] in fates() {
        let namespace = match scenario {
            "mirror" => "kube-system".to_owned(),
            _ => format!("{scenario}-"),
        };
        let before = pods.len();
        pods.retain(|row| {
            !(text(row, "namespace").starts_with(&namespace)
                && text(row, "pod").starts_with(pod)
                && text(row, "ended_why") == why
                && text(row, "ended_by") == by)
        });
        let found = (before - pods.len()).to_string();
        assert_eq!(found, count, "{when}: {scenario} {pod} {why} {by}");
    }
    assert!(pods.is_empty(), "{when}: not in the table: {pods:#?}");
}

/// Why each container instance ended, and who asked: for itself, or for the reason of its pod.
fn containers(bygone: &Bygone) -> Vec<[String; 4]> {
    let fate = |row: &Value, key: &str| {
        ["pod_uid", key, "ended_why", "ended_by"].map(|field| row[field].to_string())
    };
    let pods: BTreeSet<[String; 3]> = bygone
        .rows(&["pods", "-A"])
        .iter()
        .map(|row| ["pod_uid", "ended_why", "ended_by"].map(|field| row[field].to_string()))
        .collect();
    let rows = bygone.rows(&["containers", "-A"]);
    let mut fates: Vec<[String; 4]> = rows.iter().map(|row| fate(row, "container_id")).collect();
    let mut of_its_pod = 0;
    for [uid, _, why, by] in &fates {
        if matches!(&**why, "\"exited\"" | "\"unknown\"" | "null") {
            assert_eq!(by, "null");
        } else {
            of_its_pod += 1;
            assert!(
                pods.contains(&[uid.clone(), why.clone(), by.clone()]),
                "{uid} {why} {by}"
            );
        }
    }
    assert_eq!(of_its_pod, 149);
    fates.sort();
    fates
}
