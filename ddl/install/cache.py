"""The user's cache, shared by all checkouts: wheels, the sdist, logs. It never holds partial files.

sdist/        Horovod's source as published
wheels/KEY/   a Horovod wheel, and key.json with what it was built for
packages/KEY/ the wheels of one list of requirements: the next setup needs no network
logs/         output of pip and of the build
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddl.files import write_whole
from ddl.install.step_lines import say


def root() -> Path:
    """Return the cache folder: DDL_CACHE_DIR, or `ddl` in the user's cache folder."""
    if os.environ.get("DDL_CACHE_DIR"):
        return Path(os.environ["DDL_CACHE_DIR"]).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "ddl"


def digest(facts: Any) -> str:
    """Return 16 hexadecimal digits that depend on all of `facts` (any JSON value)."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Return a file's checksum in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file, or print a message and wait while another process holds it.

    The kernel releases the lock however the process ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"setup: another setup is working on {what}; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def publish(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder and rename it to `folder`, or delete it if the body fails.

    The caller holds the lock of `folder`, so temporary folders of earlier attempts can be deleted.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f"{folder.name}.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
    partial.mkdir()
    try:
        yield partial
        if folder.exists():  # the caller found it damaged
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, facts: Any) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
    write_whole(path, lambda partial: partial.write_text(text))
