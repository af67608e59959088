"""Atomic file writes, checks of output places, and locks for folders that only one job may write to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write `path` atomically: `write` gets a temporary file beside it, which then replaces `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(partial)
        put_in_place(partial, path)
    finally:
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


def check_file(
    name: str,
    path: Path | None,
    suffixes: Collection[str] = (),
    *,
    replaces: bool = False,
    parts: Iterable[Path] = (),
) -> None:
    """Refuse the path of the setting `name` where no file or folder can be made. None passes. Writes nothing.

    Args:
        name: name of the setting.
        path: value of the setting.
        suffixes: allowed endings; none allow any.
        replaces: whether an existing file may be overwritten.
        parts: further files that are written with it, which must not exist.
    """
    if path is None:
        return
    if suffixes and (path.suffix not in suffixes or (replaces and path.is_dir())):
        raise ValueError(
            f"Received: {name}={path}. Expected: a file that ends in {' or '.join(suffixes)}."
        )
    if not replaces and os.path.lexists(path):
        raise ValueError(
            f"Received: {name}={path}, which exists. Expected: a new name; or remove it."
        )
    for part in parts:
        if os.path.lexists(part):
            raise ValueError(f"Received: {name}={path}, and {part} exists. Expected: a new name.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(
            f"Received: {name}={path}. Expected: a place in a folder that exists and can be written."
        )


def check_folder(name: str, path: Path) -> None:
    """Refuse the path of the setting `name` where no folder can be made, or a read-only folder. Writes nothing."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long
        raise _cannot_make(name, path, error) from error
    nearest = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not nearest.is_dir():
        what = "a broken link" if nearest.is_symlink() and not nearest.exists() else "not a folder"
        raise ValueError(
            f"Received: {name}={path}, but {nearest} is {what}. Expected: a folder, or a name for a new one."
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(
            f"Received: {name}={path}, but {nearest} cannot be written. Expected: a folder that you may write."
        )


@contextmanager
def hold_folder(name: str, path: Path, lock: str, job: str) -> Iterator[None]:
    """Make the folder of the setting `name`, and keep other jobs out of it during the block.

    `lock` is the name of the lock file in it, and `job` what the other job does there, such as "training".
    """
    with ExitStack() as held:
        try:
            path.mkdir(parents=True, exist_ok=True)
            held.enter_context(hold_lock(path / lock))
        except BlockingIOError as error:
            raise ValueError(
                f"Received: {name}={path}, where another job is {job}. Expected: one at a time; wait for it or end it, "
                "or take another folder."
            ) from error
        except OSError as error:  # a full disk, a name that is too long
            raise _cannot_make(name, path, error) from error
        yield


def _cannot_make(name: str, path: Path, error: OSError) -> ValueError:
    return ValueError(
        f"Received: {name}={str(path)[:200]}, which cannot be made ({error.strerror}). Expected: a folder that you may "
        "write."
    )


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock file during the block and delete it afterwards. The kernel releases a killed process's lock.

    Some network file systems have no locks. There the block runs without one.

    Raises:
        BlockingIOError: Another process holds the lock.
        OSError: The file cannot be created.
    """
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass
        if not _is_file_of(path, lock.fileno()):  # its last holder has just deleted it
            raise BlockingIOError(f"another process is just releasing {path}")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_file_of(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
