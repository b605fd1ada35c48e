"""Holds rows of container instances against what the nodes ran. A part of checker.py."""

import collections

from evidence import NEAR, epoch, statuses

# How long after something happened an answer about that instant may still be the former one, in
# seconds: kubelets look at their containers four times a second, and write whole seconds.
MARGIN = 3.0

# What falsehoods about containers are grouped by, beside a clock that is off.
ODDITIES = ["no-ids", "shares-ids", "recounts", "repeats", "stale", "vague"]


def unsure(row):
    return "end not confirmed" in row["unknown"]


def runs_on(row):
    """What a static pod runs goes on when its mirror pod is removed."""
    return "mirror removed" in row["unknown"]


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
            self.say("container: told once", told[id(instance)] == 1, pod, row, instance)
            self.instance(pod, row, instance)
        for uid, pod in self.check_.truth.pods.items():
            for instance in pod.instances:
                self.check_.differences[f"container: not known{odd(instance)}"] += not told[id(instance)]
        for sample in self.check_.answers.samples:
            self.at_an_instant(sample)
        for sample in self.check_.answers.meanwhile:
            self.meanwhile(sample)

    def say(self, kind, right, pod, told, it):
        """A statement about an instance. False ones are grouped by what is odd about their nodes."""
        self.check_.checked[kind] += 1
        if not right:
            marked = " (marked)" if clock_marked(told) else ""
            self.check_.false(kind + odd(it) + marked, pod.uid, told, brief(it))

    @staticmethod
    def match(pod, row, told):
        """The instance that a row tells of: of the same ID; of these the same restart, the nearest start."""
        same = [it for it in pod.instances if it["container"] == row["container"]]
        if row["container_id"]:
            same = [it for it in same if it["id"] == row["container_id"]]
        start = epoch(row["started_at"])

        def distance(it):
            far = 0 if start is None else min(abs(start - it["start"]), abs(start - it["start"] - it["skew"]))
            return it["restart"] != row["restart"], far, told[id(it)]

        return min(same, key=distance, default=None)

    def instance(self, pod, row, it):
        self.say("container: kind", row["kind"] == it["kind"], pod, row, it)
        if (gone := epoch(row["pod_removed_at"])) is not None:
            right = pod.until is not None and abs(gone - pod.until) <= MARGIN
            self.say("container: pod_removed_at", right, pod, row, it)
        if row["node"] is not None:
            self.say("container: node", row["node"] == it["node"], pod, row, it)
        if row["exit_code"] is not None:
            true = 137 if it["vague"] else it["exit"]
            self.say("container: exit_code", row["exit_code"] == true, pod, row, it)
        if row["reason"] is not None:
            true = {it["reason"]} | ({"ContainerStatusUnknown"} if it["vague"] else set())
            self.say("container: reason", row["reason"] in true, pod, row, it)
        self.time("container: started_at", pod, row, it, epoch(row["started_at"]), it["start"])
        if row["end_seen"]:
            told = epoch(row["ended_at"])
            self.time("container: ended_at", pod, row, it, told, self.end(pod, row, it, told))
        elif row["ended_at"] is not None:
            self.end_unseen(pod, row, it)
        elif it["end"] is not None or (pod.until is not None and not runs_on(row)):
            self.running(pod, row, it)
        self.why(pod, row, it)

    @staticmethod
    def end(pod, row, it, told):
        """When it ended. A row of one that was started again covers all runs under its ID: the nearest of their ends."""
        if "started again" not in row["unknown"]:
            return it["end"]
        runs = [run["end"] for run in pod.instances if (run["container"], run["id"]) == (it["container"], it["id"])]
        return min(filter(None, runs), key=lambda end: abs(end - told), default=None)

    def time(self, kind, pod, row, it, told, true):
        if told is None:
            self.check_.differences[f"{kind}: not known"] += 1
            return
        right = true is not None and abs(told - true) <= MARGIN
        by_node = true is not None and it["skew"] and abs(told - true - it["skew"]) <= MARGIN
        if by_node and clock_marked(row):
            self.check_.differences[f"{kind}: by the node's clock, and marked"] += 1
        else:
            self.say(kind, right, pod, row, it)

    def end_unseen(self, pod, row, it):
        """Told as over, at the latest at `ended_at`, though nobody reported the end."""
        over = epoch(row["ended_at"])
        if it["end"] is not None and it["end"] <= over + MARGIN:
            self.check_.checked["container: over by ended_at"] += 1
        elif pod.until is not None and pod.until <= over + MARGIN and unsure(row):
            self.check_.differences["container: end not confirmed, ran on behind its pod"] += 1
        else:
            self.say("container: over by ended_at", False, pod, row, it)

    def running(self, pod, row, it):
        """Told as running."""
        if unsure(row):
            self.check_.differences["container: whether it runs is not known"] += 1
        elif end_given(pod, it) or (pod.until is not None and pod.removal_given):
            self.say("container: runs", False, pod, row, it)
        else:
            self.check_.differences["container: told as running, its end was lost"] += 1

    def why(self, pod, row, it):
        told = row["ended_why"]
        if told is None or it["end"] is None or told == "unknown":
            return
        if it["cause"] == "stopped":
            self.say("container: ended_why of what was stopped", told != "exited", pod, row, it)
        ending = pod.ending_since()
        if it["cause"] == "own" and (ending is None or it["end"] < ending - MARGIN):
            self.say("container: ended_why of what exited", told in ("exited", "finished"), pod, row, it)

    def meanwhile(self, sample):
        """What runs was never told as over, but by what is said not to be confirmed."""
        told = collections.Counter()
        for row in sample.containers:
            pod = self.check_.truth.pods.get(row["pod_uid"])
            it = pod and self.match(pod, row, told)
            if it is None:
                continue
            told[id(it)] += 1
            runs = it["start"] < sample.at - MARGIN and (it["end"] is None or sample.at + MARGIN < it["end"])
            if runs and pod.lives_at(sample.at, MARGIN):
                # With a deleted node it ends a minute later, unless the node comes back.
                right = row["ended_at"] is None or unsure(row) and epoch(row["ended_at"]) > sample.at
                self.say("meanwhile: container runs", right, pod, {"asked at": sample.at, **row}, it)

    def at_an_instant(self, sample):
        told = {self.key(row): row for row in sample.containers}
        for key, it in self.matched.items():
            pod = self.check_.truth.pods[key[0]]
            row = self.row(key)
            ends = (it["end"], None if runs_on(row) else pod.until)
            over = min((at for at in ends if at is not None), default=None)
            # Of a mirror pod the containers may be older than itself.
            began = max(it["start"], pod.since)
            ran = began + MARGIN < sample.at and (over is None or sample.at < over - MARGIN)
            if runs_on(row) and pod.until is not None and sample.at > pod.until - MARGIN:
                # Whether it counts as its pod's from then on is a matter of words.
                continue
            if ran and key not in told and unsure(row):
                self.check_.differences["at an instant: whether it ran is not known"] += 1
            elif ran:
                self.say("at an instant: container runs", key in told, pod, {"not there at": sample.at, **row}, it)
            elif key in told and sample.at < it["start"] - MARGIN:
                self.say("at an instant: container is not there yet", False, pod, {"there at": sample.at, **row}, it)
            elif key in told and over is not None and over + MARGIN < sample.at:
                self.over(pod, it, row, sample.at)

    def over(self, pod, it, row, at):
        if not row["end_seen"] and row["ended_at"] and at <= epoch(row["ended_at"]):
            # "At the latest then" is what an end that nobody reported says.
            self.check_.differences["at an instant: there until the latest end that is possible"] += 1
        elif unsure(row) or not (end_given(pod, it) or (pod.until is not None and pod.removal_given)):
            self.check_.differences["at an instant: there, its end was lost"] += 1
        else:
            self.say("at an instant: container is over", False, pod, {"there at": at, **row}, it)

    def row(self, key):
        if not hasattr(self, "by_key"):
            self.by_key = {self.key(row): row for row in self.check_.answers.containers}
        return self.by_key[key]


def odd(instance):
    """What is odd about how the node tells of it, to group by."""
    words = [word for word in ODDITIES if word in instance["oddities"]] + ["clock"] * bool(instance["skew"])
    return f" [{', '.join(words)}]" if words else ""


def brief(instance):
    return {key: instance[key] for key in ("container", "kind", "restart", "id", "start", "end", "exit", "reason",
                                           "cause", "node", "skew", "vague", "oddities")}


def started_given(pod, container):
    """Whether bygone was given a status that shows that the container had started."""
    for event in pod.events:
        answer = event.pod()
        if event.given and event.succeeded() and answer is not None:
            for status in statuses({"status": answer.get("status", {})}):
                shown = {**status.get("state", {}), **status.get("lastState", {})}
                if status["name"] == container and shown.keys() & {"running", "terminated"}:
                    return True
    return False


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
