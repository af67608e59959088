"""What asks an agent to end its command: stop.json, signals, a newer claim, a lost lease, the time limit, rules."""

from __future__ import annotations

import time
from typing import NamedTuple

from ddl.experiments.agent import pace
from ddl.experiments.agent.attempt.cancelled import is_cancelled
from ddl.experiments.agent.attempt.claim import Claim
from ddl.experiments.agent.attempt.signals import Signals
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.outcome import Outcome
from ddl.experiments.agent.whole import create_json, read_json, write_json

RANKS = {
    "time limit": 1,
    "preempted": 2,
    "pause": 3,
    "stop": 4,
    "kill": 5,
    "lease lost": 6,
    "superseded": 7,
}
"""Of two requests the one with the higher number counts."""

_GRACES_S = {
    "preempted": pace.QUICK_GRACE_S,
    "kill": 0.0,
    "lease lost": pace.LEASE_GRACE_S,
    "superseded": pace.SUPERSEDED_GRACE_S,
}
_FOREVER = float("inf")


class Request(NamedTuple):
    """A request to end."""

    how: str
    by: str
    why: str

    def told(self, outcome: Outcome) -> Outcome:
        """Return an outcome that says who wished it, and why."""
        if outcome.outcome not in ("stopped", "paused", "superseded"):
            return outcome
        reason = f": {self.why}" if self.why else ""
        rule = self.by.partition("rule ")[2]
        if rule and self.why.startswith(f"{rule} at epoch"):  # it names the rule itself
            reason = self.why[len(rule) :]
        return outcome._replace(why=f"{self.how} by {self.by}{reason}")


class Requests:
    """Looks for requests, writes the heartbeat, and keeps the strongest request."""

    def __init__(
        self, attempt: AttemptFolder, claim: Claim, signals: Signals, limit_s: float | None
    ) -> None:
        """Start the clocks. `limit_s` is counted from now."""
        self._attempt, self._claim, self._signals = attempt, claim, signals
        self._limit_at_s = _FOREVER if limit_s is None else pace.now_s() + limit_s
        self._beat_at_s = 0.0
        self._doing = ""
        self._stop_seen: tuple[int, int] | None = None
        self.asked: Request | None = None
        self.current_grace_s: float | None = None

    def ask(self, how: str, by: str, why: str) -> None:
        """Note a request, unless a stronger one was made. What a rule asks is written down for all to see."""
        if how not in RANKS or (self.asked is not None and RANKS[self.asked.how] >= RANKS[how]):
            return
        self.asked = Request(how, by, why)
        grace_s = pace.paced(_GRACES_S[how]) if how in _GRACES_S else _FOREVER
        earlier_s = _FOREVER if self.current_grace_s is None else self.current_grace_s
        self.current_grace_s = min(grace_s, earlier_s)
        if by.startswith("rule "):
            write_stop(self._attempt, how, by, why)

    def look(self, doing: str, quiet: bool = False) -> Request | None:
        """Do what is due; return the strongest request so far.

        `quiet` keeps the heartbeat unwritten: an earlier claim of the same attempt may still write it.
        """
        now_s = pace.now_s()
        if quiet:
            self._claim.hold()
        if self._claim.is_expired():
            self.ask("lease lost", "agent", "no heartbeat could be written for a minute")
        if now_s >= self._beat_at_s or doing != self._doing:
            self._beat_at_s, self._doing = now_s + pace.paced(pace.HEARTBEAT_S), doing
            later = self._claim.later()
            if later:
                self.ask("superseded", "agent", f"{later} has taken over")
            if not quiet and not later:
                self._claim.beat(doing)
        for how in self._signals.take():
            self._read_stop()  # our own `stop` writes that before it cancels a job
            self._hear(how)
        self._read_stop()
        if now_s >= self._limit_at_s:
            self.ask("time limit", "agent", "the time limit is reached")
        return self.asked

    def _hear(self, how: str) -> None:
        """Note what a signal asks. TERM without a warning may mean that somebody has cancelled the job by hand."""
        if how == "preempted" and self.asked is None and is_cancelled():
            self.ask("stop", "scancel", "the job was cancelled")
        self.ask(how, "signal", "asked by a signal")

    def _read_stop(self) -> None:
        try:
            stat = self._attempt.stop.stat()
        except OSError:
            return
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._stop_seen:
            stop = read_json(self._attempt.stop)
            if not stop:  # not readable at this moment
                return
            self._stop_seen = seen
            self.ask(
                str(stop.get("how") or "stop"),
                str(stop.get("by") or "user"),
                str(stop.get("why") or ""),
            )


def write_stop(attempt: AttemptFolder, how: str, by: str, why: str) -> bool:
    """Ask an attempt to end. Return whether this changes anything: a weaker request than the one there does not."""
    request = {"how": how, "by": by, "time": time.time(), "why": why}
    if create_json(attempt.stop, request):
        return True
    if RANKS.get(str(read_json(attempt.stop).get("how")), 0) >= RANKS[how]:
        return False
    write_json(attempt.stop, request)
    return True
