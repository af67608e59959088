"""Class folders: `cat/1.jpg`, `dog/2.jpg`. The folders' names, sorted, are the labels 0, 1, ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing, subfolders, unread_pictures
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.pictures.picture_table import PictureTable, has_picture, picture_names
from ddl.data.source import Source
from ddl.data.sources.picture_folders.picture_files import open_pictures


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


def open_source(
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    channels: str = "rgb",
    bits: int | None = None,
    range: str | None = None,  # noqa: A002
    pixel_limit: int = PIXEL_LIMIT,
    colour_order: str = "rgb",
    resampling: str = "area",
) -> Source:
    """Open the pictures of all classes."""
    form = Conversion(
        image_size,
        channels,
        bits or 8,
        pixel_limit=pixel_limit,
        colour_order=colour_order,
        resampling=resampling,
    )
    return open_pictures(find(path), form, bits, range)
