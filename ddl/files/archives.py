"""Zip archives that may come from strangers: `.npz` files and saved Keras models."""

from __future__ import annotations

import struct
import zipfile
import zlib

try:
    from lzma import LZMAError
except ImportError:  # a Python built without it cannot read such archives either

    class LZMAError(Exception):  # type: ignore[no-redef]
        """Never raised."""


DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, OSError, UnicodeError),
    *(RuntimeError, OverflowError),
)
"""Errors of zipfile for an archive that is damaged or encrypted, by whatever method its members are compressed."""
