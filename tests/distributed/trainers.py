"""Who trains a row: one process of plain Keras, or a rank of a job through `ddl.distributed`."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.distributed import sabotage
from tests.distributed.cases import Case
from tests.distributed.parts import Part


class PlainTrainer:
    """One process, Keras as it is: what the ranks must equal."""

    batch_norm = keras.layers.BatchNormalization

    def __init__(self) -> None:
        self.part = Part(0, 1)

    def optimizer(
        self, optimizer: keras.optimizers.Optimizer, case: Case
    ) -> keras.optimizers.Optimizer:
        """Return what the model is compiled with."""
        if case.wire.get("sparse_as_dense"):
            # Keras treats the rows of a sparse gradient one by one, also a row that is there twice (Adam
            # squares each), so "as dense" has to be compared with a dense gradient.
            inner = optimizer.apply
            optimizer.apply = lambda grads, variables=None: inner(
                [tf.convert_to_tensor(gradient) for gradient in grads], variables
            )
        return optimizer

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Return what `fit` is given."""
        return []

    def start(self, model: keras.Model) -> None:
        """Do what comes before a `GradientTape` loop."""

    def step_samples(self, count: int) -> contextlib.AbstractContextManager[Any]:
        """Return what a step of a `GradientTape` loop is inside of."""
        return contextlib.nullcontext()

    def mean(self, value: float, count: int) -> float:
        """Return the mean of a step's loss over all samples."""
        return value

    def finish(self, model: keras.Model) -> None:
        """Check what must hold after training."""

    def agree(self, error: str | None) -> None:
        """Learn whether all ranks failed alike."""

    def writes(self) -> bool:
        """Return whether this process writes the results."""
        return True


class RankTrainer(PlainTrainer):
    """A rank of a job, through `ddl.distributed`."""

    def __init__(self) -> None:
        import ddl.distributed as dist

        dist.init()
        self.dist, self.part = dist, Part(dist.rank(), dist.size())
        self.batch_norm = dist.SyncBatchNormalization

    def optimizer(
        self, optimizer: keras.optimizers.Optimizer, case: Case
    ) -> keras.optimizers.Optimizer:
        return self.dist.DistributedOptimizer(optimizer, **case.wire)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        checked = not sabotage.active()
        return self.dist.standard_callbacks(check_every_steps=3 if checked else 0)

    def start(self, model: keras.Model) -> None:
        self.dist.broadcast_state(model)

    def step_samples(self, count: int) -> contextlib.AbstractContextManager[Any]:
        return self.dist.step_samples(count)

    def mean(self, value: float, count: int) -> float:
        total, samples = self.dist.allreduce(np.array([value * count, count]), "sum")
        return total / samples

    def finish(self, model: keras.Model) -> None:
        difference = self.dist.find_desync(model)
        if difference is not None and not sabotage.active():
            raise AssertionError(f"find_desync: {difference}")

    def agree(self, error: str | None) -> None:
        errors = self.dist.allgather(error)
        if error is None and any(errors):
            raise RuntimeError(f"Another rank failed: {[e for e in errors if e]}")

    def writes(self) -> bool:
        return self.dist.is_root()
