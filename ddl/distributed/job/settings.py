"""Environment variables that TensorFlow, Horovod and MPI read when they start."""

from __future__ import annotations

import math
import os

from ddl.distributed.gradients.buckets import BUCKET_BYTES
from ddl.distributed.job import launcher

STALL_TIMEOUT_S = 50.0
"""The job ends when a rank keeps the others waiting for longer. `init` and DDL_STALL_TIMEOUT_S change it."""


def stall_timeout(given: float | None) -> float:
    """Return the longest time in seconds that ranks wait for another rank: `given`, or the environment's value.

    Raises:
        ValueError: if the value is not 0 or at least 5.
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
    """Set the variables that the libraries read when they start. Variables that the user has set stay unchanged."""
    threads = launcher.threads_per_rank(place.local_size)
    defaults = {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(min(threads, 2)),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        # TensorFlow's long warnings would hide our one-line messages, such as which picture cannot be read.
        "TF_CPP_MIN_LOG_LEVEL": "2" if place.rank == 0 else "3",
    }
    if place.size > 1:  # with one rank, they would only reach jobs that this process starts
        defaults |= _stall_check(stall_timeout_s) | {
            "HOROVOD_FUSION_THRESHOLD": str(BUCKET_BYTES),
            # Buckets that share a buffer by chance would be summed in a different order in each run.
            "HOROVOD_DISABLE_GROUP_FUSION": "1",
            # Longest sleep (ms) of our Horovod build's thread while this rank has nothing to reduce. Without
            # sleep the thread takes a twentieth of a core from the computation.
            "HOROVOD_IDLE_TIME": "100",
            # UCX's own handler of crashes can hang, and the rank with it. A crash must end the rank at once.
            "UCX_HANDLE_ERRORS": "none",
        }
    if place.size > 1 and place.local_size == place.size:
        # Interval (ms) at which Horovod polls for ready gradients. Its default of 1 ms is a fifth of a small model's
        # step. Over a network the default stays: each poll is a message there.
        defaults["HOROVOD_CYCLE_TIME"] = "0.2"
    if place.size > 1 and (threads + 1) * place.local_size > launcher.usable_cores():
        # OpenMPI's blocking calls spin. Without a free core for them, they take half of the CPU from the
        # computation: 23 instead of 36 images/s for two U-Net ranks on two cores.
        defaults["OMPI_MCA_mpi_yield_when_idle"] = "1"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _stall_check(stall_timeout_s: float) -> dict[str, str]:
    """Return Horovod's settings: a late rank gets the whole time-out, and the job ends soon after it.

    Horovod looks for stalls once per check period. It starts its shutdown timer with a tensor's first wait, or, where
    it knows the tensor from an earlier step, up to two periods later. So the end comes zero to three periods after the
    time-out, which for 50 s leaves time to name the rank within a minute.
    """
    if not stall_timeout_s:
        return {
            "HOROVOD_STALL_CHECK_TIME_SECONDS": "60",
            "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": "0",
        }
    return {
        "HOROVOD_STALL_CHECK_TIME_SECONDS": str(min(5, max(1, int(stall_timeout_s / 25)))),
        "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": str(math.ceil(stall_timeout_s)),
    }
