"""Where masks and probabilities go: PNG, TIFF, .npy or HDF5, written row by row, so that none is held whole."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import numpy as np

from ddl.closable_file import Sink

SUFFIXES = {"png": ".png", "tiff": ".tif", "npy": ".npy", "hdf5": ".h5"}
"""Format of masks -> what their files end in."""

PALETTE = (
    *((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
    *((0, 114, 178), (213, 94, 0), (204, 121, 167), (153, 153, 153)),
)
"""Okabe and Ito's colours, which colour-blind people can tell apart, behind black for class 0."""


class RowWriter(Protocol):
    """A file of an array that is written from its first row to its last. `with` closes it."""

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""
        ...

    def __enter__(self) -> RowWriter: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_writer(path: Path, shape: tuple[int, ...], dtype: np.dtype, form: str) -> RowWriter:
    """Return the writer of a file.

    Args:
        path: of a new file.
        shape: of the whole array.
        dtype: of its values.
        form: "png" (of uint8, two axes: 255 is white; see `PngWriter` for classes), "tiff" or "npy".
    """
    if form == "png":
        return PngWriter(path, shape)
    return PlainWriter(path, shape, dtype, form)


class PlainWriter:
    """Values one after another behind a header: .npy, or an uncompressed TIFF (of a volume, a page a slice).

    Written, not mapped: on a full disk a mapped file takes the process down.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype, form: str) -> None:
        """Write the header."""
        self._dtype = np.dtype(dtype)
        self._file: BinaryIO
        if form == "npy":
            self._file = path.open("wb")
            header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(self._file, header)
            return
        import tifffile

        place: Any = tifffile.imwrite(
            path, shape=shape, dtype=self._dtype, photometric="minisblack", metadata=None,
            returnoffset=True,
        )  # fmt: skip
        self._file = path.open("rb+")
        self._file.seek(place[0])

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)

    def __enter__(self) -> PlainWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class PngWriter:
    """A PNG of 8 bits, grey or with a palette of classes, by the specification's own steps."""

    def __init__(
        self, path: Path, shape: tuple[int, ...], palette: tuple[tuple[int, int, int], ...] = ()
    ) -> None:
        """Write the header.

        Args:
            path: of a new file.
            shape: height and width.
            palette: colours of the values from 0; without, values are grey.
        """
        height, width = shape
        self._file = path.open("wb")
        self._packer = zlib.compressobj(6)
        self._file.write(b"\x89PNG\r\n\x1a\n")
        kind = 3 if palette else 0
        self._put(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
        if palette:
            self._put(b"PLTE", bytes(part for colour in palette for part in colour))

    def write(self, rows: np.ndarray) -> None:
        """Append rows."""
        lines = np.zeros((rows.shape[0], rows.shape[1] + 1), np.uint8)  # each behind a filter of 0
        lines[:, 1:] = rows
        self._put(b"IDAT", self._packer.compress(lines.data))

    def __enter__(self) -> PngWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._file:
            if kind is None:
                self._put(b"IDAT", self._packer.flush())
                self._put(b"IEND", b"")

    def _put(self, name: bytes, body: bytes) -> None:
        if body or name != b"IDAT":
            checksum = zlib.crc32(name + body)
            self._file.write(
                struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
            )


class Hdf5Writer:
    """One HDF5 file of several data sets of the same first axis, each compressed and with checksums."""

    def __init__(self, path: Path, fields: dict[str, tuple[tuple[int, ...], np.dtype]]) -> None:
        """Make the data sets: name -> shape and dtype."""
        import h5py

        self._sink = Sink(path)
        self._file: Any = h5py.File(self._sink, "w", libver=("earliest", "v108"))
        for name, (shape, dtype) in fields.items():
            chunks = tuple(min(side, 256 if len(shape) < 4 else 64) for side in shape)
            self._file.create_dataset(
                name, shape, dtype, chunks=chunks, compression="lzf", shuffle=True, fletcher32=True
            )
        self._rows = dict.fromkeys(fields, 0)

    def write(self, name: str, rows: np.ndarray) -> None:
        """Append rows to a data set."""
        start = self._rows[name]
        self._file[name][start : start + len(rows)] = rows
        self._rows[name] = start + len(rows)
        self._sink.check()

    def __enter__(self) -> Hdf5Writer:
        return self

    def __exit__(self, *failure: object) -> None:
        with self._sink:
            self._file.close()


def class_palette(classes: int) -> tuple[tuple[int, int, int], ...]:
    """Return a colour a class: those of `PALETTE`, again and again behind black."""
    return (PALETTE[0], *(PALETTE[1 + n % (len(PALETTE) - 1)] for n in range(classes - 1)))
