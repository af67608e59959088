"""The computation of one part of a model for one micro-batch: forward, backward, and at the end the loss.

A part keeps what it has received. For the backward pass it computes its layers again, so that the micro-batches that
wait need little memory. The last part computes its gradients at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.gradients.rank_sums import alone
from ddl.training.parallel.layers.block import Part as Calls
from ddl.training.parallel.layers.block import PureCalls, parts_of, read, run_parts
from ddl.training.parallel.layers.graph import with_training
from ddl.training.parallel.partition.division import Division


def _training(layer: Any) -> Any:
    return with_training(layer, True)


def _inference(layer: Any) -> Any:
    return with_training(layer, False)


class _Part:
    """What all parts have.

    Attributes:
        division: the model's parts.
        number: of this one.
        given: tensors of the graph that it needs from earlier parts, in the order of `Division.received`.
    """

    def __init__(
        self, model: keras.Model, division: Division, number: int, blocks: Sequence[tuple[int, int]]
    ) -> None:
        self.model, self.division, self.number = model, division, number
        self.given = [passed.tensor for passed in division.received(number)]
        self.first, self.end = division.bounds[number]
        self.calls: Sequence[Calls] = parts_of(division.graph, blocks, self.first, self.end)

    def values(self, x: Any, given: Sequence[Any]) -> dict[int, Any]:
        """Return the values that the part starts with: the model's inputs, and what earlier parts have made."""
        values = {
            id(tensor): tf.cast(value, tensor.dtype)
            for tensor, value in zip(self.division.graph.inputs, keras.tree.flatten(x), strict=True)
        }
        return values | {id(t): value for t, value in zip(self.given, given, strict=True)}


class InnerPart(_Part):
    """A part that passes its results on."""

    def __init__(
        self, model: keras.Model, division: Division, number: int, blocks: Sequence[tuple[int, int]]
    ) -> None:
        """Take a part of the model; its blocks are computed again within its own backward pass."""
        super().__init__(model, division, number, blocks)
        self._pure = PureCalls(division.graph, self.first, self.end, self.calls)
        self.weights = self._pure.weights
        # Of what later calls need, what is made here: the graph's own outputs among it go to the last part.
        made = [id(tensor) for tensor in self._pure.passed_on]
        self._sent = [made.index(id(passed.tensor)) for passed in division.sent(number)]

        @tf.function  # type: ignore[untyped-decorator]
        def forward(x: Any, given: Sequence[Any]) -> Any:
            state = [read(variable) for variable in self._pure.state]
            weights = [read(variable) for variable in self.weights]
            with alone:
                made, new = self._pure.compute(self._inputs(x, given), weights, state, _training)
            before = [tf.identity(value) for value in state]
            with tf.control_dependencies(before):
                for variable, value in new:
                    variable.assign(value)
            return [made[place] for place in self._sent], before

        @tf.function  # type: ignore[untyped-decorator]
        def backward(x: Any, given: Sequence[Any], state: Any, upstream: Sequence[Any]) -> Any:
            inputs = self._inputs(x, given)
            weights = [read(variable) for variable in self.weights]
            of_made = [tf.zeros((), t.dtype) for t in self._pure.passed_on]
            for place, gradient in zip(self._sent, upstream, strict=True):
                of_made[place] = gradient
            with alone:
                of_inputs, of_weights = self._pure.gradients(
                    inputs, weights, state, of_made, _training
                )
            by_tensor = {
                id(t): gradient for t, gradient in zip(self._pure.needed, of_inputs, strict=True)
            }
            return [by_tensor[id(tensor)] for tensor in self.given], of_weights

        @tf.function  # type: ignore[untyped-decorator]
        def infer(x: Any, given: Sequence[Any]) -> Any:
            values = self.values(x, given)
            run_parts(self._plain, values, _inference)
            return [values[id(passed.tensor)] for passed in division.sent(number)]

        self._plain: Sequence[Calls] = parts_of(division.graph, (), self.first, self.end)
        self.forward, self.backward, self.infer = forward, backward, infer

    def _inputs(self, x: Any, given: Sequence[Any]) -> list[Any]:
        values = self.values(x, given)
        return [values[id(tensor)] for tensor in self._pure.needed]


class LastPart(_Part):
    """The part that ends the model: it computes loss, metrics and gradients in one go."""

    def __init__(
        self, model: keras.Model, division: Division, number: int, blocks: Sequence[tuple[int, int]]
    ) -> None:
        """Take the last part of the model."""
        super().__init__(model, division, number, blocks)
        # Its loss has the regularization of all weights.
        self.weights = list(model.trainable_variables)

        @tf.function  # type: ignore[untyped-decorator]
        def step(x: Any, given: Sequence[Any], y: Any, sample_weight: Any, scale: Any) -> Any:
            watched = [tensor for tensor in given if tensor.dtype.is_floating]
            with alone, tf.GradientTape() as tape:
                tape.watch(watched)
                values = self.values(x, given)
                run_parts(self.calls, values, _training)
                y_pred = self._predictions(values)
                loss = model._compute_loss(
                    x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
                )
                scaled = loss * tf.cast(scale, loss.dtype)
            variables = [variable._value for variable in self.weights]
            with alone:
                found = tape.gradient(scaled, [*watched, *variables])
            of_given = iter(
                tf.zeros_like(t) if gradient is None else gradient
                for t, gradient in zip(watched, found, strict=False)
            )
            logs = self._note(x, y, y_pred, sample_weight, loss)
            return (
                [next(of_given) if t.dtype.is_floating else None for t in given],
                [None if g is None else tf.convert_to_tensor(g) for g in found[len(watched) :]],
                loss,
                logs,
            )

        @tf.function  # type: ignore[untyped-decorator]
        def test(x: Any, given: Sequence[Any], y: Any, sample_weight: Any) -> Any:
            values = self.values(x, given)
            run_parts(self._plain, values, _inference)
            y_pred = self._predictions(values)
            loss = model._compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False
            )
            return self._note(x, y, y_pred, sample_weight, loss)

        self._plain: Sequence[Calls] = parts_of(division.graph, (), self.first, self.end)
        self.step, self.test = step, test

    def _predictions(self, values: dict[int, Any]) -> Any:
        outputs = [values[id(tensor)] for tensor in self.division.graph.outputs]
        return keras.tree.pack_sequence_as(self.model._outputs_struct, outputs)

    def _note(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, loss: Any) -> Any:
        samples = keras.tree.flatten(x)[0].shape[0]
        self.model._loss_tracker.update_state(loss, sample_weight=samples)
        return self.model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
