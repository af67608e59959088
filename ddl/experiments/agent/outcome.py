"""How an attempt ended, and what comes next. Pure, so that agents and manager judge alike."""

from __future__ import annotations

import signal
from typing import Any, Mapping, NamedTuple, Sequence

GO_ON, DIVERGED, REFUSED = 75, 4, 2
"""Exit statuses of ddl's own scripts: start me again; loss not finite; bad input."""

MOST_IDLE = 3
"""So many attempts in a row without progress are a failure."""

_STOPPED_BY = "Stopped by"
_ASKED = {"stop": "stopped", "kill": "stopped", "pause": "paused", "superseded": "superseded"}
_GO_ON_CAUSES = ("time limit", "preempted", "node lost", "lease lost")
_SCHEDULER_GO_ON = {
    "TIMEOUT": "time limit",
    "DEADLINE": "time limit",
    "PREEMPTED": "preempted",
    "NODE_FAIL": "node lost",
    "BOOT_FAIL": "node lost",
}
_RETRIED = ("crashed", "never started")
_FAILED = ("diverged", "refused", "out of memory")
_ENDS = ("finished", "stopped", "paused")


class Outcome(NamedTuple):
    """How an attempt ended. `cause` says why it is to go on, "" where it is not."""

    outcome: str
    why: str
    cause: str = ""


class Step(NamedTuple):
    """What follows an attempt: "again", "failed" or "end", and the reason."""

    step: str
    reason: str


def outcome_of(
    returncode: int | None,
    requested: str | None = None,
    last_log_line: str = "",
    *,
    out_of_memory: bool = False,
    scheduler: str = "",
    says_75: bool = True,
    error_line: str = "",
) -> Outcome:
    """Return how an attempt ended.

    Args:
        returncode: the command's exit status, negative for a signal, None where nobody saw it.
        requested: what the command was asked: "stop", "pause", "kill", "superseded", "time limit", "preempted",
            "lease lost"; None if nothing.
        last_log_line: the last line of run/log.txt, where this attempt wrote to it. A launcher may hide the 75.
        out_of_memory: whether the kernel killed a process of the job for memory.
        scheduler: the scheduler's word for the job's end, such as "TIMEOUT".
        says_75: whether a command that is stopped early says so by its status. Else a 0 after a request to stop may
            mean "stopped as you wished", and is not taken for the end of the training.
        error_line: the last line of the command's errors, for the reason of a crash.
    """
    word = scheduler.split()[0].upper() if scheduler.split() else ""
    if requested == "superseded":
        return Outcome("superseded", "a newer attempt took over")
    if returncode == 0 and (says_75 or requested is None):
        return Outcome("finished", "the command ended with status 0")
    if returncode == DIVERGED:
        return Outcome(
            "diverged", _with_status(4, error_line) or "the loss became NaN or infinite (status 4)"
        )
    goes_on = returncode == GO_ON or (returncode not in (0, None) and _STOPPED_BY in last_log_line)
    if requested in _ASKED:
        return Outcome(_ASKED[requested], f"asked to {requested}")
    if goes_on:
        return Outcome("continue", _why_on(requested, last_log_line), _cause(requested, word))
    if out_of_memory or word == "OUT_OF_MEMORY":
        return Outcome("out of memory", "the system ended it because the memory did not suffice")
    if requested is None and returncode == REFUSED:
        return Outcome(
            "refused", _with_status(2, error_line) or "the command refused its input (status 2)"
        )
    if requested in _GO_ON_CAUSES:
        return Outcome("continue", _why_on(requested, last_log_line), requested)
    return _by_scheduler(returncode, word, error_line)


def _by_scheduler(returncode: int | None, word: str, error_line: str) -> Outcome:
    if word in _SCHEDULER_GO_ON:
        return Outcome("continue", f"the scheduler says {word}", _SCHEDULER_GO_ON[word])
    if word.startswith("CANCELLED"):
        return Outcome("stopped", "the job was cancelled")
    if returncode is None and word == "COMPLETED":
        return Outcome("finished", "the scheduler says COMPLETED")
    if returncode is None:
        return Outcome("crashed", f"the scheduler says {word}" if word else "its agent was killed")
    return Outcome("crashed", f"{_in_words(returncode)}{': ' if error_line else ''}{error_line}")


def _with_status(returncode: int, error_line: str) -> str:
    return f"{error_line} (status {returncode})" if error_line else ""


def _cause(requested: str | None, word: str) -> str:
    return requested or _SCHEDULER_GO_ON.get(word, "time limit")


def _why_on(requested: str | None, last_log_line: str) -> str:
    if _STOPPED_BY in last_log_line:
        return last_log_line[last_log_line.index(_STOPPED_BY) :]
    return {
        None: "the command asks to be started again (status 75)",
        "time limit": "the time limit was near",
        "preempted": "the scheduler or the system asked it to end",
        "node lost": "the machine was restarted",
        "lease lost": "no heartbeat could be written for a minute",
    }.get(requested, f"asked to end: {requested}")


def _in_words(returncode: int) -> str:
    if returncode < 0 or 128 < returncode < 128 + signal.NSIG:
        number = -returncode if returncode < 0 else returncode - 128
        try:
            return f"ended by signal {signal.Signals(number).name}"
        except ValueError:
            return f"ended by signal {number}"
    return f"ended with status {returncode}"


def next_step(
    statuses: Sequence[Mapping[str, Any]],
    retries: int = 0,
    wanted: Mapping[str, Any] | None = None,
) -> Step:
    """Return what follows the attempts of an experiment.

    Args:
        statuses: the contents of their status.json, oldest first; {} for one that is unknown.
        retries: how many crashes are tried again.
        wanted: the contents of wanted.json. Crashes of attempts before its `first_attempt` do not count.
    """
    want = (wanted or {}).get("want", "run")
    if want != "run":
        return Step("end", f"wanted: {want}")
    first = int((wanted or {}).get("first_attempt") or 1)
    counted = [status for status in statuses if int(status.get("attempt") or 1) >= first]
    counted = [status for status in counted if status.get("outcome") != "superseded"]
    if not counted:
        return Step("again", "first")
    last = counted[-1]
    outcome = last.get("outcome")
    if outcome in _ENDS:
        return Step("end", str(outcome))
    if outcome in _FAILED:
        return Step("failed", str(outcome))
    if _idle_in_a_row(counted) >= MOST_IDLE:
        return Step("failed", f"{MOST_IDLE} attempts in a row made no progress")
    if outcome in _RETRIED:
        times = sum(status.get("outcome") == outcome for status in counted)
        return Step("again", "crash") if times <= retries else Step("failed", str(outcome))
    return Step("again", str(last.get("cause") or "time limit"))


def _idle_in_a_row(statuses: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of the last attempts are known to have made no progress."""
    count = 0
    for status in reversed(statuses):
        if status.get("progressed") is not False:
            break
        count += 1
    return count
