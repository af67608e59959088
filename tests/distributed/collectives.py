"""What test_runtime.py has the ranks of a pooled job do: every collective, and how long they take."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import tensorflow as tf

import ddl.distributed as dist


def collectives() -> dict[str, Any]:
    """Return what each collective gave on this rank."""
    rank, size = dist.rank(), dist.size()
    values = [np.float32(1), np.float64(1), np.int64(1)]
    dist.barrier()
    return {
        "ranks": dist.allgather(rank),
        "sum": int(dist.allreduce(rank + 1, "sum")),
        "mean": dist.allreduce([rank + 1.0, 2.0]).tolist(),
        "min": int(dist.allreduce(rank + 1, "min")),
        "max": int(dist.allreduce(rank + 1, "max")),
        "broadcast": dist.broadcast({"from": rank}, root=size - 1),
        "dtypes": [
            *(str(dist.allreduce(value, "sum").dtype) for value in values),
            str(dist.allreduce(np.int64(1)).dtype),
        ],
    }


def idle_cpu_s() -> float:
    """Return the processor time of a second in which nothing is to be reduced, all threads together."""
    dist.barrier()
    begin = time.process_time()
    time.sleep(1)
    return time.process_time() - begin


def crossed_s() -> float:
    """Return how long it takes when ranks submit two tensors in opposite order, a moment apart: median of three."""
    return sorted(_crossed_s() for _ in range(3))[1]


def _crossed_s() -> float:
    hvd, rank = dist.runtime.horovod(), dist.rank()
    begin, moment_s = time.perf_counter(), 0.2

    def reduce(name: str, after_s: float) -> None:
        time.sleep(after_s)
        hvd.allreduce(tf.ones(4), name=f"crossed.{name}")

    later = {"x": moment_s * (rank % 2), "y": moment_s * (1 - rank % 2)}
    threads = [threading.Thread(target=reduce, args=one) for one in later.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin - moment_s


def reduction_s() -> float:
    """Return the seconds of one of many small reductions in a row."""
    begin, times = time.perf_counter(), 100
    for _ in range(times):
        dist.allreduce(1.0)
    return (time.perf_counter() - begin) / times
