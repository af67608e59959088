"""The gradient of a lease: the one function that a worker calls, and that a replay calls again.

It depends on the weights, the plan and the lease alone. Augmentation is drawn from (seed, epoch, sample), Mixup from
(seed, epoch, step), and Dropout from (seed, step, part), as rank `part` of synchronous training draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.asynchronous.epoch_leases import EpochLeases, Lease
from ddl.asynchronous.keras_weights import moving_statistics
from ddl.asynchronous.server_state import Push
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixed_reader import MixedReader
from ddl.data.batches.mosaic_reader import MosaicReader, mixing_reader
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import needs_input
from ddl.training.run import Run
from ddl.training.steps.weighed_batches import outputs_change

_RANK_STRIDE = 0x9E3779B1
"""What `ddl.distributed.state.model_state.broadcast_state` adds to the seeds of each next rank."""
_WIRE = {"none": None, "fp16": tf.float16, "bf16": tf.bfloat16}

Batch = tuple[np.ndarray, ...]


class LeaseGradient:
    """Computes gradients with the present weights of a compiled model, which it does not train.

    gradient = LeaseGradient(model, run, data)
    push = gradient(lease)  # or gradient.compute(lease, gradient.read(lease)), to read ahead
    """

    def __init__(self, model: keras.Model, run: Run, data: TrainingData) -> None:
        """Prepare. The model must be as `build_replica` built it: its seeds are where the run's began.

        Args:
            model: compiled with the plan's loss and metrics.
            run: gives the plan, and the order whose ranks are the parts of a global batch.
            data: of the plan.
        """
        self._model, self._run, self._data = model, run, data
        self._reader, self._mixed = _readers(run, data)
        self._epoch: EpochLeases | None = None
        self._seeds = [v for v in model.variables if v.name == "seed_generator_state"]
        self._first_seeds = [np.array(seed.numpy()) for seed in self._seeds]
        self._draws: list[int] | None = None  # numbers that each seed generator draws in a step
        self._moving = moving_statistics(model)
        self._compute: Callable[..., Any] | None = None

    def __call__(self, lease: Lease) -> Push:
        """Return the gradient of a lease, as its worker pushes it."""
        return self.compute(lease, self.read(lease))

    def read(self, lease: Lease) -> Batch:
        """Return the lease's inputs and targets, augmented. Another thread may call it ahead of `compute`."""
        if self._mixed is None:
            return self._reader(lease.epoch, lease.indices)
        if self._epoch is None or self._epoch.epoch != lease.epoch:
            self._epoch = EpochLeases(self._run.order, lease.epoch)
        pairs = self._epoch.pairs(lease.step, lease.part, self._mixed.group)
        return self._mixed.read_steps(lease.epoch, lease.step, pairs[np.newaxis])

    def compute(self, lease: Lease, batch: Batch) -> Push:
        """Return the gradient of a lease with these inputs and targets."""
        if self._compute is None:
            self._compute = self._prepared(batch)
        if self._draws is None:
            self._draws = self._count_draws(lease, batch)
        self._set_seeds(lease)
        return self._push(self._compute(*map(tf.constant, batch)))

    def _push(self, results: Any) -> Push:
        loss, gradients, statistics, metrics = results
        return Push(
            [None if part is None else part.numpy() for part in gradients],
            [part.numpy() for part in statistics],
            [part.numpy() for part in metrics],
            float(loss),
        )

    def _prepared(self, batch: Batch) -> Callable[..., Any]:
        """Return the compiled computation."""
        fields = (self._mixed or self._reader).fields
        signature = [  # one trace for all numbers of samples
            tf.TensorSpec((None, *field.shape), part.dtype)
            for field, part in zip(fields, batch, strict=True)
        ]
        change = outputs_change(
            self._model, self._run.class_weights, needs_input=needs_input(self._run.plan.loss)
        )
        example = tuple(map(tf.constant, batch))
        build_metrics(self._model, change(*example) if change else example)
        return tf.function(  # type: ignore[no-any-return]
            lambda *parts: self._results(change(*parts) if change else parts),
            input_signature=signature,
            autograph=False,
        )

    def _results(self, data: Any) -> Any:
        """Return loss, gradients, statistics and metrics of a batch. It is traced."""
        model = self._model
        for moving in self._moving:
            moving.clear()
        for variable in model.metrics_variables:
            variable.assign(tf.zeros_like(variable))
        inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = model.compute_loss(inputs, targets, outputs, sample_weight, training=True)
        count = tf.shape(tf.nest.flatten(inputs)[0])[0]
        model._loss_tracker.update_state(loss, sample_weight=count)
        gradients = tape.gradient(loss, model.trainable_variables)
        self._count_samples(count)
        model.compute_metrics(inputs, targets, outputs, sample_weight)
        return (
            loss,
            [self._on_wire(part) for part in gradients],
            [moving.batch_value() for moving in self._moving],
            [tf.convert_to_tensor(variable) for variable in model.metrics_variables],
        )

    def _count_samples(self, count: tf.Tensor) -> None:
        """Weigh the loss of each output by the samples: Keras weighs a batch of unknown size by 1."""
        losses = getattr(self._model, "_compile_loss", None)
        for tracker in losses.metrics if losses is not None else []:
            for variable in tracker.variables:
                variable.assign(variable * tf.cast(count, variable.dtype))

    def _on_wire(self, gradient: Any) -> Any:
        """Return a dense gradient of the plan's `compression`."""
        if gradient is None:
            return None
        dense = tf.convert_to_tensor(gradient)
        dtype = _WIRE[self._run.plan.compression]
        return dense if dtype is None else tf.cast(dense, dtype)

    def _set_seeds(self, lease: Lease) -> None:
        """Give the seed generators the state that rank `part` has before this step of synchronous training."""
        step = lease.epoch * self._run.order.steps_per_epoch + lease.step
        for seed, first, draws in zip(
            self._seeds, self._first_seeds, self._draws or [], strict=True
        ):
            state = first.astype(np.uint64) + np.array(
                [lease.part * _RANK_STRIDE, step * draws], np.uint64
            )
            seed.assign((state % 2**32).astype(first.dtype))

    def _count_draws(self, lease: Lease, batch: Batch) -> list[int]:
        """Return how many numbers each seed generator draws in a step, from one step whose results are not used.

        Raises:
            ValueError: a layer keeps a state that a push does not carry.
        """
        carried = {id(v) for v in (*self._seeds, *(moving.variable for moving in self._moving))}
        others = [v for v in self._model.non_trainable_variables if id(v) not in carried]
        before = [v.numpy() for v in others]
        assert self._compute is not None  # noqa: S101
        self._compute(*map(tf.constant, batch))
        for variable, value in zip(others, before, strict=True):
            if not np.array_equal(variable.numpy(), value, equal_nan=True):
                raise ValueError(
                    f"Received: a layer that changes {variable.path} in training, with parallel=async. Expected: no "
                    "state but that of batch normalization, which the server keeps; or parallel=sync."
                )
        return [
            int(seed.numpy()[1]) - int(first[1])
            for seed, first in zip(self._seeds, self._first_seeds, strict=True)
        ]


def _readers(run: Run, data: TrainingData) -> tuple[BatchReader, MixedReader | MosaicReader | None]:
    """Return what reads and augments samples as `ddl.data.batches.pipeline.training_batches` does."""
    plan = run.plan
    reader = BatchReader(
        data.training,
        plan.augmentation(),
        run.order.seed,
        plan.ignore_index,
        run.preprocessing.normalization,
        trains=True,
    )
    mixing = plan.mixing()
    if mixing is None:
        return reader, None
    seed, epochs = run.order.seed, plan.epochs
    return reader, mixing_reader(reader, mixing, classes=data.classes, seed=seed, epochs=epochs)
