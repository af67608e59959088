"""Names of a prediction's result files, derived from those of its pictures and checked before work starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from ddl.files import folded
from ddl.inference.prediction.inputs import Item
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.row_writers import SUFFIXES

_NAME_BYTES = 255
"""The limit of nearly every file system for one part of a path."""


def result_paths(folder: Path, name: str, form: str) -> tuple[Path, Path, Path]:
    """Return the paths of a picture's mask, probabilities and overlay. HDF5 keeps probabilities in the mask's file."""
    mask, probabilities, overlay = (folder / f"{name}{suffix}" for suffix in _suffixes(form))
    return mask, probabilities, overlay


def check_result_names(
    prediction: Prediction, items: Sequence[Item], others: Sequence[str], *, ignores_case: bool
) -> None:
    """Refuse pictures of which two results would be one file, or a result's name is too long.

    Args:
        prediction: decides which files are written.
        items: the pictures.
        others: names of further files in the output folder.
        ignores_case: whether the disk takes `a.png` and `A.png` for one file.

    Raises:
        ValueError: names both pictures, or the one with a long name.
    """
    form: Callable[[str], str] = folded if ignores_case else str
    owners: dict[str, str] = {form(other): "predict.py's own files" for other in others}
    folders: dict[str, str] = {}
    for item in items:
        for name in _written(prediction, item.name):
            _check_length(item, name)
            owner = owners.setdefault(form(name), item.origin)
            if owner is not item.origin:
                raise _clash(owner, item.origin, name)
            for parent in list(PurePosixPath(name).parents)[:-1]:
                folders.setdefault(form(str(parent)), item.origin)
    for name in owners.keys() & folders.keys():
        raise _clash(owners[name], folders[name], name)


def ignores_case(file: Path) -> bool:
    """Return whether the disk finds an existing file also by its name in other letters."""
    return os.path.lexists(file.with_name(file.name.swapcase()))


def _written(prediction: Prediction, name: str) -> Iterator[str]:
    """Yield the names of a picture's results."""
    mask, probabilities, overlay = _suffixes(prediction.format)
    yield name + mask
    if prediction.probabilities and prediction.format != "hdf5":
        yield name + probabilities
    if prediction.overlay:
        yield name + overlay


def _suffixes(form: str) -> tuple[str, str, str]:
    return SUFFIXES[form], ".probabilities.npy", ".overlay.png"


def _check_length(item: Item, name: str) -> None:
    longest = max(name.split("/"), key=lambda part: len(os.fsencode(part)))
    length = len(os.fsencode(longest))
    if length > _NAME_BYTES:
        raise ValueError(
            f"Received: {item.origin}, whose result would have a name of {length} bytes. Expected: at most "
            f"{_NAME_BYTES}; rename the picture."
        )


def _clash(one: str, two: str, name: str) -> ValueError:
    return ValueError(
        f"Received: {one} and {two}, which would both write {name}. Expected: results of different names; rename one "
        "picture, or leave out --overlay or --probabilities."
    )
