"""All-reduce alone: seconds, bytes a second, for each size of a message."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import ddl.distributed as dist
from ddl.benchmark.trial import Trial

SIZES_BYTES = (*(4 * 16**power for power in range(6)), 1 << 26)
_REPEATS = 15


def measure(trial: Trial) -> dict[str, Any]:
    """Reduce tensors of float32 of each size. All ranks call it."""
    dist.init()
    import tensorflow as tf

    found: dict[str, float] = {}
    for size in SIZES_BYTES:
        values = tf.ones(size // 4)
        seconds = []
        for _ in range(_REPEATS):
            dist.barrier()
            begin = time.perf_counter()
            if dist.size() > 1:
                hvd = dist.runtime.horovod()
                hvd.allreduce(values, op=hvd.Sum, name=f"wire.{size}")
            seconds.append(time.perf_counter() - begin)
        found[str(size)] = median(seconds[3:])
    return {"seconds_of_bytes": found, "latency_s": found[str(SIZES_BYTES[0])]}
