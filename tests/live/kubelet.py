"""Kubelets of imagined nodes, most of them impolite.

What a node does wrong stands in NODES, and each word in MANNERS. A pod of the node shows each
manner by chance, so that there are polite pods beside it.
"""

import copy
import dataclasses
import datetime
import json
import random
import threading
import time
import traceback

from cluster import Refused, Unanswered
from containers import Life

MANNERS = {
    "no-ids": "containers have no IDs, running or ended, as virtual kubelets have it",
    "shares-ids": "all instances of a container have the same ID",
    "recounts": "the count of restarts begins again at 0",
    "repeats": "a former status is sent again, and then the present one",
    "stale": "a former status is sent with a stale resourceVersion (409)",
    "blinks": "one status is without addresses",
    "moves": "the address changes while the pod runs",
    "vague": "what it evicted is told as ContainerStatusUnknown, without ID and times",
    "late": "statuses come after the removal (404)",
}


@dataclasses.dataclass
class Manner:
    """What kind of kubelet a node has."""
    subject: str
    # How far its clock is off, in seconds.
    skew: float
    # Chances of manners.
    manners: dict
    # Whether statuses are PUT as a whole instead of patched.
    puts: bool = False


def of_system_nodes(name):
    return f"/O=system:nodes/CN=system:node:{name}"


NODES = {
    "node-0": Manner(of_system_nodes("node-0"), 0, {}),
    "node-1": Manner("/O=system:masters/CN=kubelet", 0, {"no-ids": 0.8, "late": 0.3}, puts=True),
    "node-2": Manner(of_system_nodes("node-2"), 3600, {"shares-ids": 0.5, "vague": 0.5}),
    "node-3": Manner(of_system_nodes("node-3"), -3600, {"repeats": 0.5, "stale": 0.5}),
    "node-4": Manner(of_system_nodes("node-4"), 0, {"recounts": 0.4, "moves": 0.3, "blinks": 0.4, "vague": 0.5,
                                                    "late": 0.3, "shares-ids": 0.2}),
    # This one is deleted now and then, with and without its machine.
    "node-5": Manner(of_system_nodes("node-5"), 0, {"repeats": 0.2, "no-ids": 0.2, "late": 0.2}),
}

ADDRESSES_PER_NODE = 250
TICK_SECONDS = 0.25
LEASE_SECONDS = 5


def rfc3339(at):
    return datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_mirror(pod):
    return "kubernetes.io/config.mirror" in pod["metadata"].get("annotations", {})


class Addresses:
    """The addresses of a node. What becomes free is used again at once."""

    def __init__(self, subnet):
        self.free = [f"10.244.{subnet}.{host}" for host in range(ADDRESSES_PER_NODE, 1, -1)]
        self.uses = []

    def take(self, uid, at):
        ip = self.free.pop()
        self.uses.append({"ip": ip, "uid": uid, "since": at, "until": None})
        return ip

    def give_back(self, ip, uid, at):
        for use in self.uses:
            if (use["ip"], use["uid"], use["until"]) == (ip, uid, None):
                use["until"] = at
                self.free.append(ip)


