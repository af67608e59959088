"""Taking an experiment out of a store. Only its own folder is touched; a link inside is removed, not followed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import create_json
from ddl.experiments.store.folder import StoreFolder, number_of

REMOVED = "removed"
"""Folder of a store for experiments that were taken out with their results."""
_WITH_RESULTS = ".remove-results"


def ask_for_results(folder: ExperimentFolder) -> None:
    """Note that the results are to be deleted, too, when the experiment is removed."""
    create_json(folder.path / _WITH_RESULTS, {})


def take_away(store: StoreFolder, folder: ExperimentFolder) -> str:
    """Remove an experiment of which nothing runs. Return what was done, "" where somebody else did.

    Its folder moves to `removed/`, or is deleted where the user said so.

    Raises:
        ValueError: The folder is not one of the store's, or a link.
    """
    path = folder.path
    if path.parent != store.path or not number_of(path.name) or ".." in path.parts:
        raise ValueError(f"Received: {path}. Expected: an experiment's folder in {store.path}.")
    if path.is_symlink():
        raise ValueError(
            f"Received: {path}, which is a link. Expected: a folder of this store; remove the link yourself."
        )
    with_results = (path / _WITH_RESULTS).exists()
    target = _free(store.path / REMOVED, path.name)
    target.parent.mkdir(exist_ok=True)
    try:
        path.rename(target)  # at once out of the store: no other process finds half of it
    except FileNotFoundError:
        return ""
    if not with_results:
        return f"removed; its files are in {target}"
    shutil.rmtree(target)  # does not follow links
    if not os.listdir(target.parent):  # noqa: PTH208
        target.parent.rmdir()
    return "removed with its results"


def _free(folder: Path, name: str) -> Path:
    for count in range(1, 10_000):
        path = folder / (name if count == 1 else f"{name}.{count}")
        if not path.exists():
            return path
    raise ValueError(f"Received: {folder}, which is full. Expected: fewer removed experiments.")
