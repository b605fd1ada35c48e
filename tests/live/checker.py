"""Holds answers against the truth. Pure: no I/O, no clock.

What is false fails; what is not known is a difference, and is counted. Where a killed API
server lost the event that would tell something, bygone can't know it; that is a difference
too, as long as the answer claims nothing else instead.
"""

import collections
import dataclasses

from evidence import NEAR, epoch
from instances import MARGIN, Containers, brief, clock_marked, started_given, unsure


# What the end of a pod is called, by the first account that asked for it.
CONTROLLERS = "system:serviceaccount:kube-system:"
CONTROLLER_WORDS = {
    "namespace-controller": "namespace-deleted", "generic-garbage-collector": "garbage-collected",
    "job-controller": "job-stopped", "pod-garbage-collector": "node-lost",
    "taint-eviction-controller": "taint-evicted", "node-controller": "taint-evicted"}
PEOPLE_WORDS = ["deleted", "force-deleted", "evicted"]


@dataclasses.dataclass
class Falsehood:
    kind: str
    uid: str
    told: object
    true: object


@dataclasses.dataclass
class Sample:
    """What was told to live at an instant: uids of pods, rows of containers."""
    at: float
    pods: list
    containers: list


@dataclasses.dataclass
class AddressSample:
    """Who was told to have an address at an instant."""
    ip: str
    at: float
    pods: list


@dataclasses.dataclass
class Meanwhile:
    """All rows, as they were told while the run was under way."""
    at: float
    pods: list
    containers: list


@dataclasses.dataclass
class Answers:
    pods: list
    containers: list
    samples: list
    addresses: list
    meanwhile: list


class Check:
    def __init__(self, truth, answers):
        self.truth = truth
        self.answers = answers
        self.falsehoods = []
        self.differences = collections.Counter()
        self.checked = collections.Counter()
        self.rows = {row["pod_uid"]: row for row in answers.pods}

    def run(self):
        self.identities()
        for uid, row in self.rows.items():
            if uid in self.truth.pods:
                Pods(self, self.truth.pods[uid], row).check()
        Containers(self).check()
        for sample in self.answers.samples:
            self.at_an_instant(sample)
        for sample in self.answers.addresses:
            self.address(sample)
        for sample in self.answers.meanwhile:
            self.meanwhile(sample)
        return self

    def statement(self, kind, right, uid, told, true):
        """Something was told: it is right, or a falsehood."""
        self.checked[kind] += 1
        if not right:
            self.false(kind, uid, told, true)

    def false(self, kind, uid, told, true):
        self.falsehoods.append(Falsehood(kind, uid, told, true))

    def identities(self):
        for uid, count in collections.Counter(row["pod_uid"] for row in self.answers.pods).items():
            self.statement("pod told once", count == 1, uid, count, 1)
            self.statement("pod exists", uid in self.truth.pods, uid, self.rows[uid], "no such pod")
        for uid in self.truth.pods.keys() - self.rows.keys():
            self.differences["pod not known"] += 1

    def at_an_instant(self, sample):
        told = set(sample.pods)
        for uid, pod in self.truth.pods.items():
            if uid not in self.rows:
                continue
            if pod.lives_at(sample.at, MARGIN):
                if unsure(self.rows[uid]) and uid not in told:
                    self.differences["at an instant: whether it lived is not known"] += 1
                else:
                    self.statement("at an instant: pod lives", uid in told, uid, f"not there at {sample.at:.3f}",
                                   self.life(pod))
            elif uid in told and pod.until is not None and pod.until + MARGIN < sample.at:
                if pod.removal_given:
                    self.statement("at an instant: pod is gone", False, uid, f"there at {sample.at:.3f}",
                                   self.life(pod))
                else:
                    self.differences["at an instant: there, its removal was lost"] += 1
            elif uid in told and sample.at < pod.since - MARGIN:
                self.statement("at an instant: pod is not there yet", False, uid, f"there at {sample.at:.3f}",
                               self.life(pod))

    def meanwhile(self, sample):
        """What is not stored yet is not known; but nothing that lives was ever told as over."""
        for row in sample.pods:
            pod = self.truth.pods.get(row["pod_uid"])
            if pod and pod.lives_at(sample.at, MARGIN):
                right = row["removed_at"] is None and row["phase"] in [*pod.phases(), "Pending", None]
                self.statement("meanwhile: pod lives", right, pod.uid, {"asked at": sample.at, **row}, self.life(pod))

    @staticmethod
    def life(pod):
        """What is true of a pod, as a falsehood shows it."""
        return {"name": f"{pod.namespace}/{pod.name}", "since": pod.since, "until": pod.until}

    def address(self, sample):
        holders = {use["uid"] for use in self.truth.uses
                   if use["ip"] == sample.ip and holds(use, sample.at, -MARGIN)}
        near = {use["uid"] for use in self.truth.uses if use["ip"] == sample.ip and holds(use, sample.at, MARGIN)}
        for uid in sample.pods:
            pod = self.truth.pods.get(uid)
            had = uid in near or (pod and pod.had_address(sample.ip, sample.at, MARGIN))
            if had or not holders:
                self.checked["at an instant: address"] += 1
                self.differences["at an instant: address that nobody else had"] += not had
            elif pod and pod.until and pod.until < sample.at and not pod.removal_given:
                self.differences["at an instant: address, the removal was lost"] += 1
            else:
                self.statement("at an instant: address", False, uid, f"{sample.ip} at {sample.at:.3f}",
                               {"had by": sorted(holders)})
        self.differences["at an instant: address whose pod is not told"] += len(holders - set(sample.pods))


