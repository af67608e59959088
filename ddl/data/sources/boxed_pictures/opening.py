"""What the formats of pictures with boxes have in common: their options, and checks of names from strangers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.data.sources.boxed_pictures.annotations import WRONG_BOXES, Annotations
from ddl.data.sources.boxed_pictures.boxed_files import BoxedFiles
from ddl.data.sources.boxed_pictures.conversion import BoxedConversion
from ddl.ranges import check_choice


def boxes_opener(
    find: Callable[..., Annotations],
) -> Callable[..., BoxedFiles]:
    """Return the function that opens a layout, given the one that reads its annotations.

    `find` takes the path, the split, and `wrong_boxes`.
    """

    def open_source(
        path: Path,
        *,
        split: str = "train",
        fit: str = "letterbox",
        wrong_boxes: str = "stop",
        image_size: tuple[int, int] | None = None,
        channels: str = "rgb",
        bits: int | None = None,
        range: str | None = None,  # noqa: A002
        pixel_limit: int = PIXEL_LIMIT,
        colour_order: str = "rgb",
        resampling: str = "area",
    ) -> BoxedFiles:
        check_choice("wrong_boxes", wrong_boxes, WRONG_BOXES)
        form = BoxedConversion(
            image_size,
            channels,
            bits or 8,
            pixel_limit=pixel_limit,
            colour_order=colour_order,
            resampling=resampling,
            fit=fit,
        )
        return BoxedFiles(find(path, split, wrong_boxes), form, bits=bits, value_range=range)

    return open_source


def chosen_split(path: Path, split: str, there: Sequence[str]) -> str:
    """Return the split to open: "" for data without any."""
    if not there:
        return ""
    check_choice("split", split, there, str(path))
    return split


def safe_name(name: Any, where: Callable[[], str]) -> str:
    """Return a picture's name that stays below its folder, or refuse it."""
    plain = name.replace("\\", "/") if isinstance(name, str) else ""
    parts = PurePosixPath(plain)
    if not plain or parts.is_absolute() or ".." in parts.parts or "\0" in plain:
        raise ValueError(
            f"Received: {where()} with file_name {name!r}. Expected: the name of a picture below its folder."
        )
    return str(parts)


def files_ending(folder: Path, *endings: str) -> list[Path]:
    """Return what is directly in a folder and has a name that ends so, sorted. A folder may have 10^6 others."""
    if not folder.is_dir():
        return []
    names = os.listdir(folder)  # noqa: PTH208 (as many Paths would be slow)
    return [folder / name for name in sorted(names) if name.lower().endswith(endings)]


def folder_named(path: Path, *names: str) -> Path | None:
    """Return the folder in `path` with the first of these names, with capitals or not."""
    there = {name.lower(): name for name in (os.listdir(path) if path.is_dir() else ())}  # noqa: PTH208
    found = (path / there[name] for name in names if name in there)
    return next((place for place in found if place.is_dir()), None)


class Folders:
    """Which files there are, with one look at each folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, frozenset[str]] = {}

    def has(self, name: str) -> bool:
        """Return whether a file of this name, with folders before it, is below the root."""
        folder, _, file = name.rpartition("/")
        if folder not in self._names:
            try:
                with os.scandir(self._root / folder) as entries:
                    self._names[folder] = frozenset(entry.name for entry in entries)
            except OSError:
                self._names[folder] = frozenset()
        return file in self._names[folder]
