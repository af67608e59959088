"""What a real Slurm does at its worst, and that at most one attempt trains all the same. Minutes, not seconds."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import read_json
from ddl.experiments.backends.backend import Attempt, Backend, Submitted, open_backend
from ddl.experiments.backends.slurm import SlurmBackend
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Needs
from tests.experiments.backends.slurm_store import SlurmStore
from tests.experiments.beds import counting
from tests.experiments.beds.counting import Trainer, overlaps, trainers_of, weights_of
from tests.experiments.beds.slurm import SlurmBed
from tests.experiments.engine.lab import Lab
from tests.experiments.engine.test_deaths import assert_each_trained_once

pytestmark = pytest.mark.timeout(900)

LOST_S = 15
SUPERSEDED_S = 60.0


@pytest.fixture
def lone_slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., SlurmStore]]:
    """Return what starts a Slurm of its own with a store on it; both end with the test."""
    with contextlib.ExitStack() as stack:

        def start(nodes: int = 2, **settings: Any) -> SlurmStore:
            bed = stack.enter_context(SlurmBed(nodes=nodes, settings=settings))
            monkeypatch.setenv("HOME", str(tmp_path))
            monkeypatch.setenv("SLURM_CONF", bed.environment["SLURM_CONF"])
            return SlurmStore(bed, tmp_path / "store")

        yield start


class Counting:
    """An experiment that counts, and what it logged."""

    def __init__(self, store: SlurmStore, steps: int, step_s: float = 0.25, **fields: Any) -> None:
        """Make the experiment; it is wanted, and not handed over."""
        self.store = store
        self.steps = steps
        words = f'{sys.executable} {counting.__file__} "$DDL_RUN_DIR" {steps} {step_s}'
        self.experiment: ExperimentFolder = store.experiment(
            f"exec {words}", stop_signal="USR1", stop_grace_s=10, **fields
        )
        self.folder = self.experiment.run_dir

    def trainers(self) -> list[Trainer]:
        """Return who counted."""
        return trainers_of(self.folder / "log")

    def is_counting(self) -> bool:
        """Return whether steps were taken."""
        return any(trainer.steps for trainer in self.trainers())

    def is_done(self) -> bool:
        """Return whether the last step was taken."""
        return (self.folder / "weights").exists()

    def check(self) -> None:
        """Check that never two counted at once, and that nothing of the result is lost."""
        assert list(overlaps(self.trainers())) == []
        assert (self.folder / "weights").read_text() == weights_of(self.steps)
        taken = [step for trainer in self.trainers() for step in trainer.steps]
        assert sorted(taken) == list(range(1, self.steps + 1))

    def sync_until(self, is_true: Callable[[], Any], timeout_s: float, every_s: float = 1) -> None:
        """Sync again and again until something is true."""
        deadline = time.monotonic() + timeout_s
        while not is_true():
            assert time.monotonic() < deadline, self.store.story()
            self.store.sync()
            time.sleep(every_s)

    def job_node(self) -> str:
        """Return the node of Slurm that its newest job runs on."""
        attempt = Attempt.read(self.experiment.attempt(self.experiment.attempt_numbers()[-1]))
        return self.store.seen(attempt)[-1].node


@pytest.mark.proof
def test_a_controller_that_stops_for_40_s_during_a_submit_leaves_one_job(lone_slurm: Any):
    store = lone_slurm()
    count = Counting(store, steps=8)
    stopped_at = []

    class StopsTheController(SlurmBackend):
        """Stops the controller between the last look and the hand-over."""

        def hand_over(self, attempt: Attempt) -> Submitted:
            """Stop it, once."""
            if not stopped_at:
                os.kill(store.bed.pid("slurmctld"), signal.SIGSTOP)
                stopped_at.append(time.monotonic())
            return super().hand_over(attempt)

    def open_node(node: Node) -> Backend:
        found = open_backend(node)
        return StopsTheController(node, found.transport)

    report = store.sync(open_node=open_node)
    assert any("looked for by its name" in line for line in report.lines), report.lines
    assert count.experiment.attempt_numbers() == [1]
    states = set()
    while time.monotonic() < stopped_at[0] + 40:
        store.sync()
        states.add(store.state(count.experiment))
    os.kill(store.bed.pid("slurmctld"), signal.SIGCONT)
    assert states == {"unknown"}
    count.sync_until(lambda: store.state(count.experiment) == "finished", 90)
    count.check()
    name = read_json(count.experiment.attempt(1).intent)["name"]
    assert len(store.bed.states(name)) == 1
    assert len(count.trainers()) == 1
    assert read_json(count.experiment.attempt(1).submitted)["id"]


@pytest.mark.proof
def test_a_job_that_outlives_its_slurmd_ends_when_the_next_attempt_claims(lone_slurm: Any):
    store = lone_slurm(SlurmdTimeout=LOST_S)
    count = Counting(store, steps=200, step_s=0.5)
    count.sync_until(count.is_counting, 30)
    store.bed.kill(count.job_node())
    name = read_json(count.experiment.attempt(1).intent)["name"]
    count.sync_until(lambda: store.bed.states(name) == ["NODE_FAIL"], 90)
    claim = count.experiment.attempt(2).claim(0) / "identity.json"
    count.sync_until(claim.exists, 180)
    claimed_at = time.monotonic()
    count.sync_until(lambda: store.state(count.experiment) == "finished", 180)
    _check_handed_on(count, claimed_at)
    assert [trainer.attempt[-3:] for trainer in count.trainers()] == ["-a1", "-a2"]
    assert read_json(count.experiment.attempt(1).status)["outcome"] == "superseded"


def _check_handed_on(count: Counting, claimed_at: float) -> None:
    """Check that the old trainer ended in time after the new claim, and before the new one began."""
    old, new = count.trainers()
    gone_s = old.end - claimed_at
    print(f"old ended {gone_s:.1f} s after the claim, new began {new.begin - old.end:.1f} s later")
    assert gone_s < SUPERSEDED_S
    count.check()


@pytest.mark.proof
def test_a_requeue_by_slurm_while_the_old_process_lives_never_trains_twice(lone_slurm: Any):
    store = lone_slurm(SlurmdTimeout=LOST_S)
    count = Counting(store, steps=120, step_s=0.5)
    count.sync_until(count.is_counting, 30)
    first = count.experiment.attempt(1)
    job, name = read_json(first.submitted)["id"], read_json(first.intent)["name"]
    store.bed.run("scontrol", "update", f"jobid={job}", "requeue=1")
    store.bed.kill(count.job_node())
    store.wait(lambda: store.bed.states(name) == ["PENDING"], "never requeued", 120)
    assert count.trainers()[0].has_ended is False
    store.bed.run("scontrol", "update", f"jobid={job}", "StartTime=now")
    claim = first.claim(1) / "identity.json"
    store.wait(claim.exists, "never claimed", 60)
    claimed_at = time.monotonic()
    assert read_json(claim)["job_id"] == job
    count.sync_until(count.is_done, 120)
    _check_handed_on(count, claimed_at)
    count.sync_until(lambda: store.state(count.experiment) == "finished", 60)


@pytest.mark.proof
def test_a_lost_machine_is_followed_by_an_attempt_elsewhere(lone_slurm: Any):
    store = lone_slurm(SlurmdTimeout=LOST_S)
    count = Counting(store, steps=60)
    count.sync_until(count.is_counting, 30)
    store.bed.lose(count.job_node())
    lost_at = time.monotonic()
    count.sync_until(count.is_done, 400)
    old, new = count.trainers()
    print(f"lost machine: trained again {new.begin - lost_at:.1f} s later")
    assert new.attempt.endswith("-a2")
    taken = {step for trainer in (old, new) for step in trainer.steps}
    assert taken == set(range(1, 61))
    assert (count.folder / "weights").read_text() == weights_of(60)


@pytest.mark.proof
def test_a_time_limit_is_crossed_without_a_manager(lone_slurm: Any):
    store = lone_slurm()
    count = Counting(store, steps=130, step_s=1, needs=Needs(time_s=60))
    store.sync()
    store.wait(count.is_done, "not done", 400)
    count.check()
    gaps_s = store.gaps_s(count.experiment)
    print(f"{len(gaps_s) + 1} attempts, gaps {[round(gap, 1) for gap in gaps_s]} s")
    assert gaps_s
    assert max(gaps_s) < 20


@pytest.mark.proof
def test_a_preempted_attempt_goes_on_when_the_other_job_has_ended_without_a_manager(
    lone_slurm: Any,
):
    store = lone_slurm(nodes=1)
    count = Counting(store, steps=100)
    count.sync_until(count.is_counting, 30)
    store.bed.submit("high", "sleep 15", "-p", "high")
    store.wait(lambda: "RUNNING" in store.bed.states("high"), "never preempted", 90)
    high_at = time.monotonic()
    store.wait(count.is_done, "not done", 120)
    low, again = count.trainers()
    assert low.end < high_at
    assert low.has_ended
    print(f"went on {again.begin - low.end:.1f} s after the checkpoint, beside a job of 15 s")
    count.check()
    count.sync_until(lambda: store.state(count.experiment) == "finished", 60)


POINTS = (
    "after attempt folder",
    "after intent",
    "after files",
    "after hand-over",
    "after acknowledgement",
    "after observation",
)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.proof
def test_a_manager_killed_at_any_point_leaves_one_trainer(
    slurm: Callable[..., SlurmStore], point: str
):
    store = slurm()
    count = Counting(store, steps=4)
    assert store.manager("sync", fault=point) == -signal.SIGKILL
    count.sync_until(lambda: store.state(count.experiment) == "finished", 120)
    assert len(count.trainers()) == 1
    assert len(count.experiment.attempt_numbers()) == 1
    count.check()


@pytest.mark.long("managers")
def test_each_of_20_experiments_on_slurm_trains_once_whenever_its_manager_died(
    slurm: Callable[..., SlurmStore], tmp_path: Path
):
    slurm()
    (tmp_path / "lab").mkdir()
    lab = Lab(tmp_path / "lab")
    nodes = {"cluster": {"type": "slurm", "shared": True}}
    lab.do("add", lab.spec(count=20, nodes=nodes, node="cluster"))
    start = time.monotonic()
    assert lab.start("submit", 1).wait(120) == 0
    whole_s = time.monotonic() - start
    chance, states = random.Random(0), []
    for number in range(2, 21):
        manager = lab.start("submit", number)
        time.sleep(chance.uniform(0.4, 1.1) * whole_s)
        manager.kill()
        manager.wait(30)
        states.append(lab.one(number).state)
    assert lab.do("submit") == 0
    assert lab.do("manage", "--every", "1s") == 0
    print(f"a manager takes {whole_s:.1f} s; after the kills: {sorted(states)}")
    assert len(set(states)) > 1
    assert_each_trained_once(lab, 20)
