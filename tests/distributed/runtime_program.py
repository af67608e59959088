"""Started on several ranks by test_runtime.py: warns on each, and prints from rank 0, as JSON, how they were set up."""

import json
import os
import sys
import warnings

import ddl.distributed as dist

dist.init()
import tensorflow as tf  # noqa: E402

warnings.warn("a warning", stacklevel=1)
facts = {
    "ranks": dist.allgather(dist.rank()),
    "threads": dist.allgather(tf.config.threading.get_intra_op_parallelism_threads()),
    "yields": os.environ.get("OMPI_MCA_mpi_yield_when_idle"),  # noqa: SIM112
    "cores": dist.allgather(sorted(os.sched_getaffinity(0))),
}
is_root = dist.is_root()
dist.shutdown()
assert os.sched_getaffinity(0) == os.sched_getaffinity(os.getppid())
if is_root:
    sys.stdout.write(json.dumps(facts) + "\n")
