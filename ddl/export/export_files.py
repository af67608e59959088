"""A model of several files appears: all of them, or, where one cannot, none."""

from __future__ import annotations

import os
from pathlib import Path

from ddl.files import put_in_place
from ddl.inference.trained_model import model_files, preprocessing_path


def appear(made: Path, output: Path) -> None:
    """Move a model and, where it is new, its preprocessing to their place; the file or folder that names it comes last.

    Args:
        made: the model's file or folder, complete, on the same disk.
        output: that it becomes.

    Raises:
        OSError: a disk would not have it. What had moved is gone again.
    """
    beside = preprocessing_path(output)
    pairs = [] if beside.exists() else [(preprocessing_path(made), beside)]
    if made.is_dir():
        for path in model_files(made):
            _write_through(path)
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


def _write_through(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
