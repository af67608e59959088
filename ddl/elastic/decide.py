"""What to do next, from what is known. Pure functions, which the tests try in virtual time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddl.elastic.hosts import shown
from ddl.elastic.settings import ElasticSettings
from ddl.elastic.state import (
    AT_ONCE,
    BAD_INPUT,
    DIVERGED,
    DONE,
    STOPPED,
    LeftOut,
    Ranks,
    State,
)


@dataclass(frozen=True)
class Start:
    """Start the job on these ranks."""

    ranks: Ranks


@dataclass(frozen=True)
class AskStop:
    """Ask the job to write a checkpoint and stop."""

    reason: str


@dataclass(frozen=True)
class Kill:
    """Kill the job."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Do nothing. `reason` is what is waited for, if the job is not running."""

    reason: str = ""


@dataclass(frozen=True)
class End:
    """End with this status."""

    status: int
    reason: str


Action = Start | AskStop | Kill | Wait | End


def decide(state: State, settings: ElasticSettings, now_s: float) -> Action:
    """Return what to do now."""
    if state.ranks is None:
        return _at_rest(state, settings, now_s)
    return _while_running(state, settings, now_s)


def usable_slots(state: State, settings: ElasticSettings, now_s: float) -> dict[str, int]:
    """Return the slots to start on. What is left out comes back where fewer than `min_ranks` would remain.

    A machine on which nothing can be started does not come back before its time.
    """
    current = [out for out in state.left_out if out.until_s > now_s]
    firm = [out for out in current if out.is_firm]
    whole = [out for out in current if out.is_firm or not out.slots]
    found: dict[str, int] = {}
    for outs in (current, whole, firm):
        found = _without(state.hosts, outs)
        if sum(found.values()) >= settings.min_ranks:
            return found
    return found


def place(slots: Ranks, most: int) -> dict[str, int]:
    """Return the ranks of each host, the first hosts first, `most` in all; 0 takes every slot."""
    ranks: dict[str, int] = {}
    left = most or sum(slots.values())
    for host, count in slots.items():
        taken = min(count, left)
        if taken:
            ranks[host] = taken
        left -= taken
    return ranks


def _without(hosts: Ranks, left_out: Iterable[LeftOut]) -> dict[str, int]:
    """Return the slots of hosts without those that are left out. A host without slots is not among them."""
    slots = dict(hosts)
    for out in left_out:
        if out.host in slots:
            slots[out.host] = max(0, slots[out.host] - out.slots) if out.slots else 0
    return {host: count for host, count in slots.items() if count}


def _at_rest(state: State, settings: ElasticSettings, now_s: float) -> Action:
    last = state.last
    if last is not None and last.status == DONE:
        return End(DONE, "the training is complete")
    if last is not None and last.status == BAD_INPUT:
        return End(BAD_INPUT, "bad input; see its line above")
    if last is not None and last.status == DIVERGED:
        return End(DIVERGED, "the loss or a weight became NaN or infinite; see its line above")
    if state.signals:
        if last is None or last.status == STOPPED or state.signals == 1:
            return End(STOPPED, "stopped by a signal")
        return End(AT_ONCE, "stopped at once by a second signal")
    if last is not None and last.limit:
        return End(STOPPED, "the run's time limit is reached")
    if last is not None and (given_up := _given_up(state, settings)):
        return End(last.status or 1, given_up)
    ranks = place(usable_slots(state, settings, now_s), settings.max_ranks)
    if sum(ranks.values()) < settings.min_ranks:
        return _wait_for_slots(state, settings, now_s)
    if now_s < state.not_before_s:
        return Wait()
    return Start(ranks)


def _given_up(state: State, settings: ElasticSettings) -> str:
    """Return why no further start is tried, "" if one is."""
    if state.futile >= settings.restarts_without_progress:
        return f"{state.futile} starts in a row made no progress; see the errors above"
    if state.restarts > settings.restarts:
        return f"{settings.restarts} restarts are used up (--restarts)"
    return ""


def _wait_for_slots(state: State, settings: ElasticSettings, now_s: float) -> Action:
    slots = sum(usable_slots(state, settings, now_s).values())
    since_s = now_s if state.short_since_s is None else state.short_since_s
    found = f"{slots} of at least {settings.min_ranks} slots are there ({shown(state.hosts)})"
    if now_s - since_s >= settings.wait_min * 60:
        return End(STOPPED, f"{found}, after {settings.wait_min:g} min of waiting")
    return Wait(f"{found}; waiting for more, at most {settings.wait_min:g} min")


def _while_running(state: State, settings: ElasticSettings, now_s: float) -> Action:
    if state.signals > 1:
        return Kill("a second signal")
    if state.stop_asked_s is not None:
        if now_s - state.stop_asked_s > settings.stop_timeout_s:
            return Kill(f"it did not stop within {settings.stop_timeout_s:g} s")
        return Wait()
    if state.signals:
        return AskStop("a signal")
    if state.is_silent:
        return Kill(f"it printed nothing for {settings.silence_min:g} min")
    if lost := _lost(state):
        return AskStop(f"{lost} is no longer listed")
    return _grow(state, settings, now_s)


def _lost(state: State) -> str:
    """Return the first host that no longer has the slots of its ranks, "" if all have."""
    for host, ranks in (state.ranks or {}).items():
        slots = state.hosts.get(host, 0)
        if slots < ranks:
            return host if not slots else f"a slot of {host}"
    return ""


def _grow(state: State, settings: ElasticSettings, now_s: float) -> Action:
    if not state.is_training or now_s - state.started_s < settings.cooldown_s:
        return Wait()  # a start that is cut short has cost its time for nothing
    now = sum((state.ranks or {}).values())
    then = sum(place(usable_slots(state, settings, now_s), settings.max_ranks).values())
    return AskStop(f"{then} ranks can train, instead of {now}") if then > now else Wait()
