"""`.npy` files, memory-mapped: a folder with `images.npy` and `masks.npy` or `labels.npy`, or one file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ddl.data.source import Source
from ddl.data.sources.array_files.npy_header import Header, read_header
from ddl.data.sources.arrays import Arrays, name_fields
from ddl.data.sources.ranged import with_range
from ddl.files import check_regular


def detect(path: Path) -> bool:
    """Return whether the path is a `.npy` file or a folder with `images.npy`."""
    return path.suffix == ".npy" or (path / "images.npy").is_file()


def open_source(
    path: Path,
    *,
    targets: str | None = None,
    range: str | None = None,  # noqa: A002
) -> Source:
    """Open inputs and their targets; a single file without `targets` has only inputs."""
    if path.is_dir():
        present = [path / name for name in ("masks.npy", "labels.npy") if (path / name).is_file()]
        if len(present) != 1 and targets is None:
            raise ValueError(
                f"Received: {path} with {len(present)} of masks.npy and labels.npy. Expected: one; or give targets."
            )
        path, targets = path / "images.npy", targets or str(present[0])
    arrays = {"image": map_array(path)}
    if targets is not None:
        arrays["target"] = map_array(Path(targets))
    return with_range(Arrays(name_fields(arrays), str(path)), range)


def read_form(path: Path) -> Header:
    """Return the header of a .npy file."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            return read_header(file)
    except (ValueError, OSError) as error:
        raise _damaged(path, error) from error


def map_array(path: Path) -> np.ndarray:
    """Return the array of a .npy file, mapped."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            header = read_header(file)
        stored = path.stat().st_size - header.start
        if header.nbytes > stored:
            raise ValueError(f"{stored} bytes of values instead of {header.nbytes}")
        if not header.nbytes:  # nothing to map
            return np.empty(header.shape, header.dtype)
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        return np.memmap(path, header.dtype, "r", header.start, header.shape, order)
    except (ValueError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ValueError:
    why = " ".join(str(error).split())
    return ValueError(
        f"Received: {path}, which is not an intact .npy array ({why}). Expected: numbers, written by numpy.save."
    )
