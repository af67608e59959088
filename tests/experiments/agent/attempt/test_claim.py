"""The fence: of many agents one trains, and a successor starts only when its predecessor has ended."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ddl.experiments.agent.attempt.claim import Claim, Predecessors
from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.agent.node.processes import own_identity
from tests.experiments.agent.worlds import World, wait_for


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def experiment(tmp_path: Path) -> ExperimentFolder:
    experiment = ExperimentFolder(tmp_path / "store" / "001-x")
    for number in (1, 2):
        experiment.attempt(number).path.mkdir(parents=True)
    return experiment


def claimed(attempt: AttemptFolder, number: int = 0, **identity: object) -> None:
    folder = attempt.claim(number)
    folder.mkdir(parents=True)
    (folder / "identity.json").write_text(json.dumps({**own_identity(), **identity}))


def test_a_claim_is_won_once(experiment: ExperimentFolder):
    assert Claim(experiment.attempt(1), 0).take() == ""
    assert (
        Claim(experiment.attempt(1), 0).take()
        == f"process {os.getpid()} on {own_identity()['host']}"
    )


def test_a_folder_that_a_killed_agent_left_empty_is_no_claim(experiment: ExperimentFolder):
    experiment.attempt(1).claim(0).mkdir(parents=True)
    assert Claim(experiment.attempt(1), 0).take() == ""


def test_a_later_claim_of_the_same_attempt_counts_more(experiment: ExperimentFolder):
    claimed(experiment.attempt(1), 1)
    assert Claim(experiment.attempt(1), 0).take() == "claim 1 of this attempt"


def test_a_claim_of_a_later_attempt_counts_more(experiment: ExperimentFolder):
    claimed(experiment.attempt(2))
    assert Claim(experiment.attempt(1), 0).take() == "attempt 2"


def test_a_later_attempt_without_a_claim_does_not_count(experiment: ExperimentFolder):
    assert Claim(experiment.attempt(1), 0).take() == ""


def test_what_has_ended_is_not_claimed_again(experiment: ExperimentFolder):
    experiment.attempt(1).status.write_text("{}")
    assert Claim(experiment.attempt(1), 1).take() == "the attempt has ended"


def waiting(experiment: ExperimentFolder, clock: Clock | None = None) -> Predecessors:
    return Predecessors(Claim(experiment.attempt(2), 0), clock or Clock())


def test_a_living_predecessor_is_waited_for(experiment: ExperimentFolder):
    claimed(experiment.attempt(1))
    predecessors = waiting(experiment)
    assert predecessors.blocking() == "attempt 1"
    experiment.attempt(1).status.write_text(json.dumps({"outcome": "continue", "claim": 0}))
    assert predecessors.blocking() == ""


@pytest.mark.parametrize("gone", [{"start_ticks": 1}, {"boot_id": "another"}])
def test_a_predecessor_that_is_gone_from_this_host_is_not_waited_for(
    experiment: ExperimentFolder, gone: dict[str, object]
):
    claimed(experiment.attempt(1), 0, **gone)
    assert waiting(experiment).blocking() == ""


def test_a_predecessor_elsewhere_is_waited_for_until_90_s_of_silence(experiment: ExperimentFolder):
    claimed(experiment.attempt(1), 0, host="elsewhere")
    clock = Clock()
    predecessors = waiting(experiment, clock)
    for beat in range(20):  # its heartbeat, not its clock, tells that it lives
        experiment.attempt(1).heartbeat.write_text(json.dumps({"count": beat, "time": 0}))
        assert predecessors.blocking() == "attempt 1"
        clock.now += 80
    assert predecessors.blocking() == "attempt 1"
    clock.now += 91
    assert predecessors.blocking() == ""


def test_a_claim_without_an_identity_may_be_about_to_start(experiment: ExperimentFolder):
    experiment.attempt(1).claim(0).mkdir(parents=True)
    clock = Clock()
    predecessors = waiting(experiment, clock)
    assert predecessors.blocking() == "attempt 1"
    clock.now += 91
    assert predecessors.blocking() == ""


def test_a_status_of_an_earlier_claim_does_not_stand_for_a_later_one(experiment: ExperimentFolder):
    claimed(experiment.attempt(1), 0, host="elsewhere")
    claimed(experiment.attempt(1), 1, host="elsewhere")
    experiment.attempt(1).status.write_text(json.dumps({"outcome": "superseded", "claim": 0}))
    assert waiting(experiment).blocking() == "attempt 1"


def test_a_restarted_job_waits_for_its_own_earlier_start(experiment: ExperimentFolder):
    claimed(experiment.attempt(1), 0, host="elsewhere")
    predecessors = Predecessors(Claim(experiment.attempt(1), 1), Clock())
    assert predecessors.blocking() == "attempt 1"
    assert predecessors.is_of_this_attempt


def test_a_heartbeat_counts_and_a_lost_folder_is_no_error(experiment: ExperimentFolder):
    claim = Claim(experiment.attempt(1), 0)
    assert claim.beat("training")
    assert claim.beat("training")
    assert json.loads(experiment.attempt(1).heartbeat.read_text())["count"] == 2
    assert [path.name for path in experiment.attempt(1).path.iterdir()] == ["heartbeat"]
    experiment.attempt(1).path.rename(experiment.path / "moved")
    assert not claim.beat("training")


def test_of_20_starters_one_trains(world: World):
    attempt = world.shell(1, "echo $$ >> started; sleep 1")
    others = [world.start(attempt) for _ in range(20)]
    assert [process.wait(60) for process in others] == [0] * 20
    assert len((world.folder / "started").read_text().splitlines()) == 1
    said = [process.stderr.read() for process in others if process.stderr]
    assert sum("claimed already" in text for text in said) == 19
    assert world.status(attempt)["outcome"] == "finished"


def test_a_successor_on_the_same_host_starts_when_its_predecessor_has_ended(world: World):
    line = "test -e log && echo second >> log && exit 0; echo first > log; sleep 60"
    first = world.shell(1, line)
    world.start(first)
    world.written("log")
    second = world.attempt(first.experiment, 2)
    world.start(second)
    assert world.status(second)["outcome"] == "finished"
    assert world.status(first)["outcome"] == "superseded"
    ended, began = (json.loads(one.status.read_text()) for one in (first, second))
    assert ended["ended"] <= began["ended"] - 0.01
    assert (world.folder / "log").read_text().split() == ["first", "second"]


def test_a_successor_takes_over_from_a_killed_agent_and_what_it_left(world: World):
    script = "trap '' TERM; echo start $$ >> log; sleep 60 & wait; sleep 60"
    first = world.shell(1, script)
    process = world.start(first)
    world.written("log")
    [guardian] = [
        one for one in world.processes() if one.parent == process.pid and one not in world.of(first)
    ]
    os.kill(guardian.pid, 9)
    process.kill()
    process.wait(10)
    left = world.of(first)
    assert left
    second = world.attempt(first.experiment, 2)
    world.start(second)
    wait_for(lambda: len((world.folder / "log").read_text().splitlines()) == 2)
    assert world.of(first) == []


def test_a_successor_waits_for_silence_where_the_predecessor_is_elsewhere(world: World):
    first = world.shell(1, "echo > started")
    first.claim(0).mkdir(parents=True)
    (first.claim(0) / "identity.json").write_text(
        json.dumps({**own_identity(), "host": "elsewhere"})
    )
    second = world.attempt(first.experiment, 2)
    world.start(second)
    wait_for(lambda: second.heartbeat.exists() and "waiting" in second.heartbeat.read_text())
    assert not (world.folder / "started").exists()
    assert world.status(second)["outcome"] == "finished"


def test_a_successor_that_waits_can_be_stopped(world: World):
    first = world.shell(1, "echo > started")
    first.claim(0).mkdir(parents=True)
    (first.claim(0) / "identity.json").write_text(
        json.dumps({**own_identity(), "host": "elsewhere"})
    )
    second = world.attempt(first.experiment, 2)
    world.start(second)
    wait_for(second.heartbeat.exists)
    world.call("stop", second.path)
    assert world.status(second)["outcome"] == "stopped"
    assert not (world.folder / "started").exists()
