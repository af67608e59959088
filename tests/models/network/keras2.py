"""Writes a model of Keras 3 as Keras 2 would have: its JSON, and its weights as .h5."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from tests.models.network.writer import Writer

_OLD_KERNELS = {"DepthwiseConv2D": "depthwise_kernel"}


def to_keras_2(model: keras.Model, version: str = "2.8.0") -> str:
    """Return the model's document as `to_json()` of Keras 2 wrote it."""
    config = model.get_config()
    layers = [_layer(layer) for layer in config["layers"]]
    ends = {key: [_reference(config[key])] for key in ("input_layers", "output_layers")}
    inner = {"name": model.name, "layers": layers, **ends}
    document = {"class_name": "Functional", "config": inner}
    return json.dumps({**document, "keras_version": version, "backend": "tensorflow"})


def _layer(layer: dict[str, Any]) -> dict[str, Any]:
    config = _plain(layer["config"])
    config["dtype"] = "float32"
    if "batch_shape" in config:
        config["batch_input_shape"] = config.pop("batch_shape")
        config.pop("optional", None)
    kind = layer["class_name"]
    if kind == "LeakyReLU":
        config["alpha"] = config.pop("negative_slope")
    if kind == "BatchNormalization":
        axis = config["axis"]
        config["axis"] = [axis] if isinstance(axis, int) else axis
        for key in ("synchronized", "renorm", "renorm_clipping", "renorm_momentum"):
            config.pop(key, None)
    if kind == "Dense":
        config.pop("quantization_config", None)
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        defaults = Writer("functional-2.8", (8, 8, 3))._defaults(kind)
        config = {**{k: v for k, v in defaults.items() if k.startswith("kernel_")}, **config}
        config["groups"] = 1
    if config.get("activation") == "silu":
        config["activation"] = "swish"
    inbound = [
        [[*reference, {}] for reference in _references(node["args"])]
        for node in layer["inbound_nodes"]
    ]
    return {"class_name": kind, "config": config, "name": layer["name"], "inbound_nodes": inbound}


def _plain(value: Any) -> Any:
    """Return settings without the keys that Keras 3 adds to an object."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    drop = ("module", "registered_name", "build_config")
    return {key: _plain(item) for key, item in value.items() if key not in drop}


def _references(value: Any) -> list[list[Any]]:
    if isinstance(value, dict):
        return [list(value["config"]["keras_history"])]
    return [found for item in value for found in _references(item)]


def _reference(end: Any) -> list[Any]:
    return list(end) if isinstance(end[0], str) else list(end[0])


def save_weights(model: keras.Model, path: Path, *, whole: bool = False, pieces: int = 1) -> None:
    """Write weights in the layout of Keras 2.

    Args:
        model: a functional model.
        path: the file.
        whole: as in the file of a whole model: below `model_weights`, beside a `model_config` that Keras 3 cannot load.
        pieces: attributes into which the list of layers is cut.
    """
    with h5py.File(path, "w") as file:
        root = file
        if whole:
            file.attrs["model_config"] = to_keras_2(model)
            file.attrs["keras_version"] = "2.8.0"
            file.create_group("optimizer_weights")
            root = file.create_group("model_weights")
        root.attrs["keras_version"], root.attrs["backend"] = "2.8.0", "tensorflow"
        _write_names(root, "layer_names", [layer.name for layer in model.layers], pieces)
        for layer in model.layers:
            group = root.create_group(layer.name)
            weights = [w for w in layer.weights if "seed_generator" not in w.path]
            names = [f"{layer.name}/{_old_name(layer, weight)}:0" for weight in weights]
            _write_names(group, "weight_names", names, 1)
            for name, weight in zip(names, weights, strict=True):
                group.create_dataset(name, data=np.asarray(weight.numpy()))


def _old_name(layer: Any, weight: Any) -> str:
    kind = type(layer).__name__
    return _OLD_KERNELS[kind] if weight.name == "kernel" and kind in _OLD_KERNELS else weight.name


def _write_names(group: Any, key: str, names: Sequence[str], pieces: int) -> None:
    array = np.array([name.encode() for name in names], dtype=None if names else "S1")
    if pieces == 1:
        group.attrs[key] = array
        return
    for number, piece in enumerate(np.array_split(array, pieces)):
        group.attrs[f"{key}{number}"] = piece
