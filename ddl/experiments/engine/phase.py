"""What is known of one attempt, from its files and from its node's answer. Pure.

ended      its agent wrote how
live       its node has it in the queue, or it runs
gone       its node has nothing under its name, and it has never begun
over       its node has nothing live under its name any more, but it has begun, or the scheduler says it ended
unknown    its node did not answer
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ddl.experiments.agent.outcome import Outcome, outcome_of
from ddl.experiments.backends.backend import ENDED as JOB_ENDED
from ddl.experiments.backends.backend import RUNNING, WAITING, Seen
from ddl.experiments.backends.backend import UNKNOWN as JOB_UNKNOWN
from ddl.experiments.engine.actions import Action, Adopt, Cancel, Finish
from ddl.experiments.engine.seen import Limits, NodeSeen, Patience
from ddl.experiments.spec.node import Nodes
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.view import ExperimentView

ENDED = "ended"
LIVE = "live"
GONE = "gone"
OVER = "over"
UNKNOWN = "unknown"

_MACHINE_LOST = ("NODE_FAIL", "BOOT_FAIL", "REVOKED", "OUT_OF_SERVICE", "FORGOTTEN")
"""Ends of a job after which its processes may still live: the machine, not the job, was lost (measured)."""

_FORGOTTEN = Seen(state=JOB_ENDED, reason="FORGOTTEN", raw="FORGOTTEN")
_NOBODY = NodeSeen(reachable=False, error="no such node in nodes.yaml")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What is known of an attempt.

    Attributes:
        kind: "ended", "live", "gone", "over" or "unknown".
        why: One line, for people.
        patience: Times of its kind of node.
        live: Its waiting and running jobs.
        has_queue: Whether its node takes each name once, so that telling it again does no harm.
        is_certain: Whether "gone" or "over" has been seen for long enough to act on it.
        is_known: Whether its node answered in this sync.
        gone_for_s: For how long its node has shown no live job of it.
        may_live: Whether processes may live although the job is over.
        outcome: What follows from the scheduler's word.
        returncode: Exit status that the scheduler tells, None if none.
    """

    kind: str
    why: str = ""
    patience: Patience
    live: tuple[Seen, ...] = ()
    has_queue: bool = False
    is_certain: bool = False
    is_known: bool = True
    gone_for_s: float = 0.0
    may_live: bool = False
    outcome: Outcome = field(default_factory=lambda: Outcome("crashed", "", ""))
    returncode: int | None = None


def phase_of(
    attempt: AttemptView,
    seen: Mapping[str, NodeSeen],
    nodes: Nodes,
    now: float,
    limits: Limits,
) -> Phase:
    """Return what is known of an attempt."""
    node = nodes.nodes.get(attempt.node)
    patience = limits.of(node.type if node else "slurm")
    answer = seen.get(attempt.node, _NOBODY)
    is_known = answer.asked(attempt.name)
    gone_for_s = answer.gone_for_s(attempt.name, now) if is_known else 0.0
    if attempt.has_ended:
        return Phase(kind=ENDED, patience=patience, gone_for_s=gone_for_s, is_known=is_known)
    if not is_known:
        why = answer.error or "it appeared while the nodes were asked"
        return Phase(kind=UNKNOWN, patience=patience, why=f"{attempt.node}: {why}", is_known=False)
    jobs = answer.jobs[attempt.name]
    live = tuple(job for job in jobs if job.state in (WAITING, RUNNING))
    if live:
        return Phase(
            kind=LIVE,
            patience=patience,
            live=live,
            has_queue=node is not None and node.type != "slurm",
        )
    if any(job.state == JOB_UNKNOWN for job in jobs):
        told = next(job.reason for job in jobs if job.state == JOB_UNKNOWN)
        return Phase(kind=UNKNOWN, patience=patience, why=f"{attempt.node} cannot tell: {told}")
    if not jobs and not attempt.claims:
        return Phase(
            kind=GONE,
            patience=patience,
            has_queue=node is not None and node.type != "slurm",
            is_certain=gone_for_s >= patience.again_s,
            gone_for_s=gone_for_s,
            why="not known yet whether it was handed over",
        )
    found = _over(attempt, jobs or [_FORGOTTEN], patience, gone_for_s, now, limits)
    return replace(found, has_queue=node is not None and node.type != "slurm")


def _over(
    attempt: AttemptView,
    jobs: Sequence[Seen],
    patience: Patience,
    gone_for_s: float,
    now: float,
    limits: Limits,
) -> Phase:
    last = _telling(attempt, jobs)
    word = last.reason or last.raw
    # A job that was ended by its time limit has the status 0 (measured): only these words say what the status means.
    returncode = _returncode(last.exit) if word in ("FAILED", "COMPLETED") else None
    asked = str(attempt.stop.get("how") or "") or None
    is_fresh = now - attempt.sign_of_life < limits.fresh_s and attempt.sign_of_life > 0
    lost = bool(attempt.claims) and any(word.startswith(lost) for lost in _MACHINE_LOST)
    outcome = outcome_of(returncode, asked, scheduler=word)
    if not attempt.claims and outcome.outcome in ("crashed", "finished"):
        outcome = Outcome(
            "never started", f"its job ended ({word or 'no reason given'}) before its agent began"
        )
    return Phase(
        kind=OVER,
        patience=patience,
        gone_for_s=gone_for_s,
        is_certain=_is_certain(word, is_fresh, gone_for_s, patience),
        may_live=lost,
        outcome=outcome,
        returncode=returncode,
        why=f"its job is over ({word}); its agent has written no status yet",
    )


