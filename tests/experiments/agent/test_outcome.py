"""How attempts end, as the scheduler, launchers and commands tell it, and what comes next."""

from __future__ import annotations

from typing import Any

import pytest

from ddl.experiments.agent.outcome import next_step, outcome_of

STOPPED = (
    "2026-11-25 10:00:00 Stopped by SIGUSR1: checkpoints/e1 is written. --resume auto continues."
)


@pytest.mark.parametrize(
    ("returncode", "facts", "outcome", "cause"),
    [
        (0, {}, "finished", ""),
        (75, {}, "continue", "time limit"),
        (75, {"requested": "preempted"}, "continue", "preempted"),
        (4, {}, "diverged", ""),
        (2, {}, "refused", ""),
        (1, {}, "crashed", ""),
        (137, {}, "crashed", ""),
        (139, {}, "crashed", ""),
        (-9, {}, "crashed", ""),
        (-9, {"out_of_memory": True}, "out of memory", ""),
        (-9, {"scheduler": "OUT_OF_MEMORY"}, "out of memory", ""),
        # horovodrun --gloo turns 75 into 1, and mpirun has its own 1
        (1, {"last_log_line": STOPPED}, "continue", "time limit"),
        (1, {"last_log_line": "epoch 3: loss 0.1"}, "crashed", ""),
        (0, {"last_log_line": STOPPED}, "finished", ""),
        (-15, {"requested": "time limit"}, "continue", "time limit"),
        (-15, {"requested": "preempted"}, "continue", "preempted"),
        (1, {"requested": "time limit"}, "continue", "time limit"),
        (143, {"scheduler": "TIMEOUT"}, "continue", "time limit"),
        (None, {"scheduler": "TIMEOUT"}, "continue", "time limit"),
        (None, {"scheduler": "PREEMPTED"}, "continue", "preempted"),
        (None, {"scheduler": "NODE_FAIL"}, "continue", "node lost"),
        (None, {"scheduler": "BOOT_FAIL"}, "continue", "node lost"),
        (None, {"scheduler": "CANCELLED by 0"}, "stopped", ""),
        (None, {"scheduler": "COMPLETED"}, "finished", ""),
        (None, {}, "crashed", ""),
        (75, {"requested": "stop"}, "stopped", ""),
        (75, {"requested": "pause"}, "paused", ""),
        (-9, {"requested": "kill"}, "stopped", ""),
        (75, {"requested": "superseded"}, "superseded", ""),
        (0, {"requested": "superseded"}, "superseded", ""),
        (75, {"requested": "lease lost"}, "continue", "lease lost"),
        # what ends by itself in the moment of a request has ended by itself
        (0, {"requested": "stop"}, "finished", ""),
        (0, {"requested": "time limit"}, "finished", ""),
        (4, {"requested": "stop"}, "diverged", ""),
        # unless its 0 may mean "saved, as you wished"
        (0, {"requested": "stop", "says_75": False}, "stopped", ""),
        (0, {"requested": "time limit", "says_75": False}, "continue", "time limit"),
        (0, {"says_75": False}, "finished", ""),
        # a second signal makes some programs end with bad words
        (2, {"requested": "time limit"}, "continue", "time limit"),
    ],
)
def test_the_table_of_statuses(returncode: int | None, facts: Any, outcome: str, cause: str):
    found = outcome_of(returncode, **facts)
    assert (found.outcome, found.cause) == (outcome, cause)
    assert found.why


def test_a_signal_is_named():
    assert outcome_of(-11).why == outcome_of(139).why == "ended by signal SIGSEGV"


@pytest.mark.parametrize("status", [2, 4])
def test_a_last_line_of_errors_does_not_hide_the_status(status: int):
    assert outcome_of(status, error_line="oh no").why == f"oh no (status {status})"


def test_an_unknown_request_is_no_error():
    assert outcome_of(75, "something new").outcome == "continue"


def ended(*outcomes: str, progressed: bool | None = True) -> list[dict[str, Any]]:
    return [
        {"attempt": number, "outcome": outcome, "progressed": progressed}
        for number, outcome in enumerate(outcomes, 1)
    ]


@pytest.mark.parametrize(
    ("outcomes", "retries", "step"),
    [
        ([], 0, "again"),
        (["finished"], 5, "end"),
        (["stopped"], 5, "end"),
        (["paused"], 5, "end"),
        (["diverged"], 5, "failed"),
        (["refused"], 5, "failed"),
        (["out of memory"], 5, "failed"),
        (["crashed"], 0, "failed"),
        (["crashed"], 1, "again"),
        (["crashed", "crashed"], 1, "failed"),
        (["crashed", "continue", "crashed"], 1, "failed"),
        (["continue"] * 9, 0, "again"),
        (["crashed", "continue"], 0, "again"),
        (["never started"], 0, "failed"),
        (["never started"], 1, "again"),
        (["finished", "superseded"], 0, "end"),
        (["superseded"], 0, "again"),
    ],
)
def test_what_follows(outcomes: list[str], retries: int, step: str):
    assert next_step(ended(*outcomes), retries).step == step


def test_three_attempts_without_progress_are_a_failure():
    assert next_step(ended("continue", "continue", progressed=False)).step == "again"
    assert next_step(ended("continue", "continue", "continue", progressed=False)).step == "failed"


def test_progress_in_between_starts_the_count_anew():
    statuses = ended("continue", "continue", "continue", "continue", progressed=False)
    statuses[2]["progressed"] = True
    assert next_step(statuses).step == "again"


def test_progress_that_is_unknown_is_not_taken_for_none():
    assert next_step(ended(*["continue"] * 4, progressed=None)).step == "again"


def test_attempts_before_a_retry_do_not_count():
    wanted = {"want": "run", "first_attempt": 3}
    assert next_step(ended("crashed", "crashed"), 0, wanted).reason == "first"
    assert next_step(ended("crashed", "crashed", "crashed"), 1, wanted).step == "again"


@pytest.mark.parametrize("want", ["stop", "pause", "remove", "nothing"])
def test_nothing_follows_what_is_not_wanted(want: str):
    assert next_step(ended("continue"), 0, {"want": want}).step == "end"


def test_the_reason_names_the_cause():
    statuses = [{"attempt": 1, "outcome": "continue", "cause": "node lost"}]
    assert next_step(statuses).reason == "node lost"
