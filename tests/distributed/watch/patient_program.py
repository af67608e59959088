"""Run on two ranks by test_patience.py: `patient_program.py LATE_S FILE`.

Rank 1 comes LATE_S late to its first step. Then rank 0 waits for it in every step, so that a tensor waits for rank 1
whenever the job is stopped. The file says that the steps have begun.
"""

import sys
import time
from pathlib import Path

import ddl.distributed as dist

dist.init()
import keras  # noqa: E402
import numpy as np  # noqa: E402

late_s, begun = float(sys.argv[1]), Path(sys.argv[2])


class RankOneIsSlow(keras.callbacks.Callback):
    """Keep rank 0 waiting in each step."""

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if dist.rank() == 1:
            time.sleep(0.05)
            if batch == 5:
                begun.touch()


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(dist.DistributedOptimizer("sgd"), "mse")
dist.barrier()
if dist.rank() == 1:
    time.sleep(late_s)
model.fit(
    np.zeros((400, 4)), np.zeros((400, 1)), batch_size=8, verbose=0, callbacks=[RankOneIsSlow()]
)
if dist.is_root():
    print("every step was taken")
