"""Reads weights that Keras 2 wrote (.h5): HDF5 groups by the names of layers. No Keras, and no JSON of theirs is used.

/                      or /model_weights in the file of a whole model
  attribute layer_names: a list; a long one is cut into layer_names0, layer_names1, ...
/LAYER
  attribute weight_names, cut likewise: paths of data sets below the layer
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ddl.files import check_regular
from ddl.files.guarded_hdf5 import GuardedFile, naming_damage
from ddl.files.hdf5_names import read_names
from ddl.models.network.translation import plain_name

Weights = list[tuple[str, np.ndarray]]
"""Each weight's name, such as "kernel", and its values."""

_OLD_NAMES = {
    "depthwise_kernel": "kernel",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}
"""Names of Keras 2 and 1 -> those of Keras 3."""


def is_old_weights(file: Path) -> bool:
    """Return whether a file has weights in the layout of Keras 2, and Keras 3 did not write it."""
    try:
        check_regular(file)
        if not file.is_file() or not h5py.is_hdf5(file):
            return False
        with GuardedFile(file) as stored:
            version = stored.attrs.get("keras_version")
            group = _root(stored)
            version = _text(group.attrs.get("keras_version", version))
            is_listed = any(key in group.attrs for key in ("layer_names", "layer_names0"))
            return is_listed and not version.startswith("3")
    except Exception:  # whatever it is, whoever opens it says so
        return False


def read_old_weights(file: Path) -> dict[str, Weights]:
    """Return the weights of each layer that has some, by the layer's name as a model here has it.

    A model inside the model gives its weights under its own name, and under those of its layers.

    Raises:
        ValueError: the file is damaged, or not such a file.
    """

    def problem(error: Exception) -> Exception:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        return ValueError(
            f"Received: {file}, whose weights cannot be read ({reason}). Expected: an intact .h5 file of Keras 2."
        )

    with naming_damage(problem), GuardedFile(file) as stored:
        group = _root(stored)
        found: dict[str, Weights] = {}
        for layer in read_names(group, "layer_names"):
            weights = _weights(group[layer])
            if weights:
                found[plain_name(layer)] = weights
        return _with_inner(found)


def _with_inner(found: dict[str, Weights]) -> dict[str, Weights]:
    """Return the weights with those of a model inside the model under the names of its layers, too."""
    inner: dict[str, Weights] = {}
    for weights in found.values():
        owners = [path.rpartition("/")[0] for path, _ in weights]
        if len(set(owners)) > 1:
            for owner, weight in zip(owners, weights, strict=True):
                inner.setdefault(plain_name(owner), []).append(weight)
    merged = {**inner, **found}
    return {name: [(_name(path), value) for path, value in merged[name]] for name in merged}


def _name(path: str) -> str:
    name = path.rpartition("/")[2].partition(":")[0]
    return _OLD_NAMES.get(name, name)


def _root(stored: GuardedFile) -> h5py.Group:
    if "model_weights" in stored and "layer_names" not in stored.attrs:
        group = stored["model_weights"]
        if isinstance(group, h5py.Group):
            return group
    return stored


def _weights(group: Any) -> Weights:
    if not isinstance(group, h5py.Group):
        raise ValueError(f"{group.name} is no group")
    found: Weights = []
    for path in read_names(group, "weight_names"):
        dataset = group[path]
        if not isinstance(dataset, h5py.Dataset):
            raise ValueError(f"{group.name}/{path} is no data set")
        if dataset.dtype.kind not in "fiu":
            raise ValueError(f"{group.name}/{path} has values of type {dataset.dtype}")
        found.append((path, np.asarray(dataset[()])))
    return found


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def matched(
    layer: str, wanted: Mapping[str, tuple[int, ...]], given: Weights
) -> tuple[list[np.ndarray], str]:
    """Return the values of a layer's weights in its own order; or [] and why they do not fit.

    Names decide where all of them are known; else the order does, which is Keras's own.

    Args:
        layer: the layer's name, for the reason.
        wanted: name of each weight in the model -> its shape.
        given: weights in the file.
    """
    by_name = dict(given)
    has_names = len(by_name) == len(given) and set(by_name) == set(wanted)
    values = [by_name[name] for name in wanted] if has_names else [value for _, value in given]
    if len(values) != len(wanted):
        there = ", ".join(name for name, _ in given)
        return [], f"{layer}: the file has {there}; the model has {', '.join(wanted)}"
    for (name, shape), value in zip(wanted.items(), values, strict=True):
        if value.shape != shape:
            return (
                [],
                f"{layer}: {name} is {_by(value.shape)} in the file, {_by(shape)} in the model",
            )
        if not np.isfinite(value).all():
            return [], f"{layer}: {name} has values in the file that are NaN or infinite"
    return values, ""


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
