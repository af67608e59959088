"""Pictures alone, at any depth of a folder, or one picture file: inputs whose targets are elsewhere, or targets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ddl.data.pictures.listing import Listing, Sample, is_picture
from ddl.data.sources.picture_folders.picture_files import plain_opener

_DEPTH = 4  # how deep a folder is searched for a first picture


def detect(path: Path) -> bool:
    """Return whether it is a picture, or a folder with a picture directly in it."""
    return _has_pictures(path, 0)


def has_pictures(path: Path) -> bool:
    """Return whether it is a picture, or a folder with a picture in it or not far below."""
    return _has_pictures(path, _DEPTH)


def _has_pictures(path: Path, depth: int) -> bool:
    if path.is_file():
        return is_picture(path)
    return path.is_dir() and any(_pictures(path, depth))


def find(path: Path) -> Listing:
    """Return all pictures of a folder, sorted by their path; or the one that `path` is."""
    if path.is_file():
        return Listing(path.parent, (Sample(path),))
    return Listing(path, tuple(Sample(picture) for picture in sorted(_pictures(path))))


open_source = plain_opener(find)


def _pictures(path: Path, depth: int | None = None) -> Iterator[Path]:
    """Yield the pictures of a folder and, down to a depth, of those in it; hidden ones are left out."""
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if depth is not None and len(here.relative_to(path).parts) >= depth:
            folders.clear()
        yield from (here / name for name in sorted(names) if is_picture(here / name))
