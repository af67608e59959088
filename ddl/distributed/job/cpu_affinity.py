"""Core pinning for ranks that the launcher has not bound to cores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from ddl.distributed.job import launcher

_CPUS = Path("/sys/devices/system/cpu")

_before: set[int] | None = None


def pin(local_rank: int, local_size: int) -> None:
    """Restrict this process to its share of the cores, so that no two ranks compete for a core.

    Does nothing if the launcher has bound the ranks, under a container's CPU quota (it does not name cores), with
    fewer cores than ranks, on systems other than Linux, and with DDL_PIN_CORES=0.
    """
    global _before
    mine = launcher.affinity()
    is_ours = mine == launcher.affinity(os.getppid()) and launcher.cpu_quota() is None
    if (
        os.environ.get("DDL_PIN_CORES") == "0"
        or not hasattr(os, "sched_setaffinity")
        or not is_ours
        or not 1 < local_size <= len(mine)
    ):
        return
    _before = mine
    _set_affinity(share_of(mine, local_rank, local_size))


def release() -> None:
    """Allow the process to use all its cores again."""
    global _before
    if _before is not None:
        _set_affinity(_before)
        _before = None


def share_of(
    cores: Collection[int], local_rank: int, local_size: int, cpus: Path = _CPUS
) -> set[int]:
    """Return a rank's share of the cores: neighbouring ones of one processor, with both threads of a core."""
    placed = sorted(cores, key=lambda core: _place(core, cpus))
    first, end = (len(placed) * rank // local_size for rank in (local_rank, local_rank + 1))
    return set(placed[first:end])


def _place(core: int, cpus: Path) -> tuple[int, int, int]:
    """Return the sort key (processor, core, thread)."""
    topology = cpus / f"cpu{core}" / "topology"
    try:
        package = int((topology / "physical_package_id").read_text())
        return package, int((topology / "core_id").read_text()), core
    except (OSError, ValueError):
        return 0, core, core


def _set_affinity(cores: set[int]) -> None:
    """Set the affinity of every existing thread, Horovod's included."""
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread.name), cores)
