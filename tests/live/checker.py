"""Holds answers against the truth. Pure: no I/O, no clock.

What is false fails; what is not known is a difference, and is counted. Where a killed API
server lost the event that would tell something, bygone can't know it; that is a difference
too, as long as the answer claims nothing else instead.
"""

import collections
import dataclasses

from evidence import NEAR, epoch, statuses

# How long after something happened an answer about that instant may still be the former one, in
# seconds: kubelets look at their containers four times a second, and write whole seconds.
MARGIN = 3.0


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
class Answers:
    pods: list
    containers: list
    samples: list
    addresses: list


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
        return self

    def statement(self, kind, right, uid, told, true):
        """Something was told: it is right, or a falsehood."""
        self.checked[kind] += 1
        if not right:
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

    @staticmethod
    def life(pod):
        return {"since": pod.since, "until": pod.until}

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


def unsure(row):
    return "end not confirmed" in row["unknown"]


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
        self.removal()
        self.phase()
        self.starts()
        self.requests()
        self.why()

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

    def starts(self):
        told = epoch(self.row["started_at"])
        if told is not None:
            begins, ends = self.pod.since - MARGIN, (self.pod.until or self.check_.truth.ended) + MARGIN
            right = begins - 1 <= told <= ends or clock_marked(self.row)
            self.say("pod: started_at within its life", right, told, self.check_.life(self.pod))
        self.say("pod: restarts", self.row["restarts"] <= self.pod.restarts(), self.row["restarts"],
                 self.pod.restarts())

    def requests(self):
        first = self.pod.first_asked()
        told = self.row["delete_asked_by"]
        lost = "" if first and first.given else " (the first request was lost)"
        if told is None:
            self.check_.differences[f"pod: delete_asked_by: not known{lost}"] += first is not None
        else:
            self.say(f"pod: delete_asked_by{lost}", first is not None and told == first.by, told,
                     first and first.by)
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


def workload(row):
    return row["workload"] and (row["workload_kind"], row["workload"])


def clock_marked(row):
    return any("clock" in word for word in row["unknown"])


