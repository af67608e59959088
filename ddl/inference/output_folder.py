"""The output folder of a prediction: its record (`predict.json`) and its lock."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ddl import files
from ddl.files.locks import hold_folder
from ddl.training.record.run_dir import holds_run

NAME = "predict.json"
_LOCK = ".predict.lock"
FILES = (NAME, _LOCK)
"""Names in the folder that are no results."""
_LEFTOVER = re.compile(r"\.\d+\.[^/]+")


def check_folder(folder: Path, facts: dict[str, Any]) -> None:
    """Refuse a folder that is not writable or that holds something else. Writes nothing.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    files.check_folder("output", folder)
    if holds_run(folder):
        raise ValueError(
            f"Received: output={folder}, which is a run directory. Expected: a separate folder for the results."
        )
    file = folder / NAME
    if not file.exists():
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise ValueError(
                f"Received: output={folder}, which holds other files. Expected: a new folder, or one with results of "
                "this prediction."
            )
        return
    try:
        before = files.parse_json(files.read_text(file))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise ValueError(
            f"Received: {file}, which is damaged or was edited. Expected: the file that predict.py wrote; use a new "
            "output folder."
        )
    for name in sorted({*before, *facts}):
        if before.get(name) != facts.get(name):
            raise ValueError(
                f"Received: {name}={facts.get(name)}, but the results in {folder} were made with "
                f"{name}={before.get(name)}. Expected: the same value to continue there, or a new folder."
            )


@contextmanager
def hold_output(folder: Path, facts: dict[str, Any]) -> Iterator[None]:
    """Check, create and lock the output folder for the duration of the block. Only rank 0 calls it.

    Raises:
        ValueError: another job is writing there, or `check_folder` refuses the folder.
    """
    check_folder(folder, facts)
    is_new = not folder.exists()
    with (
        hold_folder("output", folder, _LOCK, "writing predictions"),
        ExitStack() as stack,
    ):
        if is_new:
            stack.callback(_remove_if_empty, folder)
        _remove_leftovers(folder)
        text = json.dumps(facts, indent=2) + "\n"
        if not (folder / NAME).exists():
            files.write_whole(folder / NAME, lambda path: path.write_text(text, encoding="utf-8"))
        yield


def disk_error(place: Path, error: OSError, *, resumes: bool = True) -> ValueError:
    """Return the error to raise when results cannot be written; `resumes`: whether the next run continues them."""
    if error.errno == errno.ENAMETOOLONG:
        return ValueError(
            f"Could not write {place}: a name is too long. Rename the picture, or use an output folder with a shorter "
            "path."
        )
    if error.errno in files.FULL:
        return ValueError(
            f"Could not write {place}: no space left. Free some space and run the same command again"
            f"{'; it continues where it stopped' if resumes else ''}."
        )
    return ValueError(
        f"Could not write {place}: {error.strerror or error}. Check the disk and the permissions."
    )


def _remove_leftovers(folder: Path) -> None:
    """Delete temporary files of killed processes."""
    for path in folder.rglob(".*"):
        if _LEFTOVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    """Delete the new folder again if it has no results."""
    if {path.name for path in folder.iterdir()} <= {*FILES}:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
