"""How large a picture in a database may be."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.data.pictures.picture_file import PIXEL_LIMIT

BYTE_LIMIT = 100_000_000


@dataclass(frozen=True)
class Limits:
    """What a picture may be.

    Attributes:
        pixels: more are refused before they are decoded.
        bytes: more are refused before they are looked at.
    """

    pixels: int = PIXEL_LIMIT
    bytes: int = BYTE_LIMIT
