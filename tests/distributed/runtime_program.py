"""Run on several ranks by test_runtime.py: prints what the collectives gave, as JSON, from rank 0."""

import json
import os
import sys
import warnings

import numpy as np

import ddl.distributed as dist

dist.init()
import tensorflow as tf  # noqa: E402

warnings.warn("a warning", stacklevel=1)
rank, size = dist.rank(), dist.size()
values = [np.float32(1), np.float64(1), np.int64(1)]
facts = {
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
    "threads": dist.allgather(tf.config.threading.get_intra_op_parallelism_threads()),
    "yields": os.environ.get("OMPI_MCA_mpi_yield_when_idle"),  # noqa: SIM112
}
dist.barrier()
if dist.is_root():
    sys.stdout.write(json.dumps(facts) + "\n")
