"""Folders named after splits, such as `train/` and `val/`, beside each other in one root."""

from __future__ import annotations

import os
from pathlib import Path

from ddl.data.splits import SPLITS
from ddl.ranges import check_choice

NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Split -> names that its folder, or its shards, may have. Capitals do not matter."""


def split_of(name: str) -> str | None:
    """Return the split that a name stands for, or None."""
    return next((split for split, names in NAMES.items() if name.lower() in names), None)


def split_folders(path: Path) -> dict[str, Path]:
    """Return split -> its folder, in the order of `SPLITS`.

    Raises:
        ValueError: a split has two folders.
    """
    found: dict[str, Path] = {}
    names = os.listdir(path) if path.is_dir() else []  # noqa: PTH208 (a folder of 10^6 files would become as many Paths)
    for name in sorted(names):
        split, folder = split_of(name), path / name
        if split is None or not folder.is_dir():
            continue
        if split in found:
            raise ValueError(
                f"Received: {path} with {found[split].name} and {name}. Expected: one folder for the {split} split; "
                "move the other away."
            )
        found[split] = folder
    return {split: found[split] for split in SPLITS if split in found}


def find_split_folder(path: Path, split: str) -> Path:
    """Return the folder of a split; the error for a missing one lists those that are there."""
    check_choice("split", split, SPLITS)
    folders = split_folders(path)
    if split not in folders:
        there = ", ".join(folder.name for folder in folders.values()) or "none"
        raise ValueError(
            f"Received: split={split!r} of {path}, whose folders are {there}. Expected: a folder {NAMES[split][0]} "
            "in it, or another split."
        )
    return folders[split]
