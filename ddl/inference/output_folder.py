"""A folder of results: what they are results of (`predict.json`), and who may write there."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ddl import files
from ddl.training.record.run_dir import holds_run

NAME = "predict.json"
_LOCK = ".predict.lock"
_LEFTOVER = re.compile(r"\.\d+\.[^/]+")


def check_folder(folder: Path, facts: dict[str, Any]) -> None:
    """Refuse a folder that cannot be written, or that holds results of something else. Writes nothing.

    Raises:
        ValueError: in one line, with what to do.
    """
    files.check_folder("output", folder)
    if holds_run(folder):
        raise ValueError(
            f"Received: output={folder}, which holds a training. Expected: a folder of its own for results."
        )
    file = folder / NAME
    if not file.exists():
        if folder.is_dir() and any(not one.name.startswith(".") for one in folder.iterdir()):
            raise ValueError(
                f"Received: output={folder}, which holds other files. Expected: a new folder, or one with results of "
                "this prediction."
            )
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise ValueError(
            f"Received: {file}, which was changed by hand. Expected: what predict.py wrote; take a new folder."
        )
    for name in sorted({*before, *facts}):
        if before.get(name) != facts.get(name):
            raise ValueError(
                f"Received: {name}={facts.get(name)}, but the results in {folder} are of {name}={before.get(name)}. "
                "Expected: the same, to go on there; or a new folder."
            )


@contextmanager
def claim_folder(folder: Path, facts: dict[str, Any]) -> Iterator[None]:
    """Check and make the folder, and hold it for this job alone. Rank 0 alone calls it.

    Raises:
        ValueError: another job is writing there, or it is no such folder.
    """
    check_folder(folder, facts)
    is_new = not folder.exists()
    with (
        files.hold_folder("output", folder, _LOCK, "writing predictions"),
        ExitStack() as held,
    ):
        if is_new:
            held.callback(_remove_if_empty, folder)
        _remove_leftovers(folder)
        text = json.dumps(facts, indent=2) + "\n"
        if not (folder / NAME).exists():
            files.write_whole(folder / NAME, lambda path: path.write_text(text, encoding="utf-8"))
        yield


def disk_trouble(place: Path, error: OSError) -> ValueError:
    """Return what to say of results that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ValueError(
            f"Received: no space left for {place}. Expected: some; free it and run the same command again: it goes on "
            "where it was."
        )
    return ValueError(
        f"Received: {place}, which cannot be written ({error.strerror or error}). Expected: a disk that works."
    )


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left."""
    for path in folder.rglob(".*"):
        if _LEFTOVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    """Take a folder back in which nothing came about."""
    if {one.name for one in folder.iterdir()} <= {NAME, _LOCK}:
        for one in folder.iterdir():
            one.unlink()
        folder.rmdir()
