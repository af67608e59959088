"""Writers of masks and probabilities as PNG, TIFF, .npy or HDF5, row by row, so that memory stays bounded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ddl.files.closable_file import ClosableFile

SUFFIXES = {"png": ".png", "tiff": ".tif", "npy": ".npy", "hdf5": ".h5"}
"""Mask format -> file suffix."""

PALETTE = (
    *((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
    *((0, 114, 178), (213, 94, 0), (204, 121, 167), (153, 153, 153)),
)
"""Black for class 0, then the colours of Okabe and Ito, which colour-blind people can tell apart."""


class PlainWriter:
    """Writes .npy or uncompressed TIFF: a header, then the values. A volume's TIFF has one page per slice.

    Not memory-mapped: writing to a mapped file on a full disk kills the process (SIGBUS).
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type, form: str) -> None:
        """Write the header of a "tiff" or "npy" file."""
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
        """Append rows of the array."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)

    def __enter__(self) -> PlainWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class PngWriter:
    """Writes an 8-bit PNG, grey or with a palette of classes.

    Pillow needs the whole picture in memory, so this class writes the chunks of the PNG specification itself.
    """

    def __init__(
        self, path: Path, shape: tuple[int, ...], palette: tuple[tuple[int, int, int], ...] = ()
    ) -> None:
        """Write the header.

        Args:
            path: path of the new file.
            shape: height and width.
            palette: colours of the values 0, 1, ...; values are grey levels if empty.
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
        # PNG puts a filter byte before each line; 0 means no filter.
        lines = np.zeros((rows.shape[0], rows.shape[1] + 1), np.uint8)
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
    """Writes an HDF5 file with data sets that are compressed and have checksums."""

    def __init__(self, path: Path) -> None:
        """Create the file."""
        import h5py

        self._disk = ClosableFile(path)
        self._file: Any = h5py.File(self._disk, "w", libver=("earliest", "v108"))

    def create(
        self, name: str, shape: tuple[int, ...], dtype: type
    ) -> Callable[[np.ndarray], None]:
        """Create a data set, and return the function that appends rows to it."""
        chunks = tuple(min(side, 256 if len(shape) < 4 else 64) for side in shape)
        self._file.create_dataset(
            name, shape, dtype, chunks=chunks, compression="lzf", shuffle=True, fletcher32=True
        )
        written = 0

        def write(rows: np.ndarray) -> None:
            nonlocal written
            self._file[name][written : written + len(rows)] = rows
            written += len(rows)
            self._disk.check()

        return write

    def __enter__(self) -> Hdf5Writer:
        return self

    def __exit__(self, *failure: object) -> None:
        with self._disk:
            self._file.close()


def class_palette(classes: int) -> tuple[tuple[int, int, int], ...]:
    """Return one colour per class: black for class 0, then the colours of `PALETTE` in a cycle."""
    return (PALETTE[0], *(PALETTE[1 + n % (len(PALETTE) - 1)] for n in range(classes - 1)))
