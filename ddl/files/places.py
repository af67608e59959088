"""Checks of output places before work starts: names, suffixes, folders, and names that meet each other."""

from __future__ import annotations

import errno
import os
import tempfile
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system reports where there is no room: on the disk, in the quota, or within a limit on file sizes."""

_ROOM_BYTES = 1 << 20


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
        raise cannot_make(name, path, error) from error
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


def cannot_make(name: str, path: Path, error: OSError) -> ValueError:
    """Return the error to raise when the folder of the setting `name` cannot be made."""
    return ValueError(
        f"Received: {name}={str(path)[:200]}, which cannot be made ({error.strerror}). Expected: a folder that you may "
        "write."
    )


def is_full(folder: Path) -> bool:
    """Return whether the disk of a folder has no room for another MiB. Tries it, which also meets quotas."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in FULL
    return False


def check_distinct(paths: Mapping[str, Path | None]) -> None:
    """Refuse settings that name one file twice, also where a disk would take two names for one. None passes."""
    seen: dict[str, str] = {}
    for name, path in paths.items():
        if path is None:
            continue
        before = seen.setdefault(folded(os.path.realpath(path)), name)
        if before != name:
            raise ValueError(
                f"Received: {before} and {name}, which are both {path}. Expected: a file for each."
            )


def folded(name: str) -> str:
    """Return a form of a name that is equal for names that may be one file on some file system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
