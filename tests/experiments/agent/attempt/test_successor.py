"""The next attempt is handed over from within the job, once, and finds out whether it is needed."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from ddl.experiments.agent.attempt.successor import create_next, name_of
from ddl.experiments.agent.layout import AttemptFolder
from tests.experiments.agent.attempt.test_job import saving
from tests.experiments.agent.worlds import World, wait_for

SBATCH = """\
import os, sys
with open("{log}", "a") as log:
    print(*sys.argv[1:], sys.stdin.read(), os.environ.get("SLURM_RESTART_COUNT"), file=log)
{more}
print("4711;cluster")
"""


def scheduler(world: World, more: str = "") -> dict[str, Any]:
    """Return an intent whose successor is handed to a scheduler that writes down what it got."""
    script = world.folder / "sbatch.py"
    script.write_text(SBATCH.format(log=world.folder / "handed", more=more))
    words = [sys.executable, str(script), "-J", "{name}", "-d", "afterany:{after}"]
    successor = {"argv": words, "stdin": "run {attempt_dir} ${HOME}"}
    return {"intent": {"chain": "agent", "successor": successor, "time_limit_s": 3600}}


def started(world: World, attempt: AttemptFolder) -> Any:
    process = world.start(attempt, SLURM_JOB_ID="17", SLURM_RESTART_COUNT="1")
    world.written("ready")
    return process


def handed(world: World) -> str:
    return (world.folder / "handed").read_text()


def test_names_differ_in_the_attempt_only():
    assert name_of("ddl-1f2e3d4c-003-a1", 12) == "ddl-1f2e3d4c-003-a12"


@pytest.mark.parametrize("signal_name", ["SIGUSR1", "SIGTERM"])
def test_a_signal_hands_the_successor_over_before_the_job_ends(world: World, signal_name: str):
    import signal

    line = "trap 'while test ! -e go; do sleep 0.05; done; exit 75' TERM; echo > ready; while :; do sleep 0.05; done"
    attempt = world.shell(1, line, **scheduler(world))
    process = started(world, attempt)
    process.send_signal(getattr(signal, signal_name))
    following = attempt.experiment.attempt(2)
    wait_for(following.submitted.exists)
    assert not attempt.status.exists()
    (world.folder / "go").write_text("")
    world.status(attempt)
    assert handed(world).split("\n")[0] == (
        f"-J {world.name(1, 2)} -d afterany:17 run {following.path} ${{HOME}} None"
    )
    assert json.loads(following.submitted.read_text())["id"] == "4711"
    intent = json.loads(following.intent.read_text())
    assert (intent["name"], intent["by"], intent["number"]) == (world.name(1, 2), "agent", 2)
    assert intent["hand_over"]["argv"][-1] == "afterany:17"
    assert intent["successor"] == json.loads(attempt.intent.read_text())["successor"]


def test_status_75_hands_over_at_the_end(world: World):
    attempt = world.shell(1, "exit 75", **scheduler(world))
    world.start(attempt)
    world.status(attempt)
    assert handed(world).startswith(f"-J {world.name(1, 2)}")


@pytest.mark.parametrize("line", ["exit 0", "exit 1"])
def test_nothing_is_handed_over_after_an_end(world: World, line: str):
    attempt = world.shell(1, line, **scheduler(world))
    world.start(attempt)
    world.status(attempt)
    assert attempt.experiment.attempt_numbers() == [1]


def test_a_stop_by_the_user_hands_nothing_over_even_if_the_limit_is_near(world: World):
    attempt = world.simple(1, *saving(world, 75), **scheduler(world))
    process = started(world, attempt)
    attempt.stop.write_text(json.dumps({"how": "stop", "by": "ada", "why": ""}))
    process.terminate()  # scancel comes after the request
    assert world.status(attempt)["outcome"] == "stopped"
    assert attempt.experiment.attempt_numbers() == [1]


def test_a_scheduler_that_fails_leaves_an_intent_for_the_manager(world: World):
    attempt = world.shell(1, "exit 75", **scheduler(world, "sys.exit('Socket timed out')"))
    world.start(attempt)
    assert world.status(attempt)["outcome"] == "continue"
    following = attempt.experiment.attempt(2)
    assert following.intent.exists()
    assert not following.submitted.exists()


def test_a_successor_after_the_end_does_nothing(world: World):
    attempt = world.shell(1, "echo start >> log", **scheduler(world))
    world.start(attempt).wait(30)
    following = world.attempt(attempt.experiment, 2, by="agent", chain="agent")
    assert world.start(following).wait(30) == 0
    status = world.status(following)
    assert status["outcome"] == "superseded"
    assert "attempt 1 ended: finished" in status["why"]
    assert (world.folder / "log").read_text() == "start\n"


def test_a_retry_by_the_manager_trains_after_a_failure(world: World):
    attempt = world.shell(1, "echo start >> log; exit 1")
    world.start(attempt).wait(30)
    following = world.attempt(attempt.experiment, 2, by="manager", reason="retry")
    world.start(following).wait(30)
    assert (world.folder / "log").read_text() == "start\nstart\n"


def test_only_one_makes_the_next_attempt(world: World):
    attempt = world.shell(1, "true")
    first, second = create_next(attempt, "crash"), create_next(attempt, "crash")
    assert first is not None
    assert second is None
