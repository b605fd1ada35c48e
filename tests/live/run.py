#!/usr/bin/env python3
"""Compares bygone with a real Kubernetes control plane, with kills, and looks for false answers.

    tests/live/build.sh v1.37.2 DIR
    tests/live/run.py --bin DIR --bygone target/debug/bygone --minutes 6 --seed 1 --out OUT
    tests/live/run.py --out OUT --check

Several threads act on pods like people and controllers (workload.py); six simulated nodes run
them, most with misbehaving kubelets (kubelet.py). Meanwhile the API server is killed three times
and bygone nine times, with SIGKILL, a third of it in the last quarter of the run; with --away it
once stays away for longer than etcd and the API server keep what happened. Then "bygone
get" is queried for everything, and for random instants, and each answer is compared with
what etcd held and what the nodes ran (evidence.py, checker.py, instances.py). Needs Python 3.11
and openssl; everything is on loopback.

OUT gets the records of the run, and the verdict: report.txt, falsehoods.jsonl, and under events/
the API server's events about each affected pod; those with "given": false never reached bygone.
--check evaluates a former run again. Exit code: 0, 1 if an answer was false, 2 if the run itself
failed.
"""

import argparse
import collections
import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import checker
import evidence
from bygone import AUDIT_ID, Bygone, Relay
from cluster import Cluster, Unanswered, wait_until
from kubelet import NODES, Nodes
from workload import Workload

WORKERS = 6
SAMPLES = 30
ADDRESS_SAMPLES = 150
QUESTION_SECONDS = 15
# How long scenarios may take to end by themselves.
OVERTIME_SECONDS = 30

# Of rows, in the report; falsehoods.jsonl has everything.
NOT_SHOWN = {"cluster", "workload_kind", "workload", "pod_uid", "runtime", "image", "image_id", "labels", "kind",
             "service_account", "signal", "ended_cause"}

STAGE_AT = re.compile(rb'"stageTimestamp":"([^"]+)"')


def stage_at(line):
    return evidence.epoch(STAGE_AT.search(line)[1].decode())


def write_lines(path, values):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(value) + "\n" for value in values)