class Kubelet:
    """One node. `step` does what is due; whoever runs it calls it again and again."""

    def __init__(self, name, client, seed):
        self.name = name
        self.client = client
        self.manner = NODES[name]
        self.rng = random.Random(f"{seed}/{name}")
        self.addresses = Addresses(int(name[-1]))
        self.lives = {}
        self.past = []  # lives that this node is done with
        self.sent = {}  # by uid: the last status that was accepted
        self.history = {}  # by uid: statuses that were accepted before
        self.lease_at = 0
        self.ip = f"10.20.0.{10 + int(name[-1])}"
        self.registered = False
        self.down = False
        self.static = []
        self.lock = threading.Lock()

    # --- the node itself ---

    def register(self):
        conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                       "lastHeartbeatTime": rfc3339(time.time()), "lastTransitionTime": rfc3339(time.time())}]
        room = {"cpu": "64", "memory": "256Gi", "pods": "200"}
        node = {"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}},
                "status": {"capacity": room, "allocatable": room, "conditions": conditions,
                           "addresses": [{"type": "InternalIP", "address": self.ip}]}}
        status, answer = self.client.request("POST", "/api/v1/nodes", node)
        if status not in (201, 409):
            raise Refused(f"register {self.name}", status, json.dumps(answer))
        patch = {"status": {"conditions": conditions, "capacity": room, "allocatable": room}}
        self.client("PATCH", f"/api/v1/nodes/{self.name}/status", patch, "application/strategic-merge-patch+json")
        self.registered = True

    def renew_lease(self, now):
        if now < self.lease_at:
            return
        self.lease_at = now + LEASE_SECONDS
        renewed = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        spec = {"holderIdentity": self.name, "leaseDurationSeconds": 40, "renewTime": renewed}
        status, _ = self.client.request("PATCH", f"{path}/{self.name}", {"spec": spec}, "application/merge-patch+json")
        if status == 404:
            self.client.request("POST", path, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                                               "metadata": {"name": self.name}, "spec": spec})

    def lose_machine(self):
        """Nothing runs any more, and nobody says so."""
        with self.lock:
            self.down = True
            now = time.time()
            for life in self.lives.values():
                life.lose(now)
                self.bury(life, now)
            self.lives.clear()

    def come_back(self):
        """The kubelet begins anew: it registers, and starts what the API still has on its node."""
        with self.lock:
            if self.down:
                self.sent = {life.uid: self.sent[life.uid] for life in self.lives.values()}
            self.down = self.registered = False

    # --- its pods ---

    def step(self, pods):
        """`pods`: by uid, what the API has on this node; None where it was not read."""
        with self.lock:
            now = time.time()
            if pods is not None and not self.down:
                self.observe(pods, now)
            for life in list(self.lives.values()):
                life.advance(now)
            if self.down:
                return
            if not self.registered:
                self.register()
            self.renew_lease(now)
            self.keep_static(pods)
            for life in list(self.lives.values()):
                self.serve(life, time.time())

    def observe(self, pods, now):
        for uid, pod in pods.items():
            if uid in self.lives:
                self.lives[uid].adopt(pod)
            elif uid not in self.sent:
                self.accept(pod, now)
            if pod["metadata"].get("deletionTimestamp") and uid in self.lives and not is_mirror(pod):
                self.lives[uid].delete(now)
        for uid, life in self.lives.items():
            if uid not in pods and not life.gone:
                life.vanish(now)
                if is_mirror(life.pod):
                    # What is static runs on, whatever becomes of its object.
                    life.stopping_at = None

    def accept(self, pod, now):
        manners = {word for word, chance in self.manner.manners.items() if self.rng.random() < chance}
        if life := self.continued(pod, manners, now):
            self.lives[life.uid] = life
            return
        life = Life(pod, self.name, self.manner.skew, manners, now)
        self.lives[life.uid] = life
        self.sent[life.uid] = None

    def serve(self, life, now):
        """Gives an address, tells the status, removes what has ended."""
        if life.gone:
            self.serve_gone(life, now)
            return
        if life.ip is None and now >= life.sandbox_at and life.stopping_at is None and not life.verdict:
            life.ip = self.addresses.take(life.uid, now)
            life.advance(now)
        if "moves" in life.manners and life.instances and now > life.accepted + 8:
            life.manners.discard("moves")
            old = life.ip
            life.ip = self.addresses.take(life.uid, now)
            self.addresses.give_back(old, life.uid, now)
        self.tell(life)
        if life.finished() and life.ip:
            self.addresses.give_back(life.ip, life.uid, now)
        if self.may_be_removed(life, now):
            self.remove(life)

    def may_be_removed(self, life, now):
        if not life.pod["metadata"].get("deletionTimestamp"):
            return False
        if is_mirror(life.pod):
            return True
        told = self.sent[life.uid] == self.status(life)
        # A status that the API server refuses must not keep it for ever.
        return life.at_rest() and (told or now > life.stopping_at + life.grace() + 10)

    def serve_gone(self, life, now):
        if "late" in life.manners:
            life.manners.discard("late")
            self.write(life, self.status(life))
        if life.at_rest() or is_mirror(life.pod):
            self.bury(life, now)
            self.lives.pop(life.uid, None)

    def bury(self, life, now):
        if life.ip:
            self.addresses.give_back(life.ip, life.uid, now)
        self.past.append(life)

    def remove(self, life):
        status, _ = self.client.request(
            "DELETE", f"/api/v1/namespaces/{life.namespace}/pods/{life.name}",
            {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": life.uid}})
        # A finalizer may hold it; then it stays without containers. That it was not found is no proof: the
        # admission plugin NodeRestriction of an API server that has just started says so of pods that live.
        if status == 200:
            self.bury(life, time.time())
            del self.lives[life.uid]

    # --- statuses ---

    def tell(self, life):
        status = self.status(life)
        former = self.sent[life.uid]
        if status == former:
            return
        past = self.history.setdefault(life.uid, [])
        if past and "stale" in life.manners and self.rng.random() < 0.3:
            self.write(life, self.rng.choice(past), version=self.oldest_version(life))
        if past and "repeats" in life.manners and self.rng.random() < 0.3:
            self.write(life, self.rng.choice(past[-2:]))
        if "blinks" in life.manners and life.instances and former and former.get("podIP") and life.stopping_at is None:
            life.manners.discard("blinks")
            self.write(life, {**status, "podIP": None, "podIPs": None})
        if self.write(life, status):
            self.sent[life.uid] = status
            past.append(status)

    def oldest_version(self, life):
        return str(int(life.pod["metadata"]["resourceVersion"]) - 1)

    def write(self, life, status, version=None):
        path = f"/api/v1/namespaces/{life.namespace}/pods/{life.name}/status"
        meta = {"uid": life.uid}
        if version:
            meta["resourceVersion"] = version
        if self.manner.puts and not version:
            code, pod = self.client.request("GET", path.removesuffix("/status"))
            if code != 200 or pod["metadata"]["uid"] != life.uid:
                return False
            pod["status"] = {**pod["status"], **status, "conditions": self.merged(pod, status)}
            code, _ = self.client.request("PUT", path, pod)
        else:
            status = copy.deepcopy(status)
            if status.get("podIPs"):
                status["podIPs"].append({"$patch": "replace"})
            code, answer = self.client.request("PATCH", path, {"metadata": meta, "status": status},
                                               "application/strategic-merge-patch+json")
            if code == 422:
                print(f"{self.name}: status refused: {answer.get('message', '')[:300]}", flush=True)
        return code == 200

    def merged(self, pod, status):
        ours = {condition["type"] for condition in status["conditions"]}
        return status["conditions"] + [it for it in pod["status"].get("conditions", []) if it["type"] not in ours]

    def clock(self, at):
        """A true time as this node writes it."""
        return rfc3339(at + self.manner.skew)

    def status(self, life):
        phase = self.phase(life)
        status = {"phase": phase, "startTime": self.clock(life.accepted), "hostIP": self.ip,
                  "conditions": self.conditions(life, phase)}
        if life.verdict:
            status.update(reason=life.verdict, message="decided by the kubelet")
        if life.ip:
            status.update(podIP=life.ip, podIPs=[{"ip": life.ip}])
        if life.verdict and not life.instances:
            return status
        for field, kinds in (("initContainerStatuses", ("init", "sidecar")), ("containerStatuses", ("app",)),
                             ("ephemeralContainerStatuses", ("ephemeral",))):
            if containers := life.of_kind(*kinds):
                status[field] = [self.container_status(life, container) for container in containers]
        return status

    def phase(self, life):
        apps = life.of_kind("app")
        if life.verdict and (life.at_rest() or life.verdict == "Evicted"):
            return "Failed"
        if life.finished() or (life.stopping_at and life.at_rest() and all(app.now for app in apps)):
            failed = any(it.now and it.now.exit for it in apps) or any(map(life.failed_for_good, life.of_kind("init")))
            return "Failed" if failed else "Succeeded"
        return "Running" if all(app.now for app in apps) else "Pending"

    def conditions(self, life, phase):
        running = phase == "Running" and all(app.running() for app in life.of_kind("app"))
        ready = "True" if running else "False"
        conditions = [{"type": "Initialized", "status": "True" if phase != "Pending" else "False"},
                      {"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": ready}]
        if life.verdict == "Evicted":
            conditions.append({"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet",
                               "message": "decided by the kubelet", "lastTransitionTime": self.clock(life.stopping_at)})
        return conditions

    def container_status(self, life, container):
        status = {"name": container.name, "image": f"docker.io/library/{container.image}", "imageID": "",
                  "ready": container.running(), "restartCount": container.restart, "state": {}, "lastState": {}}
        if container.kind != "ephemeral":
            status["started"] = container.running()
        now = container.now
        if now is None:
            status["state"] = {"waiting": {"reason": "ContainerCreating"}}
            return status
        digest = "registry.example.com/live@sha256:" + "5e" * 32
        status["imageID"] = digest
        if now.id:
            status["containerID"] = f"containerd://{now.id}"
        if container.before:
            status["lastState"] = {"terminated": self.terminated(container.before)}
        if now.end is None:
            status["state"] = {"running": {"startedAt": self.clock(now.start)}}
        elif container.backing_off:
            status["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
            status["lastState"] = {"terminated": self.terminated(now)}
        else:
            now.vague = life.verdict == "Evicted" and "vague" in life.manners and now.cause == "stopped"
            status["state"] = {"terminated": self.terminated(now)}
            if now.vague:
                status.pop("containerID", None)
        return status

    def terminated(self, instance):
        if instance.vague:
            return {"exitCode": 137, "reason": "ContainerStatusUnknown"}
        told = {"exitCode": instance.exit, "reason": instance.reason, "startedAt": self.clock(instance.start),
                "finishedAt": self.clock(instance.end)}
        return {**told, "containerID": f"containerd://{instance.id}"} if instance.id else told

    # --- static pods ---

    def add_static(self, name):
        self.static.append(name)

    def keep_static(self, pods):
        """Creates the mirror pods that are missing."""
        if pods is None:
            return
        present = {pod["metadata"]["name"] for pod in pods.values()}
        for name in self.static:
            if f"{name}-{self.name}" in present:
                continue
            node = self.client("GET", f"/api/v1/nodes/{self.name}")
            marks = {f"kubernetes.io/config.{word}": "0123456789abcdef" for word in ("hash", "mirror", "source")}
            owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": node["metadata"]["uid"],
                     "controller": True}
            main = {"name": "main", "image": "static:1", "command": ["live"]}
            self.client.request("POST", "/api/v1/namespaces/kube-system/pods", {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": f"{name}-{self.name}", "annotations": marks, "ownerReferences": [owner]},
                "spec": {"nodeName": self.name, "containers": [main],
                         "tolerations": [{"operator": "Exists", "effect": "NoExecute"}]}})

    def continued(self, pod, manners, now):
        """A mirror pod that was made again: what ran goes on under the new uid."""
        if not is_mirror(pod):
            return None
        former = [life for life in self.past + list(self.lives.values())
                  if (life.namespace, life.name) == (pod["metadata"]["namespace"], pod["metadata"]["name"])]
        if not former or not all(container.running() for container in former[-1].containers):
            return None
        life = Life(pod, self.name, self.manner.skew, manners, now)
        self.sent[life.uid] = None
        life.ip = self.addresses.take(life.uid, now)
        for container, old in zip(life.containers, former[-1].containers):
            container.now = dataclasses.replace(old.now, uid=life.uid, end=None, exit=None, reason=None, cause=None)
            container.runs, container.restart = old.runs, old.restart
            life.instances.append(container.now)
        return life

    def all_lives(self):
        return self.past + list(self.lives.values())


class Nodes:
    """Runs all kubelets, one thread each, and one that reads pods for all of them."""

    def __init__(self, cluster, seed):
        self.reader = cluster.client("reader")
        self.kubelets = {name: Kubelet(name, cluster.client(name), seed) for name in NODES}
        self.pods = None
        self.failures = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.read, daemon=True)]
        self.threads += [threading.Thread(target=self.run, args=(kubelet,), daemon=True)
                         for kubelet in self.kubelets.values()]

    def start(self):
        for thread in self.threads:
            thread.start()

    def read(self):
        while not self.stopped.wait(TICK_SECONDS):
            try:
                items = self.reader("GET", "/api/v1/pods")["items"]
            except (Unanswered, Refused):
                self.pods = None
                continue
            by_node = {name: {} for name in NODES}
            for pod in items:
                if (node := pod["spec"].get("nodeName")) in by_node:
                    by_node[node][pod["metadata"]["uid"]] = pod
            self.pods = by_node

    def run(self, kubelet):
        seen = None
        while not self.stopped.wait(TICK_SECONDS):
            pods = self.pods
            try:
                fresh = pods is not None and pods is not seen
                kubelet.step(pods[kubelet.name] if fresh else None)
                seen = pods
            except (Unanswered, Refused):
                pass
            except Exception as error:  # noqa: BLE001, it fails the run
                self.failures.append(f"{kubelet.name}: {traceback.format_exc()}")
                raise error

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def truth(self):
        """All instances and all uses of addresses."""
        instances = [dataclasses.asdict(it) for kubelet in self.kubelets.values()
                     for life in kubelet.all_lives() for it in life.instances]
        uses = [use for kubelet in self.kubelets.values() for use in kubelet.addresses.uses]
        return instances, uses
