"""`kill -9` of the manager at each point between intent and acknowledgement, two at once, and what stays behind."""

from __future__ import annotations

import random
import signal
import time

import pytest

from ddl.experiments.engine.faults import POINTS, VARIABLE, point
from tests.experiments.engine.lab import Lab

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


def kill_at_random(lab: Lab, times: int, seed: int = 0) -> int:
    """Kill managers at random moments. Return how many were killed before they had ended by themselves."""
    chance = random.Random(seed)
    lab.do("add", lab.spec(count=times))
    killed = 0
    for number in range(1, times + 1):
        manager = lab.start("submit", number)
        deadline = time.monotonic() + chance.uniform(0.2, 2.5)
        while time.monotonic() < deadline and manager.poll() is None:
            time.sleep(0.005)
        killed += manager.poll() is None
        manager.kill()
        manager.wait(30)
    lab.do("submit")
    lab.do("manage", "--every", "1s")
    return killed


def assert_each_trained_once(lab: Lab, count: int) -> None:
    """Check by the command's own log that each experiment trained once, from start to end."""
    assert lab.states() == ["finished"] * count, lab.story()
    for number in range(1, count + 1):
        assert [one.how for one in lab.trained(number)] == ["end"], lab.story()


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_each_experiment_trains_once_whenever_its_manager_died(lab):
    assert kill_at_random(lab, 20) >= 5
    assert_each_trained_once(lab, 20)
