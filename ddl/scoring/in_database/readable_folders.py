"""Files that SQL may have read: regular ones below configured folders, however they are named. Standard library alone.

A file is opened first and looked at afterwards, by its descriptor, so that nobody can put another in its place between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def read_below(name: str, folders: Sequence[str], byte_limit: int) -> bytes:
    """Return what a file holds.

    Args:
        name: absolute, or relative to one of the folders.
        folders: absolute; links in them are theirs, but none may lead out of them.
        byte_limit: that it may hold at most.

    Raises:
        ValueError: it lies elsewhere, is no regular file, too large, or cannot be read.
    """
    if not folders:
        raise _refusal(name, "and no folder is open to SQL", "--picture-folder at sql_deploy.py")
    if not name or "\0" in name or ".." in Path(name).parts:
        raise _refusal(name, "which is no plain name", "a path without '..'")
    for folder in folders:
        path = Path(folder, name)
        if path.is_relative_to(folder) and (len(folders) == 1 or os.path.lexists(path)):
            return _read(path, Path(folder), name, byte_limit)
    raise _refusal(name, "which is not there", "a file below a folder that is open to SQL")


def _read(path: Path, folder: Path, name: str, byte_limit: int) -> bytes:
    home = Path(os.path.realpath(folder))
    if not Path(os.path.realpath(path)).is_relative_to(home):  # before a device could be opened
        raise _refusal(name, "which leads out of its folder", "a file below it")
    try:
        # A pipe or a device must not hold the backend; a terminal must not become its own.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _refusal(
            name, "which cannot be read", "a readable file below a folder that is open to SQL"
        ) from error
    try:
        if not _place_of(descriptor, path).is_relative_to(home):  # changed since
            raise _refusal(name, "which leads out of its folder", "a file below it")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refusal(name, "which is no regular file", "a picture")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(byte_limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > byte_limit:
        raise _refusal(name, f"of more than {byte_limit} bytes", "a smaller picture")
    return content


def _place_of(descriptor: int, path: Path) -> Path:
    """Return where an open file really lies."""
    if os.path.exists(f"/proc/self/fd/{descriptor}"):  # noqa: PTH110 (a link that is not to be followed by hand)
        return Path(os.path.realpath(f"/proc/self/fd/{descriptor}"))
    return Path(os.path.realpath(path))


def _refusal(name: str, problem: str, expected: str) -> ValueError:
    return ValueError(f"Received: file {name[:200]!r}, {problem}. Expected: {expected}.")
