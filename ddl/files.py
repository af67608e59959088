"""Files that appear whole or not at all, and folders that one job alone writes into."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in place of `path` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(partial)
        put_in_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path) -> None:
    """Give a finished file its name, in one step that survives a power cut."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock for as long as the block takes; the kernel lets go of a killed process's. The file goes with it.

    Some network file systems have no locks. There the block runs without.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: the file cannot be made.
    """
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass
        if not _is_file_of(path, lock.fileno()):  # its last holder has just removed it
            raise BlockingIOError(f"{path} is changing hands")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_file_of(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
