"""Steps over all samples at once: an iteration of SciPy's Newton-CG or L-BFGS an epoch, the same on all ranks.

Rank 0 runs SciPy. Whatever SciPy asks for, it sends to all ranks: each sums loss and gradient, or a product with the
matrix of second derivatives, over its block of the samples, and one reduction adds them. So ranks cannot disagree about
a step, whatever their processors' rounding.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data.batches import pipeline
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.distributed.state import model_state
from ddl.distributed.state.variables import assign, flat, split_like
from ddl.training.batch_results import Batch
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import needs_input
from ddl.training.optimization.second_order import (
    END,
    ERROR,
    PRODUCT,
    STEP,
    VALUE,
    Search,
    SecondOrder,
)
from ddl.training.run import Run
from ddl.training.steps.bad_data import naming_bad_data
from ddl.training.steps.run_batches import global_results, held_out_batches
from ddl.training.steps.step import Taken
from ddl.training.steps.supervised import SupervisedSteps
from ddl.training.steps.weighed_batches import for_outputs

logger = logging.getLogger("ddl")

EVALUATIONS, PRODUCTS = "evaluations", "products"
"""What an epoch has cost, in the history: evaluations of loss and gradient, and products, each over all samples."""


class SecondOrderSteps(SupervisedSteps):
    """Takes an iteration an epoch. `ddl.training.steps.step.Steps` documents the methods.

    Validation and metrics are those of supervised training. An epoch's loss and metrics are those of its final weights.
    """

    def __init__(self, model: keras.Model, run: Run, data: TrainingData) -> None:
        """Prepare training. Rank 0's weights count."""
        super().__init__(model, run, data)
        self._options = SecondOrder(**run.plan.optimizer_option)
        self._search: Search | None = None  # on rank 0, between epochs too with L-BFGS
        self._point: np.ndarray | None = None  # the weights of the last evaluation
        self._value: tuple[float, np.ndarray] = (0.0, np.zeros(0))  # loss and gradient there
        self._counts = {EVALUATIONS: 0, PRODUCTS: 0}
        self._rate = 0.0
        self._noted: list[Batch] = []

    @property
    def learning_rate(self) -> float:
        """Length of the last step over that of the gradient before it."""
        return self._rate

    def __enter__(self) -> SecondOrderSteps:
        run, model = self._run, self.model
        training, held_out = self._open_batches()
        self._open.enter_context(naming_bad_data(training, *held_out))
        for batches in (training, *held_out):
            self._open.enter_context(batches)
        self._open.callback(self._close_search)
        from_input = needs_input(run.plan.loss)
        self._batches = for_outputs(
            model, training.dataset, run.class_weights, needs_input=from_input
        )
        self._validation = [
            for_outputs(model, part.dataset, needs_input=from_input) for part in held_out
        ]
        build_metrics(model, self._batches.element_spec)
        model.make_test_function()
        model_state.broadcast_state(model)
        model_state.keep_private(model, False)
        self._compute_value = _value_function(model)
        self._compute_product = _product_function(model)
        return self

    def begin_epoch(self) -> None:
        super().begin_epoch()
        self._counts = {EVALUATIONS: 0, PRODUCTS: 0}

    def take(self, most: int) -> Taken:
        """Take the iteration that is the epoch."""
        begin, options = time.perf_counter(), self._options
        before = self._weights()
        loss, gradient = self._evaluated(before)
        done, evaluations = self._so_far()
        # At a loss of NaN there is nothing to search for; `check_losses` then ends the run.
        reason = None
        if np.isfinite(loss):
            norm = float(np.linalg.norm(gradient))
            reason = options.why_over(done, evaluations, loss, norm) or self._iterate(before)
            after = self._weights()
            self._rate = float(np.linalg.norm(after - before)) / norm if norm else 0.0
            loss, gradient = self._evaluated(after)
        if reason is not None:
            self._end(reason)
        self._losses.append(tf.constant(loss, tf.float64))
        if self._run.plan.notes_batches:
            self._noted.append(self._note(loss, gradient))
        self.first_step_s = self.first_step_s or time.perf_counter() - begin
        return Taken(1, {"loss": loss, **self._counts})

    def batches(self) -> list[Batch]:
        noted, self._noted = self._noted, []
        return noted

    def results(self) -> dict[str, Any]:
        """Return losses and metrics of the final weights, and after an iteration what it has cost."""
        results = global_results(self.model)
        return {**results, **self._counts} if not self._training_sums else results

    def end_epoch(self) -> None:
        self._training_sums = []
        model_state.check_desync(self.model, f"at the end of epoch {self._run.position.epoch + 1}")

    def _open_batches(self) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
        held_out = self._data.validation
        parts = [] if held_out is None else [held_out_batches(self._run, held_out)]
        return held_out_batches(self._run, self._data.training), parts

    def _note(self, loss: float, gradient: np.ndarray) -> Batch:
        """Return the iteration for the logs: with the gradient's norm, and the first metric, of its final weights."""
        name = next(iter(self._run.plan.metric), "loss")
        values = self._run.named(global_results(self.model))
        accuracy = float(values.get(name, np.nan)) if self._run.plan.metric else float("nan")
        return Batch(loss, float(np.linalg.norm(gradient)), accuracy)

    def _so_far(self) -> tuple[int, int]:
        """Return the iterations and evaluations of the run, before this epoch and in it."""
        history = self._run.history
        evaluations = sum(int(epoch.get(EVALUATIONS, 0)) for epoch in history)
        return len(history), evaluations + self._counts[EVALUATIONS]

    def _end(self, reason: str) -> None:
        self._run.ends_early = True
        if dist.is_root():
            logger.info("optimizer=hessian is at its end: %s.", reason)

    def _iterate(self, before: np.ndarray) -> str | None:
        """Take an iteration, which leaves its weights in the model. Return why none follows, or None.

        All ranks call it, with the weights that they have.
        """
        answer: Any = None
        while True:
            kind, what = dist.broadcast(self._next(before, answer) if dist.is_root() else None)
            if kind == VALUE:
                answer = self._evaluated(what)
            elif kind == PRODUCT:
                answer = self._product(what)
            elif kind == STEP:
                self._assign(what)
                return None
            elif kind == ERROR:
                raise RuntimeError(f"SciPy's minimizer failed: {what}")
            else:
                self._assign(before)
                return f"SciPy finds no better weights ({what})"

    def _next(self, before: np.ndarray, answer: Any) -> tuple[str, Any]:
        """Return the next question of the search, which begins anew where it does not wait. Only rank 0 calls it."""
        options = self._options
        is_newton = options.method == "newton-cg"
        if self._search is None or self._search.is_over:
            self._close_search()
            iterations = 1 if is_newton else options.max_iterations
            self._search = Search(
                options.method, before, iterations=iterations, products=options.max_products
            )
        kind, what = self._search.next(answer)
        if kind == STEP and is_newton:
            self._close_search()  # its next iteration depends on the weights alone
        return kind, str(what) if kind in (END, ERROR) else what

    def _close_search(self) -> None:
        if self._search is not None:
            self._search.close()
        self._search = None

    def _weights(self) -> np.ndarray:
        return flat([np.asarray(v.numpy(), np.float64) for v in self.model.trainable_variables])

    def _assign(self, point: np.ndarray) -> None:
        variables = self.model.trainable_variables
        assign(variables, split_like(point, [v.numpy() for v in variables]))

    def _rounded(self, point: np.ndarray) -> np.ndarray:
        """Return the weights that the model has after `_assign`, in their own precision."""
        values = [v.numpy() for v in self.model.trainable_variables]
        parts = zip(split_like(point, values), values, strict=True)
        return flat([part.astype(value.dtype).astype(np.float64) for part, value in parts])

    def _evaluated(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return loss and gradient over all samples, and leave the metrics there in the model. All ranks call it."""
        point = self._rounded(point)
        if self._point is not None and np.array_equal(point, self._point):
            return self._value
        self._assign(point)
        self.model.reset_metrics()
        sums = np.zeros(1 + len(point))
        for batch in self._batches:
            if count := _samples(batch):
                loss, gradients = self._compute_value(batch)
                sums += count * np.concatenate([[float(loss)], _flat(gradients)])
        sums = np.asarray(dist.allreduce(sums, "sum")) / len(self._data.training)
        self._counts[EVALUATIONS] += 1
        self._point, self._value = point, (float(sums[0]), sums[1:])
        return self._value

    def _product(self, vector: np.ndarray) -> np.ndarray:
        """Return the matrix of second derivatives at the last point times a vector. All ranks call it."""
        variables = self.model.trainable_variables
        parts = split_like(vector, [v.numpy() for v in variables])
        tangents = [
            tf.constant(part, variable.dtype)
            for part, variable in zip(parts, variables, strict=True)
        ]
        sums = np.zeros(len(vector))
        for batch in self._batches:
            if count := _samples(batch):
                sums += count * _flat(self._compute_product(batch, tangents))
        self._counts[PRODUCTS] += 1
        return np.asarray(dist.allreduce(sums, "sum")) / len(self._data.training)


def _samples(batch: Any) -> int:
    return int(tf.nest.flatten(batch)[0].shape[0])


def _flat(tensors: Sequence[Any]) -> np.ndarray:
    return flat([np.asarray(tensor, np.float64) for tensor in tensors])


def _loss(model: keras.Model, data: Any) -> tuple[Any, Any]:
    """Return loss and predictions of a batch, as a training step of Keras computes them."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
    loss = model._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
    return loss, y_pred


def _value_function(model: keras.Model) -> Any:
    """Return a function of a batch that returns loss and gradients, and updates the metrics."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def value(data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss, y_pred = _loss(model, data)
        first = tf.nest.flatten(x)[0]
        model._loss_tracker.update_state(loss, sample_weight=tf.shape(first)[0])
        model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
        return loss, _gradients(tape, loss, model)

    return value


def _product_function(model: keras.Model) -> Any:
    """Return a function of a batch and a vector that returns the product of the second derivatives with it."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def product(data: Any, tangents: Any) -> Any:
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss, _ = _loss(model, data)
            slopes = _gradients(inner, loss, model)
            along = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(slopes, tangents, strict=True)])
        return _gradients(outer, along, model)

    return product


def _gradients(tape: tf.GradientTape, value: Any, model: keras.Model) -> list[Any]:
    weights = [variable.value for variable in model.trainable_variables]
    found = tape.gradient(value, weights, unconnected_gradients="zero")
    return [tf.convert_to_tensor(gradient) for gradient in found]
