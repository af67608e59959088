"""Class folders: `cat/1.jpg`, `dog/2.jpg`. The folders' names, sorted, are the labels 0, 1, ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddl.data.pictures.listing import Listing, subfolders, unread_pictures
from ddl.data.pictures.picture_table import PictureTable, has_picture, picture_names
from ddl.data.sources.picture_folders.picture_files import plain_opener


def detect(path: Path) -> bool:
    """Return whether a subfolder has pictures."""
    return any(has_picture(folder) for folder in subfolders(path))


def find(path: Path) -> Listing:
    """Return the pictures of every class folder; raise for a class without any."""
    folders = subfolders(path)
    return list_classes(path, folders, [folder.name for folder in folders])


def list_classes(root: Path, folders: Sequence[Path], names: Sequence[str]) -> Listing:
    """Return the pictures of class folders beside each other.

    Args:
        root: what names of samples are relative to.
        folders: the folders of one split or of all data.
        names: the names of all classes; the place of a folder's name in them is its label.
    """
    numbers = {name: number for number, name in enumerate(names)}
    pictures = {folder: picture_names(folder) for folder in folders}
    table = PictureTable(
        (folder, found, numbers[folder.name]) for folder, found in pictures.items()
    )
    problems = tuple(
        f"Received: {folder} without a picture. Expected: pictures of that class; add some, or remove it."
        for folder, found in pictures.items()
        if not found
    )
    place = folders[0].parent if folders else root
    return Listing(root, table, problems, tuple(names), unread_pictures(place, folders))


open_source = plain_opener(find)
