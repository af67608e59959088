"""What TensorFlow, Horovod and MPI read from the environment when they start."""

from __future__ import annotations

import os

from ddl.distributed.gradients.buckets import BUCKET_BYTES
from ddl.distributed.job import launcher

STALL_TIMEOUT_S = 50.0
"""A rank that keeps the others waiting for longer ends the job; `init` and DDL_STALL_TIMEOUT_S change it."""


def stall_timeout(given: float | None) -> float:
    """Return for how many seconds the ranks wait for one of them, as given or as the user's environment says.

    Raises:
        ValueError: that is no number of seconds.
    """
    source, value = "stall_timeout_s", given if given is not None else STALL_TIMEOUT_S
    if given is None and "DDL_STALL_TIMEOUT_S" in os.environ:
        source = "DDL_STALL_TIMEOUT_S"
        try:
            value = float(os.environ[source])
        except ValueError:
            value = -1.0
    if not (value == 0 or 5 <= value < float("inf")):
        raise ValueError(
            f"Received: {source}={os.environ.get(source, value) if given is None else value}. "
            "Expected: seconds, 5 or more, or 0 to wait forever."
        )
    return float(value)


def set_environment(place: launcher.Placement, stall_timeout_s: float) -> None:
    """Set what the libraries read when they start. What the user has set stays as it is."""
    threads = launcher.threads_per_rank(place.local_size)
    # Horovod checks for stalls once a `check` period, drops its cached answers after one, and starts the
    # shutdown clock only then: three periods and the clock together stay below the time-out.
    check_s = max(1, int(stall_timeout_s / 8))
    defaults = {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(min(threads, 2)),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        # Its warnings put a page around what we say in a line, such as which picture cannot be read.
        "TF_CPP_MIN_LOG_LEVEL": "2" if place.rank == 0 else "3",
    }
    if place.size > 1:  # one rank would only leave them to the jobs that it may start
        defaults |= {
            "HOROVOD_STALL_CHECK_TIME_SECONDS": str(check_s if stall_timeout_s else 60),
            "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": str(max(0, int(stall_timeout_s) - 3 * check_s)),
            "HOROVOD_FUSION_THRESHOLD": str(BUCKET_BYTES),
            # Buckets that share a buffer when they happen to meet would be summed in another order each time.
            "HOROVOD_DISABLE_GROUP_FUSION": "1",
            # How long (ms) our build of Horovod sleeps at most while this rank has nothing to reduce: its thread
            # would take a twentieth of a core that computes.
            "HOROVOD_IDLE_TIME": "100",
        }
    if place.size > 1 and place.local_size == place.size:
        # Horovod looks this often (ms) whether gradients are ready; its own 1 ms is a fifth of a small model's step.
        # Over a network it stays, for each look is a message there.
        defaults["HOROVOD_CYCLE_TIME"] = "0.2"
    if place.size > 1 and (threads + 1) * place.local_size > launcher.usable_cores():
        # OpenMPI's blocking calls spin. Where no core is left for them, that takes half of the CPU from
        # the computation: 23 instead of 36 images/s for two U-Net ranks on two cores.
        defaults["OMPI_MCA_mpi_yield_when_idle"] = "1"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
