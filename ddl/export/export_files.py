"""Move the files of an exported model into place: all of them, or none if one move fails."""

from __future__ import annotations

import os
from pathlib import Path

from ddl.files import put_in_place
from ddl.inference.trained_model import model_files, preprocessing_path


def move_into_place(made: Path, output: Path) -> None:
    """Move an exported model into place, with its preprocessing unless that exists already.

    The file or folder that the user named moves last: once it exists, the export is complete. `made` is on the same
    disk as `output`.

    Raises:
        OSError: a move failed. Files that had been moved are deleted.
    """
    beside = preprocessing_path(output)
    pairs = [] if beside.exists() else [(preprocessing_path(made), beside)]
    if made.is_dir():
        for path in model_files(made):
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        pairs.append((made, output))
    else:
        pairs += zip(model_files(made)[::-1], model_files(output)[::-1], strict=True)
    moved: list[Path] = []
    try:
        for source, target in pairs:
            if source.is_dir():
                source.rename(target)
            else:
                put_in_place(source, target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.unlink(missing_ok=True)
        raise
