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
    is_initialized,
    is_root,
    local_rank,
    local_size,
    rank,
    size,
)
from ddl.distributed.start import init, shutdown

_LAZY = {
    "AverageAccumulators": "fit_callbacks",
    "AverageMovingStatistics": "fit_callbacks",
    "BroadcastState": "fit_callbacks",
    "CheckDesync": "fit_callbacks",
    "DistributedOptimizer": "keras_patches.optimizer",
    "ReduceMetrics": "fit_callbacks",
    "SyncBatchNormalization": "keras_patches.batch_norm",
    "average_accumulators": "state.model_state",
    "average_moving_statistics": "state.moving_statistics",
    "broadcast_state": "state.model_state",
    "broadcast_variables": "state.variables",
    "find_desync": "state.model_state",
    "gradient_norm_of": "keras_patches.optimizer",
    "is_distributed": "keras_patches.optimizer",
    "reduced_results": "state.reduced_metrics",
    "reduces_itself": "keras_patches.guard",
    "scaled_learning_rate": "learning_rate",
    "standard_callbacks": "fit_callbacks",
    "step_samples": "gradients.step_share",
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
