"""Pictures of classes at any depth: the class is the folder below the one that a tag names.

With `tag=train test_tag=test`, `plates/train/cat/1.jpg` and `more/train/new/cat/2.jpg` are trained on, the second of
the class `new`, and `plates/test/cat/3.jpg` is a test picture.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.pictures.picture_table import PictureTable
from ddl.data.source import Source
from ddl.data.sources.picture_folders import pictures
from ddl.data.sources.picture_folders.picture_files import open_pictures
from ddl.ranges import check_choice


def detect(path: Path) -> bool:
    """Return False: only its name, or the option `tag`, asks for it."""
    del path
    return False


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have a tag."""
    del path
    return ("train", "test") if options.get("test_tag") else ("train",)


def open_source(
    path: Path,
    *,
    tag: str = "",
    test_tag: str | None = None,
    split: str = "train",
    image_size: tuple[int, int] | None = None,
    channels: str = "rgb",
    bits: int | None = None,
    range: str | None = None,  # noqa: A002
    pixel_limit: int = PIXEL_LIMIT,
    colour_order: str = "rgb",
    resampling: str = "area",
) -> Source:
    """Open the pictures below a tag. The classes of the training pictures, sorted, are the labels 0, 1, ...

    Args:
        path: the root.
        tag: name of the folders whose folders are classes.
        test_tag: the same for test pictures.
        split: "train" or "test".
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
    return open_pictures(find(path, tag, test_tag, split), form, bits, range)


def find(path: Path, tag: str, test_tag: str | None, split: str) -> Listing:
    """Return the pictures of a split with their labels."""
    check_choice("split", split, splits(path, {"test_tag": test_tag}), str(path))
    every = [sample.image for sample in pictures.find(path).samples]
    training = _by_class(path, every, tag)
    names = {name: number for number, name in enumerate(sorted(training))}
    chosen = training
    if split == "test" and test_tag is not None:
        chosen = _by_class(path, every, test_tag)
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ValueError(
                f"Received: class {unknown[0]!r} below {test_tag} in {path}, which is not below {tag}. Expected: the "
                "classes of the training pictures; add it there, or remove the folder."
            )
    groups = (
        (folder, [file.name for file in same], names[name])
        for name, files in sorted(chosen.items())
        for folder, same in itertools.groupby(files, lambda file: file.parent)
    )
    return Listing(path, PictureTable(groups), (), tuple(names))


def _by_class(path: Path, files: list[Path], tag: str) -> dict[str, list[Path]]:
    """Return class -> its pictures: those with a folder of the tag's name above a folder above them."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        folders = (path.absolute().name, *file.relative_to(path).parts[:-1])
        if tag in folders[:-1]:
            found[folders[folders.index(tag) + 1]].append(file)
    if not found:
        raise ValueError(
            f"Received: tag {tag!r} in {path}, which has no pictures in folders below one of that name. Expected: "
            f"{tag}/CLASS/name.jpg at any depth."
        )
    return dict(found)
