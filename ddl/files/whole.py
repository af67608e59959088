"""Atomic file writes: a temporary file beside the target, which replaces it when it is complete."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

_NAME_BYTES = 255  # the limit of nearly every file system


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write `path` atomically: `write` gets a temporary file beside it, which then replaces `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    clear_partial(partial)
    try:
        write(partial)
        put_in_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Return the temporary name for `path`, in the same folder. A name that would be too long is shortened."""
    name = f".{os.getpid()}.{path.name}"
    if len(os.fsencode(name)) > _NAME_BYTES >= len(os.fsencode(path.name)):
        # The suffix stays, because writers choose the format by it.
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]
        name = f".{os.getpid()}.{digest}{path.suffix[-32:]}"
    return path.with_name(name)


def clear_partial(partial: Path) -> None:
    """Remove what a temporary name already has: a leftover, or a link through which another file would be written."""
    partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path) -> None:
    """Rename a finished file to `path` atomically, and sync it so that it survives a power cut."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_to_append(path: Path) -> io.TextIOWrapper:
    """Open a text file of ours to append to it. Never through a link: that could be any file of this user's.

    Raises:
        OSError: it is a link or no regular file, or cannot be opened.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "Not a regular file", str(path))
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace", newline="")
