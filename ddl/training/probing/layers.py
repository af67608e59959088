"""The layers of a model that a probe reports, with their own weights, and their outputs in a forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

_ZERO_BELOW = ("relu", "relu6")
"""Activations that are exactly 0 for all negative numbers, so that a unit can be dead."""


@dataclass(frozen=True)
class ProbedLayer:
    """A layer that a probe reports.

    Attributes:
        name: its name, after those of the models or layers that it is part of, with slashes.
        layer: the layer itself.
        variables: numbers of its own trainable weights in `model.trainable_variables`; none of a frozen layer.
        cuts: whether its outputs are exactly 0 for negative numbers.
    """

    name: str
    layer: Any
    variables: tuple[int, ...] = ()
    cuts: bool = False

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.layer).__name__


@dataclass
class Outputs:
    """The outputs of layers in the forward passes of a `with` block, by `id` of the layer."""

    of: dict[int, list[Any]] = field(default_factory=dict)


def probed_layers(model: keras.Model) -> list[ProbedLayer]:
    """Return the layers with weights of their own or with outputs that are cut at 0, in the model's order."""
    places = {id(variable): at for at, variable in enumerate(model.trainable_variables)}
    found = []
    for name, layer in _inside(model, "", set()):
        own = tuple(places[id(v)] for v in own_weights(layer) if id(v) in places)
        cuts = _cuts(layer)
        if own_weights(layer) or cuts:
            found.append(ProbedLayer(name, layer, own, cuts))
    return found


def check_probed(model: keras.Model, probe: int) -> None:
    """Refuse a probe of a model whose gradients only its own steps know.

    Raises:
        ValueError: on each rank that has such a model.
    """
    if probe and type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"Received: probe={probe} for a model with a train_step of its own ({type(model).__name__}), whose "
            "gradients only that computes. Expected: probe=0."
        )


def own_weights(layer: Any) -> list[Any]:
    """Return the weights of a layer itself, without those of layers inside it, moving statistics and random states."""
    return list(layer._trainable_variables)


@contextlib.contextmanager
def collecting(layers: Sequence[ProbedLayer]) -> Iterator[Outputs]:
    """Inside this `with` block, collect what these layers return, each call of them.

    The layers get a `call` of their own for the block, which is while a pass is traced: models that share or nest
    layers need no changes, and what is traced elsewhere stays as it is.
    """
    outputs = Outputs()

    def noting(layer: Any) -> Any:
        call = layer.call

        def noted(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs)
            first = next(iter(keras.tree.flatten(result)), None)
            if first is not None:
                outputs.of.setdefault(id(layer), []).append(first)
            return result

        return noted

    unique = {id(probed.layer): probed.layer for probed in layers}
    for layer in unique.values():
        object.__setattr__(layer, "call", noting(layer))
    try:
        yield outputs
    finally:
        for layer in unique.values():
            layer.__dict__.pop("call", None)


def _inside(layer: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield (name, layer) of all layers inside another one, each once."""
    parts = layer.layers if isinstance(layer, keras.Model) else layer._layers
    for part in parts:
        if id(part) in seen or isinstance(part, keras.metrics.Metric):
            continue
        seen.add(id(part))
        name = f"{prefix}{part.name}"
        yield name, part
        yield from _inside(part, f"{name}/", seen)


def _cuts(layer: Any) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return not float(layer.negative_slope or 0) and not float(layer.threshold or 0)
    activation = getattr(layer, "activation", None)
    return getattr(activation, "__name__", "") in _ZERO_BELOW
