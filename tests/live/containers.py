"""What the imagined containers of one pod do, by the true clock. No I/O: time comes in as a value.

A container does what its command says: `live run=SECONDS exit=CODE stop=SECONDS`. Without
`run` it runs until it is stopped, and takes `stop` seconds (0.3) to end after that.
"""

import dataclasses
import hashlib


@dataclasses.dataclass
class Instance:
    """One run of a container, as its node knows it. Times are seconds since 1970, by a right clock."""
    uid: str
    namespace: str
    pod: str
    node: str
    container: str
    kind: str
    # As the kubelet told them; id is empty where it told none.
    restart: int
    id: str
    start: float
    # How far the node's clock is off, in seconds.
    skew: float
    # What is odd about how its kubelet tells of it: words of kubelet.MANNERS.
    oddities: list
    end: float | None = None
    exit: int | None = None
    reason: str | None = None
    # Why it ended: own (by itself), stopped (by its kubelet), lost (its machine went).
    cause: str | None = None
    # Whether its end is told without id and times (ContainerStatusUnknown).
    vague: bool = False


def program(container):
    """The command of a container as values."""
    values = dict(word.split("=", 1) for word in container.get("command", []) if "=" in word)
    return {"run": float(values["run"]) if "run" in values else None,
            "exit": int(values.get("exit", 0)), "stop": float(values.get("stop", 0.3))}


class Container:
    """One container of a pod over all its restarts."""

    def __init__(self, life, spec, kind):
        self.life = life
        self.name = spec["name"]
        self.kind = kind
        self.image = spec["image"]
        self.program = program(spec)
        self.runs = 0  # how many instances there were
        self.restart = 0  # as the kubelet counts
        self.now = None  # the newest instance
        self.before = None  # the one before, for lastState
        self.exits_at = None
        self.starts_at = None
        self.stopping = False
        self.kill_at = None
        self.backing_off = False

    def running(self):
        return self.now is not None and self.now.end is None

    def ended(self):
        return self.now is not None and self.now.end is not None

    def start(self, at):
        if self.now is not None:
            self.before = self.now
            self.restart += 1
        manners = self.life.manners
        if "recounts" in manners and self.runs == 2:
            self.restart = 0
        self.runs += 1
        text = f"{self.life.uid}/{self.name}" + ("" if "shares-ids" in manners else f"/{at}")
        self.now = Instance(
            uid=self.life.uid, namespace=self.life.namespace, pod=self.life.name, node=self.life.node,
            container=self.name, kind=self.kind, restart=self.restart,
            id="" if "no-ids" in manners else hashlib.sha256(text.encode()).hexdigest(),
            start=at, skew=self.life.skew, oddities=sorted(manners))
        self.life.instances.append(self.now)
        run = self.program["run"]
        self.exits_at = None if run is None else at + run
        self.starts_at = None
        self.backing_off = False

    def end(self, at, code, reason, cause):
        self.now.end, self.now.exit, self.now.reason, self.now.cause = at, code, reason, cause
        self.exits_at = None

    def stop(self, at, kill_at):
        """The kubelet asks it to end; it is killed at `kill_at`."""
        if not self.running():
            return
        if not self.stopping:
            if self.exits_at is not None and self.exits_at <= at:
                # It was over before, and this node is late to notice.
                return
            self.stopping = True
            wish = at + self.program["stop"]
            self.exits_at = min(wish, self.exits_at) if self.exits_at else wish
        self.exits_at = min(self.exits_at, max(kill_at, at))
        self.kill_at = kill_at

    def advance(self, at, may_restart):
        """Ends, restarts or starts what is due."""
        if self.running() and self.exits_at is not None and at >= self.exits_at:
            if not self.stopping:
                code = self.program["exit"]
                self.end(self.exits_at, code, "Completed" if code == 0 else "Error", "own")
            elif self.exits_at >= self.kill_at:
                self.end(self.exits_at, 137, "Error", "stopped")
            else:
                self.end(self.exits_at, 143, "Error", "stopped")
        if not self.ended() or not may_restart or self.stopping:
            return
        if self.starts_at is None:
            # The first restart comes soon, later ones are backed off from.
            self.starts_at = at + (0.8 if self.runs == 1 else min(2.0 * self.runs, 8))
            self.backing_off = self.runs > 1
        elif at >= self.starts_at:
            self.start(at)


