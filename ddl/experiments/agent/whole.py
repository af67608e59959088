"""JSON files that appear whole or not at all, also after a power cut, and also on a network file system."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import uuid
from pathlib import Path
from typing import Any, Mapping


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, in place of an earlier one."""
    partial = _write_beside(path, value)
    try:
        partial.replace(path)
    finally:
        _remove(partial)
    _sync_folder(path.parent)


def replace_text(path: Path, text: bytes) -> None:
    """Write a file whole, without waiting for the disk: for what nobody needs after a power cut."""
    partial = path.with_name(f".{os.getpid()}.{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        partial.write_bytes(text)
        partial.replace(path)
    finally:
        _remove(partial)


def create_json(path: Path, value: Any) -> bool:
    """Write a JSON file that must not exist yet. Return whether this call made it: of several callers one wins.

    A network file system may lose the reply to a link that it made: the number of links tells, as open(2) advises.
    """
    partial = _write_beside(path, value)
    try:
        try:
            os.link(partial, path)
        except FileExistsError:
            if partial.stat().st_nlink != 2:
                return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
            return _create_without_links(path, partial)
        _sync_folder(path.parent)
        return True
    finally:
        _remove(partial)


def append_line(path: Path, value: Mapping[str, Any]) -> bool:
    """Append a line of JSON. Return whether that worked: on a full disk nobody's training ends for it."""
    try:
        line = json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n"
        with path.open("ab") as file:
            if file.tell() and not _ends_with_newline(path):
                line = f"\n{line}"  # what a full disk cut off stays a line of its own
            file.write(line.encode())
    except (OSError, ValueError):
        return False
    return True


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, {} where the file is missing or holds something else.

    What we write appears whole, so something else is the file of a stranger or a damaged disk; callers that must
    tell the difference read the file themselves.
    """
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def make_folder(path: Path) -> bool:
    """Make a folder whose parent exists. Return whether this call made it: of several callers one wins."""
    try:
        path.mkdir()
    except FileExistsError:
        return False
    _sync_folder(path.parent)
    return True


def _create_without_links(path: Path, partial: Path) -> bool:
    """Create a file where the file system has no hard links (exFAT, some FUSE): the name first, then the contents."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return False
    partial.replace(path)
    _sync_folder(path.parent)
    return True


def _write_beside(path: Path, value: Any) -> Path:
    text = json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
    # Process numbers repeat between hosts that share a folder, so a host and a random part stand in the name, too.
    host = socket.gethostname()[:20].replace("/", "_")
    partial = path.with_name(f".{host}.{os.getpid()}.{uuid.uuid4().hex[:8]}.{path.name}")
    with partial.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return partial


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:  # some network file systems cannot sync a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(folder)
