"""Lists of names in HDF5 attributes, as Keras writes them: long ones are cut into KEY0, KEY1, ..."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np


def read_names(group: h5py.Group, key: str) -> list[str]:
    """Return the list in an attribute, or in its pieces.

    Raises:
        KeyError: there is none.
    """
    if key in group.attrs:
        return _decoded(group.attrs[key])
    names: list[str] = []
    number = 0
    while f"{key}{number}" in group.attrs:
        names += _decoded(group.attrs[f"{key}{number}"])
        number += 1
    if not number:
        raise KeyError(f"no {key} in {group.name}")
    return names


def _decoded(stored: Any) -> list[str]:
    return [name if isinstance(name, str) else name.decode() for name in np.atleast_1d(stored)]
