"""Run on several ranks by test_runtime.py: prints what the collectives gave, as JSON, from rank 0."""

import json
import os
import sys
import threading
import time
import warnings

import numpy as np

import ddl.distributed as dist

dist.init()
import tensorflow as tf  # noqa: E402

warnings.warn("a warning", stacklevel=1)
rank, size = dist.rank(), dist.size()


def crossed_s() -> float:
    """Return how long it takes when ranks submit two tensors in opposite order, a moment apart."""
    hvd = dist.runtime.horovod()
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


def idle_cpu_s() -> float:
    """Return the processor time of a second in which nothing is to be reduced, all threads together."""
    dist.barrier()
    begin = time.process_time()
    time.sleep(1)
    return time.process_time() - begin


def reduction_s() -> float:
    """Return the seconds of one of many small reductions in a row."""
    begin, times = time.perf_counter(), 100
    for _ in range(times):
        dist.allreduce(1.0)
    return (time.perf_counter() - begin) / times


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
    "cores": dist.allgather(sorted(os.sched_getaffinity(0))),
    "idle_cpu_s": dist.allgather(idle_cpu_s()),
    "crossed_s": dist.allgather(crossed_s()),
    "reduction_s": reduction_s(),
}
dist.barrier()
dist.shutdown()
assert os.sched_getaffinity(0) == os.sched_getaffinity(os.getppid())
if rank == 0:
    sys.stdout.write(json.dumps(facts) + "\n")
