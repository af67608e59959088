"""Class folders of each split under one root, as ImageNet has them: `train/CLASS/name.jpg`, `val/CLASS/name.jpg`.

`val` may also be flat, with a list of its pictures and their classes beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing, subfolders, two_folders
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.pictures.picture_table import PictureTable, has_picture, picture_names
from ddl.data.source import Source
from ddl.data.sources.picture_folders.class_list import read_class_map, read_picture_list
from ddl.data.sources.picture_folders.classes import list_classes
from ddl.data.sources.picture_folders.picture_files import open_pictures
from ddl.data.sources.split_folders import find_split_folder, split_folders

_LISTS = ("{}.txt", "{}_list.txt", "{}.csv", "LOC_{}_solution.csv")
"""Names of the list of a flat folder, beside it or in it."""


def detect(path: Path) -> bool:
    """Return whether the folder of a split has class folders with pictures. Pictures with masks are not classes."""
    return any(
        _has_class(folder) for folder in (split_folders(path).values() if path.is_dir() else ())
    )


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have a folder."""
    del options
    return tuple(split_folders(path))


def open_source(
    path: Path,
    *,
    split: str = "train",
    class_map: str | None = None,
    picture_list: str | None = None,
    label_base: int = 0,
    image_size: tuple[int, int] | None = None,
    channels: str = "rgb",
    bits: int | None = None,
    range: str | None = None,  # noqa: A002
    pixel_limit: int = PIXEL_LIMIT,
    colour_order: str = "rgb",
    resampling: str = "area",
) -> Source:
    """Open the pictures of a split. The class folders of `train`, sorted, or the class map give the labels.

    Args:
        path: the root.
        split: "train", "validation" or "test".
        class_map: text file with the name of a class folder a line, in the order of the labels.
        picture_list: list of a split whose pictures are in no class folders; by default val.txt for `val`.
        label_base: number of the first class in such a list.
        image_size: height and width in pixels that pictures are resized to.
        channels: "grey", "rgb" or "rgba".
        bits: 8 or 16 per channel; by default those of the first picture.
        range: the stored values that become 0 and 1, see `ddl.data.value_range`.
        pixel_limit: pictures with more pixels are refused before decoding.
        colour_order: "rgb" or "bgr".
        resampling: "area" averages where it shrinks, "bilinear" never does.
    """
    form = Conversion(
        image_size,
        channels,
        bits or 8,
        pixel_limit=pixel_limit,
        colour_order=colour_order,
        resampling=resampling,
    )
    lists = (None if name is None else Path(name) for name in (class_map, picture_list))
    return open_pictures(find(path, split, *lists, label_base=label_base), form, bits, range)


def find(
    path: Path, split: str, class_map: Path | None, picture_list: Path | None, *, label_base: int
) -> Listing:
    """Return the pictures of a split with their labels."""
    folder = find_split_folder(path, split)
    names = read_class_map(class_map) if class_map is not None else _folder_names(path, folder)
    classes = subfolders(folder)
    unknown = [place.name for place in classes if place.name not in names]
    if unknown:
        where = f"class_map={class_map}" if class_map else str(split_folders(path)["train"])
        raise ValueError(
            f"Received: {folder / unknown[0]}, a class that is not in {where}. Expected: the same classes; add it "
            "there, or remove the folder."
        )
    if classes:
        listing = list_classes(path, classes, [*names])
    else:
        listing = _flat(path, folder, [*names], picture_list, label_base)
    return Listing(path, listing.samples, listing.problems, tuple(names.values()), listing.unread)


def _folder_names(path: Path, folder: Path) -> dict[str, str]:
    """Return the class folders of the training data, or of `folder` where there are none."""
    place = split_folders(path).get("train", folder)
    return {classes.name: classes.name for classes in subfolders(place)}


def _flat(
    path: Path, folder: Path, names: Sequence[str], given: Path | None, label_base: int
) -> Listing:
    """Return the pictures of a folder without class folders, with the labels that a list gives."""
    pictures = picture_names(folder)
    if not pictures or not names:
        raise ValueError(
            f"Received: {folder} without class folders. Expected: a folder for each class, with pictures."
        )
    candidates = [place / name.format(folder.name) for place in (path, folder) for name in _LISTS]
    found = given or next((file for file in candidates if file.is_file()), None)
    if found is None:
        raise ValueError(
            f"Received: {folder} with {len(pictures)} pictures and no class folders. Expected: class folders; or a "
            f"list with a picture and its class a line, as {candidates[0].name} beside it or picture_list=FILE."
        )
    labels = read_picture_list(found, pictures, names, label_base)
    return Listing(path, PictureTable([(folder, pictures, labels)]))


def _has_class(folder: Path) -> bool:
    classes = subfolders(folder)
    if not any(map(has_picture, classes)):
        return False
    pair = two_folders(folder)
    return not (pair.pictures and pair.masks)
