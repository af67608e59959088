"""PNGs of 16 bits in colour, of which Pillow keeps only 8. NumPy and zlib, by the PNG specification's own steps."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 4: 2, 6: 4}  # colour type -> channels: RGB, grey with alpha, RGBA


def is_deep_png(path: Path) -> bool:
    """Return whether this is a PNG of 16 bits and more than one channel."""
    with path.open("rb") as file:
        start = file.read(26)
    return (
        len(start) == 26 and start[:8] == _SIGNATURE and start[24] == 16 and start[25] in _CHANNELS
    )


def read_deep_png(path: Path) -> np.ndarray:
    """Return the picture as uint16 of shape (height, width, 3 or 4); grey with alpha becomes RGBA.

    Its size must have been checked. Raises ValueError or zlib.error if it is damaged.
    """
    width, height, kind, interlaced, data = _chunks(path.read_bytes())
    if interlaced:
        raise ValueError("interlaced, with 16 bits in colour: save it without")
    channels = _CHANNELS[kind]
    row_bytes = width * channels * 2
    inflater = zlib.decompressobj()
    raw = inflater.decompress(data, height * (row_bytes + 1))
    if len(raw) != height * (row_bytes + 1):
        raise ValueError("cut short")
    lines = np.frombuffer(raw, np.uint8).reshape(height, row_bytes + 1)
    if lines[:, 0].max() > 4:
        raise ValueError("an unknown filter")
    pixels = _unfiltered(lines[:, 0], lines[:, 1:].reshape(height, width, channels * 2))
    values = pixels.view(">u2").astype(np.uint16)
    return values[..., [0, 0, 0, 1]] if channels == 2 else values


def _chunks(data: bytes) -> tuple[int, int, int, int, bytes]:
    """Return width, height, colour type, interlacing and the compressed pixels. Each chunk's checksum is tested."""
    pieces = []
    header = (0, 0, 0, 0)
    place = len(_SIGNATURE)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        end = place + 8 + length
        if data[end : end + 4] != struct.pack(">I", zlib.crc32(name + body)):
            raise ValueError("a wrong checksum")
        if name == b"IHDR":
            width, height, _, kind, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            header = (width, height, kind, interlaced)
        elif name == b"IDAT":
            pieces.append(body)
        elif name == b"IEND":
            break
        place = end + 4
    return *header, b"".join(pieces)


def _unfiltered(filters: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """Undo each row's filter (0 none, 1 left, 2 above, 3 mean of both, 4 Paeth).

    A pixel needs those to its left, above, and above left. So all pixels with the same column + row are found at once:
    width + height steps instead of width * height.

    Args:
        filters: (height,), uint8.
        coded: (height, width, bytes of a pixel), uint8.
    """
    height, width, size = coded.shape
    found = np.zeros(
        (height + 1, width + 1, size), np.int16
    )  # a border of zeros above and to the left
    for step in range(width + height - 1):
        rows = np.arange(max(0, step - width + 1), min(height, step + 1))
        columns = step - rows
        left, above = found[rows + 1, columns], found[rows, columns + 1]
        corner = found[rows, columns]
        kind = filters[rows, None]
        guess = np.choose(
            kind,
            [np.zeros_like(left), left, above, (left + above) >> 1, _paeth(left, above, corner)],
        )
        found[rows + 1, columns + 1] = (coded[rows, columns] + guess) & 255
    return np.ascontiguousarray(found[1:, 1:].astype(np.uint8))


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Return whichever is nearest to left + above - corner; in doubt left, then above."""
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    is_left = (to_left <= to_above) & (to_left <= to_corner)
    return np.where(is_left, left, np.where(to_above <= to_corner, above, corner))
