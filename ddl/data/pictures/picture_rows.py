"""Reads a plain TIFF by rows, so that it may be larger than memory. Other pictures are decoded whole.

The values are those that `ddl.data.pictures.picture_file.read_picture` returns, for either way of reading.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.picture_file import (
    LOSSLESS_TIFF,
    PIXEL_LIMIT,
    check_pixels,
    load_tifffile,
    one_line,
    read_picture,
)
from ddl.files import check_regular

LARGE_PIXELS = 1 << 24  # smaller pictures are decoded whole
_GREY, _RGB = 1, 2
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    RuntimeError,
    TypeError,
    zlib.error,
    MemoryError,
)


class TiffRows:
    """A grey or RGB TIFF whose strips or tiles are decoded on demand. Holds one row of them in memory."""

    def __init__(self, path: Path, page: Any) -> None:
        """Open a page for which `_is_plain` is true."""
        self._path = path
        self.shape: tuple[int, ...] = (page.imagelength, page.imagewidth, page.samplesperpixel)
        self.dtype = np.dtype(page.dtype).newbyteorder("=")
        self._page = page
        self._height = page.tilelength if page.is_tiled else min(page.rowsperstrip, self.shape[0])
        self._columns = math.ceil(self.shape[1] / page.tilewidth) if page.is_tiled else 1
        self._held: tuple[int, np.ndarray] | None = None

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return rows from start to stop."""
        start, stop, _ = rows.indices(self.shape[0])
        band = np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype)
        for number in range(start // self._height, -(-stop // self._height)):
            top = number * self._height
            first, last = max(start, top), min(stop, top + self._height)
            band[first - start : last - start] = self._decoded(number)[first - top : last - top]
        return band

    def _decoded(self, number: int) -> np.ndarray:
        """Return a row of segments. The last one is cached, because the next band overlaps it."""
        if self._held is None or self._held[0] != number:
            try:
                self._held = number, self._decode(number)
            except _DAMAGE as error:
                raise ValueError(
                    f"Received: {self._path}, damaged at row {number * self._height} ({one_line(error)}). Expected: "
                    "an intact TIFF; replace or remove it."
                ) from error
        return self._held[1]

    def _decode(self, number: int) -> np.ndarray:
        page, file = self._page, self._page.parent.filehandle
        height = min(self._height, self.shape[0] - number * self._height)
        row = np.zeros((height, *self.shape[1:]), self.dtype)
        for index in range(number * self._columns, (number + 1) * self._columns):
            file.seek(page.dataoffsets[index])
            data = file.read(page.databytecounts[index])
            segment, place, _ = page.decode(data, index)
            if segment is None:
                continue  # not stored by the writer: black
            left = place[-2]
            part = segment[0, :height, : self.shape[1] - left]
            row[:, left : left + part.shape[1]] = part
        return row


@contextmanager
def open_rows(
    path: Path, pixel_limit: int = PIXEL_LIMIT, large_pixels: int = LARGE_PIXELS
) -> Iterator[np.ndarray | TiffRows]:
    """Yield a picture (height, width, 1|3|4) of uint8 or uint16 that can be read by rows.

    Large plain TIFFs (grey or RGB, without lossy compression) are read on demand. Any other picture is decoded whole
    and held in memory.

    Raises:
        ValueError: the picture is not readable, or has more than `pixel_limit` pixels or more than one frame.
    """
    page = _plain_page(path, large_pixels)
    if page is None:
        yield read_picture(path, pixel_limit)
        return
    with page.parent:
        check_pixels(path, page.imagewidth, page.imagelength, pixel_limit)
        yield TiffRows(path, page)


def _plain_page(path: Path, large_pixels: int) -> Any:
    """Return the single page of a large TIFF that can be read by segments; None for any other file."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    check_regular(path)
    try:
        tiff = load_tifffile().TiffFile(path)
        page = tiff.pages[0].aspage()
        is_large = page.imagelength * page.imagewidth >= large_pixels
        plain = len(tiff.pages) == 1 and is_large and _is_plain(page)
    except (*_DAMAGE, AttributeError):  # `read_picture` reports the problem
        return None
    if not plain:
        tiff.close()
        return None
    return page


def _is_plain(page: Any) -> bool:
    orientation = page.tags.get(274)
    return (
        page.dtype in (np.uint8, np.uint16)
        and (page.photometric, page.samplesperpixel) in ((_GREY, 1), (_RGB, 3))
        and page.compression in LOSSLESS_TIFF
        and page.bitspersample in (8, 16)
        and page.planarconfig == 1
        and page.imagedepth == 1
        and (orientation is None or int(orientation.value) == 1)
    )
