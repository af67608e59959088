"""Reads a network file: a document of Keras 2 or 3, or a list of layers. No TensorFlow, nothing is deserialized."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ddl.models.network.kinds.shapes import Shape
from ddl.models.network.kinds.table import find_kind
from ddl.models.network.nodes import Network, Node, make_network, refusal
from ddl.models.network.references import BadReference, output_names, references
from ddl.models.network.translation import Translation, generated_name, plain_name

TOP_LEVEL = ("Functional", "Model", "Sequential")
_INPUT_KEYS = ("batch_input_shape", "batch_shape")
JOINED = "joined_outputs"


def parse_network(text: str, origin: str, *, joins: bool = False) -> Network:
    """Return the network of a JSON text.

    Args:
        text: JSON.
        origin: the file that it comes from, for messages.
        joins: whether several outputs are taken, and joined by the layer `JOINED`, one number a row.

    Raises:
        ValueError: it is no network, or one that cannot be built; the message names the file and the layer.
    """
    return network_from_values(_parsed(text, origin), origin, joins=joins)


def network_from_values(values: Any, origin: str, *, joins: bool = False) -> Network:
    """Return the network of JSON values: a document of Keras, or a list of layers.

    Args:
        values: parsed JSON.
        origin: the file that they come from, for messages.
        joins: as for `parse_network`.

    Raises:
        ValueError: they are no network, or one that cannot be built.
    """
    if isinstance(values, str):  # json.dump(model.to_json(), file)
        values = _parsed(values, origin)
    document = _Document.of(values, origin)
    translation = Translation(origin, document.is_keras_3)
    layers = _named(document)
    input_layer, input_shape = _input_of(document, layers, translation)
    layers = [layer for layer in layers if layer.values is not input_layer.values]
    chains = [translation.nodes(layer.name, layer.values) for layer in layers]
    ends = dict.fromkeys(input_layer.names, plain_name(input_layer.name))
    for layer, chain in zip(layers, chains, strict=True):
        ends |= dict.fromkeys(layer.names, chain[-1].name)
    nodes: list[Node] = []
    before = input_layer.name
    for layer, chain in zip(layers, chains, strict=True):
        taken = _taken(layer, before, origin)
        first = replace(chain[0], inputs=tuple(ends.get(name, name) for name in taken))
        nodes += [first, *chain[1:]]
        before = layer.name
    outputs = [ends.get(name, name) for name in document.outputs(origin)]
    if len(outputs) > 1:
        if not joins:
            told = f"{len(outputs)} outputs ({', '.join(outputs)})"
            raise refusal(
                origin, told, "one output; for boxes, model_option anchors=W,H,... joins them"
            )
        nodes += _join(outputs)
    return make_network(
        plain_name(document.name),
        plain_name(input_layer.name),
        input_shape,
        nodes,
        origin=origin,
        output=nodes[-1].name if len(outputs) > 1 else next(iter(outputs), None),
        notes=translation.note_lines(),
    )


def _join(outputs: list[str]) -> list[Node]:
    """Return layers that make one output of several; `ddl.models.network.levels` takes them away again."""
    flat = [
        Node(f"{JOINED}_{number}", "Reshape", {"target_shape": (-1, 1)}, (name,))
        for number, name in enumerate(outputs)
    ]
    return [*flat, Node(JOINED, "Concatenate", {"axis": 1}, tuple(node.name for node in flat))]


@dataclass(frozen=True)
class _Layer:
    """A layer as it stands in a file, with its name there."""

    name: str
    values: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """Its settings."""
        return self.values.get("config") or {}

    @property
    def names(self) -> list[str]:
        """Its names: that of its config, and an outer one, which people change apart."""
        outer = self.values.get("name")
        return [self.name, *([outer] if isinstance(outer, str) else [])]


@dataclass(frozen=True)
class _Document:
    """The parts of a document: its layers as they stand there, and what it says about input and output."""

    name: str
    layers: list[dict[str, Any]]
    is_keras_3: bool = False
    ends: Any = None
    given_shape: Any = None

    @classmethod
    def of(cls, values: Any, origin: str) -> _Document:
        if isinstance(values, list):
            layers = _checked(values, origin)
            return cls("network", layers, any("module" in layer for layer in layers))
        if not isinstance(values, dict):
            raise refusal(origin, f"{type(values).__name__} as a network", _FORMS)
        kind = values.get("class_name")
        config: Any = values.get("config")
        if kind is None and isinstance(values.get("layers"), list):
            config = values
        elif kind not in TOP_LEVEL:
            what = "an object without class_name" if kind is None else f"class_name={kind!r}"
            raise refusal(origin, what, _FORMS)
        if isinstance(config, list):
            config = {"layers": config}
        if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
            raise refusal(origin, "a document without config.layers", _FORMS)
        name = config.get("name") or values.get("name") or "network"
        return cls(
            str(name),
            _checked(config["layers"], origin),
            "module" in values or any("module" in layer for layer in config["layers"]),
            config.get("output_layers"),
            config.get("build_input_shape"),
        )

    def outputs(self, origin: str) -> list[str]:
        """Return the names of the outputs, none where the document does not say them."""
        try:
            return output_names(self.ends)
        except (BadReference, TypeError) as error:
            raise refusal(origin, f"output_layers with {_first(error)}", _second(error)) from None


_FORMS = "a model of Keras as to_json() writes it (class_name Functional, Model or Sequential), or a list of layers"


def _parsed(text: str, origin: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant}, which is no JSON")

    try:
        return json.loads(text.removeprefix("\ufeff"), parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"Received: {origin}, line {error.lineno}, column {error.colno}: {error.msg}. Expected: JSON, {_FORMS}."
        ) from None
    except RecursionError:
        raise refusal(origin, "JSON that is nested too deeply", "JSON") from None
    except ValueError as error:
        raise refusal(origin, str(error), "JSON") from None


def _checked(layers: list[Any], origin: str) -> list[dict[str, Any]]:
    for number, layer in enumerate(layers):
        problem = ""
        if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
            problem = "without a class_name"
        elif not isinstance(layer.get("config", {}), dict):
            problem = f"({layer['class_name']}) whose config is no object"
        if problem:
            raise refusal(
                origin,
                f"layer number {number + 1} {problem}",
                "an object with class_name and config",
            )
    if not layers:
        raise refusal(origin, "no layers", "at least one layer")
    return layers


def _named(document: _Document) -> list[_Layer]:
    """Return each layer with its name: that in its config, else the outer one, else one by its kind."""
    counts: Counter[str] = Counter()
    found = []
    for layer in document.layers:
        name = (layer.get("config") or {}).get("name") or layer.get("name")
        if not isinstance(name, str):
            name = generated_name(find_kind(layer["class_name"]) or layer["class_name"], counts)
        found.append(_Layer(name, layer))
    return found


def _input_of(
    document: _Document, layers: list[_Layer], translation: Translation
) -> tuple[_Layer, Shape]:
    """Return the input and its shape. Where the first layer gives it, its name is that layer's, with _input behind."""
    origin = translation.origin
    inputs = [layer for layer in layers if layer.values["class_name"] == "InputLayer"]
    if len(inputs) > 1:
        names = ", ".join(layer.name for layer in inputs)
        raise refusal(origin, f"{len(inputs)} inputs ({names})", "one input")
    first = inputs[0] if inputs else layers[0]
    config = first.config
    given = next((config[key] for key in _INPUT_KEYS if config.get(key) is not None), None)
    if given is None and config.get("input_shape") is not None:
        given = [None, *_as_list(config["input_shape"])]
    if given is None and not inputs:
        given = document.given_shape
    shape = _shape(given, first.name, origin)
    if not inputs:
        return _Layer(f"{first.name}_input", {}), shape
    dtype = config.get("dtype")
    if isinstance(dtype, str) and dtype != "float32":
        translation.note(f"dtype {dtype} is left to the run's precision.", first.name)
    return first, shape


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _shape(given: Any, name: str, origin: str) -> Shape:
    if not isinstance(given, list) or len(given) < 2:
        received = "no batch_input_shape" if given is None else f"batch_input_shape={given}"
        raise refusal(
            origin,
            f"layer {name} with {received}",
            "batch_input_shape of the first layer, such as [null, 224, 224, 3]",
        )
    _, *sides = given
    bad = [
        side
        for side in sides
        if side is not None and (isinstance(side, bool) or not isinstance(side, int) or side < 1)
    ]
    if bad or sides[-1] is None:
        raise refusal(
            origin,
            f"layer {name} with batch_input_shape={given}",
            "sides of at least 1 or null, and a number of channels",
        )
    return tuple(sides)


def _taken(layer: _Layer, before: str, origin: str) -> list[str]:
    """Return what a layer takes, by names in the file. Without inbound_nodes it is the layer before."""
    try:
        return references(layer.values.get("inbound_nodes")) or [before]
    except BadReference as error:
        received = f"layer {layer.name} ({layer.values['class_name']}) with {_first(error)}"
        raise refusal(origin, received, _second(error)) from None


def _first(error: Exception) -> str:
    return str(error).partition("; Expected: ")[0]


def _second(error: Exception) -> str:
    return str(error).partition("; Expected: ")[2] or "a list like [['out', 0, 0]]"
