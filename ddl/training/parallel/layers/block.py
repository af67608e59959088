"""Calls of layers in a row as a pure function: of inputs, weights and state, without a change of any variable.

A block of them computes what it does not keep again in its backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier

from ddl.distributed.keras_patches.jit import compiling
from ddl.training.parallel.layers.graph import Call, Graph, Values, run_calls, variables_of

Operation = Callable[[Any], Callable[..., Any]]
"""Returns the function to call for a layer."""

_scopes: list[keras.StatelessScope] = []
"""Those that are entered, the innermost last: variables have their values there."""


def read(variable: keras.Variable) -> tf.Tensor:
    """Return the value of a variable in its own precision, also inside a pure function and under mixed precision."""
    inner = [scope.get_current_value(variable) for scope in reversed(_scopes)]
    known = next((value for value in inner if value is not None), variable._value)
    return tf.convert_to_tensor(known)


class PureCalls:
    """Calls in a row as a function.

    Attributes:
        needed: tensors of the graph that it takes.
        passed_on: those that it returns.
        weights: trainable variables of its layers.
        state: their other variables: moving statistics, states of random generators.
    """

    def __init__(
        self, graph: Graph, first: int, end: int, parts: Sequence[Part] | None = None
    ) -> None:
        """Take calls `first` to `end` - 1, in parts if some of them are blocks."""
        calls = graph.calls[first:end]
        self.needed, self.passed_on = graph.needed(first, end), graph.passed_on(first, end)
        self.weights, self.state = variables_of(calls)
        self._parts: Sequence[Part] = parts or [(calls, None)]

    def compute(
        self,
        inputs: Sequence[Any],
        weights: Sequence[Any],
        state: Sequence[Any],
        operation: Operation,
    ) -> tuple[list[Any], list[tuple[keras.Variable, Any]]]:
        """Return what the calls pass on, and the variables that they would change, with their new values."""
        values = {id(tensor): value for tensor, value in zip(self.needed, inputs, strict=True)}
        before = [*zip(self.weights, weights, strict=True), *zip(self.state, state, strict=True)]
        with keras.StatelessScope(before) as scope:
            given = [scope.get_current_value(variable) for variable in self.state]
            _scopes.append(scope)
            try:
                run_parts(self._parts, values, operation)
            finally:
                _scopes.pop()
            after = [scope.get_current_value(variable) for variable in self.state]
        new = [
            (variable, value)
            for variable, value, old in zip(self.state, after, given, strict=True)
            if value is not old
        ]
        return [values[id(tensor)] for tensor in self.passed_on], new

    def gradients(
        self,
        inputs: Sequence[Any],
        weights: Sequence[Any],
        state: Sequence[Any],
        upstream: Sequence[Any],
        operation: Operation,
    ) -> tuple[list[Any], list[Any]]:
        """Compute the calls again; return gradients of inputs (None for integers) and of weights.

        Args:
            inputs: those of the first computation, as all that follows.
            weights: values of the weights.
            state: values of the state before it.
            upstream: gradient of each tensor that is passed on.
            operation: returns the function to call for a layer.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watched = [tensor for tensor in (*inputs, *weights) if tensor.dtype.is_floating]
            tape.watch(watched)
            made, _ = self.compute(inputs, weights, state, operation)
        pairs = [
            (value, gradient)
            for value, gradient in zip(made, upstream, strict=True)
            if value.dtype.is_floating
        ]
        found = iter(
            tape.gradient(
                [value for value, _ in pairs],
                watched,
                output_gradients=[gradient for _, gradient in pairs],
                unconnected_gradients="zero",
            )
        )
        each = [next(found) if t.dtype.is_floating else None for t in (*inputs, *weights)]
        return each[: len(inputs)], each[len(inputs) :]


class Block(PureCalls):
    """Calls in a row that are computed again in the backward pass."""

    def run(self, values: Values, operation: Operation) -> None:
        """Add what the block passes on to the values."""
        changed: list[keras.Variable] = []
        count, weights = len(self.needed), len(self.weights)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def compute(*given: Any) -> Any:
            made, new = self.compute(*_split(given, count, weights), operation)
            changed[:] = [variable for variable, _ in new]

            def gradient(*upstream: Any) -> list[Any]:
                later = _split(_later(given, upstream), count, weights)
                of_inputs, of_weights = self.gradients(*later, upstream[: len(made)], operation)
                # All of this block first, or TensorFlow puts off the weights' gradients and keeps what they need.
                with tf.control_dependencies([g for g in of_weights if g is not None]):
                    of_inputs = [None if g is None else tf.identity(g) for g in of_inputs]
                return [*of_inputs, *of_weights, *[None] * len(later[2])]

            return (*made, *(tf.stop_gradient(value) for _, value in new)), gradient

        variables = [read(variable) for variable in (*self.weights, *self.state)]
        results = compute(*(values[id(tensor)] for tensor in self.needed), *variables)
        made = len(self.passed_on)
        for tensor, value in zip(self.passed_on, results[:made], strict=True):
            values[id(tensor)] = value
        for variable, value in zip(changed, results[made:], strict=True):
            variable.assign(value)


Part = tuple[Sequence[Call], Block | None]
"""Calls in a row, and the block that they are; None for calls that keep all."""


def run_parts(parts: Sequence[Part], values: Values, operation: Operation) -> None:
    """Run all calls; of those in blocks, add what later calls need to the values."""
    for calls, block in parts:
        if block is None:
            run_calls(calls, values, operation)
        else:
            block.run(values, operation)


def parts_of(
    graph: Graph, blocks: Sequence[tuple[int, int]], first: int = 0, end: int | None = None
) -> list[Part]:
    """Return calls `first` to `end` - 1 in parts: the blocks among them, and what is between them."""
    end = len(graph.calls) if end is None else end
    parts: list[Part] = []
    for begin, stop in blocks:
        begin, stop = max(begin, first), min(stop, end)
        if stop - begin < 2:
            continue
        if first < begin:
            parts.append((graph.calls[first:begin], None))
        parts.append((graph.calls[begin:stop], Block(graph, begin, stop)))
        first = stop
    if first < end:
        parts.append((graph.calls[first:end], None))
    return parts


def _split(given: Sequence[Any], count: int, weights: int) -> tuple[Any, Any, Any]:
    return given[:count], given[count : count + weights], given[count + weights :]


def _later(given: Sequence[Any], upstream: Sequence[Any]) -> list[Any]:
    """Return the tensors so that what is computed from them waits for the gradients, and is not taken from before."""
    # Of all gradients: that of a skip connection is there long before the block's turn.
    with tf.control_dependencies(list(upstream)):
        later = [tf.identity(tensor) for tensor in given]
    if not compiling:
        return later
    # XLA knows no such order, and would take the tensors of the first computation.
    tied: list[Any] = xla_optimization_barrier(input=[*later, *upstream])
    return tied[: len(given)]
