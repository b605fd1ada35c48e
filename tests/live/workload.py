"""What people do to the cluster: scenarios, picked at random, in several threads.

A scenario that knows why a pod ends and by whom writes that down with `note`. It does so only
where the API server has said yes; a request without an answer ends the scenario.
"""

import json
import random
import threading
import time

from cluster import PEOPLE, Refused, Unanswered

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
NAMESPACES = ["shop", "bank", "depot"]
# The nodes that stay; node-5 is deleted now and then.
STEADY = ["node-0", "node-1", "node-2", "node-3", "node-4"]
STEP_SECONDS_MAX = 40


class Timeout(Exception):
    """What was waited for did not come: a part of the cluster was away for too long."""


def container(name="main", run=None, code=0, stop=None):
    command = ["live"]
    if run is not None:
        command += [f"run={run}", f"exit={code}"]
    if stop is not None:
        command.append(f"stop={stop}")
    return {"name": name, "image": f"{name}:1", "command": command}


def spec(*containers, **more):
    return {"containers": list(containers) or [container()], "terminationGracePeriodSeconds": 3, **more}


class Workload:
    def __init__(self, cluster, nodes, seed):
        self.cluster = cluster
        self.nodes = nodes
        self.seed = seed
        self.notes = []
        self.unfinished = []
        self.counts = {}
        self.counter = 0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.node_5 = threading.Lock()

    # --- small steps ---

    def person(self, rng):
        return self.cluster.client(rng.choice(PEOPLE))

    def name(self, word):
        with self.lock:
            self.counter += 1
            return f"{word}-{self.counter}"

    def note(self, pod, why, by=None):
        """`why`: the words of which one must be told, if any is; `by`: the account that asked."""
        self.notes.append({"uid": pod["metadata"]["uid"], "at": time.time(), "why": why, "by": by})

    def wait(self, what, condition, seconds_max=STEP_SECONDS_MAX):
        end = time.monotonic() + seconds_max
        while time.monotonic() < end and not self.stopped.is_set():
            try:
                if (value := condition()) not in (None, False, []):
                    return value
            except Unanswered:
                pass
            time.sleep(0.3)
        raise Timeout(what)

    def pods(self, namespace, selector):
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        return self.cluster.client("reader")("GET", path)["items"]

    def pod(self, who, rng, word="bare", namespace=None, node=None, labels=None, annotations=None, name=None,
            finalizers=(), **fields):
        """Creates a pod, on one of the nodes that stay unless `node` says another."""
        namespace = namespace or rng.choice(NAMESPACES)
        body = {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name or self.name(word), "labels": labels or {"app": word},
                             "annotations": {f"live/{key}": str(value) for key, value in (annotations or {}).items()},
                             "finalizers": list(finalizers)},
                "spec": {**spec(*fields.pop("containers", [])), **fields}}
        body["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node or rng.choice(STEADY)}
        return who("POST", f"/api/v1/namespaces/{namespace}/pods", body)

    @staticmethod
    def path(pod, sub=""):
        meta = pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}{sub}"

    def current(self, pod):
        status, value = self.cluster.client("reader").request("GET", self.path(pod))
        return value if status == 200 and value["metadata"]["uid"] == pod["metadata"]["uid"] else None

    def running(self, pod):
        return self.wait(f"{pod['metadata']['name']} to run", lambda: self.has_phase(pod, "Running"))

    def finished(self, pod):
        return self.wait("its end", lambda: self.has_phase(pod, "Succeeded") or self.has_phase(pod, "Failed"))

    def has_phase(self, pod, phase):
        value = self.current(pod)
        return value if value and value["status"].get("phase") == phase else None

    def gone(self, pod):
        return self.wait("its removal", lambda: self.current(pod) is None)

    def delete(self, who, pod, grace=None, headers=None, **options):
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        return who("DELETE", self.path(pod), body, headers=headers)

    def evict(self, who, pod, **options):
        name = {key: pod["metadata"][key] for key in ("name", "namespace")}
        return who.request("POST", self.path(pod, "/eviction"), {
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": name, "deleteOptions": options})

    def linger(self, rng, least=0.5, most=4.0):
        self.stopped.wait(rng.uniform(least, most))

    def workload(self, who, group, kind, plural, rng, body, namespace=None, name=None):
        """Creates an object with a pod template; answers its path."""
        namespace = namespace or rng.choice(NAMESPACES)
        name = name or self.name(kind.lower())
        path = f"/apis/{group}/namespaces/{namespace}/{plural}"
        who("POST", path, {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": body})
        return namespace, name, f"{path}/{name}"

    @staticmethod
    def template(name, **fields):
        return {"selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": {**spec(), **fields}}}

    def all_run(self, namespace, name, count):
        def look():
            pods = [pod for pod in self.pods(namespace, f"app={name}") if "deletionTimestamp" not in pod["metadata"]]
            return pods if len(pods) == count and all(it["status"].get("phase") == "Running" for it in pods) else None

        return self.wait(f"{count} pods of {name}", look)

    # --- scenarios: pods alone ---

    def deleted(self, who, rng):
        pod = self.running(self.pod(who, rng, containers=[container(stop=rng.choice([0.3, 1, 9]))]))
        self.linger(rng)
        by = self.person(rng)
        self.delete(by, pod)
        self.note(pod, ["deleted"], by.account)
        self.gone(pod)

    def forced(self, who, rng):
        pod = self.running(self.pod(who, rng, node=rng.choice(STEADY), containers=[container(stop=2)]))
        self.linger(rng)
        by = self.person(rng)
        self.delete(by, pod, grace=0)
        self.note(pod, ["force-deleted"], by.account)
        self.gone(pod)

    def deleted_twice(self, who, rng):
        pod = self.running(self.pod(who, rng, containers=[container(stop=30)], terminationGracePeriodSeconds=30))
        first, second = rng.sample(PEOPLE, 2)
        self.delete(self.cluster.client(first), pod)
        self.linger(rng, 1, 3)
        self.delete(self.cluster.client(second), pod, grace=2)
        self.note(pod, ["deleted"], first)
        self.gone(pod)

    def deleted_for_another(self, who, rng):
        pod = self.running(self.pod(who, rng))
        self.delete(self.cluster.client("kubernetes-admin"), pod, headers={"Impersonate-User": "alice",
                                                                          "Impersonate-Group": "system:masters"})
        self.note(pod, ["deleted"], "kubernetes-admin as alice")
        self.gone(pod)

    def not_deleted(self, who, rng):
        """Requests that end nothing."""
        pod = self.running(self.pod(who, rng))
        by = self.person(rng)
        self.delete(by, pod, dryRun=["All"])
        by.request("DELETE", self.path(pod) + "?dryRun=All&gracePeriodSeconds=0")
        wrong = {"preconditions": {"uid": "00000000-0000-4000-8000-00000000dead"}, "gracePeriodSeconds": 0}
        by.request("DELETE", self.path(pod), {"apiVersion": "v1", "kind": "DeleteOptions", **wrong})
        self.evict(by, pod, dryRun=["All"])
        by.request("DELETE", f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods?labelSelector=app=nobody")
        self.linger(rng, 5, 15)
        last = self.person(rng)
        self.delete(last, pod)
        self.note(pod, ["deleted"], last.account)
        self.gone(pod)

    def evicted(self, who, rng):
        pod = self.running(self.pod(who, rng))
        by = self.person(rng)
        if self.evict(by, pod)[0] == 201:
            self.note(pod, ["evicted"], by.account)
        self.gone(pod)

    def guarded(self, who, rng):
        """An eviction that a budget refuses."""
        name = self.name("guarded")
        pod = self.pod(who, rng, labels={"app": name})
        path = f"/apis/policy/v1/namespaces/{pod['metadata']['namespace']}/poddisruptionbudgets"
        who("POST", path, {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
                           "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}}})
        self.running(pod)
        refused = self.evict(who, pod)[0]
        assert refused == 429, f"evicted despite a budget: {refused}"
        who("DELETE", f"{path}/{name}")
        by = self.person(rng)
        self.delete(by, pod, grace=1)
        self.note(pod, ["deleted"], by.account)
        self.gone(pod)

    def name_used_again(self, who, rng):
        """Pods of one name, one right after the other."""
        name, namespace = self.name("again"), rng.choice(NAMESPACES)
        for _ in range(3):
            pod = self.pod(who, rng, namespace=namespace, name=name)
            if rng.random() < 0.8:
                self.running(pod)
            by = self.person(rng)
            ran = self.current(pod)
            forced = rng.random() < 0.5
            self.delete(by, pod, grace=0 if forced else 1)
            bound = ran and ran["status"].get("phase") == "Running"
            self.note(pod, ["force-deleted" if forced else "deleted"] if bound else ["deleted", "force-deleted"], by.account)
            self.gone(pod)

    def unscheduled(self, who, rng):
        pod = self.pod(who, rng, word="nowhere", node="no-such-node")
        self.linger(rng, 1, 5)
        by = self.person(rng)
        self.delete(by, pod)
        self.note(pod, ["deleted"], by.account)

    def held(self, who, rng):
        """A finalizer keeps it after its containers have ended."""
        pod = self.running(self.pod(who, rng, word="held", finalizers=["example.com/hold"]))
        by = self.person(rng)
        self.delete(by, pod)
        self.note(pod, ["deleted"], by.account)
        self.linger(rng, 5, 12)
        who("PATCH", self.path(pod), {"metadata": {"finalizers": None}}, MERGE)
        self.gone(pod)

    def done(self, who, rng):
        pod = self.pod(who, rng, word="done", containers=[container(run=2, code=rng.choice([0, 0, 3]))],
                       restartPolicy="Never")
        self.finished(pod)
        self.note(pod, ["finished"])
        self.linger(rng)
        self.delete(who, pod)
        self.gone(pod)

    def rejected(self, who, rng):
        pod = self.pod(who, rng, word="rejected", node=rng.choice(STEADY),
                       annotations={"reject": rng.choice(["OutOfcpu", "NodeAffinity"])})
        self.finished(pod)
        self.note(pod, ["finished"])
        self.linger(rng)
        self.delete(who, pod)
        self.gone(pod)

    def under_pressure(self, who, rng):
        pod = self.pod(who, rng, word="pressed", node=rng.choice(STEADY), annotations={"evict-after": 4})
        self.finished(pod)
        self.note(pod, ["node-pressure"])
        self.linger(rng, 3, 8)
        self.delete(who, pod)
        self.gone(pod)

    def late_deadline(self, who, rng):
        pod = self.pod(who, rng, word="deadline", activeDeadlineSeconds=4)
        self.finished(pod)
        self.note(pod, ["deadline-exceeded"])
        self.linger(rng)
        self.delete(who, pod)
        self.gone(pod)

    def crash_loop(self, who, rng):
        pod = self.pod(who, rng, word="crash", node=rng.choice(STEADY),
                       containers=[container(run=rng.choice([0.2, 1, 2]), code=rng.choice([0, 1, 137])),
                                   container("beside")])
        self.linger(rng, 15, 45)
        by = self.person(rng)
        self.delete(by, pod)
        self.note(pod, ["deleted"], by.account)
        self.gone(pod)

    def several_containers(self, who, rng):
        first = container("first", run=1)
        sidecar = {**container("proxy"), "restartPolicy": "Always"}
        pod = self.running(self.pod(who, rng, word="several", containers=[container(), container("second", run=3)],
                                    initContainers=[first, sidecar]))
        debugger = {**container("debugger", run=2), "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}
        who("PATCH", self.path(pod, "/ephemeralcontainers"), {"spec": {"ephemeralContainers": [debugger]}}, STRATEGIC)
        self.linger(rng, 5, 10)
        by = self.person(rng)
        self.delete(by, pod)
        self.note(pod, ["deleted"], by.account)
        self.gone(pod)

    def collections(self, who, rng):
        """deletecollection with and without a selector."""
        namespace = self.name("batch")
        who("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        some = [self.pod(who, rng, namespace=namespace, labels={"app": "a"}) for _ in range(2)]
        others = [self.pod(who, rng, namespace=namespace, labels={"app": "b"}) for _ in range(2)]
        for pod in some + others:
            self.running(pod)
        by = self.person(rng)
        by("DELETE", f"/api/v1/namespaces/{namespace}/pods?labelSelector=app=a")
        for pod in some:
            self.note(pod, ["deleted"], by.account)
        self.linger(rng, 2, 6)
        by = self.person(rng)
        by("DELETE", f"/api/v1/namespaces/{namespace}/pods" + rng.choice(["", "?gracePeriodSeconds=0"]))
        for pod in others:
            self.note(pod, ["deleted", "force-deleted"], by.account)
        for pod in some + others:
            self.gone(pod)
        who("DELETE", f"/api/v1/namespaces/{namespace}")

    def namespace_deleted(self, who, rng):
        namespace = self.name("passing")
        who("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        pods = [self.pod(who, rng, namespace=namespace) for _ in range(3)]
        for pod in pods:
            self.running(pod)
        who("DELETE", f"/api/v1/namespaces/{namespace}")
        for pod in pods:
            self.note(pod, ["namespace-deleted"], "system:serviceaccount:kube-system:namespace-controller")
        for pod in pods:
            self.gone(pod)

    # --- scenarios: nodes ---

    def node_deleted(self, who, rng):
        """node-5 goes while its kubelet lives on, and registers again."""
        with self.node_5:
            pods = self.on_node_5(who, rng)
            who("DELETE", "/api/v1/nodes/node-5?dryRun=All")
            self.linger(rng, 2, 4)
            try:
                who("DELETE", "/api/v1/nodes/node-5")
                self.linger(rng, 0.5, 3)
            finally:
                self.nodes.kubelets["node-5"].come_back()
            self.linger(rng, 20, 75)
            for pod in pods:
                if self.current(pod):
                    self.delete(who, pod)

    def node_lost(self, who, rng):
        """node-5 goes with its machine, and comes back empty."""
        with self.node_5:
            pods = self.on_node_5(who, rng)
            self.nodes.kubelets["node-5"].lose_machine()
            try:
                who("DELETE", "/api/v1/nodes/node-5")
                for pod in pods:
                    self.note(pod, ["node-lost"], "system:serviceaccount:kube-system:pod-garbage-collector")
                for pod in pods:
                    self.wait("the garbage collector", lambda pod=pod: self.current(pod) is None, 120)
            finally:
                self.nodes.kubelets["node-5"].come_back()

    def node_held(self, who, rng):
        """node-5 is deleted, but a finalizer keeps it, and its pods run on."""
        with self.node_5:
            pods = self.on_node_5(who, rng)
            node = "/api/v1/nodes/node-5"
            who("PATCH", node, {"metadata": {"finalizers": ["example.com/drain"]}}, MERGE)
            try:
                who("DELETE", node)
                self.linger(rng, 20, 90)
                for pod in pods:
                    self.delete(who, pod)
                    self.note(pod, ["deleted"], who.account)
            finally:
                self.insist(node, {"metadata": {"finalizers": None}})
                self.nodes.kubelets["node-5"].come_back()

    def on_node_5(self, who, rng):
        return [self.running(self.pod(who, rng, word="on-node", node="node-5")) for _ in range(2)]

    def tainted(self, who, rng):
        with self.node_5:
            pods = [self.running(self.pod(who, rng, word="tainted", node="node-5")) for _ in range(2)]
            taint = {"key": "live/broken", "effect": "NoExecute"}
            who("PATCH", "/api/v1/nodes/node-5", {"spec": {"taints": [taint]}}, MERGE)
            try:
                for pod in pods:
                    self.note(pod, ["taint-evicted"], "system:serviceaccount:kube-system:taint-eviction-controller")
                for pod in pods:
                    self.gone(pod)
            finally:
                self.insist("/api/v1/nodes/node-5", {"spec": {"taints": None}})

    def insist(self, path, patch):
        """What must be undone, whether or not an API server is there now."""
        while True:
            try:
                self.cluster.client("operator").request("PATCH", path, patch, MERGE)
                return
            except Unanswered:
                time.sleep(1)

    def static(self, who, rng):
        """Deletes a mirror pod; its kubelet makes it again."""
        pods = [pod for pod in self.cluster.client("reader")("GET", "/api/v1/namespaces/kube-system/pods")["items"]
                if pod["metadata"]["name"].startswith("static-")]
        if pods:
            pod = rng.choice(pods)
            grace = rng.choice([None, 0])
            self.delete(who, pod, grace=grace)
            self.note(pod, ["force-deleted" if grace == 0 else "deleted"], who.account)
            self.linger(rng, 5, 10)

    # --- scenarios: controllers ---

    def deployment(self, who, rng):
        name = self.name("web")
        namespace, name, path = self.workload(who, "apps/v1", "Deployment", "deployments", rng,
                                              {"replicas": 2, **self.template(name)}, name=name)
        old = self.all_run(namespace, name, 2)
        who("PATCH", path, {"spec": {"template": {"metadata": {"annotations": {"live/roll": "1"}}}}}, STRATEGIC)
        controller = "system:serviceaccount:kube-system:replicaset-controller"
        for pod in old:
            self.wait("the rollout", lambda pod=pod: self.current(pod) is None)
            self.note(pod, ["scaled-or-rolled-out"], controller)
        new = self.all_run(namespace, name, 2)
        who("PATCH", f"{path}/scale", {"spec": {"replicas": 1}}, MERGE)
        self.wait("scaling down", lambda: len(self.pods(namespace, f"app={name}")) == 1)
        for pod in new:
            if self.current(pod) is None:
                self.note(pod, ["scaled-or-rolled-out"], controller)
        last = self.pods(namespace, f"app={name}")[0]
        if rng.random() < 0.5:
            self.quarantine(who, rng, last)
        policy = rng.choice(["Background", "Foreground"])
        who("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy})
        self.wait("its end", lambda: not self.pods(namespace, f"app={name}"))

    def quarantine(self, who, rng, pod):
        """Takes a pod out of its ReplicaSet by its label, and deletes it later."""
        who("PATCH", self.path(pod), {"metadata": {"labels": {"app": "quarantine"}}}, MERGE)
        self.linger(rng, 4, 10)
        by = self.person(rng)
        self.delete(by, pod)
        self.note(pod, ["deleted"], by.account)

    def stateful_set(self, who, rng):
        name = self.name("db")
        namespace, name, path = self.workload(who, "apps/v1", "StatefulSet", "statefulsets", rng, {
            "replicas": 2, "serviceName": name, **self.template(name)}, name=name)
        pods = {pod["metadata"]["name"]: pod for pod in self.all_run(namespace, name, 2)}
        by = self.person(rng)
        first, second = pods[f"{name}-0"], pods[f"{name}-1"]
        self.delete(by, first)
        self.note(first, ["deleted"], by.account)
        self.delete(by, second, grace=0)
        self.note(second, ["force-deleted"], by.account)
        self.gone(first)
        self.all_run(namespace, name, 2)
        who("PATCH", f"{path}/scale", {"spec": {"replicas": 1}}, MERGE)
        self.wait("scaling down", lambda: len(self.pods(namespace, f"app={name}")) == 1)
        who("DELETE", path)
        self.wait("its end", lambda: not self.pods(namespace, f"app={name}"))

    def daemon_set(self, who, rng):
        name = self.name("agent")
        body = {**self.template(name), "updateStrategy": {"type": "OnDelete"}}
        namespace, name, path = self.workload(who, "apps/v1", "DaemonSet", "daemonsets", rng, body, name=name)
        self.wait("daemons", lambda: len(self.pods(namespace, f"app={name}")) >= len(STEADY))
        self.linger(rng, 3, 8)
        who("DELETE", path)
        self.wait("its end", lambda: not self.pods(namespace, f"app={name}"))

    def job(self, who, rng):
        kind = rng.choice(["done", "deadline", "failing", "suspended"])
        work = {"done": container(run=2), "deadline": container(), "failing": container(run=1, code=2),
                "suspended": container()}[kind]
        body = {"backoffLimit": 1, "template": {"metadata": {"labels": {"kind": kind}},
                                                "spec": {**spec(work), "restartPolicy": "Never"}}}
        if kind == "deadline":
            body["activeDeadlineSeconds"] = 5
        namespace, name, path = self.workload(who, "batch/v1", "Job", "jobs", rng, body)
        selector = f"job-name={name}"
        pods = self.wait("pods of the job", lambda: self.pods(namespace, selector))
        if kind == "suspended":
            self.running(pods[0])
            who("PATCH", path, {"spec": {"suspend": True}}, MERGE)
            self.wait("suspension", lambda: self.current(pods[0]) is None)
            self.note(pods[0], ["job-stopped"], "system:serviceaccount:kube-system:job-controller")
        elif kind in ("done", "failing"):
            self.finished(pods[0])
            self.note(pods[0], ["finished"])
            self.linger(rng, 2, 8)
        else:
            self.linger(rng, 8, 12)
        who("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"})

    # --- running them ---

    SCENARIOS = [deleted, forced, deleted_twice, deleted_for_another, not_deleted, evicted, guarded, name_used_again,
                 unscheduled, held, done, rejected, under_pressure, late_deadline, crash_loop, crash_loop,
                 several_containers, collections, namespace_deleted, node_deleted, node_lost, node_held, tainted,
                 static, deployment, deployment, stateful_set, daemon_set, job, job]

    def prepare(self):
        who = self.cluster.client("kubernetes-admin")
        for namespace in NAMESPACES:
            who("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.nodes.kubelets["node-0"].add_static("static-a")
        self.nodes.kubelets["node-4"].add_static("static-b")
        rng = random.Random(f"{self.seed}/long")
        for node in STEADY:
            # What lives from beginning to end, and is often at work.
            self.pod(who, rng, word="long", node=node)
            self.pod(who, rng, word="restless", node=node, containers=[container(run=4, code=1)])
        self.workload(who, "batch/v1", "CronJob", "cronjobs", rng, {
            "schedule": "* * * * *", "successfulJobsHistoryLimit": 1, "jobTemplate": {"spec": {
                "template": {"spec": {**spec(container(run=3)), "restartPolicy": "Never"}}}}})

    def run(self, index, until):
        """One thread: scenarios in shuffled order, again and again."""
        rng = random.Random(f"{self.seed}/{index}")
        while time.time() < until:
            for scenario in rng.sample(self.SCENARIOS, len(self.SCENARIOS)):
                if time.time() >= until:
                    break
                self.try_once(scenario, rng)

    def try_once(self, scenario, rng):
        name = scenario.__name__
        try:
            scenario(self, self.person(rng), rng)
            outcome = "whole"
        except (Unanswered, Refused, Timeout) as error:
            self.unfinished.append(f"{name}: {error}")
            outcome = "unfinished"
            self.stopped.wait(1)
        with self.lock:
            count = self.counts.setdefault(name, {"whole": 0, "unfinished": 0})
            count[outcome] += 1

    def write(self, folder):
        with open(f"{folder}/notes.jsonl", "w") as f:
            f.writelines(json.dumps(note) + "\n" for note in self.notes)
        with open(f"{folder}/unfinished.txt", "w") as f:
            f.writelines(line + "\n" for line in self.unfinished)