class Life:
    """A pod on its node."""

    def __init__(self, pod, node, skew, manners, at):
        meta = pod["metadata"]
        self.uid, self.namespace, self.name = meta["uid"], meta["namespace"], meta["name"]
        self.node, self.skew, self.manners = node, skew, manners
        self.pod = pod
        self.accepted = at
        self.sandbox_at = at + 0.3
        self.ip = None
        self.instances = []
        self.containers = []
        self.stopping_at = None
        # What the kubelet itself decided: a reason of the status, such as Evicted.
        self.verdict = None
        self.gone = False
        self.adopt(pod)

    def adopt(self, pod):
        """Takes what the API says of the pod now."""
        self.pod = pod
        known = {container.name for container in self.containers}
        for field, kind in (("initContainers", "init"), ("containers", "app"), ("ephemeralContainers", "ephemeral")):
            for spec in pod["spec"].get(field, []):
                if spec["name"] not in known:
                    sidecar = kind == "init" and spec.get("restartPolicy") == "Always"
                    self.containers.append(Container(self, spec, "sidecar" if sidecar else kind))

    def annotation(self, name):
        return self.pod["metadata"].get("annotations", {}).get(f"live/{name}")

    def of_kind(self, *kinds):
        return [container for container in self.containers if container.kind in kinds]

    def finished(self):
        """Its containers have ended for good."""
        if self.verdict:
            return not any(container.running() for container in self.containers)
        if any(self.failed_for_good(container) for container in self.of_kind("init")):
            return True
        return all(container.ended() and not self.restarts(container) for container in self.of_kind("app"))

    def failed_for_good(self, container):
        return container.ended() and container.now.exit != 0 and not self.restarts(container)

    def restarts(self, container):
        if container.kind == "sidecar":
            return not self.verdict
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if container.kind == "ephemeral" or self.verdict or policy == "Never":
            return False
        # An init container of a pod that is always restarted has to succeed once.
        return container.now.exit != 0 or (policy == "Always" and container.kind == "app")

    def advance(self, at):
        if self.verdict is None:
            self.judge(at)
        if self.stopping_at is not None:
            self.stop(at)
        for container in self.containers:
            container.advance(at, self.stopping_at is None and self.restarts_now(container))
        if self.stopping_at is None and self.verdict is None and at >= self.sandbox_at and self.ip:
            self.start_next(at)

    def restarts_now(self, container):
        return container.now is not None and self.restarts(container)

    def judge(self, at):
        """What the kubelet decides by itself."""
        if reason := self.annotation("reject"):
            self.verdict = reason
        elif (seconds := self.annotation("evict-after")) and at >= self.accepted + float(seconds):
            self.verdict, self.stopping_at = "Evicted", at
        elif (seconds := self.pod["spec"].get("activeDeadlineSeconds")) and at >= self.accepted + seconds:
            if not self.finished():
                self.verdict, self.stopping_at = "DeadlineExceeded", at

    def delete(self, at):
        """The API says that it is to go."""
        self.stopping_at = self.stopping_at or at

    def vanish(self, at):
        """The API does not have it any more."""
        self.gone = True
        self.stopping_at = self.stopping_at or at

    def grace(self):
        meta = self.pod["metadata"]
        return meta.get("deletionGracePeriodSeconds", self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def stop(self, at):
        for container in self.containers:
            container.stop(at, self.stopping_at + (1 if self.verdict else self.grace()))

    def start_next(self, at):
        """Init containers one after the other, then all the others."""
        for container in self.of_kind("init", "sidecar"):
            if container.now is None:
                container.start(at)
            if container.kind == "init" and not (container.ended() and container.now.exit == 0):
                return
        for container in self.of_kind("app", "ephemeral"):
            if container.now is None:
                container.start(at)

    def at_rest(self):
        return not any(container.running() for container in self.containers)

    def lose(self, at):
        """Its machine ends without a word."""
        for container in self.containers:
            if container.running():
                container.end(at, 137, "Error", "lost")
        self.stopping_at = self.stopping_at or at
