"""A folder `images` and a folder `masks`: each picture has a mask of the same name (or `name_mask`)."""

from __future__ import annotations

from pathlib import Path

from ddl.data.conversion import Conversion
from ddl.data.listing import Listing, by_stem, match, pictures_in
from ddl.data.pictures import PIXEL_LIMIT
from ddl.data.sources.picture_files import PictureFiles


def detect(path: Path) -> bool:
    """Return whether there is a folder `images` with pictures, or a folder `masks`."""
    images = path / "images"
    return (path / "masks").is_dir() or (images.is_dir() and bool(pictures_in(images)))


def find(path: Path) -> Listing:
    """Return the pairs of both folders."""
    images = pictures_in(path / "images")
    return match(path, images, by_stem(pictures_in(path / "masks")))


def open_source(
    path: Path,
    *,
    image_size: tuple[int, int] | None = None,
    channels: str = "rgb",
    bits: int = 8,
    mask_mode: str = "binary",
    pixel_limit: int = PIXEL_LIMIT,
) -> PictureFiles:
    """Open the pairs of both folders."""
    how = Conversion(image_size, channels, bits, mask_mode, pixel_limit)
    return PictureFiles(find(path), how)
