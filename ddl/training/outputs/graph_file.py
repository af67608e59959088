"""A model's layers and connections as text for Graphviz: `dot -Tsvg network.dot > network.svg`. Needs no package."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import keras

NAME = "network.dot"


def dot_text(model: keras.Model) -> str:
    """Return the graph of a functional or sequential model: a box for each layer, an arrow for each tensor.

    A box has the layer's name, its class, the shape of its output without the batch, and the number of its weights.
    A model inside the model is one box.
    """
    lines = [f"digraph {_quoted(model.name)} {{", "  rankdir=TB;", "  node [shape=box];"]
    lines += [f"  {_quoted(layer.name)} [label={_label(layer)}];" for layer in model.layers]
    known = {layer.name for layer in model.layers}
    for source, target in _arrows(model):
        if source in known and target in known:
            lines.append(f"  {_quoted(source)} -> {_quoted(target)};")
    return "\n".join([*lines, "}"]) + "\n"


def _label(layer: Any) -> str:
    parts = [layer.name, type(layer).__name__]
    shape = getattr(getattr(layer, "output", None), "shape", None)
    if shape is not None:
        parts.append("x".join("?" if side is None else str(side) for side in shape[1:]) or "scalar")
    if layer.weights:
        parts.append(f"{layer.count_params():,} weights")
    return _quoted("\n".join(parts))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _arrows(model: keras.Model) -> Iterator[tuple[str, str]]:
    """Yield (layer, next layer) for each tensor, in the order of the layers."""
    if isinstance(model, keras.Sequential):
        names = [layer.name for layer in model.layers]
        yield from itertools.pairwise(names)
        return
    for layer in json.loads(model.to_json())["config"]["layers"]:
        for node in layer.get("inbound_nodes", ()):
            for source in _sources(node):
                yield source, layer["name"]


def _sources(value: Any) -> Iterator[str]:
    """Yield the names of the layers whose tensors are arguments of a call, from Keras's description of it."""
    if isinstance(value, Mapping):
        history = value.get("keras_history")
        if history:
            yield history[0]
            return
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _sources(part)
