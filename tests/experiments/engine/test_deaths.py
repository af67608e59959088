"""`kill -9` of the manager at each point between intent and acknowledgement, two at once, and what stays behind."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from ddl.experiments.engine.faults import POINTS, VARIABLE, point
from tests.experiments.beds.sshd import HOST, running_sshd
from tests.experiments.engine.lab import GO, Lab

LOCAL = (
    "after observation",
    "after attempt folder",
    "after intent",
    "after files",
    "after hand-over",
    "after acknowledgement",
)


def test_a_fault_point_does_nothing_by_itself(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    for name in POINTS:
        point(name)


def test_an_unknown_fault_point_is_refused():
    with pytest.raises(ValueError, match="Received: fault point nowhere"):
        point("nowhere")


def test_each_experiment_trains_once_wherever_its_manager_died(lab):
    lab.do("add", lab.spec(count=len(LOCAL)))
    for number, name in enumerate(LOCAL, 1):
        assert lab.start("submit", number, DDL_FAULT=name).wait(60) == -signal.SIGKILL, name
    assert lab.do("manage", "--every", "1s") == 0
    assert_each_trained_once(lab, len(LOCAL))


def test_managers_at_once_start_each_experiment_once(lab):
    lab.do("add", lab.spec(count=4))
    several = [lab.start("submit") for _ in range(4)]
    assert [one.wait(60) for one in several] == [0] * 4
    assert lab.do("manage", "--every", "1s") == 0
    assert_each_trained_once(lab, 4)


def kill_at_random(lab: Lab, numbers: range, seed: int = 0) -> int:
    """Submit experiments, and kill each manager at a random moment. Return how many had not ended by themselves."""
    chance = random.Random(seed)
    killed = 0
    for number in numbers:
        manager = lab.start("submit", number)
        deadline = time.monotonic() + chance.uniform(0.2, 2.5)
        while time.monotonic() < deadline and manager.poll() is None:
            time.sleep(0.005)
        killed += manager.poll() is None
        manager.kill()
        manager.wait(30)
    lab.do("submit")
    return killed


def assert_each_trained_once(lab: Lab, count: int) -> None:
    """Check by the command's own log that each experiment trained once, from start to end."""
    assert lab.states() == ["finished"] * count, lab.story()
    for number in range(1, count + 1):
        assert [one.how for one in lab.trained(number)] == ["end"], lab.story()


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_each_experiment_on_a_server_trains_once_whenever_its_manager_died(lab):
    nodes = {"server": {"ssh": HOST, "slots": 2}}
    environ = {"DDL_NODE_HOME": os.environ["DDL_NODE_HOME"], "DDL_AGENT_PACE": "0.1"}
    with running_sshd(lab.path / "sshd", **environ):
        lab.do("add", lab.spec(count=20, nodes=nodes))
        for number, name in enumerate((*LOCAL, "after fetch"), 1):
            assert lab.start("submit", number, DDL_FAULT=name).wait(120) == -signal.SIGKILL, name
        assert kill_at_random(lab, range(8, 21)) >= 5
        assert lab.do("manage", "--every", "1s") == 0
        assert_each_trained_once(lab, 20)


@pytest.mark.long("managers")
@pytest.mark.timeout(3600)
def test_each_of_100_experiments_trains_once_whenever_its_manager_died(lab):
    lab.do("add", lab.spec(count=100))
    assert kill_at_random(lab, range(1, 101)) >= 30
    assert lab.do("manage", "--every", "1s") == 0
    assert_each_trained_once(lab, 100)


@pytest.mark.proof
def test_a_stop_whose_manager_died_is_still_a_stop(lab):
    lab.submit(seconds=GO)
    lab.wait(lambda: lab.trained())
    assert lab.start("stop", 1, DDL_FAULT="after stop").wait(120) == -signal.SIGKILL
    lab.sync_until(lambda: lab.states() == ["stopped"])
    assert [one.how for one in lab.trained()] == ["stopped"]
    lab.wait(lab.quiet)
