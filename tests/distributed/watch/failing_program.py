"""Run on some ranks by test_failure.py: `failing_program.py HOW VICTIM FILE`.

The victim misbehaves in mid-training, and writes into the file when.
"""

import os
import signal
import sys
import time
from pathlib import Path

import ddl.distributed as dist

dist.init()
import keras  # noqa: E402
import numpy as np  # noqa: E402

how, victim, moment = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def misbehave() -> None:
    moment.write_text(str(time.time()))
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "stall":
        time.sleep(1000)
    if how == "raise":
        raise RuntimeError("my bug")
    if how == "apart":  # a reduction that the others do not take part in
        dist.allreduce(np.zeros(7))
    if how == "leave":
        sys.exit(0)


class Misbehave(keras.callbacks.Callback):
    """Let the victim misbehave before the 20th batch."""

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if batch == 20 and dist.rank() == victim:
            misbehave()


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile(dist.DistributedOptimizer("sgd"), "mse")
model.fit(
    np.zeros((1000, 4)), np.zeros((1000, 1)), batch_size=8, verbose=0, callbacks=[Misbehave()]
)
