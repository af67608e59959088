"""Decides from heartbeats whether the job must end, and words the reason. Pure: no sockets, no threads."""

from __future__ import annotations

from ddl.distributed.watch.heartbeat import Life
from ddl.distributed.watch.running_time import RunningTime

SAID = ""
"""The verdict of a rank that must end, while another rank has printed the reason."""

HOLD_S = 0.3
"""A closed connection counts as a death only after this time: a launcher that ends a job kills all ranks at once."""

_GATHER_S = 2.0  # rank 0 collects the waiting ranks for this long before it names the late ones
_YIELD_S = 0.5  # lets a failed rank exit first, so that the job gets its exit status
_LEAVE_S = 2.0  # what the launcher gets to end the ranks after one has said why
_REPEAT_S = 5.0  # rank 1 reports a problem of rank 0; the others do so this much later, if they are still there


class Judge:
    """Judges on one rank. All times are this process's running time: see `RunningTime`."""

    def __init__(self, rank: int, silence_s: float, clock: RunningTime) -> None:
        """Create a judge.

        Args:
            rank: this rank.
            silence_s: longest time without a heartbeat, 0 for any.
            clock: this process's running time.
        """
        self._rank, self._silence_s, self._clock = rank, silence_s, clock
        self._waits: dict[int, float] = {}  # rank -> when it was first seen waiting

    def of_ranks(self, own: Life, lives: list[Life]) -> str | None:
        """Return on rank 0 why the job must end, or None."""
        for life in lives:
            quiet_s = self._clock.now() - life.seen_s
            if life.state == "died" and quiet_s >= HOLD_S:
                return f"{life.peer} died (killed, crashed or out of memory)."
            if life.state == "failed" and quiet_s >= _YIELD_S:
                return f"{life.peer} failed; see its error above."
            if life.state == "ending" and quiet_s >= _LEAVE_S:
                return SAID
            if life.state == "alive" and 0 < self._silence_s < quiet_s:
                return _silent(life, quiet_s)
        return self._of_waiting([own, *lives])

    def of_root(self, root: Life, own_state: str) -> str | None:
        """Return on another rank why rank 0's state ends the job, or None."""
        quiet_s = self._clock.now() - root.seen_s
        if root.state == "ending":
            return SAID if quiet_s >= _LEAVE_S else None
        if self._rank != 1:
            quiet_s -= _REPEAT_S
        if root.state == "died" and own_state != "failed" and quiet_s >= HOLD_S:
            return f"{root.peer} died (killed, crashed or out of memory)."
        if root.state == "failed" and quiet_s >= _YIELD_S:
            return f"{root.peer} failed; see its error above."
        if root.state == "alive" and 0 < self._silence_s < quiet_s:
            return _silent(root, quiet_s)
        if root.state == "left" and own_state == "waiting" and quiet_s >= 0:
            return f"{root.peer} has left the job, while other ranks still wait for it."
        return None

    def _of_waiting(self, everyone: list[Life]) -> str | None:
        now = self._clock.now()
        for life in everyone:
            if life.state == "waiting":
                self._waits.setdefault(life.peer.rank, now)
        if not self._waits:
            return None
        first = min(self._waits.values())
        if now - first < _GATHER_S:
            return None
        # A late rank that continues after the others have failed also fails, but later.
        late = [
            life
            for life in everyone
            if life.state in ("alive", "left") or self._waits.get(life.peer.rank, 0) > first + 1
        ]
        return _blame(late, everyone, len(self._waits))


def _silent(life: Life, quiet_s: float) -> str:
    place = f" Its last known position is {life.place}." if life.place else ""
    return (
        f"{life.peer} has sent no heartbeat for {quiet_s:.0f} s: it is stopped, holds Python's "
        f"GIL, or its machine or network is down.{place}"
    )


def _blame(late: list[Life], everyone: list[Life], waiting: int) -> str:
    if not late:
        places = "; ".join(f"{life.peer} at {life.place}" for life in everyone)
        return (
            f"the ranks wait for each other at different positions: {places}. "
            "Check that all ranks make the same calls."
        )
    parts = []
    for life in late:
        if life.state == "left":
            parts.append(f"{life.peer} has left the job")
        else:
            parts.append(f"{life.peer} is stalled at {life.place}")
    remedy = (
        "Check that all ranks take the same steps. If the rank only needs more time, raise DDL_STALL_TIMEOUT_S "
        "(seconds; 0 waits forever)."
    )
    return f"{'; '.join(parts)}, while {waiting} rank(s) wait for it. {remedy}"
