"""Checks the stored chunks of an HDF5 data set before HDF5 decodes them.

HDF5 does not compare what a chunk decodes to with the size that the data set declares. Where it is less, HDF5 hands out
memory of this process as values, or reads beyond it and the process crashes.
"""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from h5py._objects import phil

from ddl.files.regular import exceeds_file

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_NAMES = {4: "szip", 5: "nbit", 6: "scaleoffset", 32001: "blosc", 32004: "lz4", 32015: "zstd"}
_CHECKSUM_BYTES = 4


class DamagedChunk(OSError):
    """A chunk that does not hold what its data set declares; `OSError`, like HDF5's own errors about damage."""


def problem_of_filters(filters: Sequence[int]) -> str:
    """Return what is wrong with the filters of a data set, "" for nothing.

    A number that HDF5 does not know makes it load a plug-in, that is, a program from wherever HDF5_PLUGIN_PATH points.
    """
    for number in filters:
        if number not in _DECODERS:
            return f"has the filter {_NAMES.get(number, number)}"
    if len(set(filters)) < len(filters) or {_DEFLATE, _LZF} <= set(filters):
        return "is compressed twice"
    return ""


class Chunks:
    """The chunks of one data set, each of which is checked once, when it is first read."""

    def __init__(
        self, stored: Any, name: str, item_bytes: int, filters: Sequence[int], file_bytes: int
    ) -> None:
        """Prepare the checks of a chunked data set, an `h5py.h5d.DatasetID`."""
        self._id, self._name = stored, name
        self._filters, self._file_bytes = tuple(filters), file_bytes
        self._sides: tuple[int, ...] = stored.get_create_plist().get_chunk()
        self.bytes = math.prod(self._sides) * item_bytes
        self._grid = tuple(
            -(-side // chunk) for side, chunk in zip(stored.shape, self._sides, strict=True)
        )
        self.count = math.prod(self._grid)

    @functools.cached_property
    def _checked(self) -> np.ndarray:
        return np.zeros(self._grid, bool)

    def check(self, ranges: Sequence[range]) -> None:
        """Check the chunks of these places along each axis.

        Raises:
            DamagedChunk: one of them does not decode to the size of a chunk.
        """
        if not all(ranges):
            return
        sides = zip(ranges, self._sides, strict=True)
        parts = [range(part[0] // side, part[-1] // side + 1) for part, side in sides]
        if self._checked[tuple(slice(part.start, part.stop) for part in parts)].all():
            return
        for place in itertools.product(*parts):
            if not self._checked[place]:
                self._check_one(place)
                self._checked[place] = True

    def _check_one(self, place: tuple[int, ...]) -> None:
        corner = tuple(number * side for number, side in zip(place, self._sides, strict=True))
        stored = self._id.get_chunk_info_by_coord(corner)
        if stored.byte_offset is None:
            return  # never written: HDF5 returns the fill value
        problem = ""
        if stored.size > self._file_bytes or exceeds_file(self.bytes, stored.size):
            problem = f"has {stored.size} bytes for {self.bytes}"
        elif self._is_decoded(stored.filter_mask):
            # h5py runs this call alone without its lock, and HDF5 takes one thread at a time.
            with phil:
                _, raw = self._id.read_direct_chunk(corner)
            problem = self._problem_of(raw, stored.filter_mask)
        elif stored.size != self.bytes:
            problem = f"has {stored.size} bytes instead of {self.bytes}"
        if problem:
            raise DamagedChunk(f"the chunk at {corner} of {self._name} {problem}")

    def _is_decoded(self, mask: int) -> bool:
        return any(not mask >> place & 1 for place in range(len(self._filters)))

    def _problem_of(self, data: bytes, mask: int) -> str:
        """Decode a chunk, and return what is wrong with it."""
        limit = self.bytes + len(self._filters) * _CHECKSUM_BYTES
        for place in reversed(range(len(self._filters))):
            if not mask >> place & 1:
                try:
                    data = _DECODERS[self._filters[place]](data, limit)
                except (zlib.error, ValueError, RuntimeError) as error:
                    return f"cannot be decoded: {error}"
        if len(data) == self.bytes:
            return ""
        shown = "more" if len(data) > self.bytes else f"{len(data)} bytes"
        return f"decodes to {shown} instead of {self.bytes} bytes"


def _inflate(data: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(data, limit + 1)
    if not stream.eof and len(inflated) <= limit:
        raise ValueError("it is cut short")
    return inflated


def _expand(data: bytes, limit: int) -> bytes:
    import imagecodecs  # takes 0.2 s, and only files with LZF need it

    return bytes(imagecodecs.lzf_decode(data, out=limit))


def _without_checksum(data: bytes, limit: int) -> bytes:
    if len(data) < _CHECKSUM_BYTES:
        raise ValueError("it has no room for its checksum")
    return data[:-_CHECKSUM_BYTES]  # HDF5 compares it


def _same_size(data: bytes, limit: int) -> bytes:
    return data


_DECODERS: dict[int, Callable[[bytes, int], bytes]] = {
    _DEFLATE: _inflate,
    _SHUFFLE: _same_size,
    _FLETCHER32: _without_checksum,
    _LZF: _expand,
}
