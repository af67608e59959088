"""Detect a failed rank, end the job on all ranks, and name the rank in a message.

Four kinds of failure, and how each is detected:

- Exception: the rank prints its traceback under its name and exits without Horovod's shutdown. The launcher then
  ends the other ranks, and their tracebacks do not hide the first.
- Death (`kill -9`, out of memory): the rank's heartbeat connection closes.
- Stopped process, lost machine or network: the rank's heartbeats stop.
- Stall (the rank does something else, or has finished, while others wait): Horovod's stall check raises an error on
  the waiting ranks. The ranks without that error are the late ones.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from types import ModuleType, TracebackType

from ddl.distributed.watch.heartbeat import Client, Life, Peer, Server
from ddl.plain_text import escaped, escaped_lines

logger = logging.getLogger("ddl")

_INTERVAL_S = 1.0
_GATHER_S = 2.0  # rank 0 collects the waiting ranks for this long before it names the late ones
_YIELD_S = 0.5  # lets the failed rank exit first, so that the job gets its exit status
_CARRY_S = 1.0  # lets the launcher forward the traceback to the terminal before rank 0 prints
_HOROVOD_ENDED = ("Horovod has been shut down", "HorovodInternalError", "Connection closed by peer")

_watch: Watch | None = None


class Watch:
    """Watches the other ranks from one background thread."""

    def __init__(self, me: Peer, silence_s: float, end: Server | Client) -> None:
        self.me, self.silence_s, self.end = me, silence_s, end
        self.state = "alive"
        self.failed_at: str | None = None
        self.waits: dict[int, float] = {}
        self._last_tick = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ddl-heartbeat", daemon=True)
        self._thread.start()

    def place(self) -> str:
        """Return the source line where this rank is, or where it failed."""
        return self.failed_at or _place()

    def set_state(self, state: str) -> None:
        """Send the new state to rank 0 at once. Rank 0 sends its own failure to all ranks."""
        self.state = state
        if isinstance(self.end, Client):
            self.end.say(state, self.place())
        elif state == "failed":
            self.end.tell(state)

    def close(self) -> None:
        """Leave the job without ending it for the other ranks."""
        self._stop.set()
        self._thread.join(timeout=3 * _INTERVAL_S)
        self.end.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._tick()

    def _tick(self) -> None:
        slept_s, self._last_tick = time.monotonic() - self._last_tick, time.monotonic()
        if slept_s > 5 * _INTERVAL_S:
            # This process itself was stopped: do not count that time as silence of the others.
            lives = self.end.lives.values() if isinstance(self.end, Server) else [self.end.root]
            for life in lives:
                life.seen += slept_s
        if isinstance(self.end, Server):
            self.end.poll(_INTERVAL_S)
            verdict = self._judge(self.end)
        else:
            self.end.say(self.state, self.place())
            self.end.listen(_INTERVAL_S)
            time.sleep(_INTERVAL_S / 2)
            verdict = self._judge_root(self.end.root)
        if verdict and not self._stop.is_set():
            time.sleep(_YIELD_S)
            end_job(verdict)

    def _judge(self, server: Server) -> str | None:
        """Return why the job must end, or None. Rank 0 only."""
        lives = list(server.lives.values())
        for life in lives:
            if life.state == "died":
                return f"{life.peer} died (killed, crashed or out of memory)."
            if life.state == "failed":
                return f"{life.peer} failed; see its error above."
            if life.state == "alive" and self.silence_s and life.silent_s() > self.silence_s:
                return (
                    f"{life.peer} has sent no heartbeat for {life.silent_s():.0f} s: it is stopped, holds Python's "
                    f"GIL, or its machine or network is down. Its last known position is {life.place}."
                )
        return self._judge_waiting(lives)

    def _judge_waiting(self, lives: list[Life]) -> str | None:
        waiting = [life.peer.rank for life in lives if life.state == "waiting"]
        if self.state == "waiting":
            waiting.append(0)
        if not waiting:
            return None
        now = time.monotonic()
        for rank in waiting:
            self.waits.setdefault(rank, now)
        first = min(self.waits.values())
        if now - first < _GATHER_S:
            return None
        everyone = [Life(self.me, self.state, self.place()), *lives]
        # A late rank that continues after the others have failed also fails, but later.
        late = [
            life
            for life in everyone
            if life.state in ("alive", "left") or self.waits.get(life.peer.rank, 0) > first + 1
        ]
        return _blame(late, everyone, len(self.waits))

    def _judge_root(self, root: Life) -> str | None:
        if self.me.rank != 1 and root.silent_s() < self.silence_s + 5:
            return None  # rank 1 reports; the others need not repeat it
        if root.state == "failed":
            return f"rank 0 (host {root.peer.host}) failed; see its error above."
        if root.state == "died" and self.state != "failed":
            return f"rank 0 (host {root.peer.host}) died (killed, crashed or out of memory)."
        if root.state == "alive" and self.silence_s and root.silent_s() > self.silence_s:
            return (
                f"rank 0 (host {root.peer.host}) has sent no heartbeat for {root.silent_s():.0f} s."
            )
        if root.state == "left" and self.state == "waiting":
            return f"rank 0 (host {root.peer.host}) has left the job, while other ranks still wait for it."
        return None


def watch(hvd: ModuleType, stall_timeout_s: float) -> None:
    """Start watching the other ranks. All ranks must call it."""
    global _watch
    sys.excepthook = _end_on_exception
    me = Peer(hvd.rank(), socket.gethostname(), os.getpid())
    server = Server(me.host, _addresses()) if me.rank == 0 else None
    address = hvd.broadcast_object(server.address if server else None, name="ddl.heartbeat")
    silence_s = 0.8 * stall_timeout_s  # shorter than Horovod's own time-out
    try:
        end: Server | Client = server or Client(address, me)
    except OSError as error:
        logger.warning(
            "rank %d cannot connect to rank 0 at %s port %d (%s): only the launcher can detect its failure.",
            me.rank,
            ", ".join(address.addresses),
            address.port,
            error,
        )
        return
    _watch = Watch(me, silence_s, end)


def stop_watching() -> None:
    """Stop watching and leave the job. The other ranks may continue or end."""
    global _watch
    if _watch is not None:
        _watch.close()
    _watch = None
    sys.excepthook = sys.__excepthook__


def give_up(message: str, status: int = 1) -> None:
    """End the job from this rank, with a one-line message instead of a traceback and with this exit status."""
    tell_apart(message)
    if _watch is not None:
        time.sleep(_CARRY_S)
        _watch.set_state("failed")
    sys.stdout.flush()
    os._exit(status)


def end_job(message: str) -> None:
    """Exit this process now. The launcher ends all ranks when one exits with an error."""
    tell_apart(f"ddl: {message} Ending the job.")
    os._exit(1)


def tell_apart(message: str) -> None:
    """Print a line after an empty one, in one write, so that launchers do not mix it with other ranks' lines."""
    print(f"\n{escaped(message)}", file=sys.stderr, flush=True)


