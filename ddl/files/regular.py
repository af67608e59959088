"""Reads regular files only: a pipe, a socket or a device is refused before it is opened, because reading could hang."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

TEXT_BYTES = 64 << 20
"""Plans, histories and lists of pictures are far smaller."""

_EXPANSION = 1100
"""Most bytes that one stored byte can become: 1032 with deflate, 88 with LZF."""

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular(path: str | Path) -> None:
    """Refuse what exists and is neither a regular file nor a folder. Opens nothing.

    Raises:
        ValueError: it is a named pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (called for every picture: a Path would be built each time)
    except (OSError, ValueError):  # whoever opens it reports the reason
        return
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    what = next((name for is_kind, name in _KINDS if is_kind(mode)), "not a file")
    raise ValueError(f"Received: {path}, which is {what}. Expected: a regular file.")


def exceeds_file(array_bytes: int, file_bytes: int) -> bool:
    """Return whether a file of this size cannot hold so many bytes, however well they are compressed."""
    return array_bytes > _EXPANSION * file_bytes


def read_text(path: Path) -> str:
    """Return the text of a small file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, not UTF-8, or far too large.
    """
    check_regular(path)
    with path.open("rb") as file:
        data = file.read(TEXT_BYTES + 1)
    if len(data) > TEXT_BYTES:
        raise ValueError(
            f"Received: {path} of more than {TEXT_BYTES} bytes. Expected: a small text file."
        )
    return data.decode("utf-8")


def parse_json(text: str | bytes) -> Any:
    """Return the values of a JSON text.

    Raises:
        ValueError: it is not JSON, also where its brackets are nested too deeply to be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
