"""What is known about a job and its machines, and how it changes. Pure: no processes, no clock of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ddl.elastic.settings import ElasticSettings

DONE, BAD_INPUT, DIVERGED, STOPPED, AT_ONCE = 0, 2, 4, 75, 130
"""Exit statuses of the training scripts, which are ours, too."""

Ranks = Mapping[str, int]
"""Host -> number of ranks, or of slots."""


@dataclass(frozen=True)
class Blame:
    """Whom a failure is put down to.

    Attributes:
        reason: the line that says so.
        rank: number of the rank, if one is known.
        host: our name of its machine, if known.
        whole_host: whether the machine itself cannot be used: nothing can be started there, or it is silent.
    """

    reason: str = ""
    rank: int | None = None
    host: str | None = None
    whole_host: bool = False


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes:
        status: exit status, as the script means it: 75 for a job that says that it has stopped with a checkpoint.
        progressed: whether there is a newer checkpoint than at its start.
        blame: whom a failure is put down to.
        limit: whether the run's own time limit stopped it.
    """

    status: int
    progressed: bool = False
    blame: Blame = Blame()
    limit: bool = False


@dataclass(frozen=True)
class LeftOut:
    """Slots that are not used until a time: those of ranks that died, or a whole machine.

    `is_firm`: not used even if too few ranks are left: nothing can be started there.
    """

    host: str
    until_s: float
    slots: int = 0  # 0: all
    is_firm: bool = False


@dataclass(frozen=True)
class State:
    """What is known. Times are those of one clock, in seconds."""

    hosts: Ranks = field(default_factory=dict)
    ranks: Ranks | None = None  # of the running job
    started_s: float = 0.0  # the last start
    is_training: bool = False  # the job has loaded and takes steps
    stop_asked_s: float | None = None
    stop_reason: str = ""
    signals: int = 0  # that asked us to stop
    is_silent: bool = False  # the job has printed nothing for too long
    left_out: tuple[LeftOut, ...] = ()
    failures: tuple[tuple[str, float], ...] = ()  # (host, when)
    restarts: int = 0  # after failures
    futile: int = 0  # of these, the last ones without progress
    not_before_s: float = 0.0  # the next start
    short_since_s: float | None = None  # fewer than min_ranks
    last: Ending | None = None

    def change(self, **values: object) -> State:
        """Return this state with other values."""
        return dataclasses.replace(self, **values)  # type: ignore[arg-type]


def start(state: State, ranks: Ranks, now_s: float) -> State:
    """Return the state after a start on these ranks."""
    return state.change(
        ranks=dict(ranks),
        started_s=now_s,
        is_training=False,
        stop_asked_s=None,
        stop_reason="",
        is_silent=False,
        short_since_s=None,
    )


def ask_stop(state: State, reason: str, now_s: float) -> State:
    """Return the state after the job was asked to write a checkpoint and stop."""
    return state.change(stop_asked_s=now_s, stop_reason=reason)


def end(state: State, ending: Ending, now_s: float, settings: ElasticSettings) -> State:
    """Return the state after the job's end."""
    was_asked = state.stop_asked_s is not None
    state = state.change(
        ranks=None, stop_asked_s=None, stop_reason="", is_silent=False, last=ending
    )
    if ending.status in (DONE, BAD_INPUT, DIVERGED):
        return state
    futile = 0 if ending.progressed else state.futile + 1
    if was_asked or ending.status == STOPPED:
        # A machine that keeps stopping its rank before the first step counts as no progress, too.
        return state.change(futile=state.futile if was_asked and not ending.progressed else futile)
    state = _leave_out(state, ending.blame, now_s, settings)
    is_excluded = any(out.is_firm and out.host == ending.blame.host for out in state.left_out)
    if is_excluded and not ending.progressed:
        futile = state.futile  # the next start is another one
    return state.change(
        restarts=state.restarts + 1, futile=futile, not_before_s=now_s + pause_s(futile)
    )


def pause_s(futile: int) -> float:
    """Return how long to wait before a start after this many failures without progress: 0, 1, 2, 4, ... s."""
    return 0.0 if futile < 1 else min(2.0 ** (futile - 1), 60.0)


def _leave_out(state: State, blame: Blame, now_s: float, settings: ElasticSettings) -> State:
    """Return the state in which the slot or the host of a failure is left out for a while."""
    if blame.host is None:
        return state
    window_s = settings.blacklist_min * 60
    failures = [(host, when) for host, when in state.failures if now_s - when < window_s]
    failures.append((blame.host, now_s))
    count = sum(host == blame.host for host, _ in failures)
    left_out = [out for out in state.left_out if out.until_s > now_s]
    if count >= settings.blacklist_after and window_s:
        left_out = [out for out in left_out if out.host != blame.host]
        left_out.append(LeftOut(blame.host, now_s + window_s, is_firm=blame.whole_host))
        failures = [(host, when) for host, when in failures if host != blame.host]
    elif settings.cooldown_s:
        slots = 0 if blame.whole_host else 1
        left_out.append(
            LeftOut(blame.host, now_s + settings.cooldown_s, slots, is_firm=blame.whole_host)
        )
    return state.change(left_out=tuple(left_out), failures=tuple(failures))
