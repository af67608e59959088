"""A model in a file of its own, `model_checkpoint_20.keras`, and the same bytes as `model_checkpoint_20.pt`.

Plain Keras loads the .keras file. Of the .pt file, which others may move and rename, `ddl` knows by its contents what
it is. Beside the model it holds the plan and the preprocessing of the run, so it predicts without the run directory.
No Keras here.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ddl.distributed.job.launcher import placement
from ddl.files import (
    check_regular,
    clear_partial,
    parse_json,
    partial_path,
    put_in_place,
    write_whole,
)
from ddl.plain_text import tell

KERAS, TORCH = ".keras", ".pt"
_NOTES = "ddl.json"
_CONFIG = "config.json"
_NOTES_BYTES = 16 << 20

_told: set[Path] = set()


def copy_name(epoch: int) -> str:
    """Return the name of the model after so many epochs."""
    return f"model_checkpoint_{epoch}{KERAS}"


def write_model_copy(path: Path, save: Callable[[Path], object], notes: Mapping[str, Any]) -> None:
    """Write the .keras file and the .pt file beside it, each whole or not at all.

    Args:
        path: of the .keras file; its folder is made if needed.
        save: saves the model at a path, as `keras.Model.save` does.
        notes: JSON values: "plan" and "preprocessing" of the run.

    Raises:
        OSError: one of them cannot be written.
    """

    def write(partial: Path) -> None:
        save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_NOTES, json.dumps(notes))

    write_whole(path, write)
    twin = path.with_suffix(TORCH)
    partial = partial_path(twin)
    clear_partial(partial)
    try:
        try:
            os.link(path, partial)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, partial)
        put_in_place(partial, twin)
    finally:
        partial.unlink(missing_ok=True)


def read_notes(file: Path) -> dict[str, Any] | None:
    """Return the notes in a model of `write_model_copy`; None for any other file.

    Raises:
        ValueError: they are damaged.
    """
    check_regular(file)
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo(_NOTES).file_size > _NOTES_BYTES:
                raise ValueError(f"its {_NOTES} is too large")
            notes = parse_json(archive.read(_NOTES))
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise ValueError(
            f"Received: {file}, whose {_NOTES} is damaged ({error}). Expected: a model as training wrote it."
        ) from error
    return notes if isinstance(notes, dict) else None


def real_model_path(path: Path) -> Path:
    """Return the file to read for a path that may end in .pt: the .keras file beside it, else the file itself.

    Rank 0 says once that it reads the .keras file. Other paths are returned as they are.

    Raises:
        ValueError: there is neither, or the file is one of PyTorch's.
    """
    if path.suffix != TORCH or path.is_dir():
        return path
    beside = path.with_suffix(KERAS)
    if path.exists():
        _check_ours(path)
        if not (beside.exists() and beside.samefile(path)):
            return path
    if not beside.is_file():
        raise ValueError(
            f"Received: {path}, which does not exist, nor does {beside.name} beside it. Expected: a model that "
            "ddl wrote, such as by checkpoints.save or --checkpoint-copies."
        )
    if placement().rank == 0 and path not in _told:
        _told.add(path)
        tell(f"For {path}, {beside.name} beside it is read.")
    return beside


def _check_ours(path: Path) -> None:
    """Refuse what PyTorch wrote. Nothing of it is unpickled."""
    check_regular(path)
    names: list[str] = []
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    if _CONFIG not in names:
        what = "is a file of PyTorch" if _is_of_torch(path, names) else "holds no Keras model"
        raise ValueError(
            f"Received: {path}, which {what}. Expected: a model that ddl wrote (.keras, or the same contents named "
            ".pt), or Keras weights (.h5)."
        )


def _is_of_torch(path: Path, names: list[str]) -> bool:
    if names:
        return any(name.rpartition("/")[2] == "data.pkl" for name in names)
    with path.open("rb") as file:
        return (
            file.read(1) == b"\x80"
        )  # how a pickle starts, as PyTorch wrote it before version 1.6
