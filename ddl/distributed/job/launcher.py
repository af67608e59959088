"""This process's place in the job, from the launcher's variables (mpirun, horovodrun, srun), and its usable cores.

Pure Python: it imports neither TensorFlow nor Horovod, so that it can run before both.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# (size, rank, local rank, local size) as each launcher names them. Horovod's names come first because
# `horovodrun --gloo` inside an mpirun or Slurm allocation inherits the outer launcher's variables.
_LAUNCHERS = (
    ("horovodrun", "HOROVOD_SIZE", "HOROVOD_RANK", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    (
        "mpirun",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    ("mpiexec (PMI)", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
)


@dataclass(frozen=True)
class Placement:
    """This process's place in the job. `launcher` is None for a process without a launcher."""

    launcher: str | None = None
    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def placement(environ: Mapping[str, str] | None = None) -> Placement:
    """Return this process's place in the job, from the launcher's environment variables."""
    environ = os.environ if environ is None else environ
    for launcher, size, rank, local_rank, local_size in _LAUNCHERS:
        if size in environ:
            return Placement(
                launcher,
                rank=int(environ.get(rank, 0)),
                size=int(environ[size]),
                local_rank=int(environ.get(local_rank, 0)),
                local_size=int(environ.get(local_size, 1)),
            )
    if "PMIX_RANK" in environ and "SLURM_STEP_NUM_TASKS" in environ:  # srun --mpi=pmix
        ranks = int(environ["SLURM_STEP_NUM_TASKS"])
        nodes = int(environ.get("SLURM_STEP_NUM_NODES", 1))
        return Placement(
            "srun",
            rank=int(environ["PMIX_RANK"]),
            size=ranks,
            local_rank=int(environ.get("SLURM_LOCALID", 0)),
            local_size=math.ceil(ranks / nodes),
        )
    return Placement()


def affinity(pid: int = 0) -> set[int]:
    """Return the cores that process `pid` (0: this one) may run on."""
    if not hasattr(os, "sched_getaffinity"):  # macOS
        return set(range(os.cpu_count() or 1))
    try:
        return set(os.sched_getaffinity(pid))
    except OSError:  # another user's process, or one that has ended
        return set()


def cpu_quota(cgroup: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the container's limit in cores (`docker run --cpus=2`), or None without one."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()  # cgroup v2
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:  # cgroup v1
        quota_us = int((cgroup / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu/cpu.cfs_period_us").read_text())
        return quota_us / period_us if quota_us > 0 else None
    except (OSError, ValueError):
        return None


def usable_cores() -> int:
    """Return how many cores the ranks of this machine may use together.

    A launcher that binds ranks restricts each rank's set. The parent process (mpirun or its daemon) is not bound,
    so its set covers all ranks.
    """
    cores = len(affinity() | affinity(os.getppid())) or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, math.floor(quota)))


def threads_per_rank(local_size: int) -> int:
    """Return the number of compute threads for each of `local_size` ranks on this machine.

    OMP_NUM_THREADS overrides it.
    """
    if os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    share = usable_cores() // local_size
    return max(1, min(share, len(affinity()) or 1))
