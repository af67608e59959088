"""Which cores a rank computes on, where its launcher leaves all cores of the machine to all ranks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from ddl.distributed.job import launcher

_CPUS = Path("/sys/devices/system/cpu")

_before: set[int] | None = None


def pin(local_rank: int, local_size: int) -> None:
    """Keep this process to its share of the cores, so that no two ranks compute on one by turns.

    Does nothing where the launcher has bound the ranks, where a container's quota says nothing about which cores
    are meant, where there are fewer cores than ranks, on other systems than Linux, and with DDL_PIN_CORES=0.
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
    """Give the process all its cores again."""
    global _before
    if _before is not None:
        _set_affinity(_before)
        _before = None


def share_of(
    cores: Collection[int], local_rank: int, local_size: int, cpus: Path = _CPUS
) -> set[int]:
    """Return a rank's part of the cores: neighbours, a processor's together, and both threads of a core."""
    placed = sorted(cores, key=lambda core: _place(core, cpus))
    first, end = (len(placed) * rank // local_size for rank in (local_rank, local_rank + 1))
    return set(placed[first:end])


def _place(core: int, cpus: Path) -> tuple[int, int, int]:
    """Return processor, core and thread."""
    topology = cpus / f"cpu{core}" / "topology"
    try:
        package = int((topology / "physical_package_id").read_text())
        return package, int((topology / "core_id").read_text()), core
    except (OSError, ValueError):
        return 0, core, core


def _set_affinity(cores: set[int]) -> None:
    """Also of the threads that there are already, Horovod's among them."""
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread.name), cores)
