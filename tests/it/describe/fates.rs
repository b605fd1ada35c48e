//! What became of pods of recording-a, on their pages. Each was checked by hand against the recording's
//! truth and its audit events.

use expect_test::expect;

use super::check;

/// A Deployment scaled it down: kubectl asked the Deployment, its ReplicaSet's controller the pod.
#[test]
fn scaled_down() {
    check(
        &["pod", "web-544d5696fd-xl4l8"],
        expect![[r#"
            Pod:             web-544d5696fd-xl4l8
            Namespace:       rollout-3a6
            Cluster:         demo
            UID:             9240c404-4f4a-4fd6-9e15-5fc6fb952c45
            State:           removed
            Ended:           scaled-or-rolled-out by system:serviceaccount:kube-system:replicaset-controller: the controller of its workload deleted it: scaled down, rolled out or replaced
            Lifetime:        4s
            Owner:           ReplicaSet/web-544d5696fd of Deployment/web
            Node:            worker-4
            Addresses:       10.244.4.26   from 2026-11-23 06:15:49.642 to 2026-11-23 06:15:52.642
            Service account: default
            Labels:          app=web
                             pod-template-hash=544d5696fd

            Timeline (UTC):
              2026-11-23 06:15:48       created by system:serviceaccount:kube-system:replicaset-controller              metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:49.015   bound to worker-4                                                               create of pods/binding
              2026-11-23 06:15:49       accepted by the kubelet                                                         status.startTime
              2026-11-23 06:15:49.642   address 10.244.4.26                                                             the first event with it in status.podIPs
              2026-11-23 06:15:50       migrate #0 started                                                              the container's status: startedAt
              2026-11-23 06:15:50       migrate #0 ended: Completed(0)                                                  the container's status: finishedAt
              2026-11-23 06:15:51       app #0 started                                                                  the container's status: startedAt
              2026-11-23 06:15:51       log-shipper #0 started                                                          the container's status: startedAt
              2026-11-23 06:15:51.786   deletion requested by system:serviceaccount:kube-system:replicaset-controller   a DELETE, or a deletecollection that listed it
              2026-11-23 06:15:51       log-shipper #0 ended: Error(143)                                                the container's status: finishedAt
              2026-11-23 06:15:52       app #0 ended: Completed(0)                                                      the container's status: finishedAt
              2026-11-23 06:15:52.642   phase Failed                                                                    the first event with this phase
              2026-11-23 06:15:52.853   removed                                                                         the event with which the API server removed it

            Containers:
              migrate (init container), 0 restarts:
                #0   Completed(0)   2026-11-23 06:15:50 to 2026-11-23 06:15:50, 0s   exited
                     containerd://36c5adfa505066b96ca6a926fa30324a4c9334efe4f313f5506778043d85c722
                     registry.example.com/shop/migrate:4.1.0
                     registry.example.com/shop/migrate@sha256:9d734618b0d1db3231f3aa4d4aba4a38ad23f2d2241c45a07c79193f4815dbcf
              app (app container), 0 restarts:
                #0   Completed(0)   2026-11-23 06:15:51 to 2026-11-23 06:15:52, 1s   scaled-or-rolled-out
                     containerd://0345c97e5e48a4a523e305cc0a2baec6ef737d20b419b2a8e51351393413e643
                     registry.example.com/shop/api:4.1.0
                     registry.example.com/shop/api@sha256:3469de534522e0602e65093b4f555052cc26e915b7e6ef2af1ac71378f3dfd88
              log-shipper (app container), 0 restarts:
                #0   Error(143)   2026-11-23 06:15:51 to 2026-11-23 06:15:51, 0s   scaled-or-rolled-out
                     containerd://b2eabae1bddad0cdc98fb9cdc78d66c10693ed04d0d8fc6dc63dc121e3aa549b
                     ghcr.io/example/vector:0.41
                     ghcr.io/example/vector@sha256:900d8cf0f8d999a1e086dab0debc979e280a409172182513da552959d2c3b4bf

            Unknown:
              workload inferred: its workload was inferred from its owner's name; the owner itself was not read
                fix: none needed: Kubernetes names owners this way; only one named like this by hand would mislead
        "#]],
    );
}

#[test]
fn evicted() {
    check(
        &["pod", "evict-39e/lone"],
        expect![[r#"
            Pod:             lone
            Namespace:       evict-39e
            Cluster:         demo
            UID:             aff4e77f-c9e3-4984-9354-0eaa9e229408
            State:           removed
            Ended:           evicted by kubernetes-admin: evicted through the eviction API, as kubectl drain does
            Lifetime:        3s
            Owner:           <none>
            Node:            worker-4
            Addresses:       10.244.4.21   from 2026-11-23 06:15:37.282 to 2026-11-23 06:15:39.412
            Service account: default
            Labels:          app=lone

            Timeline (UTC):
              2026-11-23 06:15:36       created by kubernetes-admin                metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:36.818   bound to worker-4                          create of pods/binding
              2026-11-23 06:15:36       accepted by the kubelet                    status.startTime
              2026-11-23 06:15:37       main #0 started                            the container's status: startedAt
              2026-11-23 06:15:37.282   address 10.244.4.21                        the first event with it in status.podIPs
              2026-11-23 06:15:38.343   eviction requested by kubernetes-admin     create of pods/eviction; audit ID 3f3ba1bd-2ecf-4262-b932-93f1c80306b7
              2026-11-23 06:15:38       disruption target: EvictionByEvictionAPI   condition DisruptionTarget: lastTransitionTime
              2026-11-23 06:15:39       main #0 ended: Error(143)                  the container's status: finishedAt
              2026-11-23 06:15:39.412   phase Failed                               the first event with this phase
              2026-11-23 06:15:39.466   removed                                    the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Error(143)   2026-11-23 06:15:37 to 2026-11-23 06:15:39, 2s   evicted
                     containerd://b70fc9857babb9675fe51dbae633b1cf85de2db26816e5b45dec446205ab49c2
                     quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655
                     quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655

            Unknown: nothing
        "#]],
    );
}

#[test]
fn forced() {
    check(
        &["pod", "f1"],
        expect![[r#"
            Pod:             f1
            Namespace:       force-391
            Cluster:         demo
            UID:             8d2d3e76-8104-4b64-a5bf-1682888b2003
            State:           removed; last phase Running
            Ended:           force-deleted by kubernetes-admin: it was deleted with a grace period of 0
            Lifetime:        2s
            Owner:           <none>
            Node:            worker-4
            Addresses:       10.244.4.4   from 2026-11-23 06:15:08.902 to 2026-11-23 06:15:10.800
            Service account: default
            Labels:          app=force

            Timeline (UTC):
              2026-11-23 06:15:08       created by kubernetes-admin                     metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:08.509   bound to worker-4                               create of pods/binding
              2026-11-23 06:15:08       accepted by the kubelet                         status.startTime
              2026-11-23 06:15:08.902   address 10.244.4.4                              the first event with it in status.podIPs
              2026-11-23 06:15:09       main #0 started                                 the container's status: startedAt
              2026-11-23 06:15:10.790   forced deletion requested by kubernetes-admin   a DELETE or deletecollection with grace 0; audit ID b8259877-b021-4b3c-a423-88cdb4a2cc19
              2026-11-23 06:15:10.800   main #0 ended (not reported)                    not reported; the removal of its pod
              2026-11-23 06:15:10.800   removed                                         the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Unknown   2026-11-23 06:15:09 to 2026-11-23 06:15:10.800, 1s   force-deleted
                     containerd://57bf88e67c5ecbe5198c8019dcccc502eb9a5daa3c76464d82edc24e2af4fc3d
                     registry.example.com/shop/api:4.1.0
                     registry.example.com/shop/api@sha256:3469de534522e0602e65093b4f555052cc26e915b7e6ef2af1ac71378f3dfd88

            Unknown:
              end not confirmed (main #0): its end was not reported: how and when it ended is unknown; the time shown is when its pod was gone or a later instance started
                fix: none if its kubelet never reported it (a forced deletion, a lost node, the mirror of a static pod, whose containers keep running); otherwise record pods/status at level RequestResponse, or post an audit log of that time
        "#]],
    );
}

#[test]
fn killed_for_memory_again_and_again() {
    check(
        &["pod", "oom"],
        expect![[r#"
            Pod:             oom
            Namespace:       crash-3a2
            Cluster:         demo
            UID:             1026ab62-ccd2-4bf4-afcb-74ea11824671
            State:           removed
            Ended:           taint-evicted by system:serviceaccount:kube-system:node-controller: its node got a taint that it does not tolerate
            Lifetime:        18s
            Owner:           <none>
            Node:            worker-1
            Addresses:       10.244.1.18   from 2026-11-23 06:15:41.429 to 2026-11-23 06:15:58.422
            Service account: default
            Labels:          app=crash

            Timeline (UTC):
              2026-11-23 06:15:40       created by kubernetes-admin                                               metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:40.645   bound to worker-1                                                         create of pods/binding
              2026-11-23 06:15:40       accepted by the kubelet                                                   status.startTime
              2026-11-23 06:15:41       main #0 started                                                           the container's status: startedAt
              2026-11-23 06:15:41.429   address 10.244.1.18                                                       the first event with it in status.podIPs
              2026-11-23 06:15:42       main #0 ended: OOMKilled(137)                                             the container's status: finishedAt
              2026-11-23 06:15:43       main #1 started                                                           the container's status: startedAt
              2026-11-23 06:15:44       main #1 ended: OOMKilled(137)                                             the container's status: finishedAt
              2026-11-23 06:15:46       main #2 started                                                           the container's status: startedAt
              2026-11-23 06:15:47       main #2 ended: OOMKilled(137)                                             the container's status: finishedAt
              2026-11-23 06:15:51       main #3 started                                                           the container's status: startedAt
              2026-11-23 06:15:52       main #3 ended: OOMKilled(137)                                             the container's status: finishedAt
              2026-11-23 06:15:57       disruption target: DeletionByTaintManager                                 condition DisruptionTarget: lastTransitionTime
              2026-11-23 06:15:57.624   deletion requested by system:serviceaccount:kube-system:node-controller   a DELETE, or a deletecollection that listed it
              2026-11-23 06:15:58.422   phase Failed                                                              the first event with this phase
              2026-11-23 06:15:58.432   removed                                                                   the event with which the API server removed it

            Containers:
              main (app container), 3 restarts:
                #0   OOMKilled(137)   2026-11-23 06:15:41 to 2026-11-23 06:15:42, 1s   exited
                     containerd://9bf8abb8e17e26ca6726e01c0f367f9f7a72330dda05c1beb475aa95092ba757
                     quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655
                     quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655
                #1   OOMKilled(137)   2026-11-23 06:15:43 to 2026-11-23 06:15:44, 1s   exited
                     containerd://bab40fd5040c8a14d88a8371f3bfb43920b7b322a320f3845b24da984d3ed5b1
                #2   OOMKilled(137)   2026-11-23 06:15:46 to 2026-11-23 06:15:47, 1s   exited
                     containerd://a9bc69400e9bc92b3331642dff5319fff9dedcadb2e3281259cb9d99fb87d2ca
                #3   OOMKilled(137)   2026-11-23 06:15:51 to 2026-11-23 06:15:52, 1s   exited
                     containerd://db8006483c7cdc4631f2de75c2d1218c049bbe06da8dd7251b6c8ff57954278a

            Unknown: nothing
        "#]],
    );
}

#[test]
fn never_started() {
    check(
        &["pod", "nopull"],
        expect![[r#"
            Pod:             nopull
            Namespace:       imagepull-38f
            Cluster:         demo
            UID:             82c44cd7-4c93-41e0-b6f2-7efbdc0df5f5
            State:           removed; last phase Pending
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        10s
            Owner:           <none>
            Node:            worker-1
            Addresses:       10.244.1.4   from 2026-11-23 06:15:08.396 to 2026-11-23 06:15:17.038
            Service account: default
            Labels:          app=pull

            Timeline (UTC):
              2026-11-23 06:15:07       created by kubernetes-admin              metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:07.838   bound to worker-1                        create of pods/binding
              2026-11-23 06:15:07       accepted by the kubelet                  status.startTime
              2026-11-23 06:15:08.396   address 10.244.1.4                       the first event with it in status.podIPs
              2026-11-23 06:15:16.245   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID 21eb51b0-0ce9-4824-8123-f1be3aca92d4
              2026-11-23 06:15:17.038   removed                                  the event with which the API server removed it

            Containers:
              main: never started; last reported waiting: ErrImagePull

            Unknown: nothing
        "#]],
    );
}

#[test]
fn preempted() {
    check(
        &["pod", "low-1"],
        expect![[r#"
            Pod:             low-1
            Namespace:       preempt-3a8
            Cluster:         demo
            UID:             5599b72e-15a0-47a6-8cf0-877aafadee8e
            State:           removed
            Ended:           preempted by system:kube-scheduler: it made room for a pod of higher priority
            Lifetime:        3s
            Owner:           <none>
            Node:            worker-3
            Addresses:       10.244.3.21   from 2026-11-23 06:15:49.748 to 2026-11-23 06:15:51.741
            Service account: default
            Labels:          app=low

            Timeline (UTC):
              2026-11-23 06:15:48       created by kubernetes-admin                   metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:48.874   bound to worker-3                             create of pods/binding
              2026-11-23 06:15:48       accepted by the kubelet                       status.startTime
              2026-11-23 06:15:49.748   address 10.244.3.21                           the first event with it in status.podIPs
              2026-11-23 06:15:50       main #0 started                               the container's status: startedAt
              2026-11-23 06:15:51       disruption target: PreemptionByScheduler      condition DisruptionTarget: lastTransitionTime
              2026-11-23 06:15:51.040   deletion requested by system:kube-scheduler   a DELETE, or a deletecollection that listed it
              2026-11-23 06:15:51       main #0 ended: Error(143)                     the container's status: finishedAt
              2026-11-23 06:15:51.741   phase Failed                                  the first event with this phase
              2026-11-23 06:15:51.789   removed                                       the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Error(143)   2026-11-23 06:15:50 to 2026-11-23 06:15:51, 1s   preempted
                     containerd://e9e9d57f3047cf71494b3b20aae12150ae29ab00963ff346133e21b0995389f2
                     quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655
                     quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655

            Unknown: nothing
        "#]],
    );
}

#[test]
fn its_node_was_lost() {
    check(
        &["pod", "doomed-1"],
        expect![[r#"
            Pod:             doomed-1
            Namespace:       nodelost-38c
            Cluster:         demo
            UID:             434b5245-152c-4cef-ade7-d39d9ce29e88
            State:           removed
            Ended:           node-lost by system:serviceaccount:kube-system:pod-garbage-collector: its node was lost or shut down
            Lifetime:        58s
            Owner:           <none>
            Node:            worker-5
            Addresses:       10.244.5.4   from 2026-11-23 06:15:08.228 to 2026-11-23 06:16:05.492
            Service account: default
            Labels:          app=doomed

            Timeline (UTC):
              2026-11-23 06:15:07       created by kubernetes-admin                                                            metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:07.404   bound to worker-5                                                                      create of pods/binding
              2026-11-23 06:15:07       accepted by the kubelet                                                                status.startTime
              2026-11-23 06:15:08       main #0 started                                                                        the container's status: startedAt
              2026-11-23 06:15:08.228   address 10.244.5.4                                                                     the first event with it in status.podIPs
              2026-11-23 06:16:05       disruption target: DeletionByPodGC                                                     condition DisruptionTarget: lastTransitionTime
              2026-11-23 06:16:05.492   main #0 ended (not reported)                                                           not reported; the proof that its pod was gone
              2026-11-23 06:16:05.492   phase Failed                                                                           the first event with this phase
              2026-11-23 06:16:05.497   forced deletion requested by system:serviceaccount:kube-system:pod-garbage-collector   a DELETE or deletecollection with grace 0
              2026-11-23 06:16:05.502   removed                                                                                the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Unknown   2026-11-23 06:15:08 to 2026-11-23 06:16:05.492, 57s   node-lost
                     containerd://d3a36625eebe0e7b32e2fb11263609229a2f599e620e7a8d69bea2deaac0fd01
                     registry.example.com/shop/api:4.1.0
                     registry.example.com/shop/api@sha256:3469de534522e0602e65093b4f555052cc26e915b7e6ef2af1ac71378f3dfd88

            Unknown:
              end not confirmed (main #0): its end was not reported: how and when it ended is unknown; the time shown is when its pod was gone or a later instance started
                fix: none if its kubelet never reported it (a forced deletion, a lost node, the mirror of a static pod, whose containers keep running); otherwise record pods/status at level RequestResponse, or post an audit log of that time
        "#]],
    );
}

#[test]
fn deleted_as_one_of_a_collection() {
    check(
        &["pod", "many-pending"],
        expect![[r#"
            Pod:             many-pending
            Namespace:       collection-39a
            Cluster:         demo
            UID:             2310535d-7007-42b2-83e1-190b1d35c260
            State:           removed; last phase Pending
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        2s
            Owner:           <none>
            Node:            <none>
            Addresses:       <none>
            Service account: default
            Labels:          app=many

            Timeline (UTC):
              2026-11-23 06:15:26       created by kubernetes-admin              metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:28.750   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID c8660fbe-eda1-43f9-8883-0a55cd9eae62
              2026-11-23 06:15:28.910   removed                                  the event with which the API server removed it

            Containers: none started

            Unknown: nothing
        "#]],
    );
    check(
        &["pod", "many-0"],
        expect![[r#"
            Pod:             many-0
            Namespace:       collection-39a
            Cluster:         demo
            UID:             034ea52b-11ad-4595-a6be-e7cd240ad16f
            State:           removed
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        3s
            Owner:           <none>
            Node:            worker-0
            Addresses:       10.244.0.7   from 2026-11-23 06:15:27.040 to 2026-11-23 06:15:29.592
            Service account: default
            Labels:          app=many

            Timeline (UTC):
              2026-11-23 06:15:26       created by kubernetes-admin              metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:26.540   bound to worker-0                        create of pods/binding
              2026-11-23 06:15:26       accepted by the kubelet                  status.startTime
              2026-11-23 06:15:27       main #0 started                          the container's status: startedAt
              2026-11-23 06:15:27.040   address 10.244.0.7                       the first event with it in status.podIPs
              2026-11-23 06:15:28.750   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID c8660fbe-eda1-43f9-8883-0a55cd9eae62
              2026-11-23 06:15:29       main #0 ended: Error(143)                the container's status: finishedAt
              2026-11-23 06:15:29.592   phase Failed                             the first event with this phase
              2026-11-23 06:15:29.661   removed                                  the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Error(143)   2026-11-23 06:15:27 to 2026-11-23 06:15:29, 2s   deleted
                     containerd://379ffdf4bf33f88f4f9584f42d57dbaef5ab8329750aad7ae88cc06b36c1bc7b
                     registry.example.com/shop/api:4.1.0
                     registry.example.com/shop/api@sha256:3469de534522e0602e65093b4f555052cc26e915b7e6ef2af1ac71378f3dfd88

            Unknown: nothing
        "#]],
    );
}

#[test]
fn done() {
    check(
        &["pod", "minutely-29923577-l26m4"],
        expect![[r#"
            Pod:             minutely-29923577-l26m4
            Namespace:       cronjob-38a
            Cluster:         demo
            UID:             aacbcdce-b2c2-48ca-bdb0-c2768b423b31
            State:           removed; last phase Succeeded
            Ended:           finished: it had finished before anyone requested its end
            Lifetime:        63s
            Owner:           Job/minutely-29923577 of CronJob/minutely
            Node:            worker-1
            Addresses:       10.244.1.37   from 2026-11-23 06:17:01.113 to 2026-11-23 06:17:03.912
            Service account: default
            Labels:          app=tick
                             batch.kubernetes.io/controller-uid=910a7f61-661a-43bb-8173-4c5329669157
                             batch.kubernetes.io/job-name=minutely-29923577
                             controller-uid=910a7f61-661a-43bb-8173-4c5329669157
                             job-name=minutely-29923577

            Timeline (UTC):
              2026-11-23 06:17:00       created by system:serviceaccount:kube-system:job-controller                         metadata.creationTimestamp; account from the create request
              2026-11-23 06:17:00.135   bound to worker-1                                                                   create of pods/binding
              2026-11-23 06:17:00       accepted by the kubelet                                                             status.startTime
              2026-11-23 06:17:01       tick #0 started                                                                     the container's status: startedAt
              2026-11-23 06:17:01.113   address 10.244.1.37                                                                 the first event with it in status.podIPs
              2026-11-23 06:17:03       tick #0 ended: Completed(0)                                                         the container's status: finishedAt
              2026-11-23 06:17:03.912   phase Succeeded                                                                     the first event with this phase
              2026-11-23 06:18:03.587   deletion requested by system:serviceaccount:kube-system:generic-garbage-collector   a DELETE, or a deletecollection that listed it
              2026-11-23 06:18:03.594   removed                                                                             the event with which the API server removed it

            Containers:
              tick (app container), 0 restarts:
                #0   Completed(0)   2026-11-23 06:17:01 to 2026-11-23 06:17:03, 2s   exited
                     containerd://8dcb6148ebecb53efcd4eef040784a08e23a4e441fe6d9bd4f50e4646e186ae1
                     docker.io/library/busybox:1.37
                     docker.io/library/busybox@sha256:b606ab8238fb2ffb1f1bfea94c26a87238623870cb315cf440156192c92ccd19

            Unknown:
              workload inferred: its workload was inferred from its owner's name; the owner itself was not read
                fix: none needed: Kubernetes names owners this way; only one named like this by hand would mislead
        "#]],
    );
}

#[test]
fn a_mirror_pod_that_came_back() {
    check(
        &["pod", "--uid", "082bb149-e306-41c8-ac78-83da63ba8413"],
        expect![[r#"
            Pod:             node-agent-0-worker-0
            Namespace:       kube-system
            Cluster:         demo
            UID:             082bb149-e306-41c8-ac78-83da63ba8413
            State:           removed; last phase Running
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        18s
            Owner:           Node/worker-0
            Node:            worker-0
            Addresses:       10.20.0.10   from 2026-11-23 06:15:04.648 to 2026-11-23 06:15:22.304
            Service account: <none>
            Labels:          component=node-agent
                             tier=node

            Timeline (UTC):
              2026-11-23 06:15:04       created by system:node:worker-0          metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:04       accepted by the kubelet                  status.startTime
              2026-11-23 06:15:04.648   address 10.20.0.10                       the first event with it in status.podIPs
              2026-11-23 06:15:05       agent #0 started                         the container's status: startedAt
              2026-11-23 06:15:22.282   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID b2e03c92-3c1f-4306-b4fa-74a41a5c128b
              2026-11-23 06:15:22.304   removed                                  the event with which the API server removed it

            Containers:
              agent (app container), 0 restarts:
                #0   Unknown   since 2026-11-23 06:15:05, <unknown>
                     containerd://51041aad222dd424a63ddded6898039995a57364bf5ded67c766264f4e02d676
                     registry.example.com/infra/node-agent:2.4.1
                     registry.example.com/infra/node-agent@sha256:8b7cc69f61c6c9e96b3f4a41437311718d066b715446aa70a81718c50dd55a0c

            Unknown:
              mirror removed (agent #0): the mirror pod of a static pod was removed, and no end of its container was reported: it may still run, under the next mirror pod
                fix: look for its container ID: the next pod of that name may have it
        "#]],
    );
}

#[test]
fn one_name_after_the_other() {
    check(
        &["pod", "flip"],
        expect![[r#"
            The newest of 5 pods of this name; the others are listed at the end.

            Pod:             flip
            Namespace:       reuse-3aa
            Cluster:         demo
            UID:             d9c1f0c5-75fc-417f-b083-1f52c384ea27
            State:           removed
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        3s
            Owner:           <none>
            Node:            worker-2
            Addresses:       10.244.2.30   from 2026-11-23 06:16:08.202 to 2026-11-23 06:16:09.517
            Service account: default
            Labels:          app=flip

            Timeline (UTC):
              2026-11-23 06:16:07       created by kubernetes-admin              metadata.creationTimestamp; account from the create request
              2026-11-23 06:16:07.537   bound to worker-2                        create of pods/binding
              2026-11-23 06:16:07       accepted by the kubelet                  status.startTime
              2026-11-23 06:16:08       main #0 started                          the container's status: startedAt
              2026-11-23 06:16:08.202   address 10.244.2.30                      the first event with it in status.podIPs
              2026-11-23 06:16:09.059   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID 22de6b48-8a59-47d6-9f43-f15de4d7fd32
              2026-11-23 06:16:09       main #0 ended: Error(143)                the container's status: finishedAt
              2026-11-23 06:16:09.517   phase Failed                             the first event with this phase
              2026-11-23 06:16:10.017   removed                                  the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Error(143)   2026-11-23 06:16:08 to 2026-11-23 06:16:09, 1s   deleted
                     containerd://f375285ac87282d9f3a5628833e01272bd00c3e007850a6505f2bdea52de9f9e
                     registry.example.com/shop/api:4.1.0
                     registry.example.com/shop/api@sha256:3469de534522e0602e65093b4f555052cc26e915b7e6ef2af1ac71378f3dfd88

            Unknown: nothing

            4 other pods of this name, newest first:
              2026-11-23 06:16:04 to 2026-11-23 06:16:07   force-deleted by kubernetes-admin   bygone describe pod --uid 9f08bcac-cb5e-474e-b58b-b6b5ca032a7a
              2026-11-23 06:16:02 to 2026-11-23 06:16:04   force-deleted by kubernetes-admin   bygone describe pod --uid a2a4fd16-7a37-439d-bf75-8a858661f8e4
              2026-11-23 06:16:01 to 2026-11-23 06:16:02   force-deleted by kubernetes-admin   bygone describe pod --uid d0d51d29-7a0e-4566-8d0e-892ed8b41324
              2026-11-23 06:15:59 to 2026-11-23 06:16:01   force-deleted by kubernetes-admin   bygone describe pod --uid daf7e8fa-9038-4f10-8b16-0b71d05e8ba9
        "#]],
    );
}

#[test]
fn node_pressure() {
    check(
        &["pod", "fills-0"],
        expect![[r#"
            Pod:             fills-0
            Namespace:       pressure-3a5
            Cluster:         demo
            UID:             fa1b0d0b-5608-40cc-88f4-a79807420731
            State:           removed; last phase Failed (Evicted)
            Ended:           node-pressure: its node ran short of resources, and the kubelet evicted it
            Lifetime:        9s
            Owner:           <none>
            Node:            worker-1
            Addresses:       10.244.1.25   from 2026-11-23 06:15:49.536 to 2026-11-23 06:15:51.557
            Service account: default
            Labels:          app=fill

            Timeline (UTC):
              2026-11-23 06:15:48       created by kubernetes-admin                  metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:48.559   bound to worker-1                            create of pods/binding
              2026-11-23 06:15:48       accepted by the kubelet                      status.startTime
              2026-11-23 06:15:49       side #0 started                              the container's status: startedAt
              2026-11-23 06:15:49.536   address 10.244.1.25                          the first event with it in status.podIPs
              2026-11-23 06:15:50       main #0 started                              the container's status: startedAt
              2026-11-23 06:15:51       disruption target: TerminationByKubelet      condition DisruptionTarget: lastTransitionTime
              2026-11-23 06:15:51.557   side #0 ended: ContainerStatusUnknown(137)   not reported; the proof that its pod was gone
              2026-11-23 06:15:51.557   main #0 ended: ContainerStatusUnknown(137)   not reported; the proof that its pod was gone
              2026-11-23 06:15:51.557   phase Failed                                 the first event with this phase
              2026-11-23 06:15:57.342   deletion requested by kubernetes-admin       a DELETE, or a deletecollection that listed it; audit ID 94f97753-6b06-47d4-9de2-d5d39e636a24
              2026-11-23 06:15:57.353   removed                                      the event with which the API server removed it

            Containers:
              side (app container), 0 restarts:
                #0   ContainerStatusUnknown(137)   2026-11-23 06:15:49 to 2026-11-23 06:15:51.557, 2s   node-pressure
                     containerd://626d9d23b2d1b2bfc385715ff357184965eaa8ac076630af62128bf2b5b415f1
                     ghcr.io/example/worker:2025.11
                     ghcr.io/example/worker@sha256:49f140eaa852a963c8eda5ac3306d2b29e1806771813b9aa1575130a2c2022cc
              main (app container), 0 restarts:
                #0   ContainerStatusUnknown(137)   2026-11-23 06:15:50 to 2026-11-23 06:15:51.557, 1s   node-pressure
                     containerd://e44cad8f7aaa9278c86110e1b1bf569052745cef73012ce50215d1b859ef1be6
                     docker.io/library/busybox:1.37
                     docker.io/library/busybox@sha256:b606ab8238fb2ffb1f1bfea94c26a87238623870cb315cf440156192c92ccd19

            Unknown:
              end not confirmed (side #0, main #0): its end was not reported: how and when it ended is unknown; the time shown is when its pod was gone or a later instance started
                fix: none if its kubelet never reported it (a forced deletion, a lost node, the mirror of a static pod, whose containers keep running); otherwise record pods/status at level RequestResponse, or post an audit log of that time
        "#]],
    );
}

#[test]
fn held_by_a_finalizer() {
    check(
        &["pod", "held"],
        expect![[r#"
            Pod:             held
            Namespace:       finalizer-397
            Cluster:         demo
            UID:             f75c6e5c-cb64-4bb9-a7c7-2ab08f09dd0c
            State:           removed
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        11s
            Owner:           <none>
            Node:            worker-2
            Addresses:       10.244.2.7   from 2026-11-23 06:15:22.413 to 2026-11-23 06:15:24.558
            Service account: default
            Labels:          app=held

            Timeline (UTC):
              2026-11-23 06:15:21       created by kubernetes-admin              metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:21.881   bound to worker-2                        create of pods/binding
              2026-11-23 06:15:21       accepted by the kubelet                  status.startTime
              2026-11-23 06:15:22.413   address 10.244.2.7                       the first event with it in status.podIPs
              2026-11-23 06:15:23       main #0 started                          the container's status: startedAt
              2026-11-23 06:15:23.929   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID 689ccd5c-848c-4cac-8cdc-751d667a9c11
              2026-11-23 06:15:24       main #0 ended: Error(143)                the container's status: finishedAt
              2026-11-23 06:15:24.558   phase Failed                             the first event with this phase
              2026-11-23 06:15:32.700   removed                                  the event with which the API server removed it

            Containers:
              main (app container), 0 restarts:
                #0   Error(143)   2026-11-23 06:15:23 to 2026-11-23 06:15:24, 1s   deleted
                     containerd://61209dd42c2bbb557d29c3a2bb2aa27df6a62f5c21637ffc84aabdab9344d9e5
                     docker.io/library/nginx:1.27.3
                     docker.io/library/nginx@sha256:3c98f88e5871d479b809ff13117ca382e23226120924717fdf98dbd37a41fffd

            Unknown: nothing
        "#]],
    );
}

#[test]
fn restarts_that_no_event_told_of() {
    check(
        &["pod", "instant"],
        expect![[r#"
            Pod:             instant
            Namespace:       crash-3a2
            Cluster:         demo
            UID:             cd7d107d-a66a-4a5f-a244-d53b382a3688
            State:           removed
            Ended:           deleted by kubernetes-admin: its deletion was requested
            Lifetime:        33s
            Owner:           <none>
            Node:            worker-0
            Addresses:       10.244.0.15   from 2026-11-23 06:15:41.340 to 2026-11-23 06:16:13.062
            Service account: default
            Labels:          app=crash

            Timeline (UTC):
              2026-11-23 06:15:40       created by kubernetes-admin              metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:40.695   bound to worker-0                        create of pods/binding
              2026-11-23 06:15:40       accepted by the kubelet                  status.startTime
              2026-11-23 06:15:41       main #1 started                          the container's status: startedAt
              2026-11-23 06:15:41       main #1 ended: Error(127)                the container's status: finishedAt
              2026-11-23 06:15:41.340   address 10.244.0.15                      the first event with it in status.podIPs
              2026-11-23 06:15:43       main #2 started                          the container's status: startedAt
              2026-11-23 06:15:43       main #2 ended: Error(127)                the container's status: finishedAt
              2026-11-23 06:15:47       main #3 started                          the container's status: startedAt
              2026-11-23 06:15:47       main #3 ended: Error(127)                the container's status: finishedAt
              2026-11-23 06:15:55       main #4 started                          the container's status: startedAt
              2026-11-23 06:15:55       main #4 ended: Error(127)                the container's status: finishedAt
              2026-11-23 06:16:11       main #5 started                          the container's status: startedAt
              2026-11-23 06:16:11       main #5 ended: Error(127)                the container's status: finishedAt
              2026-11-23 06:16:13.026   deletion requested by kubernetes-admin   a DELETE, or a deletecollection that listed it; audit ID b93ddb46-2c2c-4e83-8147-09c87205c335
              2026-11-23 06:16:13.062   phase Failed                             the first event with this phase
              2026-11-23 06:16:13.689   removed                                  the event with which the API server removed it

            Containers:
              main (app container), 5 restarts:
                #1   Error(127)   2026-11-23 06:15:41 to 2026-11-23 06:15:41, 0s   exited
                     containerd://0f72d96fdb3cf3629d11f609e91006567b2922d383650ecb732b9330e9d9a134
                     registry.example.com/shop/api:4.1.0
                     registry.example.com/shop/api@sha256:3469de534522e0602e65093b4f555052cc26e915b7e6ef2af1ac71378f3dfd88
                #2   Error(127)   2026-11-23 06:15:43 to 2026-11-23 06:15:43, 0s   exited
                     containerd://2a42f905c4e5658067e864b189addaaeb2ec262eeba668387d672c8f6562292a
                #3   Error(127)   2026-11-23 06:15:47 to 2026-11-23 06:15:47, 0s   exited
                     containerd://4805391533809add20485f670790cf91860e8584b5dd9aa86bf50a4ad2eb6f64
                #4   Error(127)   2026-11-23 06:15:55 to 2026-11-23 06:15:55, 0s   exited
                     containerd://2daabf11dda58bd3d2c58aec1e039cd4bf47c48cbbb90e51547a4446ca12c988
                #5   Error(127)   2026-11-23 06:16:11 to 2026-11-23 06:16:11, 0s   exited
                     containerd://32a1b8587db205fc8ab3dfb5fe97f78602c30011e13af8b91a526262e6c7cda2

            Unknown:
              1 instances unseen: the restart count of main implies 6 instances, events reported 5
                fix: none if they started and ended between two statuses; otherwise record pods/status at level RequestResponse, or post an audit log of that time
        "#]],
    );
}

#[test]
fn a_container() {
    check(
        &["container", "statefulset-38e/web-0/db"],
        expect![[r#"
            The newest of 4 instances; the others are listed at the end.

            Container:       db #0 (app container)
            Container ID:    containerd://3270d5875e4c6f05c7ed44c9277b5eb6f35b74ce2e2af7ec5c90d84481999d24
            Image:           registry.example.com/infra/postgres:17.2
            Image ID:        registry.example.com/infra/postgres@sha256:2dbb8b7c0e8ca05a120c4c72c729aab43107b8e6af4c95286188bd38ddc48f28
            State:           Completed(0)
            Ran:             2026-11-23 06:15:29 to 2026-11-23 06:15:37, 8s
            Ended:           garbage-collected by system:serviceaccount:kube-system:generic-garbage-collector: its owner was deleted, so the garbage collector deleted it

            Pod:             web-0
            Namespace:       statefulset-38e
            Cluster:         demo
            UID:             4a10bf7a-cd90-4dc2-a01a-dda0118c2a26
            State:           removed
            Ended:           garbage-collected by system:serviceaccount:kube-system:generic-garbage-collector: its owner was deleted, so the garbage collector deleted it
            Lifetime:        10s
            Owner:           StatefulSet/web
            Node:            worker-2
            Addresses:       10.244.2.10   from 2026-11-23 06:15:29.102 to 2026-11-23 06:15:38.089
            Service account: default
            Labels:          app=web
                             apps.kubernetes.io/pod-index=0
                             controller-revision-hash=web-6cd5cc9cd
                             statefulset.kubernetes.io/pod-name=web-0

            Timeline (UTC):
              2026-11-23 06:15:28       created by system:serviceaccount:kube-system:statefulset-controller                 metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:28.863   bound to worker-2                                                                   create of pods/binding
              2026-11-23 06:15:28       accepted by the kubelet                                                             status.startTime
              2026-11-23 06:15:29       db #0 started                                                                       the container's status: startedAt
              2026-11-23 06:15:29.102   address 10.244.2.10                                                                 the first event with it in status.podIPs
              2026-11-23 06:15:36.754   deletion requested by system:serviceaccount:kube-system:generic-garbage-collector   a DELETE, or a deletecollection that listed it
              2026-11-23 06:15:37       db #0 ended: Completed(0)                                                           the container's status: finishedAt
              2026-11-23 06:15:38.089   phase Failed                                                                        the first event with this phase
              2026-11-23 06:15:38.105   removed                                                                             the event with which the API server removed it

            Unknown: nothing

            3 other instances, newest first:
              2026-11-23 06:15:26 to 2026-11-23 06:15:28   force-deleted by kubernetes-admin                                                  bygone describe container 91880fd6af4f --uid cb5f3916-439c-4e19-b1c9-307f8bfbe214
              2026-11-23 06:15:16 to 2026-11-23 06:15:24   scaled-or-rolled-out by system:serviceaccount:kube-system:statefulset-controller   bygone describe container 4cf39a52a8e8 --uid 14a0fb01-a403-42c2-8bd2-47ede347f1f8
              2026-11-23 06:15:09 to 2026-11-23 06:15:14   deleted by kubernetes-admin                                                        bygone describe container d174dfee8d5c --uid 384a4b58-6f73-432a-9afe-3a5dd91e3d1b
        "#]],
    );
}

/// By the beginning of its ID. It had ended before its pod was to end.
#[test]
fn a_container_by_its_id() {
    check(
        &["container", "containerd://BAB40FD5040C"],
        expect![[r#"
            Container:       main #1 (app container)
            Container ID:    containerd://bab40fd5040c8a14d88a8371f3bfb43920b7b322a320f3845b24da984d3ed5b1
            Image:           quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655
            Image ID:        quay.io/example/cache@sha256:4f1a1d3b6a7c58d2b0a4b7f2f9a1a0c5e6d7c8b9a0f1e2d3c4b5a69788776655
            State:           OOMKilled(137)
            Ran:             2026-11-23 06:15:43 to 2026-11-23 06:15:44, 1s
            Ended:           exited: its process ended before the end of its pod was requested

            Pod:             oom
            Namespace:       crash-3a2
            Cluster:         demo
            UID:             1026ab62-ccd2-4bf4-afcb-74ea11824671
            State:           removed
            Ended:           taint-evicted by system:serviceaccount:kube-system:node-controller: its node got a taint that it does not tolerate
            Lifetime:        18s
            Owner:           <none>
            Node:            worker-1
            Addresses:       10.244.1.18   from 2026-11-23 06:15:41.429 to 2026-11-23 06:15:58.422
            Service account: default
            Labels:          app=crash

            Timeline (UTC):
              2026-11-23 06:15:40       created by kubernetes-admin                                               metadata.creationTimestamp; account from the create request
              2026-11-23 06:15:40.645   bound to worker-1                                                         create of pods/binding
              2026-11-23 06:15:40       accepted by the kubelet                                                   status.startTime
              2026-11-23 06:15:41.429   address 10.244.1.18                                                       the first event with it in status.podIPs
              2026-11-23 06:15:43       main #1 started                                                           the container's status: startedAt
              2026-11-23 06:15:44       main #1 ended: OOMKilled(137)                                             the container's status: finishedAt
              2026-11-23 06:15:57       disruption target: DeletionByTaintManager                                 condition DisruptionTarget: lastTransitionTime
              2026-11-23 06:15:57.624   deletion requested by system:serviceaccount:kube-system:node-controller   a DELETE, or a deletecollection that listed it
              2026-11-23 06:15:58.422   phase Failed                                                              the first event with this phase
              2026-11-23 06:15:58.432   removed                                                                   the event with which the API server removed it

            Unknown: nothing
        "#]],
    );
}
