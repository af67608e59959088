"""Start and end of a distributed job.

Works under `horovodrun` (MPI and Gloo), `mpirun`, `srun --mpi=pmix` and without a launcher. Without one there
is one rank, and Horovod is not imported.
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
    """Join the job that the launcher started. All ranks must call it, before TensorFlow computes anything.

    Assigns this rank its GPU or its share of the cores and silences every rank but 0. From then on a failed, dead
    or stalled rank ends the job with a message that names it. A second call does nothing.

        import ddl.distributed as dist

        dist.init()
        print(f"rank {dist.rank()} of {dist.size()}")

    Args:
        stall_timeout_s: longest time that ranks wait for another rank, in seconds (default: DDL_STALL_TIMEOUT_S,
            or 50). 0 waits forever, for runs in which one rank works alone for minutes.

    Raises:
        ValueError: if `stall_timeout_s` is not 0 or at least 5.
        RuntimeError: if Horovod is missing, or reports another rank or size than the launcher.
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
    """Leave the job. Runs automatically when Python exits. Afterwards this process is a single rank."""
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
        The rank, size and local rank that Horovod reports, and `horovod.tensorflow`.
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
    """Return Horovod, initialized, after checking that it agrees with the launcher.

    Raises:
        RuntimeError: if Horovod is missing, or reports another rank or size than the launcher.
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
            "environment. `python -m ddl.doctor` shows what is missing."
        ) from error
    hvd.init()
    if hvd.size() != place.size or hvd.rank() != place.rank:
        raise RuntimeError(
            f"{place.launcher} reports rank {place.rank} of {place.size}, but Horovod reports rank {hvd.rank()} of "
            f"{hvd.size()}. Expected: the same. Horovod was probably built for another MPI than the one "
            "that started this job. Run `python -m ddl.doctor`."
        )
    return hvd


def _set_up_tensorflow(place: launcher.Placement) -> None:
    """Assign this rank its GPU or cores, and set its threads. TensorFlow must not have computed anything yet."""
    import tensorflow as tf

    try:
        _pin_gpu(tf, place)
        # Each GPU has nearby cores, which we do not know here: leave placement to the scheduler.
        if not tf.config.list_physical_devices("GPU"):
            cpu_affinity.pin(place.local_rank, place.local_size)
        tf.config.threading.set_intra_op_parallelism_threads(
            int(os.environ["TF_NUM_INTRAOP_THREADS"])
        )
        tf.config.threading.set_inter_op_parallelism_threads(
            int(os.environ["TF_NUM_INTEROP_THREADS"])
        )
        tf.zeros(())  # creates the context now, while its messages are suppressed
    except RuntimeError as error:  # TensorFlow's context exists already
        logger.warning(
            "TensorFlow was used before ddl.distributed.init(), so this rank could not be assigned its GPU and "
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
            "%d ranks share %d GPUs on this machine. Start one rank per GPU.",
            place.local_size,
            len(gpus),
        )
    tf.config.set_visible_devices(mine, "GPU")
    tf.config.experimental.set_memory_growth(mine, True)
