"""Pictures alone, at any depth of a folder, or one picture file: inputs whose targets are elsewhere, or targets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing, Sample, is_picture
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.source import Source
from ddl.data.sources.picture_folders.picture_files import open_pictures

_DEPTH = 4  # how deep a folder is searched for a first picture


def detect(path: Path) -> bool:
    """Return whether it is a picture, or a folder with a picture in it or not far below."""
    if path.is_file():
        return is_picture(path)
    return path.is_dir() and any(_pictures(path, _DEPTH))


def find(path: Path) -> Listing:
    """Return all pictures of a folder, sorted by their path; or the one that `path` is."""
    if path.is_file():
        return Listing(path.parent, (Sample(path),))
    return Listing(path, tuple(Sample(picture) for picture in sorted(_pictures(path))))


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
    """Open the pictures, without targets."""
    form = Conversion(
        image_size,
        channels,
        bits or 8,
        pixel_limit=pixel_limit,
        colour_order=colour_order,
        resampling=resampling,
    )
    return open_pictures(find(path), form, bits, range)


def _pictures(path: Path, depth: int | None = None) -> Iterator[Path]:
    """Yield the pictures of a folder and, down to a depth, of those in it; hidden ones are left out."""
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if depth is not None and len(here.relative_to(path).parts) >= depth:
            folders.clear()
        yield from (here / name for name in sorted(names) if is_picture(here / name))