class Containers:
    """The rows of container instances."""

    def __init__(self, check):
        self.check_ = check
        # By what identifies a row: the instance that it tells of.
        self.matched = {}

    @staticmethod
    def key(row):
        return row["pod_uid"], row["container"], row["container_id"], row["restart"]

    def check(self):
        told = collections.Counter()
        for row in sorted(self.check_.answers.containers, key=lambda row: row["started_at"] or ""):
            pod = self.check_.truth.pods.get(row["pod_uid"])
            if pod is None:
                self.check_.statement("container: its pod exists", False, row["pod_uid"], row, None)
                continue
            instance = self.match(pod, row, told)
            self.check_.statement("container: exists", instance is not None, pod.uid, row,
                                  [brief(it) for it in pod.instances])
            if instance is None:
                continue
            told[id(instance)] += 1
            self.matched[self.key(row)] = instance
            self.check_.statement("container: told once", told[id(instance)] == 1, pod.uid, row, brief(instance))
            self.instance(pod, row, instance)
        for uid, pod in self.check_.truth.pods.items():
            for instance in pod.instances:
                self.check_.differences["container: not known"] += not told[id(instance)]
        for sample in self.check_.answers.samples:
            self.at_an_instant(sample)

    @staticmethod
    def match(pod, row, told):
        """The instance that a row tells of: of the same ID; of these the same restart, the nearest start."""
        same = [it for it in pod.instances if it["container"] == row["container"]]
        if row["container_id"]:
            same = [it for it in same if it["id"] == row["container_id"]]
        start = epoch(row["started_at"])

        def distance(it):
            far = 0 if start is None else min(abs(start - it["start"]), abs(start - it["start"] - it["skew"]))
            return told[id(it)], it["restart"] != row["restart"], far

        return min(same, key=distance, default=None)

    def instance(self, pod, row, it):
        say = self.check_.statement
        if row["node"] is not None:
            say("container: node", row["node"] == it["node"], pod.uid, row["node"], it["node"])
        if row["exit_code"] is not None:
            true = 137 if it["vague"] else it["exit"]
            say("container: exit_code", row["exit_code"] == true, pod.uid, row, brief(it))
        if row["reason"] is not None:
            true = {it["reason"]} | ({"ContainerStatusUnknown"} if it["vague"] else set())
            say("container: reason", row["reason"] in true, pod.uid, row, brief(it))
        self.time("container: started_at", pod, row, it, epoch(row["started_at"]), it["start"])
        if row["end_seen"]:
            self.time("container: ended_at", pod, row, it, epoch(row["ended_at"]), it["end"])
        elif row["ended_at"] is not None:
            self.end_unseen(pod, row, it)
        elif it["end"] is not None or pod.until is not None:
            self.running(pod, row, it)
        self.why(pod, row, it)

    def time(self, kind, pod, row, it, told, true):
        if told is None:
            self.check_.differences[f"{kind}: not known"] += 1
            return
        right = true is not None and abs(told - true) <= MARGIN
        by_node = true is not None and it["skew"] and abs(told - true - it["skew"]) <= MARGIN
        if by_node and clock_marked(row):
            self.check_.differences[f"{kind}: by the node's clock, and marked"] += 1
        else:
            self.check_.statement(f"{kind} (by the node's clock)" if by_node else kind, right, pod.uid, row, brief(it))

    def end_unseen(self, pod, row, it):
        """Told as over, at the latest at `ended_at`, though nobody reported the end."""
        over = epoch(row["ended_at"])
        if it["end"] is not None and it["end"] <= over + MARGIN:
            self.check_.checked["container: over by ended_at"] += 1
        elif pod.until is not None and pod.until <= over + MARGIN and unsure(row):
            self.check_.differences["container: end not confirmed, ran on behind its pod"] += 1
        else:
            self.check_.statement("container: over by ended_at", False, pod.uid, row, brief(it))

    def running(self, pod, row, it):
        """Told as running."""
        if unsure(row):
            self.check_.differences["container: whether it runs is not known"] += 1
        elif end_given(pod, it) or (pod.until is not None and pod.removal_given):
            self.check_.statement("container: runs", False, pod.uid, row, {**brief(it), "pod until": pod.until})
        else:
            self.check_.differences["container: told as running, its end was lost"] += 1

    def why(self, pod, row, it):
        told = row["ended_why"]
        if told is None or it["end"] is None or told == "unknown":
            return
        if it["cause"] == "stopped":
            self.check_.statement("container: ended_why of what was stopped", told != "exited", pod.uid, row, brief(it))
        ending = pod.ending_since()
        if it["cause"] == "own" and (ending is None or it["end"] < ending - MARGIN):
            self.check_.statement("container: ended_why of what exited", told in ("exited", "done"), pod.uid, row,
                                  brief(it))

    def at_an_instant(self, sample):
        told = {self.key(row): row for row in sample.containers}
        for key, it in self.matched.items():
            pod = self.check_.truth.pods[key[0]]
            over = min((at for at in (it["end"], pod.until) if at is not None), default=None)
            ran = it["start"] + MARGIN < sample.at and (over is None or sample.at < over - MARGIN)
            row = self.row(key)
            if ran and key not in told and unsure(row):
                self.check_.differences["at an instant: whether it ran is not known"] += 1
            elif ran:
                self.check_.statement("at an instant: container runs", key in told, pod.uid,
                                      {"not there at": sample.at, **row}, brief(it))
            elif key in told and sample.at < it["start"] - MARGIN:
                self.check_.statement("at an instant: container is not there yet", False, pod.uid,
                                      {"there at": sample.at, **row}, brief(it))
            elif key in told and over is not None and over + MARGIN < sample.at:
                self.over(pod, it, row, sample.at)

    def over(self, pod, it, row, at):
        if not row["end_seen"] and row["ended_at"] and at <= epoch(row["ended_at"]):
            # "At the latest then" is what an end that nobody reported says.
            self.check_.differences["at an instant: there until the latest end that is possible"] += 1
        elif unsure(row) or not (end_given(pod, it) or (pod.until is not None and pod.removal_given)):
            self.check_.differences["at an instant: there, its end was lost"] += 1
        else:
            self.check_.statement("at an instant: container is over", False, pod.uid, {"there at": at, **row},
                                  brief(it))

    def row(self, key):
        if not hasattr(self, "by_key"):
            self.by_key = {self.key(row): row for row in self.check_.answers.containers}
        return self.by_key[key]


def brief(instance):
    return {key: instance[key] for key in ("container", "kind", "restart", "id", "start", "end", "exit", "reason",
                                           "cause", "node", "skew", "vague")}


def end_given(pod, it):
    """Whether bygone was given a status from after the end that does not show it running."""
    if it["end"] is None:
        return False
    for event in pod.events:
        answer = event.pod()
        if not event.given or not event.succeeded() or answer is None or event.at < it["end"]:
            continue
        for status in statuses({"status": answer.get("status", {})}):
            running = status.get("state", {}).get("running")
            if status["name"] == it["container"]:
                began = running and epoch(running["startedAt"]) - it["skew"]
                if not running or abs(began - it["start"]) > NEAR:
                    return True
    return False
