"""A folder of `.npz` archives that share the samples: `x` and `y` in each, as PyDTNN keeps ImageNet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.source import Source
from ddl.data.sources.array_files.npz import read_arrays
from ddl.data.sources.arrays import MEMORY_LIMIT, name_fields
from ddl.data.sources.joined import JoinedArrays, Part
from ddl.data.sources.ranged import with_range
from ddl.data.sources.split_folders import find_split_folder, split_folders
from ddl.ranges import check_choice


def detect(path: Path) -> bool:
    """Return whether a folder, or its folder of training data, holds `.npz` archives."""
    return path.is_dir() and bool(_archives(path) or _archives(split_folders(path).get("train")))


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have a folder of their own; none where the archives are in `path` itself."""
    del options
    return () if _archives(path) else tuple(split_folders(path))


def open_source(
    path: Path,
    *,
    split: str = "train",
    keys: tuple[str, ...] | None = None,
    range: str | None = None,  # noqa: A002
    channels_first: bool = False,
    label_base: int = 0,
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """Open the archives of a folder, in the order of their names.

    Args:
        path: the folder; or one with folders such as `train` and `val` in it.
        split: "train", "validation" or "test", where these have folders of their own.
        keys: names of inputs and targets, as for one archive.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        channels_first: whether pictures are stored as (channels, height, width).
        label_base: number of the first class in the files: 1 for PyDTNN's ImageNet.
        memory_limit: maximum size of all compressed arrays together, which are held in memory.
    """
    folder = path
    if _archives(path):
        check_choice("split", split, ("train",), f"{path}, which has no folders of splits")
    else:
        folder = find_split_folder(path, split)
    parts: dict[str, Part] = {}
    left = memory_limit
    for archive in _archives(folder):
        arrays = read_arrays(archive, keys, left)
        left -= sum(a.nbytes for a in arrays.values() if not isinstance(a, np.memmap))
        named = name_fields(
            arrays, str(archive), channels_first=channels_first, label_base=label_base
        )
        parts[str(archive)] = {name: _unmapped(name, array) for name, array in named.items()}
    if not parts:
        raise ValueError(f"Received: {folder} without .npz files. Expected: one or more.")
    return with_range(JoinedArrays(parts, str(folder)), range)


class OnDemand:
    """An array in a file that is mapped for each read: each mapping counts against the limit of open files."""

    def __init__(self, array: np.memmap) -> None:
        """Take the place of a mapped array or of a view of all of it."""
        self.shape, self.dtype = array.shape, array.dtype
        self._strides, self._bytes = array.strides, array.nbytes
        self._file, self._start = str(array.filename), array.offset

    def __getitem__(self, wanted: np.ndarray) -> np.ndarray:
        mapped = np.memmap(self._file, np.uint8, "r", self._start, (self._bytes,))
        whole = np.ndarray(self.shape, self.dtype, mapped, strides=self._strides)
        return np.asarray(whole[wanted])


def _unmapped(name: str, array: np.ndarray) -> Any:
    """Return an array that keeps no file open; labels are read whole."""
    if not isinstance(array, np.memmap):
        return array
    return np.array(array) if name == "label" else OnDemand(array)


def _archives(folder: Path | None) -> list[Path]:
    """Return the archives directly in a folder, sorted by name."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.npz") if not path.name.startswith("."))
