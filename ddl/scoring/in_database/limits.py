"""Limits of the size of a picture in a database."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.data.pictures.picture_file import PIXEL_LIMIT

BYTE_LIMIT = 100_000_000


@dataclass(frozen=True)
class Limits:
    """Maximum size of a picture: bytes are checked before reading the header, pixels before decoding."""

    pixels: int = PIXEL_LIMIT
    bytes: int = BYTE_LIMIT
