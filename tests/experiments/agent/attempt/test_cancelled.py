"""A TERM from Slurm: cancelled by hand, preempted, or out of time. The texts are those of Slurm 22.05."""

from __future__ import annotations

import time

import pytest

from ddl.experiments.agent.attempt.cancelled import duration_s, says_cancelled
from tests.experiments.agent.attempt.test_successor import handed, scheduler
from tests.experiments.agent.worlds import World

NOW = time.mktime((2026, 11, 27, 10, 36, 22, 0, 0, -1))
TEXT = """\
JobId=1 JobName=aaa
   JobState={state} Reason=None Dependency=(null)
   RunTime={run} TimeLimit={limit} TimeMin=N/A
   StartTime=2026-11-27T10:36:21 EndTime={end} Deadline=N/A
   PreemptEligibleTime=2026-11-27T10:36:21 PreemptTime={preempted}
"""
CANCELLED = {
    "state": "COMPLETING",
    "run": "00:00:01",
    "limit": "00:10:00",
    "end": "2026-11-27T10:36:22",
    "preempted": "None",
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"state": "CANCELLED"},
        {"limit": "UNLIMITED"},
        {"run": "2-00:00:00", "limit": "3-00:00:00"},
    ],
)
def test_scancel_is_seen(change: dict[str, str]):
    assert says_cancelled(TEXT.format(**{**CANCELLED, **change}), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"preempted": "2026-11-27T10:36:22"},
        {"end": "2026-11-27T10:46:49"},
        {"end": "Unknown"},
        {"state": "RUNNING"},
        {"state": "TIMEOUT"},
        {"run": "00:09:30"},
        {"run": "00:10:30"},
        {"run": "INVALID"},
    ],
)
def test_everything_else_is_not_scancel(change: dict[str, str]):
    assert not says_cancelled(TEXT.format(**{**CANCELLED, **change}), NOW)


def test_no_answer_is_not_scancel():
    assert not says_cancelled("", NOW)
    assert not says_cancelled("slurm_load_jobs error: Invalid job id specified", NOW)


def test_durations():
    assert duration_s("1-02:03:04") == 93784
    assert duration_s("00:00:09") == 9
    assert duration_s("UNLIMITED") is None


@pytest.mark.parametrize(
    ("preempted", "outcome"), [("None", "stopped"), ("2026-01-01T00:00:00", "continue")]
)
def test_who_cancels_a_job_by_hand_gets_no_successor(world: World, preempted: str, outcome: str):
    told = TEXT.format(**{**CANCELLED, "preempted": preempted, "end": "2026-01-01T00:00:00"})
    program = world.folder / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncat <<E\n{told}E\n")
    program.chmod(0o755)
    attempt = world.shell(1, "echo > ready; sleep 60", **scheduler(world))
    process = world.start(
        attempt, SLURM_JOB_ID="17", PATH=f"{program.parent}:{world.environ['PATH']}"
    )
    world.written("ready")
    process.terminate()
    assert world.status(attempt)["outcome"] == outcome
    assert attempt.experiment.attempt_numbers() == ([1] if outcome == "stopped" else [1, 2])
    assert outcome == "stopped" or handed(world)
