"""Pictures and masks in one folder: `name.jpg` beside `name_mask.gif`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ddl.data.pictures.listing import Listing, match, pictures_in, unread_pictures
from ddl.data.sources.picture_folders.picture_files import mask_opener


def detect(path: Path) -> bool:
    """Return whether the folder has a mask."""
    return path.is_dir() and any(picture.stem.endswith("_mask") for picture in pictures_in(path))


def has_inputs(path: Path) -> bool:
    """Return whether the folder has a picture that is no mask."""
    return any(not picture.stem.endswith("_mask") for picture in pictures_in(path))


def find(path: Path) -> Listing:
    """Return the folder's pairs."""
    pictures = pictures_in(path)
    masks = [picture for picture in pictures if picture.stem.endswith("_mask")]
    images = [picture for picture in pictures if not picture.stem.endswith("_mask")]
    return dataclasses.replace(match(path, images, masks), unread=unread_pictures(path, [path]))


open_source = mask_opener(find)
