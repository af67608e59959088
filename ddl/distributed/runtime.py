"""Start and end of a distributed job, and collectives for Python values.

Works under `horovodrun` (MPI and Gloo), `mpirun`, `srun --mpi=pmix` and without a launcher. Without one there
is one rank, every collective returns its input, and Horovod is not imported.

All ranks must call the collectives (`allreduce`, `broadcast`, `allgather`, `barrier`), in the same order.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from ddl.distributed.job import cpu_affinity, launcher, quiet, settings
from ddl.distributed.watch import failure
from ddl.ranges import check_choice

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

logger = logging.getLogger("ddl")

_place = launcher.Placement()
_initialized = False
_left = False
_hvd: ModuleType | None = None


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
    global _initialized, _place
    if _initialized:
        return
    timeout_s = settings.stall_timeout(stall_timeout_s)
    _place = launcher.placement()
    settings.set_environment(_place, timeout_s)
    if _place.size > 1:
        _start_horovod(timeout_s)
    elif "tensorflow" in sys.modules:
        _set_up_tensorflow()
    _initialized = True
    atexit.register(shutdown)


def shutdown() -> None:
    """Leave the job. Runs automatically when Python exits. Afterwards this process is a single rank."""
    global _initialized, _left, _place, _hvd
    if not _initialized:
        return
    failure.stop_watching()
    if _hvd is not None:
        _hvd.shutdown()
    cpu_affinity.release()
    _hvd, _place, _initialized, _left = None, launcher.Placement(), False, True
    atexit.unregister(shutdown)


def is_initialized() -> bool:
    """Return whether `init` has run."""
    return _initialized


def require_init() -> None:
    """Check that `init` has run if a launcher started several ranks.

    Raises:
        RuntimeError: if it has not.
    """
    if _initialized or _left:
        return
    place = launcher.placement()
    if place.size > 1:
        raise RuntimeError(
            f"{place.launcher} started {place.size} ranks, but ddl.distributed.init() has not been called: each rank "
            "would train its own model. Call it first."
        )


def _job() -> launcher.Placement:
    require_init()
    return _place


def rank() -> int:
    """Return this process's rank, from 0 to `size() - 1`."""
    return _job().rank


def size() -> int:
    """Return the number of ranks in the job."""
    return _job().size


def local_rank() -> int:
    """Return this process's rank among the ranks on the same machine."""
    return _job().local_rank


def local_size() -> int:
    """Return the number of ranks on this machine."""
    return _job().local_size


def is_root() -> bool:
    """Return whether this is rank 0, which prints and writes files."""
    return rank() == 0


def broadcast(value: Any, root: int = 0) -> Any:
    """Return rank `root`'s `value` on every rank. All ranks must call it.

        config = dist.broadcast(read_config() if dist.is_root() else None)

    Args:
        value: any picklable object; only that of `root` is used.
        root: the rank that sends.
    """
    _check_root(root)
    if size() == 1:
        return value
    return horovod().broadcast_object(value, root_rank=root, name="ddl.broadcast")


def allgather(value: Any) -> list[Any]:
    """Return the `value` of every rank, in rank order. All ranks must call it.

        hosts = dist.allgather(socket.gethostname())

    Args:
        value: any picklable object.
    """
    if size() == 1:
        return [value]
    gathered: list[Any] = horovod().allgather_object(value, name="ddl.allgather")
    return gathered


def allreduce(value: npt.ArrayLike, op: str = "mean") -> Any:
    """Return the mean, sum, min or max over ranks of an array or a number. All ranks must call it.

        samples = dist.allreduce(len(my_samples), op="sum")

    Returns:
        a NumPy array of the same shape and dtype (a scalar array for a number). The mean of integers is
        float64, as in NumPy.
    """
    import numpy as np

    array = np.asarray(value)
    check_choice("op", op, _REDUCTIONS)
    if op == "mean" and not np.issubdtype(array.dtype, np.inexact):
        array = array.astype(np.float64)
    if size() == 1:
        return array
    import tensorflow as tf

    hvd = horovod()
    kind = getattr(hvd, _REDUCTIONS[op])
    return hvd.allreduce(tf.constant(array), op=kind, name=f"ddl.allreduce.{op}").numpy()


_REDUCTIONS = {"mean": "Average", "sum": "Sum", "min": "Min", "max": "Max"}


def barrier() -> None:
    """Wait until every rank has called it. All ranks must call it."""
    allreduce(0, "sum")


def horovod() -> ModuleType:
    """Return `horovod.tensorflow`, initialized.

    Raises:
        RuntimeError: if there is only one rank or `init` has not run.
    """
    if _hvd is None:
        raise RuntimeError(
            f"Horovod is not running. Received: {size()} rank(s), initialized: {_initialized}. Expected: "
            "ddl.distributed.init() called first, under horovodrun or mpirun with two ranks or more."
        )
    return _hvd


def _check_root(root: int) -> None:
    if not 0 <= root < size():
        raise ValueError(f"No such rank. Received: root={root}. Expected: 0 to {size() - 1}.")


def _start_horovod(stall_timeout_s: float) -> None:
    global _hvd, _place
    try:
        with quiet.loading_tensorflow():
            import horovod.tensorflow as hvd

            if _place.rank != 0:
                quiet.silence_this_rank()
    except ImportError as error:
        raise RuntimeError(
            f"{_place.launcher} started {_place.size} ranks, but Horovod cannot be imported ({error}). "
            "Expected: Horovod built for this TensorFlow. Run ./setup.sh, or `python -m ddl.install` in this "
            "environment. `python -m ddl.doctor` shows what is missing."
        ) from error
    hvd.init()
    if hvd.size() != _place.size or hvd.rank() != _place.rank:
        raise RuntimeError(
            f"{_place.launcher} reports rank {_place.rank} of {_place.size}, but Horovod reports rank {hvd.rank()} of "
            f"{hvd.size()}. Expected: the same. Horovod was probably built for another MPI than the one "
            "that started this job. Run `python -m ddl.doctor`."
        )
    _place = launcher.Placement(
        _place.launcher, hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size()
    )
    _hvd = hvd
    with quiet.loading_tensorflow():
        _set_up_tensorflow()
    failure.watch(hvd, stall_timeout_s)
    from ddl.distributed.keras_patches import guard

    guard.install()


def _set_up_tensorflow() -> None:
    """Assign this rank its GPU or cores, and set its threads. TensorFlow must not have computed anything yet."""
    import tensorflow as tf

    try:
        _pin_gpu(tf)
        # Each GPU has nearby cores, which we do not know here: leave placement to the scheduler.
        if not tf.config.list_physical_devices("GPU"):
            cpu_affinity.pin(_place.local_rank, _place.local_size)
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


def _pin_gpu(tf: ModuleType) -> None:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return
    mine = gpus[local_rank() % len(gpus)]
    if 1 < len(gpus) < local_size():
        logger.warning(
            "%d ranks share %d GPUs on this machine. Start one rank per GPU.",
            local_size(),
            len(gpus),
        )
    tf.config.set_visible_devices(mine, "GPU")
    tf.config.experimental.set_memory_growth(mine, True)
