"""This process's rank in the job, and collectives for Python values.

Without a launcher there is one rank, every collective returns its input, and Horovod is not imported.
`ddl.distributed.start` joins and leaves the job.

All ranks must call the collectives (`allreduce`, `broadcast`, `allgather`, `barrier`), in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddl.distributed.job import launcher
from ddl.ranges import check_choice

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

_place = launcher.Placement()
_initialized = False
_left = False
_hvd: ModuleType | None = None


def join(place: launcher.Placement, hvd: ModuleType | None) -> None:
    """Store this process's place in the job. Only `ddl.distributed.start` calls it."""
    global _initialized, _place, _hvd
    _initialized, _place, _hvd = True, place, hvd


def leave() -> None:
    """Shut Horovod down; this process is a single rank again. Only `ddl.distributed.start` calls it."""
    global _initialized, _left, _place, _hvd
    if _hvd is not None:
        _hvd.shutdown()
    _hvd, _place, _initialized, _left = None, launcher.Placement(), False, True


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
    if not 0 <= root < size():
        raise ValueError(f"No such rank. Received: root={root}. Expected: 0 to {size() - 1}.")
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