def _end_on_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    watch = _watch
    name = str(watch.me) if watch else f"pid {os.getpid()}"
    secondary = any(sign in f"{kind.__name__} {error}" for sign in _HOROVOD_ENDED)
    if watch and secondary:
        watch.failed_at = _own_line(traceback.extract_tb(trace))
        watch.set_state("waiting")
        time.sleep(
            _GATHER_S + 4 * _INTERVAL_S
        )  # meanwhile rank 0 names the late rank and ends the job
    lines = "".join(traceback.format_exception(kind, error, trace))
    if issubclass(kind, KeyboardInterrupt):
        lines = "Interrupted.\n"
    print(escaped_lines(f"\nddl: {name} failed:\n{lines}"), file=sys.stderr, flush=True)
    if watch:
        time.sleep(_CARRY_S)
        watch.set_state("failed")
    sys.stdout.flush()
    os._exit(130 if issubclass(kind, KeyboardInterrupt) else 1)


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


def _place() -> str:
    """Return the source line that the main thread is executing."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    frames = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
    return _own_line(frames[::-1])


def _own_line(frames: list[traceback.FrameSummary]) -> str:
    """Return the innermost line of the user's code: outside installed packages and `ddl`."""
    packages = ("site-packages", sys.prefix, str(Path(__file__).parents[2]))
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith("<") and not any(p in frame.filename for p in packages)
    ]
    for frame in reversed(own or frames):
        return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return "its end"


def _addresses() -> tuple[str, ...]:
    """Return this machine's addresses, first those that other machines can reach."""
    import psutil

    addresses = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    ]
    return tuple(sorted(addresses, key=lambda address: address.startswith("127.")))