def _is_certain(word: str, is_fresh: bool, gone_for_s: float, patience: Patience) -> bool:
    """Return whether a job may be taken for over.

    An agent that wrote lately can write its status itself. A lost machine's agent may write on for days: its successor
    takes over, and the claims keep the two from training together.
    """
    if any(word.startswith(lost) for lost in _MACHINE_LOST if lost != _FORGOTTEN.reason):
        return gone_for_s >= patience.chain_s
    return gone_for_s >= patience.over_s and not (is_fresh and patience.over_s > 0)


def _telling(attempt: AttemptView, jobs: Sequence[Seen]) -> Seen:
    """Return the job that claimed the attempt: a double ends well, and that says nothing. Else the newest."""
    claimed = {str(claim.get("job_id") or "") for claim in attempt.claims}
    if not claimed:
        return jobs[-1]
    owners = [job for job in jobs if job.id in claimed]
    return owners[-1] if owners else _FORGOTTEN


def _returncode(text: str) -> int | None:
    """Return the exit status in a scheduler's "STATUS:SIGNAL", None where it tells none."""
    status, _, number_of_signal = text.partition(":")
    if number_of_signal.isdecimal() and int(number_of_signal):
        return -int(number_of_signal)
    return int(status) if status.isdecimal() else None


def tidy(
    experiment: ExperimentView, attempt: AttemptView, phase: Phase, now: float
) -> Iterator[Action]:
    """Yield what puts the papers of an attempt in order, whatever is wanted of it."""
    if phase.kind == LIVE:
        if why := _never(attempt, phase, now):
            yield from _refused(experiment, attempt, phase, why)
            return
        kept, others = _kept(attempt, phase.live)
        for job in others:
            yield Cancel(
                experiment=experiment.name, attempt=attempt.number, node=attempt.node, job=job.id
            )
        known = str(attempt.submitted.get("id") or "")
        if not attempt.is_submitted or (kept.id and kept.id != known):
            yield Adopt(
                experiment=experiment.name, attempt=attempt.number, job=kept.id, where=kept.node
            )
        return
    successors = [later for later in experiment.attempts if later.number > attempt.number]
    if phase.kind != OVER or not successors or not phase.is_certain or phase.has_queue:
        return
    if not phase.may_live:
        found = phase.outcome
        yield finished(experiment, attempt, found.outcome, found.why, found.cause, phase.returncode)
        return
    # A successor starts its command only when it is sure that this one has ended: no clock has to agree with another.
    if any(_has_begun(later) for later in successors):
        why = "its machine was lost, and a newer attempt took over"
        yield finished(experiment, attempt, "superseded", why)


def _has_begun(attempt: AttemptView) -> bool:
    return bool(attempt.status.get("started")) or any(
        claim.get("command") for claim in attempt.claims
    )


def _never(attempt: AttemptView, phase: Phase, now: float) -> str:
    """Return why all jobs of an attempt wait in vain, "" if one may start. A scheduler's first reason may pass."""
    if attempt.claims or now - attempt.created < phase.patience.again_s:
        return ""
    reasons = [job.never for job in phase.live]
    return reasons[0] if all(reasons) else ""


def _refused(
    experiment: ExperimentView, attempt: AttemptView, phase: Phase, why: str
) -> Iterator[Action]:
    """Yield what ends an attempt that would wait for ever. One that starts meanwhile finds the status, and ends."""
    for job in phase.live:
        yield Cancel(
            experiment=experiment.name, attempt=attempt.number, node=attempt.node, job=job.id
        )
    yield finished(experiment, attempt, "refused", why)


def _kept(attempt: AttemptView, live: Sequence[Seen]) -> tuple[Seen, list[Seen]]:
    """Return the job to keep, the one that has claimed, and those that may go: of two that might claim, none."""
    claimed = {str(claim.get("job_id") or "") for claim in attempt.claims} - {""}
    owners = [job for job in live if job.id in claimed]
    if owners:
        return owners[-1], [job for job in live if job.id not in claimed]
    running = [job for job in live if job.state == RUNNING]
    kept = (running or list(live))[0]
    return kept, [job for job in live if job is not kept and job.state == WAITING]


def finished(
    experiment: ExperimentView,
    attempt: AttemptView,
    outcome: str,
    why: str,
    cause: str = "",
    returncode: int | None = None,
) -> Finish:
    """Return the action that writes a status."""
    return Finish(
        experiment=experiment.name,
        attempt=attempt.number,
        outcome=outcome,
        why=why,
        cause=cause,
        returncode=returncode,
    )
