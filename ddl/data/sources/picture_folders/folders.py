"""A folder of pictures and a folder of masks, such as `images/` and `masks/`: each picture has a mask of its name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ddl.data.pictures.listing import (
    MASK_FOLDERS,
    PICTURE_FOLDERS,
    Listing,
    match,
    pictures_in,
    two_folders,
    unread_pictures,
)
from ddl.data.sources.picture_folders.picture_files import mask_opener


def detect(path: Path) -> bool:
    """Return whether both folders are there; or `images` with pictures, or `masks`, which say it alone."""
    if not path.is_dir():
        return False
    found = two_folders(path)
    if found.pictures and found.masks:
        return True
    images, masks = path / "images", path / "masks"
    return masks.is_dir() or (images.is_dir() and bool(pictures_in(images)))


def find(path: Path) -> Listing:
    """Return the pairs of both folders."""
    found = two_folders(path)
    if not found.pictures or not found.masks:
        missing, names = (
            ("masks", MASK_FOLDERS) if found.pictures else ("pictures", PICTURE_FOLDERS)
        )
        raise ValueError(
            f"Received: {path} without a folder of {missing}. Expected: one of the name {', '.join(names[:4])} or "
            f"{names[4]}."
        )
    listing = match(path, pictures_in(found.pictures), pictures_in(found.masks))
    unread = unread_pictures(path, (found.pictures, found.masks))
    return dataclasses.replace(listing, unread=unread)


open_source = mask_opener(find)
