"""`.npz` archives: memory-mapped if saved without compression, else held in memory up to a stated limit."""

from __future__ import annotations

import contextlib
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ddl.data.source import Source
from ddl.data.sources.array_files.npy_header import Header, read_header
from ddl.data.sources.arrays import MEMORY_LIMIT, Arrays, choose_keys, name_fields
from ddl.data.sources.ranged import with_range
from ddl.files import archives, check_regular

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, then the lengths of name and extra field


def detect(path: Path) -> bool:
    """Return whether it is a `.npz` file."""
    return path.suffix == ".npz"


def open_source(
    path: Path,
    *,
    keys: tuple[str, ...] | None = None,
    range: str | None = None,  # noqa: A002
    channels_first: bool = False,
    label_base: int = 0,
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """Open two arrays of an archive, inputs and targets, by their names.

    Args:
        path: the archive.
        keys: names of inputs and targets in it; by default "images" and "labels", "x" and "y", and similar names.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        channels_first: whether pictures are stored as (channels, height, width).
        label_base: number of the first class in the file.
        memory_limit: maximum size of a compressed array, which is held in memory.
    """
    arrays = read_arrays(path, keys, memory_limit)
    named = name_fields(arrays, str(path), channels_first=channels_first, label_base=label_base)
    return with_range(Arrays(named, str(path)), range)


def read_arrays(
    path: Path, keys: tuple[str, ...] | None = None, memory_limit: int = MEMORY_LIMIT
) -> dict[str, np.ndarray]:
    """Return inputs and targets of an archive: mapped, or in memory where they are compressed."""
    with _opened(path) as archive:
        names = _members(archive)
        chosen = choose_keys(names, keys, str(path))
        return {
            field: _array(path, archive, names[key], memory_limit) for field, key in chosen.items()
        }


def read_headers(path: Path) -> dict[str, Header]:
    """Return the header of every array in an archive, by its name."""
    with _opened(path) as archive:
        headers = {}
        for name, info in _members(archive).items():
            with archive.open(info) as member:
                headers[name] = _header(path, info, member)
        return headers


def read_member(path: Path, name: str, memory_limit: int = MEMORY_LIMIT) -> np.ndarray:
    """Return one array of an archive: mapped, or in memory where it is compressed."""
    with _opened(path) as archive:
        return _array(path, archive, _members(archive)[name], memory_limit)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; what is wrong with it becomes a one-line ValueError."""
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except archives.DAMAGE as error:
        raise ValueError(
            f"Received: {path}, which is not an intact .npz archive ({error}). Expected: one written by numpy.savez."
        ) from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of an archive by their names."""
    return {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }


def _array(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, memory_limit: int
) -> np.ndarray:
    """Return one member, mapped if it is not compressed. Its size is checked before decompression."""
    with archive.open(info) as member:
        header = _header(path, info, member)
        shape, dtype, size = header.shape, header.dtype, header.nbytes
        if size != info.file_size - header.start:
            raise ValueError(
                f"Received: {info.filename} in {path} with {info.file_size - header.start} bytes of data. "
                f"Expected: {size}, as in its header; save it again."
            )
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        if info.compress_type == zipfile.ZIP_STORED and size:
            offset = _start(path, info) + header.start
            if offset + size > path.stat().st_size:
                raise EOFError(f"{info.filename} is cut short")
            return np.memmap(path, dtype, "r", offset, shape, order)
        if size > memory_limit:
            raise ValueError(
                f"Received: {info.filename} in {path}, {size} bytes decompressed. Expected: at most {memory_limit}; "
                "save it with numpy.savez (not compressed), or convert it to HDF5."
            )
        data = member.read()
        if len(data) != size:
            raise EOFError(f"{info.filename} has {len(data)} bytes of values instead of {size}")
        return np.frombuffer(data, dtype).reshape(shape, order=order)


def _header(path: Path, info: zipfile.ZipInfo, member: Any) -> Header:
    try:
        return read_header(member)
    except ValueError as error:
        raise ValueError(
            f"Received: {info.filename} in {path}, which is not an array of numbers ({error}). Expected: one written "
            "by numpy.savez."
        ) from error


def _start(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin in the archive."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return int(info.header_offset + _LOCAL_HEADER.size + name_length + extra_length)
