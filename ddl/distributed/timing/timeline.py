"""Horovod's timeline of every reduction, as JSON for chrome://tracing and https://ui.perfetto.dev.

Rank 0 writes it. Horovod must be prepared for a timeline at its start: call `prepare_timeline()` before `init()`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ddl.distributed import runtime

_LOOK_S = 0.2
_BUSY = 0.1  # of a core; low, because other threads may compete for it


def prepare_timeline() -> None:
    """Allow timelines. All ranks must call it, before `init`. A HOROVOD_TIMELINE that the user has set stays."""
    os.environ.setdefault("HOROVOD_TIMELINE", "DYNAMIC")


def has_timeline() -> bool:
    """Return whether a timeline can start: on several ranks, after `prepare_timeline`."""
    return runtime.size() > 1 and os.environ.get("HOROVOD_TIMELINE") == "DYNAMIC"


def start_timeline(path: Path) -> None:
    """Start writing the timeline to a file. Rank 0 calls it."""
    runtime.horovod().start_timeline(str(path))


def stop_timeline() -> None:
    """Stop writing. The file is complete when this returns. Rank 0 calls it."""
    runtime.horovod().stop_timeline()


def calm_writer() -> None:
    """Lower Horovod's timeline thread to idle priority. Linux only; no Horovod call may be running.

    In Horovod 0.28.1 this thread spins for the whole job, with or without a timeline. It takes 0.9 of a core of
    rank 0, which then looks like the slowest rank. The thread is recognized because it computes and never sleeps.
    """
    if not hasattr(os, "SCHED_IDLE") or not Path("/proc/self/task").is_dir():
        return
    before = _threads()
    time.sleep(_LOOK_S)
    for thread, (ticks, sleeps) in _threads().items():
        ticks_before, sleeps_before = before.get(thread, (ticks, -1))
        busy_ticks = _BUSY * _LOOK_S * os.sysconf("SC_CLK_TCK")
        if sleeps == sleeps_before and ticks - ticks_before >= busy_ticks:
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))


def _threads() -> dict[int, tuple[int, int]]:
    """Return for each thread of this process its CPU ticks and how often it has slept."""
    threads = {}
    for folder in Path("/proc/self/task").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            status = (folder / "status").read_text()
        except OSError:  # the thread has ended
            continue
        sleeps = int(status.partition("\nvoluntary_ctxt_switches:")[2].split(maxsplit=1)[0])
        threads[int(folder.name)] = (int(fields[11]) + int(fields[12]), sleeps)
    return threads
