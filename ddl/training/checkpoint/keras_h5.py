"""Writes and reads Keras's HDF5 layout of a whole model, without Keras.

    /            attributes model_config (JSON), keras_version, backend
    /model_weights                        attribute layer_names
    /model_weights/LAYER                  attribute weight_names, data sets of these names

`keras.models.load_model("name.h5")` reads it: see `legacy_h5_format.py` in Keras. It is written here from NumPy arrays,
so that a thread can write while the model trains.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import h5py
import numpy as np

from ddl.files.hdf5_names import read_names

Layers = list[tuple[str, list[tuple[str, np.ndarray]]]]
"""Each layer's name, and the paths and values of its weights."""

_ATTRIBUTE_BYTES = (
    64512  # HDF5 limits an attribute to 64 KiB; Keras splits longer lists into pieces of this size
)


def write_model(file: h5py.File, architecture: str, keras_version: str, layers: Layers) -> None:
    """Write a model that plain Keras loads as uncompiled."""
    groups = file, file.create_group("model_weights")
    for group in groups:
        group.attrs["keras_version"] = keras_version
        group.attrs["backend"] = "tensorflow"
    file.attrs["model_config"] = architecture
    _write_names(groups[1], "layer_names", [name for name, _ in layers])
    for layer_name, weights in layers:
        group = groups[1].create_group(layer_name)
        # Numbered, because two weights of a layer may have the same path, and no path may be a prefix of another.
        names = [f"{path}:{number}" for number, (path, _) in enumerate(weights)]
        _write_names(group, "weight_names", names)
        for name, (_, values) in zip(names, weights, strict=True):
            write_array(group, name, values)
    groups[1].create_group("top_level_model_weights").attrs["weight_names"] = np.array([], "S1")


def read_layers(file: h5py.File) -> Layers:
    """Return the layers that were given to `write_model`."""
    groups = file["model_weights"]
    return [
        (
            layer_name,
            [
                (name.rpartition(":")[0], read_array(groups[layer_name][name]))
                for name in read_names(groups[layer_name], "weight_names")
            ],
        )
        for layer_name in read_names(groups, "layer_names")
    ]


def write_array(group: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    """Write an array of any Keras dtype. HDF5 has no bfloat16, so its values are stored as float32."""
    if values.dtype.name != "bfloat16":
        return group.create_dataset(name, data=values)
    widened = (np.ascontiguousarray(values).view(np.uint16).astype(np.uint32) << 16).view("f4")
    dataset = group.create_dataset(name, data=widened.reshape(values.shape))
    dataset.attrs["dtype"] = "bfloat16"
    return dataset


def read_array(dataset: h5py.Dataset) -> np.ndarray:
    """Return an array bit for bit as it was written."""
    values: np.ndarray = np.asarray(dataset[()])
    if values.dtype.kind not in "biufc":
        raise ValueError(f"{dataset.name} of type {values.dtype}")
    if "dtype" not in dataset.attrs:
        return values
    if values.dtype != np.float32:
        raise ValueError(f"{dataset.name} of type {values.dtype} for bfloat16")
    halved = (np.ascontiguousarray(values).view(np.uint32) >> 16).astype(np.uint16)
    bfloat16 = np.dtype(importlib.import_module("ml_dtypes").bfloat16)  # a dependency of Keras
    narrowed: np.ndarray = halved.view(bfloat16).reshape(values.shape)
    return narrowed


def read_name(item: h5py.Group | h5py.Dataset, key: str) -> str:
    """Return an attribute that is text."""
    value = item.attrs[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} of type {type(value).__name__}")
    return value


def _write_names(group: h5py.Group, key: str, names: Sequence[str]) -> None:
    array = np.array([name.encode() for name in names], dtype=None if names else "S1")
    pieces, count = [array], 1
    while any(piece.nbytes > _ATTRIBUTE_BYTES for piece in pieces):
        count += 1
        pieces = np.array_split(array, count)
    for number, piece in enumerate(pieces):
        group.attrs[key if count == 1 else f"{key}{number}"] = piece
