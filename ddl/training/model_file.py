"""The file of a saved model, found and looked at without Keras: .keras or .h5, a checkpoint, or a run's final one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py

FINAL = "model.keras"


def find_model_file(path: Path) -> Path:
    """Return the file of a saved model that looks whole: `path` itself, or the final model of a run.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    file = path / FINAL if path.is_dir() else path
    if not file.is_file():
        what = f"a folder without {FINAL}" if path.is_dir() else "which does not exist"
        raise ValueError(
            f"Received: {path}, {what}. Expected: a .keras or .h5 file, a checkpoint, or a run that has ended."
        )
    problem = _problem(file)
    if problem:
        raise ValueError(
            f"Received: {file}, which is no whole saved model ({problem}). Expected: a .keras or .h5 file of a model, "
            "or a checkpoint."
        )
    return file


def _problem(file: Path) -> str:
    """Return what is wrong with a file, "" if nothing is to be seen."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
                names = archive.namelist()
            if damaged:
                return f"{damaged} in it is damaged"
            return "" if "config.json" in names else "it holds no config.json"
        with h5py.File(file, "r", locking=False) as stored:
            return "" if "model_config" in stored.attrs else "it holds weights alone"
    except (OSError, RuntimeError, ValueError, zipfile.BadZipFile, EOFError) as error:
        return " ".join(str(error).split())[:120] or type(error).__name__
