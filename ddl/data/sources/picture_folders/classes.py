"""Class folders: `cat/1.jpg`, `dog/2.jpg`. The folders' names, sorted, are the labels 0, 1, ..."""

from __future__ import annotations

from pathlib import Path

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import (
    Listing,
    Sample,
    pictures_in,
    subfolders,
    unread_pictures,
)
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.source import Source
from ddl.data.sources.picture_folders.picture_files import open_pictures


def detect(path: Path) -> bool:
    """Return whether a subfolder has pictures."""
    return path.is_dir() and any(pictures_in(folder) for folder in subfolders(path))


def find(path: Path) -> Listing:
    """Return the pictures of every class folder; raise for a class without any."""
    folders = subfolders(path)
    samples = []
    problems = []
    for label, folder in enumerate(folders):
        pictures = pictures_in(folder)
        samples += [Sample(picture, label=label) for picture in pictures]
        if not pictures:
            problems.append(
                f"Received: {folder} without a picture. Expected: pictures of that class; add some, or remove it."
            )
    names = tuple(folder.name for folder in folders)
    return Listing(path, tuple(samples), tuple(problems), names, unread_pictures(path, folders))


def open_source(
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    channels: str = "rgb",
    bits: int | None = None,
    range: str | None = None,  # noqa: A002
    pixel_limit: int = PIXEL_LIMIT,
) -> Source:
    """Open the pictures of all classes."""
    form = Conversion(image_size, channels, bits or 8, pixel_limit=pixel_limit)
    return open_pictures(find(path), form, bits, range)
