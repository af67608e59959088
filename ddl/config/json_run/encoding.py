"""Reads the text of a config: a regular file in UTF-8, with or without a byte order mark."""

from __future__ import annotations

from pathlib import Path

from ddl.config.json_run.place import Lines
from ddl.files import check_regular
from ddl.plain_text import escaped

MOST_BYTES = 64 << 20


class UnreadableError(Exception):
    """The text cannot be read any further."""


def read_config(path: Path) -> str:
    """Return the text of a config.

    Raises:
        UnreadableError: it cannot be read, is too large, or is not UTF-8.
    """
    return _decoded(_read_bytes(path), escaped(path))


def _read_bytes(path: Path) -> bytes:
    try:
        check_regular(path)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        what = "does not exist" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise UnreadableError(f"{escaped(path)}: {what}. Expected: a JSON file.") from None
    except ValueError as error:
        raise UnreadableError(f"{escaped(path)}: {error}") from None
    if len(data) > MOST_BYTES:
        raise UnreadableError(
            f"{escaped(path)}: more than {MOST_BYTES >> 20} MiB. Expected: a config."
        )
    return data


def _decoded(data: bytes, file: str) -> str:
    """Return the text of UTF-8 bytes, with or without a byte order mark."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableError(
            f"{file}:1:1: UTF-16 text. Expected: UTF-8; save the file again as UTF-8."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        place = Lines(before).place(file, len(before))
        byte = data[error.start]
        raise UnreadableError(
            f"{place.exactly()}: byte 0x{byte:02x}, which is not UTF-8. Expected: a UTF-8 text."
        ) from None
