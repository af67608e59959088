"""Run on two ranks by test_patience.py: `patient_program.py LATE_S FILE`.

Rank 1 comes LATE_S late to its first step. Later, rank 0 waits for it in a reduction of a new tensor. The file says
that this has begun: the test then stops both.
"""

import sys
import time
from pathlib import Path

import ddl.distributed as dist

dist.init()
import keras  # noqa: E402
import numpy as np  # noqa: E402

late_s, waiting = float(sys.argv[1]), Path(sys.argv[2])


def fit() -> None:
    """Take ten steps."""
    model.fit(np.zeros((80, 4)), np.zeros((80, 1)), batch_size=8, verbose=0)


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(dist.DistributedOptimizer("sgd"), "mse")
dist.barrier()
if dist.rank() == 1:
    time.sleep(late_s)
fit()
if dist.rank() == 1:
    waiting.touch()
    for _ in range(20):  # a single sleep would end with the stop
        time.sleep(0.1)
dist.allreduce(np.zeros(17))
fit()
if dist.is_root():
    print("every step was taken")
