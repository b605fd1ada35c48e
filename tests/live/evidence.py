"""What really happened, put together from what a run wrote down.

Three sources: the changes of etcd (record.py) tell what the API held, whoever was killed; the
API server's audit log and the bodies that bygone acknowledged tell who asked for what, and
which of it bygone was given; the kubelets tell what ran.
"""

import dataclasses
import datetime
import json

# How far apart the same thing may be in two of the sources, in seconds.
NEAR = 2.0
# A watch that cannot connect tries again after at most so many seconds.
RETURN = 16.0


def epoch(text):
    """RFC 3339 to seconds since 1970; None stays None."""
    return None if text is None else datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@dataclasses.dataclass
class Event:
    """An audit event of a write to a pod, or of one that ends pods."""
    id: str
    received: float
    at: float
    user: str
    verb: str
    subresource: str
    namespace: str
    name: str
    code: int
    dry: bool
    options: dict
    answer: dict
    # Whether bygone acknowledged it.
    given: bool
    raw: dict

    def succeeded(self):
        return 200 <= self.code < 300 and not self.dry

    def pod(self):
        """The pod that the answer holds."""
        return self.answer if self.answer.get("kind") == "Pod" and "metadata" in self.answer else None


@dataclasses.dataclass
class Asked:
    """A request for the end of a pod that was carried out."""
    received: float
    at: float
    by: str
    forced: bool
    given: bool


@dataclasses.dataclass
class Pod:
    uid: str
    namespace: str
    name: str
    created: float  # as the object says, whole seconds
    since: float  # when etcd had it
    until: float | None = None  # when etcd had it no more
    states: list = dataclasses.field(default_factory=list)  # (at, object), as etcd had them
    workloads: set = dataclasses.field(default_factory=set)  # (kind, name) of top owners it had
    asked: list = dataclasses.field(default_factory=list)
    creator: str | None = None
    events: list = dataclasses.field(default_factory=list)
    # Whether bygone was given something that says that it was gone.
    removal_given: bool = False
    instances: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)

    def lives_at(self, at, margin):
        return self.since + margin < at and (self.until is None or at < self.until - margin)

    def node(self):
        return self.states[-1][1]["spec"].get("nodeName")

    def phases(self):
        return [state["status"].get("phase") for _, state in self.states]

    def labels(self):
        return [state["metadata"].get("labels", {}) for _, state in self.states]

    def addresses(self):
        return {it["ip"] for _, state in self.states for it in state["status"].get("podIPs") or []}

    def had_address(self, ip, at, margin):
        """By what the API held, until it had finished."""
        ends = [then for then, _ in self.states[1:]] + [self.until]
        for (begin, state), end in zip(self.states, ends):
            status = state["status"]
            if status.get("phase") in ("Succeeded", "Failed"):
                continue
            if any(it["ip"] == ip for it in status.get("podIPs") or []):
                if begin - margin < at and (end is None or at < end + margin):
                    return True
        return False

    def restarts(self):
        """The highest sum of restarts that it ever told, by container."""
        highest = {}
        for _, state in self.states:
            for status in statuses(state):
                highest[status["name"]] = max(highest.get(status["name"], 0), status["restartCount"])
        return sum(highest.values())

    def ending_since(self):
        """When the API first held that it was to go, or did not hold it any more."""
        marked = [at for at, state in self.states if "deletionTimestamp" in state["metadata"]]
        return min(marked + ([self.until] if self.until else []), default=None)

    def finished_at(self):
        return next((at for at, state in self.states if state["status"].get("phase") in ("Succeeded", "Failed")), None)

    def first_asked(self):
        """The first request for its end; None where nobody asked, or where no event tells of it."""
        first = min(self.asked, key=lambda it: it.at, default=None)
        since = self.ending_since()
        return first if first and since and first.received <= since + NEAR else None


def statuses(pod):
    return [status for field in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
            for status in pod["status"].get(field) or []]


@dataclasses.dataclass
class Truth:
    pods: dict  # by uid
    uses: list  # of addresses: ip, uid, since, until
    ended: float  # when the recording ended
    clocks: dict  # by node: how far its clock is off, in seconds


