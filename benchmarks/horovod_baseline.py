"""Plain Horovod with Keras 3 as the baseline: each rank passes its part of the arrays to `fit`.

Nothing is slowed down on purpose. Horovod's own Keras wrapper reduces nothing under Keras 3. So gradients are averaged
as in its TensorFlow guides: by one `hvd.allreduce` each.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from ddl.benchmark.comparison import Comparison
from ddl.benchmark.requests import Request
from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import STARTED, Trial, rate


@dataclass(frozen=True, kw_only=True)
class PeersRequest(Request):
    """Measurement."""

    ranks: int = 2

    def comparison(self) -> Comparison:
        """Compare plain Horovod and our loop on as many ranks."""
        trial = self.trial(self.ranks, way=f"{__name__}:train_by_hand")
        by_hand = Setup(trial, self.ranks, threads=0, flags=())
        return Comparison("peers", {"Horovod by hand": by_hand, "ours": self.setup()})


def train_by_hand(trial: Trial) -> dict[str, Any]:
    """Train. All ranks must call it."""
    import horovod.tensorflow as hvd

    hvd.init()
    import keras
    import tensorflow as tf

    from benchmarks.keras_fit import StepClock, compiled

    class Averaging(keras.optimizers.Adam):
        """Adam on the mean gradients of all ranks."""

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            super().apply([hvd.allreduce(grad) for grad in grads], trainable_variables)

    model, images, targets = compiled(trial)
    model.optimizer = Averaging(1e-3)
    hvd.broadcast_variables([variable.value for variable in model.variables], root_rank=0)
    count = len(images) // hvd.size()
    mine = slice(hvd.rank() * count, (hvd.rank() + 1) * count)
    clock = StepClock()
    begin = time.time()
    fitted = model.fit(
        images[mine],
        targets[mine],
        batch_size=trial.per_rank_batch_size,
        epochs=trial.epochs,
        verbose=0,
        callbacks=[clock.callback()],
    )
    hvd.allreduce(tf.zeros(()), name="end")
    parts = clock.parts()
    return {
        "rank": hvd.rank(),
        "samples_per_s": rate(count * hvd.size(), parts["epoch_s"]),
        "started_s": begin - float(os.environ.get(STARTED, begin)) + parts["epoch_s"][0],
        "loss": fitted.history["loss"][-1],
        **parts,
    }
