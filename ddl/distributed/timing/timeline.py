"""Horovod's timeline: what every reduction does, as JSON for chrome://tracing and https://ui.perfetto.dev.

Rank 0 writes it. Horovod has to know from its start that there may be one: `prepare_timeline()` before `init()`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ddl.distributed import runtime

_LOOK_S = 0.2
_BUSY = 0.1  # of a core, that many others may want, too


def prepare_timeline() -> None:
    """Let there be timelines. Every rank calls it, before `init`. A file that the user has asked for stays."""
    os.environ.setdefault("HOROVOD_TIMELINE", "DYNAMIC")


def has_timeline() -> bool:
    """Return whether a timeline can be started: under several ranks, where it was prepared."""
    return runtime.size() > 1 and os.environ.get("HOROVOD_TIMELINE") == "DYNAMIC"


def start_timeline(path: Path) -> None:
    """Write what Horovod does into a file from now on. Rank 0 calls it."""
    runtime.horovod().start_timeline(str(path))


def stop_timeline() -> None:
    """End the file: it is whole when this returns. Rank 0 calls it."""
    runtime.horovod().stop_timeline()


def calm_writer() -> None:
    """Let the thread that writes timelines have only what others leave of the processor. Linux; no Horovod call must
    be under way.

    Horovod 0.28.1 has that thread spin from its start to the end of the job, timeline or not: it takes 0.9 of a core of
    rank 0, which then looks like the slowest rank. It is the one that computes and never sleeps.
    """
    if not hasattr(os, "SCHED_IDLE") or not Path("/proc/self/task").is_dir():
        return
    before = _threads()
    time.sleep(_LOOK_S)
    for thread, (ticks, sleeps) in _threads().items():
        then = before.get(thread)
        if (
            then
            and then[1] == sleeps
            and ticks - then[0] >= _BUSY * _LOOK_S * os.sysconf("SC_CLK_TCK")
        ):
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))


def _threads() -> dict[int, tuple[int, int]]:
    """Return, of each thread of this process, the ticks that it has computed and how often it has slept."""
    found = {}
    for folder in Path("/proc/self/task").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            status = (folder / "status").read_text()
        except OSError:  # it has ended meanwhile
            continue
        sleeps = int(status.partition("\nvoluntary_ctxt_switches:")[2].split(maxsplit=1)[0])
        found[int(folder.name)] = (int(fields[11]) + int(fields[12]), sleeps)
    return found
