"""Looks into the file of a saved Keras model, which may come from a stranger, before Keras opens it. No Keras here."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from ddl.files import archives, check_regular, exceeds_file, parse_json
from ddl.files.guarded_hdf5 import DAMAGE, GuardedFile

_CONFIG = "config.json"
_CONFIG_BYTES = 64 << 20
_MOST_GROWTH = 100  # weights hardly compress, and Keras does not compress them
_DAMAGE = (*DAMAGE, *archives.DAMAGE)


def problem_of_model(file: Path) -> str:
    """Return the damage found in a saved model, "" for none. Reads the whole file; an archive's weights into memory.

    Raises:
        ValueError: it is a pipe, a socket or a device.
    """
    check_regular(file)
    try:
        if not zipfile.is_zipfile(file):
            with GuardedFile(file) as stored:
                if "model_config" not in stored.attrs:
                    return "it holds only weights"
                stored.check_all()
            return ""
        with zipfile.ZipFile(file) as archive:
            return _problem_of_archive(archive, file.stat().st_size)
    except _DAMAGE as error:
        return " ".join(str(error).split())[:240] or type(error).__name__


def read_architecture(file: Path) -> dict[str, Any]:
    """Return the JSON values from which Keras builds the model.

    Raises:
        ValueError: there are none; the message says why, for the caller's own.
    """
    check_regular(file)
    try:
        if not zipfile.is_zipfile(file):
            with GuardedFile(file) as stored:
                return dict(parse_json(stored.attrs["model_config"]))
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo(_CONFIG).file_size > _CONFIG_BYTES:
                raise ValueError(f"its {_CONFIG} is too large")
            return dict(parse_json(archive.read(_CONFIG)))
    except _DAMAGE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _problem_of_archive(archive: zipfile.ZipFile, file_bytes: int) -> str:
    members = archive.infolist()
    if exceeds_file(sum(info.file_size for info in members), file_bytes):
        return "its parts are larger than such a file can hold"
    damaged = archive.testzip()
    if damaged:
        return f"{damaged} in it is damaged"
    if _CONFIG not in archive.namelist():
        return f"it has no {_CONFIG}"
    for info in members:
        if info.filename.endswith((".h5", ".hdf5")):
            if info.file_size > _MOST_GROWTH * max(info.compress_size, 1 << 10):
                return f"{info.filename} in it is far larger than what is stored of it"
            with GuardedFile(archive.read(info), origin=info.filename) as stored:
                stored.check_all()
    return ""
