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
import time
import traceback
from types import ModuleType, TracebackType

from ddl.distributed.watch import addresses
from ddl.distributed.watch.heartbeat import Address, Client, Peer
from ddl.distributed.watch.place import own_line
from ddl.distributed.watch.running_time import RunningTime
from ddl.distributed.watch.server import Server
from ddl.distributed.watch.watcher import Watch
from ddl.plain_text import escaped, escaped_lines

logger = logging.getLogger("ddl")

_SECONDARY_S = (
    6.0  # a rank whose error only follows from another's waits this long for the cause to be named
)
_CARRY_S = 1.0  # lets the launcher forward the traceback to the terminal before rank 0 prints
_HOROVOD_ENDED = ("Horovod has been shut down", "HorovodInternalError", "Connection closed by peer")

_watch: Watch | None = None


def watch(hvd: ModuleType, stall_timeout_s: float) -> None:
    """Start watching the other ranks. All ranks must call it."""
    global _watch
    sys.excepthook = _end_on_exception
    me, clock = Peer(hvd.rank(), socket.gethostname(), os.getpid()), RunningTime()
    server = _listen(hvd, me, clock)
    address: Address | None = hvd.broadcast_object(
        server.address if server else None, name="ddl.heartbeat"
    )
    if address is None:
        return  # rank 0 has said why
    try:
        end = server or Client(address, me, clock)
    except OSError as error:
        logger.warning(
            "rank %d cannot connect to rank 0 (%s): only the launcher can detect its failure.",
            me.rank,
            error,
        )
        return
    _watch = Watch(me, stall_timeout_s, end, clock)


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


def _listen(hvd: ModuleType, me: Peer, clock: RunningTime) -> Server | None:
    """Return rank 0's side on rank 0, else None. All ranks must call it."""
    if hvd.local_size() == hvd.size():
        chosen: tuple[str, ...] = (addresses.LOOPBACK,)
    else:
        mine = addresses.on_job_network(addresses.own_addresses())
        everyone = hvd.allgather_object(mine, name="ddl.addresses")
        chosen = addresses.facing(mine, everyone)
    if me.rank != 0:
        return None
    try:
        return Server(me, hvd.size(), chosen, clock)
    except OSError as error:
        logger.warning(
            "rank 0 cannot listen at %s (%s): only the launcher can detect failures of ranks.",
            ", ".join(chosen),
            error,
        )
        return None


def tell_apart(message: str) -> None:
    """Print a line in one write, so that launchers do not mix it with other ranks' lines."""
    # On a terminal a bar may be unfinished: the message takes its place. Elsewhere every line is whole.
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}{escaped(message)}", file=sys.stderr, flush=True)


def _end_on_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    watch = _watch
    name = str(watch.me) if watch else f"pid {os.getpid()}"
    secondary = any(sign in f"{kind.__name__} {error}" for sign in _HOROVOD_ENDED)
    if watch and secondary:
        watch.failed_at = own_line(traceback.extract_tb(trace))
        watch.set_state("waiting")
        time.sleep(_SECONDARY_S)  # meanwhile rank 0 names the late rank and ends the job
    lines = "".join(traceback.format_exception(kind, error, trace))
    if issubclass(kind, KeyboardInterrupt):
        lines = "Interrupted.\n"
    print(escaped_lines(f"\nddl: {name} failed:\n{lines}"), file=sys.stderr, flush=True)
    if watch:
        time.sleep(_CARRY_S)
        watch.set_state("failed")
    sys.stdout.flush()
    os._exit(130 if issubclass(kind, KeyboardInterrupt) else 1)
