"""Targets in one array of many samples: of any shape, where inputs have that of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.source import Source
from ddl.data.sources.array_files import npy, npz
from ddl.data.sources.array_files.hdf5 import Hdf5
from ddl.data.sources.arrays import Arrays


def open_targets(path: Path, name: str, form: str, options: Mapping[str, Any]) -> Source | None:
    """Open the first array of a file as the field of this name; None where this is no such file.

    Args:
        path: a `.npy`, `.npz` or HDF5 file.
        name: "mask", "label" or "values".
        form: the format of the file.
        options: those of the format; `keys` name the array.
    """
    chosen = options.get("keys")
    rest = sorted(key for key in options if key != "keys")
    if rest or form not in ("npy", "npz", "hdf5") or path.is_dir():
        return None
    if form == "hdf5":
        return Hdf5(path, chosen, first=name)
    array = npy.map_array(path) if form == "npy" else npz.read_arrays(path, chosen)["image"]
    if name == "label" and array.ndim == 2 and array.shape[1] == 1:
        array = np.asarray(array[:, 0])
    return Arrays({name: array}, str(path))
