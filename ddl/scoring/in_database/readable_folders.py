"""Read files for SQL: only regular files below the configured folders. Standard library only.

A file is opened first and checked through its descriptor, so that it cannot be swapped between check and read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def read_below(name: str, folders: Sequence[str], byte_limit: int) -> bytes:
    """Return the content of a file.

    Args:
        name: absolute path, or path relative to one of the folders.
        folders: absolute paths. Links within a folder are followed; links that lead out of it are refused.
        byte_limit: maximum size.

    Raises:
        ValueError: the file is outside the folders, is not a regular file, is too large, or cannot be read.
    """
    if not folders:
        raise _refusal(name, "and no folder is open to SQL", "sql_deploy.py --picture-folder")
    if not name or "\0" in name or ".." in Path(name).parts:
        raise _refusal(name, "which is not a plain path", "a path without '..'")
    for folder in folders:
        path = Path(folder, name)
        if path.is_relative_to(folder) and (len(folders) == 1 or os.path.lexists(path)):
            return _read(path, Path(folder), name, byte_limit)
    raise _refusal(name, "which does not exist", "a file below a folder that is open to SQL")


def _read(path: Path, folder: Path, name: str, byte_limit: int) -> bytes:
    home = Path(os.path.realpath(folder))
    if not Path(os.path.realpath(path)).is_relative_to(home):  # before a device could be opened
        raise _refusal(name, "which leads out of its folder", "a file below it")
    try:
        # O_NONBLOCK: a pipe or device must not block the backend. O_NOCTTY: a terminal must not become its own.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _refusal(
            name, "which cannot be read", "a readable file below a folder that is open to SQL"
        ) from error
    try:
        if not _place_of(descriptor, path).is_relative_to(home):  # changed since
            raise _refusal(name, "which leads out of its folder", "a file below it")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refusal(name, "which is not a regular file", "a picture")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(byte_limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > byte_limit:
        raise _refusal(name, f"of more than {byte_limit} bytes", "a smaller picture")
    return content


def _place_of(descriptor: int, path: Path) -> Path:
    """Return the real path of an open file."""
    if os.path.exists(f"/proc/self/fd/{descriptor}"):  # noqa: PTH110 (the kernel's link must not be resolved first)
        return Path(os.path.realpath(f"/proc/self/fd/{descriptor}"))
    return Path(os.path.realpath(path))


def _refusal(name: str, problem: str, expected: str) -> ValueError:
    return ValueError(f"Received: file {name[:200]!r}, {problem}. Expected: {expected}.")
