"""The layers of a prototxt -> nodes that compute what its program computes. No TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ddl.models.network.kinds.shapes import by
from ddl.models.network.nodes import Network, make_network
from ddl.models.network.prototxt import windows
from ddl.models.network.prototxt.chain import INPUT, Chain
from ddl.models.network.prototxt.functions import add_function
from ddl.models.network.prototxt.records import Checker, Record
from ddl.models.network.prototxt.schema import LAYER_TYPES
from ddl.models.network.prototxt.windows import BadLayer

ENDINGS = {"softmax": "exclusive", "sigmoid": "separate"}
"""Last activation -> the option `outputs` of the loss `crossentropy`."""


@dataclass(frozen=True)
class Layers:
    """The network of a file, what its loss takes its outputs for, and lines for the user."""

    network: Network
    outputs: str
    notes: tuple[str, ...]


def make_layers(record: Record, origin: str, checker: Checker) -> Layers | None:
    """Return the layers of a file; None, with problems in `checker`, where they cannot be built.

    Args:
        record: the values of the file.
        origin: its name.
        checker: gets the problems.
    """
    given = [layer for layer in record["layer"] if layer is not None]
    if not record["layer"]:
        checker.report(record.place, "a file without a layer", "layer { ... }")
    for number, layer in enumerate(given, start=1):
        _check_parameters(layer, number, checker)
    outputs = _outputs(given, checker) if given else None
    shape = record["input_shape"]
    if shape is not None and len(shape["dim"]) > 3:
        checker.report(
            shape.place_of("dim"),
            f"input_shape of {len(shape['dim'])} numbers",
            "channels, height and width; height and width; or one number",
        )
    if checker.problems:
        return None
    chain = Chain(origin, _channels_last(shape["dim"]), last=given[-1])
    first = chain.shape
    for number, layer in enumerate(given, start=1):
        chain.layer = f"{layer['type'].lower()}_{number}"
        try:
            _ADD[layer["type"]](chain, layer, checker.dialect)
        except BadLayer as error:
            checker.report(error.place or layer.place, str(error), error.expected)
            return None
    network = make_network("neuralnet", INPUT, first, chain.nodes, origin=origin)
    return Layers(replace(network, is_fixed=True), str(outputs), ())


def _channels_last(dims: tuple[int, ...]) -> tuple[int, ...]:
    """Return (H, W, C) for (C, H, W), (H, W, 1) for (H, W), and (N,) for (N,)."""
    if len(dims) == 3:
        return (*dims[1:], dims[0])
    return (*dims, 1) if len(dims) == 2 else dims


def _check_parameters(layer: Record, number: int, checker: Checker) -> None:
    """Report settings of another type of layers, and the lack of those that the type needs."""
    kind = layer["type"]
    if kind is None:
        return
    if checker.dialect not in LAYER_TYPES[kind.lower()].dialects:
        checker.report(
            layer.place_of("type"),
            f"layer {number} of the type {kind}, which dialect {checker.dialect} does not have",
            "layers of one dialect",
        )
        return
    own = LAYER_TYPES[kind.lower()].parameters
    for name in layer.places:
        if name.endswith("_param") and name != own:
            checker.report(
                layer.places[name], f"{name} in a layer of the type {kind}", f"{own}, or none"
            )
    if own not in layer.places and own not in ("dropout_param", "lrn_param"):
        checker.report(layer.place, f"layer {number}, {kind} without {own}", f"{own} {{ ... }}")


def _outputs(layers: list[Record], checker: Checker) -> str | None:
    """Return what the loss takes the outputs for; report a last layer without loss, and losses before it."""
    last = layers[-1]
    if checker.dialect == "A":
        parameters, expected = last["fully_connected_param"], "sigmoid or softmax in the last layer"
    else:
        for layer in layers[:-1]:
            if layer["type"] == "ActivationWithLoss":
                checker.report(
                    layer.place_of("type"),
                    "ActivationWithLoss before the last layer",
                    "it once, as the last layer",
                )
        if last["type"] not in (None, "ActivationWithLoss"):
            checker.report(
                last.place_of("type"),
                f"{last['type']} as the last layer",
                "ActivationWithLoss, which compares the output with the label",
            )
            return None
        parameters, expected = last["activation_with_loss_param"], "sigmoid or softmax"
    function = parameters and parameters["activation_function"]
    if function is not None and function not in ENDINGS:
        checker.report(
            parameters.place_of("activation_function"),
            f"{function} before the loss, where output minus target is the gradient of no cross-entropy",
            expected,
        )
    return ENDINGS.get(function or "")


def _weights(parameters: Record) -> dict[str, Any]:
    """Return the initial weights: normal around 0, and equal biases."""
    normal = {"mean": 0.0, "stddev": parameters["init_weight"]}
    seed = parameters.values.get("random_seed")
    if seed is not None:
        normal["seed"] = seed
    return {
        "kernel_initializer": {"class_name": "RandomNormal", "config": normal},
        "bias_initializer": _constant(parameters["init_bias"]),
    }


def _constant(value: float) -> dict[str, Any]:
    return {"class_name": "Constant", "config": {"value": value}}


def _fully_connected(chain: Chain, layer: Record, dialect: str) -> None:
    parameters = layer["fully_connected_param"]
    chain.flatten()
    is_old = dialect in "AB"
    if is_old:
        _check_inputs(chain, layer)
    units = layer["num_output"] if is_old else parameters["num_output"]
    chain.add("Dense", {"units": units, **_weights(parameters)})
    if dialect == "A":
        function = parameters["activation_function"]
        if layer is chain.last:
            chain.add("Activation", {"activation": function}, tag=function)
        else:
            add_function(chain, function, parameters.place_of("activation_function"), tag=function)


def _check_inputs(chain: Chain, layer: Record) -> None:
    if layer["num_input"] != chain.shape[0]:
        raise BadLayer(
            f"num_input: {layer['num_input']} of {chain.layer}, which gets {chain.shape[0]} numbers",
            f"{chain.shape[0]}",
            layer.place_of("num_input"),
        )


def _check_outputs(chain: Chain, layer: Record, dialect: str) -> None:
    """Refuse num_input and num_output of an activation that change the number of values."""
    if dialect not in "AB":
        return
    size = 1
    for side in chain.shape:
        size *= side or 1
    for name in ("num_input", "num_output"):
        if layer[name] != size:
            raise BadLayer(
                f"{name}: {layer[name]} of {chain.layer}, which gets and makes {size} numbers",
                f"{size}",
                layer.place_of(name),
            )


def _activation(chain: Chain, layer: Record, dialect: str) -> None:
    parameters = layer["activation_param"]
    _check_outputs(chain, layer, dialect)
    add_function(
        chain, parameters["activation_function"], parameters.place_of("activation_function")
    )


def _activation_with_loss(chain: Chain, layer: Record, dialect: str) -> None:
    chain.flatten()
    _check_outputs(chain, layer, dialect)
    function = layer["activation_with_loss_param"]["activation_function"]
    chain.add("Activation", {"activation": function})


def _pooling(chain: Chain, layer: Record, _: str) -> None:
    windows.add_pooling(chain, layer["pooling_param"])


def _convolutional(chain: Chain, layer: Record, dialect: str) -> None:
    parameters = layer["convolutional_param"]
    windows.add_convolution(chain, parameters, _weights(parameters), is_untied=dialect == "C")


def _dropout(chain: Chain, layer: Record, _: str) -> None:
    parameters = layer["dropout_param"]
    chain.add("Dropout", {"rate": 0.5 if parameters is None else parameters["dropout_ratio"]})


_LRN = {"local_size": 5, "alpha": 1.0, "beta": 0.75, "k": 1.0}


def _lrn(chain: Chain, layer: Record, _: str) -> None:
    parameters = layer["lrn_param"]
    values = {name: parameters[name] for name in _LRN} if parameters is not None else _LRN
    if len(chain.shape) == 1:
        raise BadLayer(
            f"{chain.layer} after a layer whose output {by(chain.shape)} has no channels",
            "LRN before the first FullyConnected layer",
        )
    if values["local_size"] % 2 == 0:
        raise BadLayer(
            f"local_size: {values['local_size']} of {chain.layer}",
            "an odd number, so that a channel has as many neighbours on both sides",
            parameters.place_of("local_size"),
        )
    chain.add("LocalResponseNormalization", values)


_ADD: dict[str, Callable[[Chain, Record, str], None]] = {
    "FullyConnected": _fully_connected,
    "Activation": _activation,
    "ActivationWithLoss": _activation_with_loss,
    "Pooling": _pooling,
    "Convolutional": _convolutional,
    "Dropout": _dropout,
    "LRN": _lrn,
}
"""Type of a layer -> what adds its nodes."""
