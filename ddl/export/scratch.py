"""The temporary folder of an export, and the removal of those that killed exports have left."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddl.files.locks import hold_lock

_PREFIX = ".export-"
_LOCK = ".lock"


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a temporary folder on the disk of the output, after removing those of exports that were killed.

    An export holds a lock in its folder while it runs. The kernel releases the lock of a killed one.
    """
    for folder in parent.glob(f"{_PREFIX}*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as scratch,
        hold_lock(Path(scratch, _LOCK)),
    ):
        yield Path(scratch)


def is_abandoned(folder: Path) -> bool:
    """Return whether the export of this folder has ended. Without a lock, or where there are no locks: False."""
    if folder.is_symlink():
        return False
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
