"""MNIST's IDX files, also gzipped: a folder with `train-images-idx3-ubyte(.gz)` and `train-labels-idx1-ubyte(.gz)`."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.source import Source
from ddl.data.sources.arrays import MEMORY_LIMIT, Arrays
from ddl.data.sources.ranged import with_range
from ddl.files import check_regular
from ddl.ranges import check_choice

SPLITS = {"train": "train", "test": "t10k"}
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_AXES = 5


def detect(path: Path) -> bool:
    """Return whether the folder holds an IDX file of pictures."""
    return path.is_dir() and any(path.glob("*-images[-.]idx*-ubyte*"))


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits whose pictures are there: "train", and "test" for the files that start with t10k."""
    del options
    return tuple(name for name, start in SPLITS.items() if any(path.glob(_pictures(start))))


def open_source(
    path: Path,
    *,
    split: str = "train",
    range: str | None = None,  # noqa: A002
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """Open the pictures and labels of one split.

    Args:
        path: the folder.
        split: "train" or "test", whose files start with train and t10k.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        memory_limit: maximum size of a gzipped file's content, which is held in memory.
    """
    check_choice("split", split, SPLITS)
    images = read_idx(_only(path, _pictures(SPLITS[split])), memory_limit)
    labels = read_idx(_only(path, f"{SPLITS[split]}-labels[-.]idx*-ubyte*"), memory_limit)
    if images.ndim == 3:
        images = images[..., None]
    if labels.ndim != 1:
        raise ValueError(
            f"Received: labels of shape {labels.shape} in {path}. Expected: one per picture."
        )
    return with_range(Arrays({"image": images, "label": labels}, str(path)), range)


def read_idx(path: Path, memory_limit: int = MEMORY_LIMIT) -> np.ndarray:
    """Return the array of an IDX file: mapped, or in memory if gzipped. Its size must match its header."""
    check_regular(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            dtype, shape = _header(path, file)
            expected = math.prod(shape) * dtype.itemsize
            start = 4 + 4 * len(shape)
            if path.suffix != ".gz":
                _check_length(path, path.stat().st_size - start, expected)
                return np.memmap(path, dtype, "r", start, shape)
            if expected > memory_limit:
                raise ValueError(
                    f"Received: {path}, {expected} bytes when decompressed. Expected: at most {memory_limit}; "
                    "decompress it with gunzip, so that it is read from disk."
                )
            data = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"Received: {path}, which is damaged or cut short ({error}). Expected: an intact file; download it again."
        ) from error
    _check_length(path, len(data), expected)
    return np.frombuffer(data, dtype).reshape(shape)


def _header(path: Path, file) -> tuple[np.dtype, tuple[int, ...]]:  # type: ignore[no-untyped-def]
    magic = file.read(4)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] < 1:
        raise ValueError(
            f"Received: {path}, which starts with {magic.hex() or 'nothing'}. Expected: an IDX file, such as 00000803."
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) != 4 * magic[3]:
        raise ValueError(
            f"Received: {path}, cut short in its header. Expected: an intact IDX file."
        )
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    if len(shape) > _MOST_AXES or 0 in shape:
        raise ValueError(
            f"Received: {path} with {len(shape)} axes and {math.prod(shape)} values. Expected: 1 to {_MOST_AXES} axes, "
            "none of them empty; download it again."
        )
    return np.dtype(_DTYPES[magic[2]]), shape


def _check_length(path: Path, received: int, expected: int) -> None:
    if received != expected:
        shown = f"more than {expected}" if received > expected else str(received)
        raise ValueError(
            f"Received: {path} with {shown} bytes of data. Expected: {expected}, as in its header; download it again."
        )


def _pictures(start: str) -> str:
    return f"{start}-images[-.]idx*-ubyte*"


def _only(path: Path, pattern: str) -> Path:
    files = sorted(path.glob(pattern)) if path.is_dir() else []
    plain = [file for file in files if file.suffix != ".gz"]
    if not files or len(plain) > 1 or (not plain and len(files) > 1):
        raise ValueError(
            f"Received: {len(files)} files {pattern} in {path}. Expected: one, plain or gzipped."
        )
    return (plain or files)[0]
