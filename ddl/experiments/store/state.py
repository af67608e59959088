"""The state of an experiment, from what its files say and from what `sync` saw last. Pure: it reads nothing.

What an agent wrote counts more than what a scheduler says, and that more than silence. Silence is never taken for an
end: it is "unknown", and the state before is named beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ddl.experiments.agent.outcome import next_step
from ddl.experiments.store.attempts import AttemptView, clock_ahead_s, number
from ddl.progress import duration

SILENT_S = 90.0
"""An agent writes its heartbeat every 10 s, and ends its command after 60 s without."""

_CONTINUED = frozenset({"time limit", "preempted", "crash", "node lost"})
"""Reasons of an attempt that goes on with what another one began."""

_ASKED = {"pause": "paused", "stop": "stopped", "remove": "stopped"}
"""What a user wants -> the state in which it is fulfilled."""


class Rules(Protocol):
    """What the state needs to know of an experiment's record."""

    @property
    def retries(self) -> int:
        """How many crashes are followed by another attempt."""

    @property
    def added(self) -> float:
        """When it was put into the store."""


def state_of(
    record: Rules,
    wanted: Mapping[str, Any],
    attempts: Sequence[AttemptView],
    seen: Mapping[str, Mapping[str, Any]],
    now: float,
) -> tuple[str, str, float]:
    """Return the state of an experiment, why it is so in one line, and since when.

    Args:
        record: the experiment.
        wanted: what wanted.json says; {} means nothing.
        attempts: all attempts, oldest first.
        seen: node -> what `sync` saw there last, as in seen/NODE.json.
        now: the time, in seconds since the epoch.
    """
    live = [attempt for attempt in attempts if not attempt.has_ended]
    if live:
        return _of_live(_leading(live, seen, now), wanted, seen, now)
    want = str(wanted.get("want", "nothing"))
    since = number(wanted.get("since")) or record.added
    counted = counted_attempts(wanted, attempts)
    if not counted and want == "nothing" and attempts:  # begun by hand, or no longer wanted
        counted = list(attempts)
    if not counted:
        state = _ASKED.get(want, "queued" if want == "run" else "planned")
        why = f"{want} wanted by {wanted['by']}" if want != "nothing" and wanted.get("by") else ""
        return state, why, since if want != "nothing" else record.added
    state, why, ended = _of_ended(record, counted)
    if state in ("requeued", "stopped", "paused") and want in _ASKED:
        return _ASKED[want], why, ended or since
    if state == "requeued" and want == "nothing":
        return "stopped", why, ended or since
    return state, why, ended or since


def counted_attempts(
    wanted: Mapping[str, Any], attempts: Sequence[AttemptView]
) -> list[AttemptView]:
    """Return the attempts since the user last said `submit`, `resume` or `retry`: only their ends count."""
    first = number(wanted.get("first_attempt"))
    return [attempt for attempt in attempts if attempt.number >= first]


def is_silent(attempt: AttemptView, seen: Mapping[str, Any], now: float) -> bool:
    """Return whether a claimed attempt that has not ended gave no sign of life for 90 s.

    Where its files are copies, they are compared with the time of copying: what came later cannot stand in them.
    """
    if not attempt.heartbeat:  # a script that reports by itself has no heartbeat
        return False
    is_copy = str(attempt.intent.get("root", "")) not in ("", str(attempt.folder.experiment.store))
    until = min(now, number(seen.get("time")) or now) if is_copy else now
    return until - heard_of(attempt, seen) > SILENT_S


def heard_of(attempt: AttemptView, seen: Mapping[str, Any]) -> float:
    """Return when an attempt gave its last sign of life, by our own clock; 0 without any."""
    sign = attempt.sign_of_life
    return sign - clock_ahead_s(seen) if sign else 0.0


def _leading(
    live: Sequence[AttemptView], seen: Mapping[str, Mapping[str, Any]], now: float
) -> AttemptView:
    """Return the attempt that tells most: one that runs (a successor may wait beside it), else the newest."""
    running = [
        attempt
        for attempt in live
        if _phase(attempt, seen) == "running"
        and not is_silent(attempt, seen.get(attempt.node, {}), now)
    ]
    return (running or live)[-1]


