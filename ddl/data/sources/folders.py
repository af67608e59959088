"""A folder `images` and a folder `masks`: each picture has a mask of the same name (or `name_mask`)."""

from __future__ import annotations

from pathlib import Path

from ddl.data.pictures.listing import Listing, match, pictures_in
from ddl.data.sources.picture_files import mask_opener


def detect(path: Path) -> bool:
    """Return whether there is a folder `images` with pictures, or a folder `masks`."""
    images = path / "images"
    return (path / "masks").is_dir() or (images.is_dir() and bool(pictures_in(images)))


def find(path: Path) -> Listing:
    """Return the pairs of both folders."""
    return match(path, pictures_in(path / "images"), pictures_in(path / "masks"))


open_source = mask_opener(find)
