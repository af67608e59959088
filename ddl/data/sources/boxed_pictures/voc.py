"""Pascal VOC: `JPEGImages/1.jpg` + `Annotations/1.xml` + `ImageSets/Main/train.txt`; or pictures beside XML files.

Corners are pixels counted from 1, the last one included. Difficult objects are boxes to ignore. Classes are the names
in the files, sorted, or the lines of a `classes.txt`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.picture_file import read_size
from ddl.data.pictures.picture_table import picture_names
from ddl.data.sources.boxed_pictures.annotations import Annotations, FileNames, Gathering
from ddl.data.sources.boxed_pictures.opening import (
    boxes_opener,
    chosen_split,
    files_ending,
    folder_named,
)
from ddl.data.sources.boxed_pictures.voc_xml import VocFile, VocObject, read_voc
from ddl.data.sources.split_folders import split_folders
from ddl.data.splits import SPLITS
from ddl.files import read_text

_SETS = {"train": ("train", "trainval"), "validation": ("val",), "test": ("test",)}
_PICTURES, _ANNOTATIONS = ("jpegimages", "images"), ("annotations", "xml")


@dataclass(frozen=True)
class _Layout:
    """Where pictures and annotations are, and the names of each split; "" for data without splits."""

    pictures: Mapping[str, Path]
    annotations: Mapping[str, Path]
    lists: Mapping[str, Path]

    @property
    def splits(self) -> tuple[str, ...]:
        found = self.lists or self.pictures
        return tuple(split for split in SPLITS if split in found)


def detect(path: Path) -> bool:
    """Return whether there are pictures and XML files."""
    return path.is_dir() and _layout(path) is not None


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have a list in `ImageSets/Main`, or a folder."""
    del options
    layout = _layout(path)
    return layout.splits if layout else ()


def read_annotations(path: Path, split: str, wrong_boxes: str = "stop") -> Annotations:
    """Return the pictures and boxes of a split."""
    layout = _layout(path)
    if layout is None:
        raise ValueError(
            f"Received: {path} without pictures and XML files. Expected: JPEGImages and Annotations, or both in one "
            "folder."
        )
    chosen = chosen_split(path, split, layout.splits)
    place = chosen if chosen in layout.pictures else ""
    pictures = _by_stem(layout.pictures[place])
    stems = _stems(layout, chosen, place)
    parsed = {stem: read_voc(layout.annotations[place] / f"{stem}.xml") for stem in stems}
    names = _class_names(path, layout, parsed, place)
    reading = _Reading(layout.annotations[place], layout.pictures[place], pictures, names)
    for stem in stems:
        reading.take(stem, parsed.pop(stem))
    unread = 0 if chosen in layout.lists else len(pictures) - len(stems)
    return dataclasses.replace(reading.finish(wrong_boxes), unread=unread)


open_source = boxes_opener(read_annotations)


