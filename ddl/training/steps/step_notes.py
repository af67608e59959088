"""What each step leaves behind for logs by batch: loss, norm of the gradient, and the accuracy so far.

A step writes these numbers into variables, and `row` reads them in the same call of TensorFlow, so that steps may be
taken in blocks. Ranks exchange them later, many steps at once.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.distributed.gradients import step_share
from ddl.distributed.gradients.gradient_norm import NO_UPDATE
from ddl.distributed.state.variables import assign
from ddl.training.batch_results import Batch
from ddl.training.plan.plan import Plan

_OWN = 3  # numbers of a row before the metric's state


def step_notes(model: keras.Model, plan: Plan) -> NoNotes:
    """Return the notes that a plan asks for, of a compiled model with built metrics."""
    return StepNotes(model, next(iter(plan.metric), None)) if plan.notes_batches else NoNotes()


class NoNotes:
    """The notes of steps that leave nothing behind."""

    def noting(self) -> contextlib.AbstractContextManager[None]:
        """Inside this `with` block, the model's steps leave their loss behind. Enter it before they are traced."""
        return contextlib.nullcontext()

    def row(self) -> Any:
        """Return this rank's numbers of the step just taken, float64 (numbers,), and forget it. In a graph."""
        return tf.zeros(0, tf.float64)

    def keep_step(self) -> None:
        """Keep the row of the step just taken, outside of a graph."""

    def keep(self, rows: Any) -> None:
        """Keep rows of steps, (steps, numbers), for the next call of `batches`."""

    def batches(self) -> list[Batch]:
        """Return the results of the steps since the last call over all ranks. All ranks must call it."""
        return []


class StepNotes(NoNotes):
    """The notes of a compiled model's steps. Every rank has one."""

    def __init__(self, model: keras.Model, metric: str | None) -> None:
        """Prepare it.

        Args:
            model: its optimizer has a norm of the gradient, from `DistributedOptimizer(..., gradient_norm=True)`.
            metric: name of the compiled metric whose value over the epoch so far is each batch's accuracy.
        """
        norm = dist.gradient_norm_of(model.optimizer)
        if norm is None:
            raise ValueError(
                "Received: an optimizer without a norm. Expected: gradient_norm=True in DistributedOptimizer."
            )
        self._model, self._norm = model, norm
        self._loss = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # times the samples
        self._samples = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._metric = None if metric is None else _metric_of(model, metric)
        self._rows: list[Any] = []

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        tracker = self._model._loss_tracker
        update = tracker.update_state

        def noting_update(values: Any, sample_weight: Any = None) -> Any:
            share = step_share.current()  # a rank without samples computes on a row of zeros
            real = tf.constant(1.0, tf.float64) if share is None else share.real
            count = tf.cast(1 if sample_weight is None else sample_weight, tf.float64) * real
            self._loss.assign(tf.math.multiply_no_nan(tf.cast(values, tf.float64), count))
            self._samples.assign(count)
            return update(values, sample_weight=sample_weight)

        object.__setattr__(tracker, "update_state", noting_update)
        try:
            yield
        finally:
            tracker.__dict__.pop("update_state", None)

    def row(self) -> Any:
        own = [self._loss.read_value(), self._samples.read_value(), self._norm.value.read_value()]
        state = [variable.value.read_value() for variable in self._state()]
        parts = [tf.reshape(tf.cast(part, tf.float64), [-1]) for part in (*own, *state)]
        row = tf.concat(parts, axis=0)
        self._norm.clear()
        return row

    def keep_step(self) -> None:
        self._rows.append(self._traced_row())

    @functools.cached_property
    def _traced_row(self) -> Any:  # one call in place of a dozen
        return tf.function(lambda: self.row()[tf.newaxis], autograph=False)

    def keep(self, rows: Any) -> None:
        self._rows.append(rows)

    def batches(self) -> list[Batch]:
        if not self._rows:
            return []
        rows = np.concatenate([part.numpy() for part in self._rows])
        self._rows.clear()
        norms, own = rows[:, 2].copy(), rows.copy()
        own[:, 2] = 0
        totals = dist.allreduce(own, "sum") if dist.size() > 1 else own
        losses = totals[:, 0] / np.maximum(totals[:, 1], 1)
        accuracies = self._accuracies(rows[:, _OWN:], totals[:, _OWN:])
        return [
            Batch(float(loss), None if norm == NO_UPDATE else float(norm), float(accuracy))
            for loss, norm, accuracy in zip(losses, norms, accuracies, strict=True)
        ]

    def _state(self) -> Sequence[Any]:
        return [] if self._metric is None else self._metric.variables

    def _accuracies(self, own: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """Return the metric's value after each step, from its state on this rank and in total, (steps, numbers)."""
        metric = self._metric
        if metric is None:
            return np.full(len(own), np.nan)
        if type(metric).result is keras.metrics.Mean.result:  # all steps in one go
            return np.asarray(totals[:, 0] / np.where(totals[:, 1] == 0, 1, totals[:, 1]))
        variables = list(metric.variables)
        kept = [variable.numpy() for variable in variables]
        roots = dist.broadcast(own) if dist.size() > 1 else own
        values = []
        for total, root in zip(totals, roots, strict=True):
            assign(variables, _combined(variables, kept, total, root))
            values.append(float(keras.ops.convert_to_numpy(metric.result())))
        assign(variables, kept)
        return np.array(values)


def _combined(
    variables: Sequence[Any], like: Sequence[np.ndarray], total: np.ndarray, root: np.ndarray
) -> list[np.ndarray]:
    """Return the variables' values over all ranks, each by its aggregation."""
    ends = np.cumsum([values.size for values in like])[:-1]
    parts = zip(variables, like, np.split(total, ends), np.split(root, ends), strict=True)
    found = []
    for variable, values, sums, roots in parts:
        by_aggregation = {"mean": sums / dist.size(), "only_first_replica": roots}
        found.append(by_aggregation.get(variable.aggregation, sums).reshape(values.shape))
    return found


def _metric_of(model: keras.Model, name: str) -> keras.metrics.Metric | None:
    """Return the compiled metric of this name; None where the model's own steps have none."""
    for metric in model.metrics:
        for part in (metric, *getattr(metric, "metrics", ())):
            if part.name == name:
                found: keras.metrics.Metric = part
                return found
    return None
