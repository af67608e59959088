"""Rematerialization: a training step that keeps a few tensors and computes the others again in its backward pass.

Keras's own `RematScope` works layer by layer. It keeps the input of every layer, and that is nearly all that there is
to keep. Here several layers in a row are one block, of which only what later layers need is kept.

The second computation gives the same numbers: it reads the weights and the states of random generators that the first
one has read, and what it would write (moving statistics, states) is dropped.
"""

from __future__ import annotations

from typing import Any

import keras

from ddl.training.parallel.layers.block import Operation, parts_of, run_parts
from ddl.training.parallel.layers.blocks import Made, divide
from ddl.training.parallel.layers.graph import Graph, graph_of, is_needed_backward, sizes_of

MIB = 1 << 20


def rematerialize(model: keras.Model, least_mib: float, samples: int) -> None:
    """Make training calls of a functional model keep less. What is saved of the model is unchanged.

    Args:
        model: functional.
        least_mib: a layer with a smaller output stays as it is.
        samples: of a batch of this rank, for the sizes.

    Raises:
        ValueError: a layer makes masks, which blocks do not pass on.
    """
    graph = graph_of(model)
    check_masks(graph, "remat")
    parts = parts_of(graph, blocks_of(graph, least_mib, samples))
    plain = type(model).call

    def call(inputs: Any, training: bool | None = None, mask: Any = None, **kwargs: Any) -> Any:
        if training is not True:
            return plain(model, inputs, training=training, mask=mask, **kwargs)

        def run(inputs: Any, operation_fn: Operation = lambda op: op, call_fn: Any = None) -> Any:
            values = {
                id(tensor): value
                for tensor, value in zip(graph.inputs, keras.tree.flatten(inputs), strict=True)
            }
            run_parts(parts, values, operation_fn)
            return keras.tree.pack_sequence_as(
                model._outputs_struct, [values[id(tensor)] for tensor in graph.outputs]
            )

        object.__setattr__(model, "_run_through_graph", run)
        try:
            return plain(model, inputs, training=training, mask=mask, **kwargs)
        finally:
            object.__delattr__(model, "_run_through_graph")

    object.__setattr__(model, "call", call)


def blocks_of(graph: Graph, least_mib: float, samples: int) -> list[tuple[int, int]]:
    """Return the blocks of calls, each as (first, one beyond the last)."""
    sizes = sizes_of(graph, samples)
    last = {id(tensor): place for place, call in enumerate(graph.calls) for tensor in call.inputs}
    last |= {id(tensor): len(graph.calls) for tensor in graph.outputs}
    tensors = [
        Made(
            place,
            last.get(id(tensor), place),
            sizes[id(tensor)],
            sizes[id(tensor)] * is_needed_backward(graph, call, tensor),
        )
        for place, call in enumerate(graph.calls)
        for tensor in call.outputs
    ]
    fixed = [
        sum(sizes[id(tensor)] for tensor in call.outputs) < least_mib * MIB
        or getattr(call.layer, "activity_regularizer", None) is not None
        for call in graph.calls
    ]
    return divide(len(graph.calls), tensors, fixed)


def check_masks(graph: Graph, what: str) -> None:
    """Refuse a network that makes masks, which calls in parts do not pass on."""
    for call in graph.calls:
        if getattr(call.layer, "mask_zero", False) or type(call.layer).__name__ == "Masking":
            raise ValueError(
                f"Received: {what} with layer {call.name}, which makes masks for later layers. Expected: a network "
                f"without masks, or no {what}."
            )
