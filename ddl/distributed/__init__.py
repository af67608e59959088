"""Training on N ranks. Only this package of `ddl` uses Horovod.

    import ddl.distributed as dist

    dist.init()
    optimizer = dist.DistributedOptimizer(keras.optimizers.Adam(1e-3))
    model.compile(optimizer, loss)
    model.fit(my_shard, callbacks=dist.standard_callbacks())

Importing this package loads neither TensorFlow nor Horovod. `init` loads them, as do the names below that need them.
"""

from __future__ import annotations

import importlib
from typing import Any

from ddl.distributed.runtime import (
    allgather,
    allreduce,
    barrier,
    broadcast,
    init,
    is_initialized,
    is_root,
    local_rank,
    local_size,
    rank,
    shutdown,
    size,
)

_LAZY = {
    "AverageAccumulators": "callbacks",
    "AverageMovingStatistics": "callbacks",
    "BroadcastState": "callbacks",
    "CheckDesync": "callbacks",
    "DistributedOptimizer": "optimizer",
    "ReduceMetrics": "callbacks",
    "SyncBatchNormalization": "batch_norm",
    "average_accumulators": "state",
    "average_moving_statistics": "batch_norm",
    "broadcast_state": "state",
    "broadcast_variables": "variables",
    "find_desync": "state",
    "is_distributed": "optimizer",
    "reduced_results": "metrics",
    "reduces_itself": "guard",
    "scaled_learning_rate": "learning_rate",
    "standard_callbacks": "callbacks",
    "step_samples": "step",
}

__all__ = [
    "allgather",
    "allreduce",
    "barrier",
    "broadcast",
    "init",
    "is_initialized",
    "is_root",
    "local_rank",
    "local_size",
    "rank",
    "shutdown",
    "size",
    *_LAZY,
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
