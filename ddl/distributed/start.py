"""Start and end of a distributed job.

Works under `horovodrun` (MPI and Gloo), `mpirun`, `srun --mpi=pmix`, and with no launcher at all: then there
is one rank, and Horovod is neither needed nor imported.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from ddl.distributed import runtime
from ddl.distributed.job import cpu_affinity, launcher, quiet, settings
from ddl.distributed.watch import failure

if TYPE_CHECKING:
    from types import ModuleType

logger = logging.getLogger("ddl")


def init(stall_timeout_s: float | None = None) -> None:
    """Join the job that the launcher started. Every rank calls it, before TensorFlow computes anything.

    Pins this rank to its GPU, gives it its share of the cores, keeps every rank but 0 quiet, and turns a
    failed, dead or stalled rank into the end of the job with a message that names it. A second call does
    nothing.

    Args:
        stall_timeout_s: How long the ranks wait for one of them (default: DDL_STALL_TIMEOUT_S, or 50). 0
            waits forever, for runs in which one rank works alone for minutes.

    Raises:
        ValueError: for a time-out that is no number of seconds.
        RuntimeError: where the launcher's and Horovod's ideas of the job differ, or Horovod is missing.
    """
    if runtime.is_initialized():
        return
    timeout_s = settings.stall_timeout(stall_timeout_s)
    place, hvd = launcher.placement(), None
    settings.set_environment(place, timeout_s)
    if place.size > 1:
        place, hvd = _start_ranks(place, timeout_s)
    elif "tensorflow" in sys.modules:
        _set_up_tensorflow(place)
    runtime.join(place, hvd)
    atexit.register(shutdown)


def shutdown() -> None:
    """Leave the job. Called by itself when Python ends; afterwards this process is one rank again."""
    if not runtime.is_initialized():
        return
    failure.stop_watching()
    runtime.leave()
    cpu_affinity.release()
    atexit.unregister(shutdown)


def _start_ranks(
    place: launcher.Placement, stall_timeout_s: float
) -> tuple[launcher.Placement, ModuleType]:
    """Start Horovod, TensorFlow, the watch over the ranks and the guard around Keras.

    Returns:
        This rank's place as Horovod knows it, and `horovod.tensorflow`.
    """
    hvd = _start_horovod(place)
    place = launcher.Placement(
        place.launcher, hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size()
    )
    with quiet.loading_tensorflow():
        _set_up_tensorflow(place)
    failure.watch(hvd, stall_timeout_s)
    from ddl.distributed.keras_patches import guard

    guard.install()
    return place, hvd


def _start_horovod(place: launcher.Placement) -> Any:
    """Return Horovod, started, if it sees the job as the launcher does.

    Raises:
        RuntimeError: with the remedy.
    """
    try:
        with quiet.loading_tensorflow():
            import horovod.tensorflow as hvd

            if place.rank != 0:
                quiet.silence_this_rank()
    except ImportError as error:
        raise RuntimeError(
            f"{place.launcher} started {place.size} ranks, but Horovod cannot be imported ({error}). "
            "Expected: Horovod built for this TensorFlow. Run ./setup.sh, or `python -m ddl.install` in this "
            "environment; `python -m ddl.doctor` tells what is missing."
        ) from error
    hvd.init()
    if hvd.size() != place.size or hvd.rank() != place.rank:
        raise RuntimeError(
            f"{place.launcher} says rank {place.rank} of {place.size}, Horovod says rank {hvd.rank()} of "
            f"{hvd.size()}. Expected: the same. Horovod was probably built against another MPI than the one "
            "that started this job: run `python -m ddl.doctor`."
        )
    return hvd


def _set_up_tensorflow(place: launcher.Placement) -> None:
    """Pin the GPU, or the cores, and share these out. TensorFlow must not have computed anything yet."""
    import tensorflow as tf

    try:
        _pin_gpu(tf, place)
        # A GPU is nearer to some cores than to others: its ranks stay free.
        if not tf.config.list_physical_devices("GPU"):
            cpu_affinity.pin(place.local_rank, place.local_size)
        tf.config.threading.set_intra_op_parallelism_threads(
            int(os.environ["TF_NUM_INTRAOP_THREADS"])
        )
        tf.config.threading.set_inter_op_parallelism_threads(
            int(os.environ["TF_NUM_INTEROP_THREADS"])
        )
        tf.zeros(())  # creates the context, with its chatter, now
    except RuntimeError as error:  # TensorFlow's context exists already
        logger.warning(
            "TensorFlow was used before ddl.distributed.init(), so this rank could not be given its GPU and "
            "its share of the cores (%s). Call init() first.",
            error,
        )


def _pin_gpu(tf: ModuleType, place: launcher.Placement) -> None:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return
    mine = gpus[place.local_rank % len(gpus)]
    if 1 < len(gpus) < place.local_size:
        logger.warning(
            "%d ranks share %d GPUs on this machine; start one rank a GPU.",
            place.local_size,
            len(gpus),
        )
    tf.config.set_visible_devices(mine, "GPU")
    tf.config.experimental.set_memory_growth(mine, True)
