"""Locks for folders that only one job may write to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ddl.files.places import cannot_make

logger = logging.getLogger("ddl")

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What `flock` reports on file systems without locks."""

_FOLDER = ".folder"  # appended to the lock's name
_HOLDER = "holder.txt"


class Held(BlockingIOError):
    """Another process holds the lock. The message says how it is known, and what to do about a stale lock."""


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
            stale = f" {error}" if isinstance(error, Held) else ""
            raise ValueError(
                f"Received: {name}={path}, where another job is {job}. Expected: one at a time; wait for it or end it, "
                f"or take another folder.{stale}"
            ) from error
        except OSError as error:  # a full disk, a name that is too long
            raise cannot_make(name, path, error) from error
        yield


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock file during the block and delete it afterwards. The kernel releases a killed process's lock.

    Some network file systems have no locks. There a folder beside the lock file takes its place, since `mkdir` is
    atomic everywhere; a killed process leaves it behind, so it names its host and process.

    The file is never followed through a link and never emptied: what somebody else put at its name stays as it is.

    Raises:
        BlockingIOError: Another process holds the lock.
        ValueError: There is something else at the lock's name.
        OSError: The file cannot be created.
    """
    with contextlib.closing(_Lock(path)) as lock:
        by_kernel = lock.take()
        with contextlib.nullcontext() if by_kernel else _hold_by_folder(path):
            try:
                yield
            finally:
                path.unlink(missing_ok=True)


class _Lock:
    """An open lock file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EMLINK):
                raise self._strange() from error
            raise
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self.close()
            raise self._strange()

    def take(self) -> bool:
        """Lock the file; return False where the file system has no locks."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            logger.warning(
                "The file system of %s has no locks, so the folder %s takes the place of a lock. If the job is "
                "killed, delete that folder.",
                self._path.parent,
                _folder_of(self._path).name,
            )
            return False
        if not self._is_still_there():  # its last holder has just deleted it
            raise BlockingIOError(f"another process is just releasing {self._path}")
        return True

    def close(self) -> None:
        """Close the file, which releases the lock."""
        os.close(self._descriptor)

    def _is_still_there(self) -> bool:
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _strange(self) -> ValueError:
        return ValueError(
            f"Received: {self._path}, which is not a regular file. Expected: no such file, or the lock file that ddl "
            "makes; remove it."
        )


@contextmanager
def _hold_by_folder(path: Path) -> Iterator[None]:
    """Hold a lock where the file system has none: a folder that only one process can make."""
    folder = _folder_of(path)
    holder = folder / _HOLDER
    try:
        folder.mkdir()
    except FileExistsError:
        raise Held(_who_holds(folder)) from None
    try:
        holder.write_text(f"{socket.gethostname()} {os.getpid()}\n", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _folder_of(path: Path) -> Path:
    return path.with_name(path.name + _FOLDER)


def _who_holds(folder: Path) -> str:
    """Return who made the folder of a lock, and when it may be deleted."""
    try:
        with (folder / _HOLDER).open("rb") as file:
            host, pid = file.read(300).decode("utf-8").split()
            who = f"process {int(pid)} on host {host}"
    except (OSError, ValueError):
        host, pid, who = "", "0", "an unknown process"
    gone = ""
    if host == socket.gethostname() and not _is_alive(int(pid)):
        gone = " That process no longer exists."
    return f"{folder} says that {who} works there.{gone} If no such process is left, delete that folder."


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