def lines(path):
    """The lines of a file as JSON; what a kill cut off is left out."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            try:
                yield json.loads(line)
            except ValueError:
                pass


# --- etcd ---


def read_pods(changes):
    pods, owners = {}, {}
    changes = list(changes)
    for change in changes:
        kind = change["key"].split("/")[2]
        if kind in ("replicasets", "jobs"):
            owners[change["object"]["metadata"]["uid"]] = controller(change["object"])
    for change in changes:
        if not change["key"].startswith("/registry/pods/"):
            continue
        state, at = change["object"], change["at"]
        meta = state["metadata"]
        pod = pods.setdefault(meta["uid"], Pod(meta["uid"], meta["namespace"], meta["name"],
                                               epoch(meta["creationTimestamp"]), at))
        if change["do"] == "delete":
            pod.until = at
            continue
        state.setdefault("status", {})
        pod.states.append((at, state))
        if owner := controller(state):
            top = owners.get(owner["uid"]) or owner
            pod.workloads |= {(it["kind"], it["name"]) for it in (owner, top)}
    return pods


def controller(item):
    return next((it for it in item["metadata"].get("ownerReferences", []) if it.get("controller")), None)


# --- events ---


def account(raw):
    name = raw["user"].get("username", "")
    other = raw.get("impersonatedUser", {}).get("username")
    return f"{name} as {other}" if other else name


def read_event(raw, given):
    reference = raw.get("objectRef", {})
    options = raw.get("requestObject") or {}
    options = options.get("deleteOptions") or options if reference.get("subresource") == "eviction" else options
    return Event(
        id=raw["auditID"], received=epoch(raw.get("requestReceivedTimestamp", raw["stageTimestamp"])),
        at=epoch(raw["stageTimestamp"]), user=account(raw), verb=raw["verb"],
        subresource=reference.get("subresource", ""), namespace=reference.get("namespace", ""),
        name=reference.get("name", ""), code=raw.get("responseStatus", {}).get("code", 0),
        dry=bool(options.get("dryRun")) or "dryRun=" in raw.get("requestURI", ""), options=options,
        answer=raw.get("responseObject") or {}, given=given, raw=raw)


def read_events(logged, acknowledged):
    """Events about pods, each once, in order of time."""
    given = {}
    for body in acknowledged:
        for raw in body["items"]:
            given[raw["auditID"], raw["stage"]] = raw
    every = dict(given)
    for raw in logged:
        every.setdefault((raw["auditID"], raw["stage"]), raw)
    events = [read_event(raw, key in given) for key, raw in every.items()
              if raw.get("objectRef", {}).get("resource") == "pods" and raw["stage"] == "ResponseComplete"]
    return sorted(events, key=lambda event: event.at)


def asks(event):
    """Whether it is a request for the end of pods."""
    if event.subresource == "eviction":
        return event.verb == "create"
    return not event.subresource and event.verb in ("delete", "deletecollection")


def forces(event):
    return event.options.get("gracePeriodSeconds") == 0 or "gracePeriodSeconds=0" in event.raw.get("requestURI", "")


def attach(pods, events):
    by_name = {}
    for pod in pods.values():
        by_name.setdefault((pod.namespace, pod.name), []).append(pod)
    for event in events:
        for pod in meant(event, pods, by_name):
            pod.events.append(event)
            if not event.succeeded():
                continue
            if event.verb == "create" and not event.subresource:
                pod.creator = event.user
            if asks(event):
                pod.asked.append(Asked(event.received, event.at, event.user, forces(event), event.given))
            if event.given and tells_removal(event, pod):
                pod.removal_given = True


def meant(event, pods, by_name):
    """The pods that an event is about."""
    if event.verb == "deletecollection":
        items = event.answer.get("items") or []
        return [pods[it["metadata"]["uid"]] for it in items if it.get("metadata", {}).get("uid") in pods]
    if answer := event.pod():
        return [pods[answer["metadata"]["uid"]]] if answer["metadata"].get("uid") in pods else []
    return [pod for pod in by_name.get((event.namespace, event.name), [])
            if pod.since - NEAR < event.at and (pod.until is None or event.at < pod.until + NEAR)]


def tells_removal(event, pod):
    """Whether it says that the pod was gone, or lets one conclude it."""
    if pod.until is None or event.at < pod.until - NEAR:
        return False
    answer = event.pod()
    if answer is None:
        # What leaves it time does not remove it.
        had_time = any(state["metadata"].get("deletionGracePeriodSeconds") for _, state in pod.states)
        return event.verb in ("delete", "deletecollection") and not had_time
    meta = answer["metadata"]
    return meta.get("deletionGracePeriodSeconds") == 0 and not meta.get("finalizers")


# --- all of it ---


def read(folder):
    """The truth of a run, from the files in its folder."""
    pods = read_pods(lines(f"{folder}/etcd.jsonl"))
    attach(pods, read_events(lines(f"{folder}/audit.log"), lines(f"{folder}/acknowledged.jsonl")))
    for instance in lines(f"{folder}/instances.jsonl"):
        if instance["uid"] in pods:
            pods[instance["uid"]].instances.append(instance)
    for note in lines(f"{folder}/notes.jsonl"):
        if note["uid"] in pods:
            pods[note["uid"]].notes.append(note)
    uses = list(lines(f"{folder}/addresses.jsonl"))
    run = next(lines(f"{folder}/run.json"))
    if set(run["sources"]) & {"watch", "etcd"}:
        # They see every removal while they run.
        for pod in pods.values():
            seen = pod.until is not None and not any(
                begin - NEAR < pod.until < end + RETURN for begin, end in run["absences"])
            pod.removal_given = pod.removal_given or seen
    return Truth(pods, uses, run["ended"], run["clocks"])
