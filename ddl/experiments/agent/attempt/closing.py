"""The end of an attempt: its event, the next attempt where one is due, its status. Whoever saw the end does this."""

from __future__ import annotations

import time
from typing import Any, Mapping

from ddl.experiments.agent.attempt import ending, successor
from ddl.experiments.agent.attempt.launch import record_of
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.outcome import Outcome
from ddl.experiments.agent.runner.queue import enqueue
from ddl.experiments.agent.whole import read_json
from ddl.plain_text import tell


def close(
    attempt: AttemptFolder, outcome: Outcome, by: str, claim: int | None, **facts: Any
) -> bool:
    """End an attempt. Return whether its status could be written.

    The intent of the next attempt comes before the status: the manager makes one where it finds a status without.

    Args:
        attempt: the attempt.
        outcome: how it ended.
        by: who ended it: "command", "user", "rule NAME", "agent", "runner".
        claim: the number of its claim, None if nobody has claimed it.
        facts: further entries of its status.
    """
    status = {**_NOTHING, **facts, **outcome._asdict(), "by": by, "claim": claim}
    status.update(attempt=attempt.number, ended=time.time())
    following = follow(attempt, status)
    _tell_event(attempt, status)
    written = ending.write_status(attempt, status)
    if following is not None and read_json(attempt.intent).get("chain") == "runner":
        enqueue([following.path])
    return written


def follow(attempt: AttemptFolder, status: Mapping[str, Any]) -> AttemptFolder | None:
    """Write the next attempt's intent where one is due and not the manager's to make; hand it over to a scheduler."""
    chain = read_json(attempt.intent).get("chain")
    if chain not in ("agent", "runner") or status["outcome"] == "superseded":
        return None
    step = successor.step_after(attempt, _retries(attempt), status)
    if step.step != "again":
        return None
    following = successor.create_next(attempt, step.reason)
    if following is not None and chain == "agent":
        problem = successor.hand_over(following)
        if problem:
            tell(f"agent: could not hand over {following.path}: {problem}")
    return following


def _tell_event(attempt: AttemptFolder, status: Mapping[str, Any]) -> None:
    step = successor.step_after(attempt, _retries(attempt), status)
    kind = ending.event_of(str(status["outcome"]), final=step.step == "failed")
    if kind:
        name, why = str(read_json(attempt.intent).get("name")), str(status["why"])
        text = why if step.reason == status["outcome"] else f"{why}; {step.reason}"
        details = {key: status[key] for key in ("returncode", "epochs", "tail", "by")}
        ending.append_event(attempt, name, kind, text, details)


def _retries(attempt: AttemptFolder) -> int:
    return int(record_of(attempt).get("retries") or 0)


_NOTHING: Mapping[str, Any] = {
    "returncode": None,
    "signal": None,
    "epochs": 0,
    "progressed": None,
    "peak_memory_bytes": 0,
    "tail": [],
    "started": None,
    "seconds": None,
}