class _Reading:
    """The boxes of files, as they are read."""

    def __init__(
        self, place: Path, root: Path, pictures: Mapping[str, str], names: tuple[str, ...]
    ) -> None:
        self._place, self._root, self._pictures = place, root, pictures
        self._names = names
        self._numbers = {name: number for number, name in enumerate(names)}
        self._files: list[str] = []
        self._stems: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._boxes = Gathering()

    def take(self, stem: str, found: VocFile) -> None:
        """Take the boxes of a picture."""
        file = self._place / f"{stem}.xml"
        if stem not in self._pictures:
            raise ValueError(
                f"Received: {file} without a picture in {self._root}. Expected: a picture named after it."
            )
        self._files.append(self._pictures[stem])
        self._stems.append(stem)
        self._sizes.append(self._size(file, found))
        for item in found.objects:
            self._boxes.add(
                len(self._files) - 1,
                self._class(file, item),
                self._corners(file, item),
                ignored=item.difficult == "1",
                place=item.line,
            )

    def finish(self, wrong_boxes: str) -> Annotations:
        boxes, sizes = self._boxes, np.array(self._sizes, np.int32)
        owners = np.asarray(boxes.pictures, np.int64)
        starts, rows, clipped, left_out = boxes.finish(
            owners,
            np.asarray(boxes.classes, np.int64),
            len(self._files),
            boxes.fractions(sizes[owners]),
            1 / sizes[owners][:, ::-1],
            wrong_boxes,
            lambda box: (
                f"{self._place / self._stems[boxes.pictures[box]]}.xml, line {boxes.places[box]},"
            ),
        )
        return Annotations(
            root=self._root,
            files=FileNames(self._files),
            sizes=sizes,
            starts=starts,
            rows=rows,
            class_names=self._names,
            picture_ids=np.arange(len(self._files)),
            category_ids=tuple(range(len(self._names))),
            clipped=clipped,
            left_out=left_out,
        )

    def _size(self, file: Path, found: VocFile) -> tuple[int, int]:
        """Return height and width: of the file, or where it has none or 0, of the picture."""
        texts = (found.height, found.width)
        if all(text in ("", "0") for text in texts):
            return read_size(self._root / self._files[-1])
        if not all(text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31 for text in texts):
            raise ValueError(
                f"Received: {file} with width {found.width[:20]!r} and height {found.height[:20]!r}. Expected: whole "
                "numbers above 0."
            )
        return int(found.height), int(found.width)

    def _class(self, file: Path, item: VocObject) -> int:
        if item.name not in self._numbers:
            known = ", ".join(self._names[:8])
            raise ValueError(
                f"Received: {file}, line {item.line}, with an object of class {item.name[:40]!r}. Expected: one of "
                f"{known}."
            )
        return self._numbers[item.name]

    def _corners(self, file: Path, item: VocObject) -> tuple[float, ...]:
        try:
            x0, y0, x1, y1 = (float(item.corners[key]) for key in ("xmin", "ymin", "xmax", "ymax"))
        except (KeyError, ValueError):
            raise ValueError(
                f"Received: {file}, line {item.line}, with an object whose bndbox has {item.corners}. Expected: the "
                "numbers xmin, ymin, xmax and ymax."
            ) from None
        return x0 - 1, y0 - 1, x1, y1


def _layout(path: Path) -> _Layout | None:
    """Return the layout of a folder; None if it is no such data."""
    pictures, annotations = folder_named(path, *_PICTURES), folder_named(path, *_ANNOTATIONS)
    if pictures and annotations and files_ending(annotations, ".xml"):
        lists = {
            split: file
            for split, names in _SETS.items()
            for name in reversed(names)
            if (file := path / "ImageSets" / "Main" / f"{name}.txt").is_file()
        }
        return _Layout({"": pictures}, {"": annotations}, lists)
    flat = {
        split: folder
        for split, folder in split_folders(path).items()
        if files_ending(folder, ".xml")
    }
    if not flat and files_ending(path, ".xml"):
        flat = {"": path}
    flat = {split: folder for split, folder in flat.items() if picture_names(folder)}
    return _Layout(flat, flat, {}) if flat else None


def _by_stem(folder: Path) -> dict[str, str]:
    """Return name without suffix -> name of each picture."""
    found: dict[str, str] = {}
    for name in picture_names(folder):
        other = found.setdefault(Path(name).stem, name)
        if other != name:
            raise ValueError(
                f"Received: {folder} with {other} and {name}. Expected: one picture for each XML file; remove one."
            )
    return found


def _stems(layout: _Layout, split: str, place: str) -> list[str]:
    """Return the names of a split's files, without suffix."""
    if split not in layout.lists:
        return [file.stem for file in files_ending(layout.annotations[place], ".xml")]
    stems = []
    for number, line in enumerate(read_text(layout.lists[split]).splitlines(), 1):
        words = line.split()
        if not words or words[1:2] == ["-1"]:  # a list of one class: -1 says that it is not there
            continue
        if not (layout.annotations[place] / f"{words[0]}.xml").is_file() or "/" in words[0]:
            raise ValueError(
                f"Received: {layout.lists[split]}, line {number}, with {words[0][:80]}, which has no file in "
                f"{layout.annotations[place]}. Expected: {words[0][:80]}.xml."
            )
        stems.append(words[0])
    return stems


def _class_names(
    path: Path, layout: _Layout, parsed: Mapping[str, VocFile], place: str
) -> tuple[str, ...]:
    """Return the classes of all splits: the lines of `classes.txt`, or the names in all files, sorted."""
    file = path / "classes.txt"
    if file.is_file():
        return tuple(line.strip() for line in read_text(file).splitlines() if line.strip())
    names = {item.name for found in parsed.values() for item in found.objects}
    for where, folder in layout.annotations.items():
        for other in files_ending(folder, ".xml"):
            if where != place or other.stem not in parsed:
                names |= {item.name for item in read_voc(other).objects}
    return tuple(sorted(names))
