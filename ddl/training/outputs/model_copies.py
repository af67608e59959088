"""Writes the model after every so many epochs in a file of its own, for a plan with `checkpoint_copies`."""

from __future__ import annotations

import keras

from ddl.training.checkpoint.model_copy import copy_name, write_model_copy
from ddl.training.optimization.weight_average import WeightAverage
from ddl.training.run import Run


def write_due_copy(run: Run, model: keras.Model) -> None:
    """Write the model of the epoch that has just ended, if the plan asks for it. Only rank 0 calls it.

    Weights that have a moving average are replaced by it, as in checkpoints. All ranks' moving statistics are equal
    by then.

    Raises:
        OSError: it cannot be written.
    """
    folder, epoch = run.plan.checkpoint_copies, len(run.history)
    if folder is None or epoch % run.plan.copy_every_epochs:
        return
    plain = keras.Model(model.input, model.outputs[0], name=model.name)
    notes = {
        "plan": run.plan.to_dict(),
        "preprocessing": run.preprocessing.to_dict(),
        "epoch": epoch,
    }
    with WeightAverage(model).in_place():
        write_model_copy(folder / copy_name(epoch), plain.save, notes)