def holds(use, at, margin):
    return use["since"] - margin < at and (use["until"] is None or at < use["until"] + margin)


class Pods:
    """The row of one pod."""

    def __init__(self, check, pod, row):
        self.check_ = check
        self.pod = pod
        self.row = row

    def check(self):
        pod, row = self.pod, self.row
        self.equal("pod: namespace and name", f"{row['namespace']}/{row['pod']}", f"{pod.namespace}/{pod.name}")
        self.equal("pod: node", row["node"], pod.node())
        self.equal("pod: created_at", epoch(row["created_at"]), pod.created)
        self.equal("pod: created_by", row["created_by"], pod.creator, unlogged=pod.creator is None)
        self.among("pod: workload", workload(row), pod.workloads)
        for ip in row["pod_ips"]:
            self.among("pod: address", ip, pod.addresses())
        self.say("pod: labels were its own", row["labels"] in pod.labels(), row["labels"], pod.labels()[-1:])
        self.removal()
        self.phase()
        self.starts()
        self.not_started()
        self.requests()
        self.why()
        self.why_by_account()

    def equal(self, kind, told, true, unlogged=False):
        if told is None or unlogged:
            self.check_.differences[f"{kind}: not known"] += true is not None
        else:
            self.say(kind, told == true, told, true)

    def among(self, kind, told, true):
        if told is None:
            self.check_.differences[f"{kind}: not known"] += bool(true)
        else:
            self.say(kind, told in true, told, sorted(map(str, true)))

    def say(self, kind, right, told, true):
        self.check_.statement(kind, right, self.pod.uid, told, true)

    def removal(self):
        told, true = epoch(self.row["removed_at"]), self.pod.until
        if told is not None:
            self.say("pod: removed_at", true is not None and abs(told - true) <= MARGIN, told, true)
        elif true is not None:
            word = "" if self.pod.removal_given else ", and its event was lost"
            self.check_.differences[f"pod: removed_at: not known{word}"] += 1

    def phase(self):
        told, true = self.row["phase"], self.pod.phases()
        if told is None:
            return
        # A pod without a word of its kubelet is Pending.
        self.say("pod: phase was one of its own", told in [*true, "Pending"], told, true)
        ends = [it for it in ("Succeeded", "Failed") if it in true]
        if ends and told in true and told not in ends:
            given = any(event.given and event.pod() and event.pod().get("status", {}).get("phase") in ends
                        for event in self.pod.events)
            if given:
                self.say("pod: phase of what has finished", False, told, true)
            else:
                self.check_.differences["pod: phase: its end was lost"] += 1

    def not_started(self):
        """`unknown` names containers that never started."""
        for word in self.row["unknown"]:
            container, told, _ = word.partition(" not started: ")
            if told:
                self.say("pod: container not started", not started_given(self.pod, container), word,
                         [brief(it) for it in self.pod.instances if it["container"] == container][:3])

    def starts(self):
        begins, ends = self.pod.since - MARGIN - 1, (self.pod.until or self.check_.truth.ended) + MARGIN
        if (told := epoch(self.row["scheduled_at"])) is not None:
            self.say("pod: scheduled_at within its life", begins <= told <= ends, told, self.check_.life(self.pod))
        told = epoch(self.row["started_at"])
        if told is not None:
            right = begins <= told <= ends or clock_marked(self.row)
            odd = " [clock]" if self.check_.truth.clocks.get(self.pod.node()) else ""
            self.say(f"pod: started_at within its life{odd}", right, told, self.check_.life(self.pod))
        self.say("pod: restarts", self.row["restarts"] <= self.pod.restarts(), self.row["restarts"],
                 self.pod.restarts())
        runs = len(self.pod.instances)
        self.say("pod: containers", self.row["containers"] <= runs, self.row["containers"], runs)

    def requests(self):
        first = self.pod.first_asked()
        told = self.row["delete_asked_by"]
        lost = "" if first and first.given else " (the first request was lost)"
        if told is None:
            self.check_.differences[f"pod: delete_asked_by: not known{lost}"] += first is not None
        else:
            self.say(f"pod: delete_asked_by{lost}", first is not None and told == first.by, told,
                     first and first.by)
        told = epoch(self.row["delete_asked_at"])
        if told is not None and not lost:
            self.say("pod: delete_asked_at", abs(told - first.at) <= MARGIN, told, first.at)
        told = self.row["ended_by"]
        if told is not None:
            forced = {it.by for it in self.pod.asked if it.forced and not it.by.startswith("system:node:")}
            true = forced | ({first.by} if first else set())
            self.say(f"pod: ended_by{lost}", told in true, told, sorted(true))

    def why(self):
        """Against what the workload noted, where that came first."""
        if not self.pod.notes:
            return
        note, told, first = self.pod.notes[0], self.row["ended_why"], self.pod.first_asked()
        done = self.pod.finished_at()
        if note["by"] is not None and (first is None or first.by != note["by"] or (done and done < first.at - NEAR)):
            return
        if note["by"] is None and first and (done is None or first.at < done):
            return
        if told is None:
            self.check_.differences["pod: ended_why: not known"] += self.pod.until is not None
        elif told == "unknown":
            self.check_.differences["pod: ended_why: unknown"] += 1
        else:
            lost = " (its request was lost)" if note["by"] and not first.given else ""
            self.say(f"pod: ended_why{lost}", told in note["why"], told, note["why"])


    def why_by_account(self):
        """Against who asked first, whether or not the workload noted it."""
        told, first, done = self.row["ended_why"], self.pod.first_asked(), self.pod.finished_at()
        if told in (None, "unknown") or first is None or not first.given:
            return
        words = set(PEOPLE_WORDS)
        if first.by.startswith(CONTROLLERS):
            words = {CONTROLLER_WORDS.get(first.by.removeprefix(CONTROLLERS), "scaled-or-rolled-out")}
        elif first.by == "system:kube-scheduler":
            words = {"preempted"}
        if done is not None and done < first.at + NEAR:
            words |= {"finished", "node-pressure", "deadline-exceeded"}
        self.say("pod: ended_why by who asked", told in words, told, {"by": first.by, "words": sorted(words)})


def workload(row):
    return row["workload"] and (row["workload_kind"], row["workload"])