def _jobs(attempt: AttemptView, seen: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    jobs = seen.get(attempt.node, {}).get("jobs", {})
    found = jobs.get(attempt.name, []) if isinstance(jobs, Mapping) else []
    return [job for job in found if isinstance(job, Mapping)] if isinstance(found, list) else []


def _phase(attempt: AttemptView, seen: Mapping[str, Mapping[str, Any]]) -> str:
    states = {str(job.get("state")) for job in _jobs(attempt, seen)}
    if attempt.claims or "running" in states:
        return "running"
    if attempt.is_submitted or "waiting" in states:
        return "waiting"
    return "submitting"


def _of_live(
    attempt: AttemptView,
    wanted: Mapping[str, Any],
    seen: Mapping[str, Mapping[str, Any]],
    now: float,
) -> tuple[str, str, float]:
    """Return the state of an experiment whose attempt has not ended as far as its files say."""
    phase = _phase(attempt, seen)
    since = _since(attempt, phase)
    state, why = _asked(attempt, wanted) or _going(attempt, phase, seen)
    node = seen.get(attempt.node, {})
    silent = is_silent(attempt, node, now)
    heard = heard_of(attempt, node) if attempt.heartbeat else 0.0
    if node.get("reachable") is False and (silent or now - heard > SILENT_S):
        gone = number(node.get("since_unreachable")) or number(node.get("time")) or now
        told = f" ({node['error']})" if node.get("error") else ""
        return "unknown", f"{attempt.node} does not answer{told}; was {state}", gone
    if silent:
        return "unknown", f"no sign of life for {duration(now - heard)}; was {state}", heard
    if "unknown" in {str(job.get("state")) for job in _jobs(attempt, seen)} and not attempt.claims:
        return "unknown", f"{attempt.node} cannot tell; was {state}", since
    return state, why, since


def _since(attempt: AttemptView, phase: str) -> float:
    times = {
        "running": attempt.started,
        "waiting": number(attempt.submitted.get("time")),
        "submitting": 0.0,
    }
    return times[phase] or number(attempt.submitted.get("time")) or attempt.created


def _asked(attempt: AttemptView, wanted: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return "stopping" where the attempt was asked to end, or shall be."""
    stop = attempt.stop
    if stop:
        how, by, why = (str(stop.get(key) or "") for key in ("how", "by", "why"))
        told = f"{how or 'stop'} by {by}" if by else how or "stop"
        return "stopping", f"{told}: {why}" if why else told
    want = str(wanted.get("want", "nothing"))
    if want in _ASKED:
        by = str(wanted.get("by") or "")
        return "stopping", f"{want} by {by}" if by else want
    return None


def _going(
    attempt: AttemptView, phase: str, seen: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str]:
    reason = str(attempt.intent.get("reason", "first"))
    jobs = _jobs(attempt, seen)
    notes = [str(job["reason"]) for job in jobs if job.get("reason") not in (None, "", "None")]
    if phase == "running":
        if jobs and all(job.get("state") == "ended" for job in jobs):
            return phase, "its job has ended; sync looks after it"
        return phase, ""
    if reason in _CONTINUED:
        return "requeued", ": ".join([f"after {reason}", *notes[:1]])
    return phase, notes[0] if notes else _slots_taken(attempt.node, seen.get(attempt.node, {}))


def _slots_taken(node: str, seen: Mapping[str, Any]) -> str:
    """Return that a node had no slot free when it was last asked, "" if it had."""
    facts = seen.get("facts")
    runner = facts.get("runner") if isinstance(facts, Mapping) else None
    running, slots = (
        (number(runner.get("running")), number(runner.get("slots")))
        if isinstance(runner, Mapping)
        else (0.0, 0.0)
    )
    return f"{running:.0f} of {slots:.0f} slots of {node} are taken" if 0 < slots <= running else ""


def _of_ended(record: Rules, counted: Sequence[AttemptView]) -> tuple[str, str, float]:
    """Return the state after the last of attempts that have all ended. Agents and manager follow the same step."""
    last = next((one for one in reversed(counted) if one.outcome != "superseded"), counted[-1])
    why = str(last.status.get("why") or "")
    statuses = [{**one.status, "attempt": one.number} for one in counted]
    step = next_step(statuses, record.retries)
    if step.step == "again":
        told = why if step.reason in ("first", why) else f"{step.reason}: {why}".rstrip(": ")
        return "requeued", told, last.ended
    if step.step == "end":
        by = str(last.status.get("by") or "")
        return (
            step.reason,
            why or (f"by {by}" if step.reason != "finished" and by else ""),
            last.ended,
        )
    if last.outcome in ("diverged", "refused"):
        return last.outcome, why, last.ended
    unseen = last.status.get("returncode") is None and last.status.get("by") == "manager"
    if last.outcome == "never started" or (last.outcome == "crashed" and unseen):
        return "lost", why or last.outcome, last.ended
    told = why if step.reason in ("crashed", why) else f"{step.reason}: {why}".rstrip(": ")
    return "failed", told or step.reason, last.ended
