"""Reads a volume from a TIFF whose pages are its slices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.picture_file import load_tifffile, one_line
from ddl.files import check_regular, exceeds_file

SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class StackForm:
    """What the header of a stack says: the shape (depth, height, width, channels) and dtype of its volume."""

    shape: tuple[int, ...]
    dtype: np.dtype


def is_stack(path: Path) -> bool:
    """Return whether a file is a TIFF of several pages that make one volume."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    try:
        with _open(path) as tiff:
            return _has_slices(tiff.series[0])
    except Exception:  # damaged in one of many ways: whoever reads it says how
        return False


def read_stack_form(path: Path, pixel_limit: int) -> StackForm:
    """Return the shape and dtype of a stack from its header.

    Raises:
        ValueError: it is damaged, no stack, or has more than `pixel_limit` voxels.
    """
    try:
        with _open(path) as tiff:
            series = _checked_series(tiff, path)
            is_volume, shape, dtype = _has_slices(series), tuple(series.shape), series.dtype
            axes = str(series.axes)
    except Exception as error:  # tifffile raises many kinds of errors on damaged files
        raise _damaged(path, error) from error
    if not is_volume or len(shape) != 3 + axes.endswith("S"):
        raise ValueError(
            f"Received: {path} of shape {'x'.join(map(str, shape))}. Expected: a TIFF of several pages, depth x height "
            "x width, each grey or RGB, as the other files."
        )
    if math.prod(shape[:3]) > pixel_limit:
        raise ValueError(
            f"Received: {path} of {math.prod(shape[:3])} voxels. Expected: 1 to {pixel_limit}; raise pixel_limit if "
            "you trust the file."
        )
    whole = shape if axes.endswith("S") else (*shape, 1)
    return StackForm(whole, np.dtype(dtype).newbyteorder("="))


def read_stack(path: Path) -> np.ndarray:
    """Return the volume as stored: memory-mapped if it is uncompressed, else read whole.

    Raises:
        ValueError: the file is damaged.
    """
    tifffile = load_tifffile()
    try:
        with _open(path) as tiff:
            is_plain = _checked_series(tiff, path).dataoffset is not None
        volume: np.ndarray = tifffile.memmap(path, mode="r") if is_plain else tifffile.imread(path)
    except Exception as error:  # tifffile raises many kinds of errors on damaged files
        raise _damaged(path, error) from error
    return volume


def _open(path: Path) -> Any:
    check_regular(path)
    return load_tifffile().TiffFile(path)


def _checked_series(tiff: Any, path: Path) -> Any:
    """Return the first series of an open TIFF; refuse one that the file cannot hold."""
    series = tiff.series[0]
    if exceeds_file(series.nbytes, path.stat().st_size):
        raise ValueError(f"{series.nbytes} bytes, which the file cannot hold")
    return series


def _has_slices(series: Any) -> bool:
    """Return whether a series has an axis besides height, width and samples of a pixel."""
    return any(axis not in "YXS" for axis in series.axes)


def _damaged(path: Path, error: BaseException) -> ValueError:
    return ValueError(
        f"Received: {path}, which is not a complete TIFF ({one_line(error)[:160]}). Expected: a readable TIFF; copy it "
        "again."
    )
