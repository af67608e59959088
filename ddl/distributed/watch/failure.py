"""How a job ends when a rank fails: at once, everywhere, with a message that names the rank.

Four ways to fail, and who notices:

- An exception: the rank prints its traceback under its name and ends without Horovod's orderly farewell, so
  that the launcher ends the others and no second traceback buries the first.
- A rank that dies (`kill -9`, out of memory): its heartbeat connection closes.
- A rank that is stopped, or a machine that is gone: its heartbeats stop.
- A rank that works on something else, or has finished, while the others wait for it: Horovod's stall check ends
  the waiting ranks with an error; those that got none are the ones that they waited for.
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

from ddl.distributed.watch.heartbeat import Client, Life, Peer, Server, start

logger = logging.getLogger("ddl")

_INTERVAL_S = 1.0
_GATHER_S = 2.0  # how long rank 0 collects the names of those who wait before it blames the others
_YIELD_S = 0.5  # so that the rank that failed ends first, and the job with its status
_CARRY_S = 1.0  # what launchers get to carry a traceback to the terminal before rank 0 speaks
_HOROVOD_ENDED = ("Horovod has been shut down", "HorovodInternalError", "Connection closed by peer")

_watch: Watch | None = None


class Watch:
    """This rank's part in watching the others. One background thread."""

    def __init__(self, me: Peer, silence_s: float, end: Server | Client) -> None:
        self.me, self.silence_s, self.end = me, silence_s, end
        self.state = "alive"
        self.failed_at: str | None = None
        self.waits: dict[int, float] = {}
        self._last_tick = time.monotonic()
        self._stop = threading.Event()
        self._thread = start(self._tick, self._stop)

    def place(self) -> str:
        """Return where this rank's program is, or where it failed."""
        return self.failed_at or _place()

    def set_state(self, state: str) -> None:
        """Tell rank 0 at once; rank 0 tells the others that it failed."""
        self.state = state
        if isinstance(self.end, Client):
            self.end.say(state, self.place())
        elif state == "failed":
            self.end.tell(state)

    def close(self) -> None:
        """Leave the job in peace."""
        self._stop.set()
        self._thread.join(timeout=3 * _INTERVAL_S)
        self.end.close()

    def _tick(self) -> None:
        slept_s, self._last_tick = time.monotonic() - self._last_tick, time.monotonic()
        if slept_s > 5 * _INTERVAL_S:
            # This process was stopped, and cannot blame others for that time.
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
                return f"{life.peer} failed; its error stands above."
            if life.state == "alive" and self.silence_s and life.silent_s() > self.silence_s:
                return (
                    f"{life.peer} has given no sign of life for {life.silent_s():.0f} s: it is stopped, holds Python's "
                    f"lock, or its machine or network is gone. It was last seen at {life.place}."
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
        # A rank that comes back when the others have given up fails too, but after them.
        late = [
            life
            for life in everyone
            if life.state in ("alive", "left") or self.waits.get(life.peer.rank, 0) > first + 1
        ]
        return _blame(late, everyone, len(self.waits))

    def _judge_root(self, root: Life) -> str | None:
        if self.me.rank != 1 and root.silent_s() < self.silence_s + 5:
            return None  # one voice is enough
        if root.state == "failed":
            return f"rank 0 (host {root.peer.host}) failed; its error stands above."
        if root.state == "died" and self.state != "failed":
            return f"rank 0 (host {root.peer.host}) died (killed, crashed or out of memory)."
        if root.state == "alive" and self.silence_s and root.silent_s() > self.silence_s:
            return f"rank 0 (host {root.peer.host}) has given no sign of life for {root.silent_s():.0f} s."
        if root.state == "left" and self.state == "waiting":
            return f"rank 0 (host {root.peer.host}) has left the job while other ranks still waited for it."
        return None


def watch(hvd: ModuleType, stall_timeout_s: float) -> None:
    """Start to watch the other ranks. All ranks must call it."""
    global _watch
    sys.excepthook = _end_on_exception
    me = Peer(hvd.rank(), socket.gethostname(), os.getpid())
    server = Server(me.host, _addresses()) if me.rank == 0 else None
    address = hvd.broadcast_object(server.address if server else None, name="ddl.heartbeat")
    silence_s = 0.8 * stall_timeout_s  # before Horovod's own clock runs out
    try:
        end: Server | Client = server or Client(address, me)
    except OSError as error:
        logger.warning(
            "rank %d cannot reach rank 0 at %s port %d (%s): only the launcher will notice if it dies.",
            me.rank,
            ", ".join(address.addresses),
            address.port,
            error,
        )
        return
    _watch = Watch(me, silence_s, end)


def stop_watching() -> None:
    """Leave the job in peace: the others may go on or end."""
    global _watch
    if _watch is not None:
        _watch.close()
    _watch = None
    sys.excepthook = sys.__excepthook__


def give_up(message: str, status: int = 1) -> None:
    """End the job from this rank alone, with one line in place of a traceback and this rank's exit status."""
    print(f"\n{message}", file=sys.stderr, flush=True)
    if _watch is not None:
        time.sleep(_CARRY_S)
        _watch.set_state("failed")
    sys.stdout.flush()
    os._exit(status)


def end_job(message: str) -> None:
    """End this process now, and with it the job: launchers end all ranks when one ends with an error."""
    print(f"\nddl: {message} Ending the job.", file=sys.stderr, flush=True)
    os._exit(1)


def _end_on_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    watch = _watch
    name = str(watch.me) if watch else f"pid {os.getpid()}"
    secondary = any(sign in f"{kind.__name__} {error}" for sign in _HOROVOD_ENDED)
    if watch and secondary:
        watch.failed_at = _own_line(traceback.extract_tb(trace))
        watch.set_state("waiting")
        time.sleep(_GATHER_S + 4 * _INTERVAL_S)  # rank 0 names the one to blame and ends the job
    lines = "".join(traceback.format_exception(kind, error, trace))
    if issubclass(kind, KeyboardInterrupt):
        lines = "Interrupted.\n"
    print(f"\nddl: {name} failed:\n{lines}", file=sys.stderr, flush=True)
    if watch:
        time.sleep(_CARRY_S)
        watch.set_state("failed")
    sys.stdout.flush()
    os._exit(130 if issubclass(kind, KeyboardInterrupt) else 1)


def _blame(late: list[Life], everyone: list[Life], waiting: int) -> str:
    if not late:
        places = "; ".join(f"{life.peer} at {life.place}" for life in everyone)
        return f"the ranks wait for each other in different places: {places}. Do all ranks do the same?"
    parts = []
    for life in late:
        if life.state == "left":
            parts.append(f"{life.peer} has left the job")
        else:
            parts.append(f"{life.peer} is stalled at {life.place}")
    remedy = (
        "Do all ranks take the same steps? If it only needs longer, raise DDL_STALL_TIMEOUT_S "
        "(seconds; 0 waits forever)."
    )
    return f"{'; '.join(parts)}, while {waiting} rank(s) wait for it. {remedy}"


def _place() -> str:
    """Return where the main thread is."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    frames = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
    return _own_line(frames[::-1])


def _own_line(frames: list[traceback.FrameSummary]) -> str:
    """Return the innermost line that is the user's: outside of installed packages and of this one."""
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
    """Return this machine's addresses, the ones that other machines can use first."""
    import psutil

    found = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    ]
    return tuple(sorted(found, key=lambda address: address.startswith("127.")))
