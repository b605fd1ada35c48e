#!/usr/bin/env python3
"""What the imagined containers do, and how kubelets tell it."""

import unittest

import kubelet
from containers import Life
from workload import container, spec

BEGAN = 1_800_000_000.0


def pod(*containers, annotations=None, **fields):
    return {"metadata": {"uid": "5e0a8a1c-0000-4000-8000-000000000001", "namespace": "shop", "name": "web-0",
                         "annotations": annotations or {}},
            "spec": spec(*containers, **fields)}


class Containers(unittest.TestCase):
    def lives(self, body, seconds, deleted=None, manners=()):
        """A life after so many seconds, in steps of a quarter; `deleted`: when the API says that it is to go."""
        life = Life(body, "node-0", 0, set(manners), BEGAN)
        life.ip = "10.244.0.2"
        at = BEGAN
        while at < BEGAN + seconds:
            at += 0.25
            if deleted is not None and at >= BEGAN + deleted:
                life.delete(at)
            life.advance(at)
        return life

    def told(self, life):
        return [(it.container, round(it.start - BEGAN, 2), it.end and round(it.end - BEGAN, 2), it.exit, it.cause)
                for it in life.instances]

    def test_runs_until_it_is_stopped(self):
        self.assertEqual(self.told(self.lives(pod(), 20)), [("main", 0.5, None, None, None)])
        stopped = self.lives(pod(), 20, deleted=5)
        self.assertEqual(self.told(stopped), [("main", 0.5, 5.3, 143, "stopped")])

    def test_is_killed_when_its_grace_is_over(self):
        stubborn = self.lives(pod(container(stop=60)), 20, deleted=5)
        self.assertEqual(self.told(stubborn), [("main", 0.5, 8.0, 137, "stopped")])

    def test_ends_by_itself(self):
        once = self.lives(pod(container(run=2, code=3), restartPolicy="Never"), 20)
        self.assertEqual(self.told(once), [("main", 0.5, 2.5, 3, "own")])
        self.assertTrue(once.finished())

    def test_crashes_again_and_again(self):
        loop = self.lives(pod(container(run=1, code=1)), 8)
        self.assertEqual(self.told(loop)[:2], [("main", 0.5, 1.5, 1, "own"), ("main", 2.5, 3.5, 1, "own")])
        self.assertEqual([it.restart for it in loop.instances][:2], [0, 1])

    def test_init_containers_come_first(self):
        life = self.lives(pod(container(), initContainers=[container("first", run=2)]), 10)
        self.assertEqual(self.told(life), [("first", 0.5, 2.5, 0, "own"), ("main", 2.5, None, None, None)])

    def test_deadline_and_eviction(self):
        late = self.lives(pod(activeDeadlineSeconds=4), 10)
        self.assertEqual((late.verdict, late.instances[0].cause), ("DeadlineExceeded", "stopped"))
        evicted = self.lives(pod(annotations={"live/evict-after": "4"}), 10)
        self.assertEqual((evicted.verdict, evicted.instances[0].cause), ("Evicted", "stopped"))

    def test_ids(self):
        def ids(*manners):
            return {it.id for it in self.lives(pod(container(run=1, code=1)), 4, manners=manners).instances}

        self.assertEqual(len(ids()), 2)
        self.assertEqual(len(ids("shares-ids")), 1)
        self.assertEqual(ids("no-ids"), {""})

    def test_addresses_are_used_again_at_once(self):
        addresses = kubelet.Addresses(0)
        first = addresses.take("a", 1)
        addresses.give_back(first, "a", 2)
        self.assertEqual(addresses.take("b", 3), first)
        addresses.give_back(first, "a", 4)
        self.assertEqual([(use["uid"], use["until"]) for use in addresses.uses], [("a", 2), ("b", None)])


if __name__ == "__main__":
    unittest.main()