def kill_times(rng, count, begin, end):
    """Random moments; the last third of them in the last quarter of the run."""
    late = min(count, max(1, count // 3))
    last = begin + (end - begin) * 0.75
    times = [rng.uniform(begin + (end - begin) * 0.1, last) for _ in range(count - late)]
    return sorted(times + [rng.uniform(last, end) for _ in range(late)])


def sources(text):
    """The names of sources in an argument."""
    named = set(text.split(","))
    if not named <= {"audit", "watch", "etcd"}:
        raise argparse.ArgumentTypeError(f"invalid sources {text!r}: use audit, watch and etcd, with commas between")
    return named


class Run:
    def __init__(self, arguments):
        # Whoever stops a run stops what it started, too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
        self.out = os.path.abspath(arguments.out)
        self.seconds = arguments.minutes * 60
        self.seed = arguments.seed
        self.kill_counts = arguments.api_server_kills, arguments.bygone_kills
        self.away_seconds = arguments.away
        self.failures = []
        # --- what is started, in this order ---
        self.sources = arguments.sources
        self.bygone = Bygone(arguments.bygone, self.out)
        self.relay = Relay(self.bygone.ingest_port, f"{self.out}/acknowledged.jsonl", passes="audit" in self.sources)
        subjects = {name: node.subject for name, node in NODES.items()}
        self.cluster = Cluster(arguments.bin, self.out, self.relay.port, subjects)
        self.bygone.observe(self.sources, self.cluster.etcd_port)
        self.nodes = Nodes(self.cluster, self.seed)
        self.workload = Workload(self.cluster, self.nodes, self.seed)
        self.recorder = None

    def say(self, text):
        print(f"{time.time() - self.began:7.1f} s  {text}", flush=True)

    def go(self):
        self.began = time.time()
        try:
            self.bygone.start()
            self.say("bygone is ready")
            self.cluster.start()
            self.say("the control plane is ready")
            self.recorder = subprocess.Popen(
                [sys.executable, f"{os.path.dirname(os.path.abspath(__file__))}/record.py",
                 "--etcd", f"http://127.0.0.1:{self.cluster.etcd_port}", "--out", f"{self.out}/etcd.jsonl"])
            self.nodes.start()
            wait_until("the nodes", self.nodes_are_ready)
            self.workload.prepare()
            self.load()
            self.settle()
            self.write_truth()
            self.ask()
        finally:
            if self.recorder:
                self.recorder.terminate()
                self.recorder.wait()
            self.nodes.stop()
            self.cluster.stop()
            self.bygone.stop()

    def nodes_are_ready(self):
        nodes = self.cluster.client("reader")("GET", "/api/v1/nodes")["items"]
        return len([node for node in nodes if not node["spec"].get("taints")]) == len(NODES)

    # --- load and kills ---

    def load(self):
        self.load_began = time.time()
        end = self.load_began + self.seconds
        threads = [threading.Thread(target=self.guarded, args=(self.workload.run, index, end))
                   for index in range(WORKERS)]
        rng = random.Random(f"{self.seed}/kills")
        killed = (("kube-apiserver", self.cluster.kill_api_server), ("bygone", self.bygone.kill))
        away_at = self.load_began + (self.seconds - self.away_seconds) * 0.4
        for (name, kill), count in zip(killed, self.kill_counts):
            times = kill_times(rng, count, self.load_began, end)
            if name == "bygone" and self.away_seconds:
                times = [at for at in times if not away_at <= at < away_at + self.away_seconds]
            threads.append(threading.Thread(target=self.guarded, args=(self.kills, name, kill, times)))
        if self.away_seconds:
            threads.append(threading.Thread(target=self.guarded, args=(self.away, away_at)))
        threads.append(threading.Thread(target=self.guarded, args=(self.questions, end)))
        for thread in threads:
            thread.daemon = True
            thread.start()
        for thread in threads:
            thread.join(max(0, end + OVERTIME_SECONDS - time.time()))
        self.workload.stopped.set()
        for thread in threads:
            thread.join()
        self.load_ended = time.time()
        self.say(f"load is over: {dict(sorted(self.workload.counts.items()))}")
        self.workload.write(self.out)
        if failures := self.failures + self.nodes.failures:
            raise RuntimeError(failures[0])

    def kills(self, name, kill, times):
        for at in times:
            time.sleep(max(0, at - time.time()))
            self.say(f"kill {name}")
            kill()
            self.say(f"{name} is back")

    def away(self, at):
        """A bygone that is away for so long that nobody has what happened at first: its watches must list."""
        time.sleep(max(0, at - time.time()))
        lists = self.bygone.lists()
        self.say(f"kill bygone for {self.away_seconds:g} s")
        self.bygone.kill(self.away_seconds, self.cluster.compact)
        self.say("bygone is back")
        if self.bygone.observes:
            wait_until("a list after that", lambda: self.bygone.lists() > lists, 120, pause=1)

    def questions(self, end):
        """Asks about everything now and then. Where bygone is away there is no answer."""
        with open(f"{self.out}/meanwhile.jsonl", "w") as f:
            while time.time() < end:
                time.sleep(QUESTION_SECONDS)
                at = time.time()
                pods, containers = self.bygone.ask("pods", "--all"), self.bygone.ask("containers", "--all")
                if pods is not None and containers is not None:
                    f.write(json.dumps({"at": at, "pods": pods, "containers": containers}) + "\n")

    def guarded(self, work, *arguments):
        """A thread's failure is the run's."""
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001, it is raised again by `load`
            self.failures.append(f"{work.__name__}{arguments}: {error!r}")

    def settle(self):
        """Ends all but the API server, once no pod is on its way out, and waits for what bygone can still get."""
        self.say("waiting for the last removals")
        try:
            wait_until("the last removals", self.nothing_ends, 90, pause=1)
        except RuntimeError as error:
            self.say(f"{error}: going on without them")
        self.nodes.stop()
        self.cluster.stop_controllers()
        self.ended = time.time()
        self.say("waiting for the last events")
        # The API server's backoff is ten seconds at first, and grows.
        if "audit" in self.sources:
            wait_until("the last events", lambda: not self.behind(), 240, pause=2)
        if self.bygone.observes:
            wait_until("the watches", self.bygone.watches_everything, 120, pause=1)
        wait_until("storing what was acknowledged", self.bygone.stored_everything)

    def nothing_ends(self):
        try:
            pods = self.cluster.client("reader")("GET", "/api/v1/pods")["items"]
        except Unanswered:
            return False
        # A scenario that was cut short may have left a finalizer.
        return not any("deletionTimestamp" in pod["metadata"] and "finalizers" not in pod["metadata"] for pod in pods)

    def behind(self):
        """What the API server that runs now has logged and bygone has not acknowledged."""
        since = self.cluster.kills[-1] if self.cluster.kills else 0
        with open(f"{self.out}/audit.log", "rb") as f:
            # A former one can't have logged anything after its end.
            logged = {match[1] for line in f if (match := AUDIT_ID.search(line)) and stage_at(line) > since}
        return logged - self.relay.acknowledged

    # --- answers ---

    def write_truth(self):
        instances, uses = self.nodes.truth()
        write_lines(f"{self.out}/instances.jsonl", instances)
        write_lines(f"{self.out}/addresses.jsonl", uses)
        write_lines(f"{self.out}/run.json", [{
            "sources": sorted(self.sources), "clocks": {name: node.skew for name, node in NODES.items()},
            "began": self.load_began, "load ended": self.load_ended, "ended": self.ended,
            "kills of kube-apiserver": self.cluster.kills, "kills of bygone": self.bygone.kills,
            "absences": self.cluster.absences + self.bygone.absences}])

    def ask(self):
        self.say("asking")
        rng = random.Random(f"{self.seed}/questions")
        pods, containers = self.rows("pods", "--all"), self.rows("containers", "--all")
        samples = []
        for _ in range(SAMPLES):
            at = rng.uniform(self.load_began, self.ended)
            samples.append({"at": at, "pods": [row["pod_uid"] for row in self.rows("pods", "--at", rfc3339(at))],
                            "containers": self.rows("containers", "--at", rfc3339(at))})
        addresses = []
        uses = list(evidence.lines(f"{self.out}/addresses.jsonl"))
        for _ in range(ADDRESS_SAMPLES):
            use = rng.choice(uses)
            at = rng.uniform(use["since"], use["until"] or self.ended)
            rows = self.rows("pods", "--ip", use["ip"], "--at", rfc3339(at))
            addresses.append({"ip": use["ip"], "at": at, "pods": [row["pod_uid"] for row in rows]})
        with open(f"{self.out}/answers.json", "w") as f:
            json.dump({"pods": pods, "containers": containers, "samples": samples, "addresses": addresses}, f)
        self.say(f"{len(pods)} pods, {len(containers)} container instances told")

    def rows(self, *question):
        rows = self.bygone.ask(*question)
        if rows is None:
            raise RuntimeError(f"bygone get {' '.join(question)} failed")
        return rows


def rfc3339(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f"{at % 1:.3f}"[1:] + "Z"


# --- the verdict ---


def judge(out):
    truth = evidence.read(out)
    with open(f"{out}/answers.json") as f:
        raw = json.load(f)
    answers = checker.Answers(raw["pods"], raw["containers"],
                              [checker.Sample(**it) for it in raw["samples"]],
                              [checker.AddressSample(**it) for it in raw["addresses"]],
                              [checker.Meanwhile(**it) for it in evidence.lines(f"{out}/meanwhile.jsonl")])
    verdict = checker.Check(truth, answers).run()
    text = report(truth, answers, verdict)
    with open(f"{out}/report.txt", "w") as f:
        f.write(text)
    print(text, end="")
    write_lines(f"{out}/falsehoods.jsonl", map(dataclasses.asdict, verdict.falsehoods))
    write_events(out, truth, {it.uid for it in verdict.falsehoods})
    return 1 if verdict.falsehoods else 0


def report(truth, answers, verdict):
    def short(value):
        kept = {key: it for key, it in value.items() if key not in NOT_SHOWN} if isinstance(value, dict) else value
        return json.dumps(kept)

    def table(title, counts):
        rows = sorted((kind, count) for kind, count in counts.items() if count)
        return [title, *(f"{count:8}  {kind}" for kind, count in rows), ""]

    lost = sum(not event.given for pod in truth.pods.values() for event in pod.events)
    instances = sum(len(pod.instances) for pod in truth.pods.values())
    false = collections.Counter(it.kind for it in verdict.falsehoods)
    out = [f"{len(truth.pods)} pods and {instances} container instances in truth; "
           f"{len(answers.pods)} and {len(answers.containers)} told; {lost} events about pods were lost", ""]
    out += table("Statements that were checked:", verdict.checked)
    out += table("Differences, none of them false:", verdict.differences)
    out += table(f"Falsehoods, {len(verdict.falsehoods)} in all:", false)
    for kind in sorted(false):
        some = [it for it in verdict.falsehoods if it.kind == kind][:3]
        out += [f"{kind}:", *(f"  {it.uid}\n    told {short(it.told)}\n    true {short(it.true)}" for it in some), ""]
    return "\n".join(out)


def write_events(out, truth, uids):
    """For each pod what a developer needs to make a test of it."""
    os.makedirs(f"{out}/events", exist_ok=True)
    for uid in uids & truth.pods.keys():
        write_lines(f"{out}/events/{uid}.jsonl",
                    [{"given": event.given, "event": event.raw} for event in truth.pods[uid].events])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", metavar="DIR", help="the binaries of build.sh")
    parser.add_argument("--bygone", metavar="PATH", help="the program under test")
    parser.add_argument("--minutes", type=float, default=6, help="duration of the load (default 6)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the workload, the kubelets and the kills (default 1)")
    parser.add_argument("--sources", type=sources, default={"audit"}, metavar="SOURCES",
                        help="what bygone gets, with commas between: audit (events), watch (of the API), etcd (default "
                             "audit)")
    parser.add_argument("--api-server-kills", type=int, default=3, metavar="N")
    parser.add_argument("--bygone-kills", type=int, default=9, metavar="N")
    parser.add_argument("--away", type=float, default=0, metavar="SECONDS",
                        help="kill bygone once for this long, and compact etcd meanwhile; at least 150, so that the API "
                             "server's watch cache forgets as well (default 0: not at all)")
    parser.add_argument("--out", metavar="DIR", required=True, help="an empty folder, or with --check the folder of a run")
    parser.add_argument("--check", action="store_true", help="evaluate a former run again")
    arguments = parser.parse_args()
    if not arguments.check:
        if not arguments.bin or not arguments.bygone:
            parser.error("--bin and --bygone are required")
        os.makedirs(arguments.out, exist_ok=True)
        if os.listdir(arguments.out):
            parser.error(f"{arguments.out} is not empty")
        try:
            Run(arguments).go()
        except (RuntimeError, OSError) as error:
            print(f"run.py: {error}", file=sys.stderr)
            return 2
    return judge(arguments.out)


if __name__ == "__main__":
    sys.exit(main())
