#!/usr/bin/env python3
"""The checker finds each kind of falsehood, and nothing where there is none.

    python3 tests/live/test_checker.py
"""

import copy
import unittest

import checker
import evidence

UID = "5e0a8a1c-0000-4000-8000-000000000001"
CONTAINER_ID = "ab" * 32
BEGAN = 1_800_000_000.0


def text(at):
    return evidence.datetime.datetime.fromtimestamp(at, evidence.datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def state(phase, ended=False, **meta):
    began = {"startedAt": text(BEGAN + 5)}
    status = {"name": "main", "restartCount": 0,
              "state": {"terminated": {**began, "exitCode": 143}} if ended else {"running": began}}
    return {"kind": "Pod",
            "metadata": {"uid": UID, "namespace": "shop", "name": "web-0", "labels": {"app": "web"}, **meta},
            "spec": {"nodeName": "node-1"},
            "status": {"phase": phase, "podIPs": [{"ip": "10.244.1.2"}], "containerStatuses": [status]}}


def event(at, user, verb, answer, given=True, subresource=""):
    return evidence.read_event({
        "auditID": f"{at}", "stage": "ResponseComplete", "stageTimestamp": text(at), "verb": verb,
        "user": {"username": user}, "responseStatus": {"code": 200}, "responseObject": answer, "requestURI": "",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-0", "subresource": subresource}}, given)


def truth(given=True):
    """A pod that alice deletes a minute after its creation, and that goes five seconds later."""
    marked = {"deletionTimestamp": text(BEGAN + 90), "deletionGracePeriodSeconds": 30}
    last = {**marked, "deletionGracePeriodSeconds": 0}
    pod = evidence.Pod(UID, "shop", "web-0", BEGAN, BEGAN, until=BEGAN + 65, states=[
        (BEGAN, {**state("Pending"), "status": {"phase": "Pending"}}),
        (BEGAN + 5, state("Running")),
        (BEGAN + 60, state("Running", **marked)), (BEGAN + 64, state("Failed", ended=True, **marked))])
    pod.workloads = {("ReplicaSet", "web-1"), ("Deployment", "web")}
    pod.notes = [{"uid": UID, "at": BEGAN + 60, "why": ["deleted"], "by": "alice"}]
    pod.instances = [{
        "uid": UID, "container": "main", "kind": "app", "restart": 0, "id": CONTAINER_ID, "start": BEGAN + 5,
        "end": BEGAN + 63, "exit": 143, "reason": "Error", "cause": "stopped", "node": "node-1", "skew": 0,
        "vague": False, "oddities": []}]
    evidence.attach({UID: pod}, [
        event(BEGAN, "bob", "create", state("Pending")),
        event(BEGAN + 60, "alice", "delete", state("Running", **marked)),
        event(BEGAN + 64, "system:node:node-1", "patch", state("Failed", True, **marked), given, "status"),
        event(BEGAN + 65, "system:node:node-1", "delete", state("Failed", True, **last), given)])
    uses = [{"ip": "10.244.1.2", "uid": UID, "since": BEGAN + 4, "until": BEGAN + 63},
            {"ip": "10.244.1.2", "uid": "another", "since": BEGAN + 63, "until": None}]
    return evidence.Truth({UID: pod}, uses, BEGAN + 300, {"node-1": 0})


POD = {
    "namespace": "shop", "pod": "web-0", "pod_uid": UID, "node": "node-1", "created_at": text(BEGAN),
    "created_by": "bob", "workload_kind": "Deployment", "workload": "web", "pod_ips": ["10.244.1.2"],
    "labels": {"app": "web"}, "scheduled_at": text(BEGAN + 1), "started_at": text(BEGAN + 2), "containers": 1,
    "delete_asked_at": text(BEGAN + 60), "delete_asked_by": "alice", "removed_at": text(BEGAN + 65), "phase": "Failed",
    "ended_by": "alice", "ended_why": "deleted", "restarts": 0, "unknown": []}
ROW = {
    "pod_uid": UID, "container": "main", "kind": "app", "container_id": CONTAINER_ID, "restart": 0, "node": "node-1",
    "pod_removed_at": text(BEGAN + 65), "started_at": text(BEGAN + 5), "ended_at": text(BEGAN + 63),
    "end_seen": True, "exit_code": 143, "reason": "Error", "ended_why": "deleted", "unknown": []}
OPEN = {"removed_at": None}
RUNS = {"ended_at": None, "end_seen": False, "exit_code": None, "reason": None, "ended_why": None}


def answers(pod=(), row=(), samples=(), addresses=(), meanwhile=()):
    return checker.Answers([{**copy.deepcopy(POD), **dict(pod)}], [{**copy.deepcopy(ROW), **dict(row)}],
                           [checker.Sample(*it) for it in samples],
                           [checker.AddressSample(*it) for it in addresses],
                           [checker.Meanwhile(*it) for it in meanwhile])


def kinds(truth, answers):
    return sorted({it.kind for it in checker.Check(truth, answers).run().falsehoods})


class Checker(unittest.TestCase):
    def check(self, expected, *, given=True, **told):
        self.assertEqual(kinds(truth(given), answers(**told)), expected)

    def test_what_is_right_is_not_false(self):
        alive, gone = (BEGAN + 30, [UID], [ROW]), (BEGAN + 90, [], [])
        self.check([], samples=[alive, gone], addresses=[("10.244.1.2", BEGAN + 30, [UID])])

    def test_what_is_not_known_is_not_false(self):
        nothing = dict.fromkeys(["node", "scheduled_at", "created_by", "workload", "removed_at", "phase", "started_at",
                                 "delete_asked_at", "delete_asked_by", "ended_by", "ended_why"])
        unknown = {"unknown": ["end not confirmed"]}
        self.check([], pod={**nothing, **unknown}, row={**RUNS, **unknown, "started_at": None})

    def test_one_wrong_field_of_a_pod(self):
        for field, wrong, kind in (
            ("node", "node-2", "pod: node"),
            ("created_at", text(BEGAN + 1), "pod: created_at"),
            ("created_by", "alice", "pod: created_by"),
            ("workload", "other", "pod: workload"),
            ("pod_ips", ["10.244.1.3"], "pod: address"),
            ("started_at", text(BEGAN - 3600), "pod: started_at within its life"),
            ("scheduled_at", text(BEGAN + 100), "pod: scheduled_at within its life"),
            ("labels", {"app": "db"}, "pod: labels were its own"),
            ("unknown", ["main not started: ImagePullBackOff"], "pod: container not started"),
            ("containers", 2, "pod: containers"),
            ("delete_asked_at", text(BEGAN + 40), "pod: delete_asked_at"),
            ("removed_at", text(BEGAN + 30), "pod: removed_at"),
            ("phase", "Succeeded", "pod: phase was one of its own"),
            ("restarts", 1, "pod: restarts"),
            ("delete_asked_by", "bob", "pod: delete_asked_by"),
            ("ended_by", "system:node:node-1", "pod: ended_by"),
            ("ended_why", "force-deleted", "pod: ended_why"),
        ):
            with self.subTest(field):
                self.check([kind], pod={field: wrong})

    def test_one_wrong_field_of_a_container(self):
        for field, wrong, kind in (
            ("container_id", "cd" * 32, "container: exists"),
            ("node", "node-2", "container: node"),
            ("kind", "init", "container: kind"),
            ("pod_removed_at", text(BEGAN + 30), "container: pod_removed_at"),
            ("exit_code", 0, "container: exit_code"),
            ("reason", "OOMKilled", "container: reason"),
            ("started_at", text(BEGAN + 40), "container: started_at"),
            ("ended_at", text(BEGAN + 30), "container: ended_at"),
            ("ended_why", "exited", "container: ended_why of what was stopped"),
        ):
            with self.subTest(field):
                self.check([kind], row={field: wrong})

    def test_the_dead_live(self):
        self.check(["at an instant: pod is gone"], pod=OPEN, samples=[(BEGAN + 90, [UID], [])])
        self.check(["container: runs"], row=RUNS)
        self.check(["at an instant: container is over"], samples=[(BEGAN + 90, [], [ROW])])
        self.check(["pod: phase of what has finished"], pod={"phase": "Running"})

    def test_the_living_are_dead(self):
        self.check(["at an instant: container runs", "at an instant: pod lives"], samples=[(BEGAN + 30, [], [])])
        self.check(["container: over by ended_at"], row={**RUNS, "ended_at": text(BEGAN + 30)})

    def test_the_living_were_dead_for_a_while(self):
        over = (BEGAN + 30, [POD], [ROW])
        self.check(["meanwhile: container runs", "meanwhile: pod lives"], meanwhile=[over])
        self.check([], meanwhile=[(BEGAN + 30, [{**POD, **OPEN, "phase": "Running"}], [{**ROW, **RUNS}])])

    def test_what_a_killed_api_server_took_along_is_not_known(self):
        gone = [(BEGAN + 90, [UID], [{**ROW, **RUNS}])]
        self.check([], given=False, pod={**OPEN, "phase": "Running"}, row=RUNS, samples=gone)

    def test_an_address_of_another(self):
        self.check(["at an instant: address"], addresses=[("10.244.1.2", BEGAN + 100, [UID])])

    def test_a_row_twice(self):
        twice = answers()
        twice.pods *= 2
        twice.containers *= 2
        self.assertEqual(kinds(truth(), twice), ["container: told once", "pod told once"])

    def test_a_node_s_clock(self):
        """An hour ahead: false, unless it is marked."""
        world = truth()
        world.pods[UID].instances[0]["skew"] = 3600
        shifted = {"started_at": text(BEGAN + 3605), "ended_at": text(BEGAN + 3663)}
        self.assertEqual(kinds(world, answers(row=shifted)),
                         ["container: ended_at [clock]", "container: started_at [clock]"])
        self.assertEqual(kinds(world, answers(row={**shifted, "unknown": ["clock of the node"]})), [])


if __name__ == "__main__":
    unittest.main()
