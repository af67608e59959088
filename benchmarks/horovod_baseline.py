"""Horovod as people use it with Keras 3: each rank gives its part of the arrays to `fit`, gradients go one by one.

Nothing is slowed down on purpose. Horovod's own Keras wrapper reduces nothing under Keras 3, so that gradients are
averaged as its guides do in TensorFlow: by `hvd.allreduce` of each.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ddl.benchmark.trial import STARTED, Trial, rate


def train_peer(trial: Trial) -> dict[str, Any]:
    """Train, on every rank that mpirun started."""
    import horovod.tensorflow as hvd

    hvd.init()
    import keras
    import tensorflow as tf

    from ddl.benchmark.trials import Clock, compiled

    class Averaging(keras.optimizers.Adam):
        """Adam on the mean gradients of all ranks."""

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            super().apply([hvd.allreduce(grad) for grad in grads], trainable_variables)

    model, images, targets = compiled(trial)
    model.optimizer = Averaging(1e-3)
    hvd.broadcast_variables([variable.value for variable in model.variables], root_rank=0)
    count = len(images) // hvd.size()
    mine = slice(hvd.rank() * count, (hvd.rank() + 1) * count)
    clock = Clock()
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
