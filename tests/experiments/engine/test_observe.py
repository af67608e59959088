"""Asking nodes: what is remembered of them, and that a slow one holds up no other."""

from __future__ import annotations

import threading
import time

import pytest

from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.backends.backend import Attempt, Seen, Submitted
from ddl.experiments.engine import observe
from ddl.experiments.engine.observe import gone_since, last_hand_over, remember
from ddl.experiments.engine.seen import NodeSeen
from ddl.experiments.engine.sync import sync
from ddl.experiments.problem import Unreachable
from ddl.experiments.store.store import create_store, set_wanted

WAITING, OVER = Seen(state="waiting"), Seen(state="ended")


class Fake:
    """A node that takes what it is given, after a while."""

    def __init__(self, node, delay_s=0.0, error=""):
        self.node, self.delay_s, self.error = node, delay_s, error
        self.taken: list[tuple[str, float]] = []
        self.released = threading.Event()

    def facts(self):
        """Answer late, or not at all."""
        self.released.wait(self.delay_s)
        if self.error:
            raise Unreachable(self.error)
        return {"host": self.node.name}

    def observe(self, attempts):
        """Have what was taken."""
        names = {name for name, _ in self.taken}
        return {each.name: [WAITING] if each.name in names else [] for each in attempts}

    def hand_over_all(self, attempts):
        """Take attempts."""
        self.taken += [(each.name, time.monotonic()) for each in attempts]
        return [Submitted("", self.node.name) for _ in attempts]

    def intent_parts(self, record, attempt_dir):
        """Add nothing to an intent."""
        return {}

    transport = None


@pytest.fixture
def nodes(lab, monkeypatch):
    """Return fakes of two nodes by name, for a store with an experiment for each."""
    monkeypatch.setattr(observe, "PATIENCE_S", 0.3)
    monkeypatch.setattr(observe, "LIMIT_S", 3.0)
    shared = {"ssh": "nowhere", "shared": True}
    spec = lab.spec(count=2, nodes={"slow": shared, "quick": shared}, node="quick")
    lab.do("add", spec)
    one, two = lab.view().experiments
    set_wanted(one.folder, want="run", node="slow")
    set_wanted(two.folder, want="run", node="quick")
    made: dict[str, Fake] = {}

    def open_node(node):
        return made.setdefault(node.name, Fake(node))

    return made, open_node


def test_a_slow_node_holds_up_no_other(lab, nodes):
    made, open_node = nodes
    slow = open_node(lab_node(lab, "slow"))
    slow.delay_s = 1.5
    begun = time.monotonic()
    report = sync(lab.store, open_node=open_node)
    (_, at) = made["quick"].taken[0]
    assert at - begun < 1.5
    assert len(slow.taken) == 1
    assert report.unreachable == {}


def test_a_node_that_never_answers_is_left_after_the_limit(lab, nodes):
    made, open_node = nodes
    slow = open_node(lab_node(lab, "slow"))
    slow.delay_s = 60.0
    report = sync(lab.store, open_node=open_node)
    slow.released.set()
    assert "did not answer within 3 s" in report.unreachable["slow"]
    assert (len(made["quick"].taken), len(slow.taken)) == (1, 0)
    assert report.waits["001-lr1"].startswith("slow: it did not answer")


def test_a_node_that_does_not_answer_gets_nothing_and_is_remembered(lab, nodes):
    _, open_node = nodes
    slow = open_node(lab_node(lab, "slow"))
    slow.error = "no route"
    report = sync(lab.store, open_node=open_node)
    assert report.unreachable == {"slow": "no route"}
    seen = read_json(lab.store / "seen" / "slow.json")
    assert (seen["reachable"], seen["error"]) == (False, "no route")
    slow.error = ""
    sync(lab.store, open_node=open_node)
    assert [name[-6:] for name, _ in slow.taken] == ["001-a1"]


def test_a_second_sync_does_nothing_new(lab, nodes):
    made, open_node = nodes
    sync(lab.store, open_node=open_node)
    assert sync(lab.store, open_node=open_node).actions == []
    assert [len(fake.taken) for fake in made.values()] == [1, 1]


def lab_node(lab, name):
    """Return a node of the lab's store."""
    from ddl.experiments.engine.nodes_file import nodes_of

    return nodes_of(lab.view().store)[0].nodes[name]


def attempt_in(tmp_path, created=100.0):
    """Return an attempt of which nothing but the intent is there."""
    from ddl.experiments.agent.layout import ExperimentFolder

    folder = ExperimentFolder(tmp_path / "001-x").attempt(1)
    folder.path.mkdir(parents=True)
    return Attempt(folder=folder, intent={"name": "n", "created": created})


@pytest.mark.parametrize(
    ("before", "jobs", "expected"),
    [
        ({}, [], {"n": 500.0}),
        ({"reachable": True, "gone_since": {"n": 400.0}}, [], {"n": 400.0}),
        ({"reachable": True, "gone_since": {"n": 50.0}}, [], {"n": 100.0}),  # before the intent
        ({"reachable": False, "gone_since": {"n": 400.0}}, [], {"n": 500.0}),
        ({"reachable": True, "gone_since": {"n": 400.0}}, [WAITING], {}),
        ({"reachable": True, "gone_since": {"n": 400.0}}, [OVER], {"n": 400.0}),
        ({"reachable": True, "gone_since": "damaged"}, [], {"n": 500.0}),
    ],
)
def test_a_job_is_gone_since_the_first_answer_without_it(tmp_path, before, jobs, expected):
    assert gone_since(before, {"n": jobs}, [attempt_in(tmp_path)], 500.0) == expected


def test_each_try_to_hand_over_starts_the_time_anew(tmp_path):
    attempt = attempt_in(tmp_path)
    assert last_hand_over(attempt) == 100.0
    write_json(attempt.folder.path / "again-1.json", {"time": 300.0})
    write_json(attempt.folder.path / "again-2.json", {"time": 200.0})
    assert last_hand_over(attempt) == 300.0
    known = {"reachable": True, "gone_since": {"n": 250.0}}
    assert gone_since(known, {"n": []}, [attempt], 500.0) == {"n": 300.0}


def test_a_node_is_unreachable_since_the_first_time(tmp_path):
    store = create_store(tmp_path / "store", "s")
    path = store.seen / "n.json"
    remember(store, "n", NodeSeen(jobs={"a": [WAITING]}, facts={"cores": 2}), 10.0)
    for now in (20.0, 30.0):
        remember(store, "n", NodeSeen(reachable=False, error="gone"), now)
    seen = read_json(path)
    assert (seen["since_unreachable"], seen["time"], seen["tried"]) == (20.0, 10.0, 30.0)
    assert seen["jobs"]["a"][0]["state"] == "waiting"  # what was seen last stays, with its age
    remember(store, "n", NodeSeen(), 40.0)
    assert read_json(path)["since_unreachable"] is None
