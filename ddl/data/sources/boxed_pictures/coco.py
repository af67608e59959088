"""COCO's JSON: `annotations/instances_train2017.json` + `train2017/`, or one JSON file beside its pictures.

Numbers of categories may have gaps: classes are 0, 1, ... in the order of these numbers, and `category_ids` leads back.
Crowds are boxes to ignore. Outlines and runs of pixels (`segmentation`) are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.listing import subfolders
from ddl.data.sources.boxed_pictures.annotations import Annotations, FileNames, Gathering
from ddl.data.sources.boxed_pictures.opening import (
    Folders,
    boxes_opener,
    chosen_split,
    files_ending,
    safe_name,
)
from ddl.data.sources.split_folders import split_folders, split_of
from ddl.data.splits import SPLITS
from ddl.files.json_stream import json_elements

_ROBOFLOW = "_annotations.coco.json"
_NAME = re.compile(r"(?:.*?[_.-])?(train|training|val|valid|validation|test|testing)\d*")
_GLIMPSE = 1 << 16
_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_MOST_NUMBER = 1 << 53


def detect(path: Path) -> bool:
    """Return whether there is a JSON file with pictures and their annotations."""
    if path.suffix.lower() == ".json" and path.is_file():
        return True
    return path.is_dir() and bool(_files(path))


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have a JSON file."""
    del options
    found = _files(path)
    return tuple(split for split in SPLITS if split in found)


def read_annotations(path: Path, split: str, wrong_boxes: str = "stop") -> Annotations:
    """Return the pictures and boxes of a split."""
    files = _files(path)
    if not files:
        raise ValueError(
            f"Received: {path} without COCO's JSON. Expected: annotations/instances_train2017.json, or a JSON file "
            "beside its pictures."
        )
    file = files[chosen_split(path, split, [name for name in SPLITS if name in files])]
    content = _Content(file)
    for key, element, line in json_elements(file):
        content.take(key, element, line)
    return content.finish(wrong_boxes)


open_source = boxes_opener(read_annotations)


def _files(path: Path) -> dict[str, Path]:
    """Return split -> JSON file; "" for one that is of no split."""
    if not path.is_dir():
        return {"": path}
    folders = {split: place / _ROBOFLOW for split, place in split_folders(path).items()}
    found = {split: file for split, file in folders.items() if file.is_file()}
    if found:
        return found
    for place in (path / "annotations", path):
        files = [file for file in files_ending(place, ".json") if _is_coco(file)]
        files = [file for file in files if file.name.startswith("instances")] or files
        by_split: dict[str, Path] = {}
        for file in files:
            match = _NAME.fullmatch(file.stem.lower())
            name = (split_of(match[1]) or "") if match else ""
            if name in by_split:
                raise ValueError(
                    f"Received: {place} with {by_split[name].name} and {file.name}. Expected: one JSON file for each "
                    "split; name the file itself as data."
                )
            by_split[name] = file
        if by_split:
            return {k: v for k, v in by_split.items() if k} or by_split
    return {}


def _is_coco(file: Path) -> bool:
    """Return whether the beginning of a JSON file has one of COCO's keys."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        start = opened.read(_GLIMPSE)
    return any(key in start for key in _KEYS)


@dataclass
class _Content:
    """What is read from a file, before numbers of pictures and categories are looked up."""

    file: Path
    names: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    categories: dict[int, str] = field(default_factory=dict)
    boxes: Gathering = field(default_factory=Gathering)
    keys: set[str] = field(default_factory=set)

    def take(self, key: str, element: Any, line: int) -> None:
        """Take an element of the outermost object."""
        self.keys.add(key)
        reader = {
            "images": self._picture,
            "annotations": self._annotation,
            "categories": self._category,
        }.get(key)
        if reader is None:
            return
        if not isinstance(element, dict):
            raise ValueError(
                f"Received: {self.file}, line {line}, where {key} has {str(element)[:40]!r}. Expected: objects."
            )
        reader(element, line)

    def _picture(self, element: dict[str, Any], line: int) -> None:
        def where() -> str:
            return f"picture {element.get('id')} of {self.file} (line {line})"

        number = _whole(element.get("id"), where, "id")
        height, width = (_whole(element.get(k), where, k, least=1) for k in ("height", "width"))
        self.names.append(safe_name(element.get("file_name"), where))
        self.ids.append(number)
        self.sizes.append((height, width))

    def _category(self, element: dict[str, Any], line: int) -> None:
        def where() -> str:
            return f"category {element.get('id')} of {self.file} (line {line})"

        number, name = _whole(element.get("id"), where, "id"), element.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"Received: {where()} with name {name!r}. Expected: a text.")
        if number in self.categories:
            raise ValueError(f"Received: {where()}, the second of this id. Expected: one.")
        self.categories[number] = " ".join(name.split())

    def _annotation(self, element: dict[str, Any], line: int) -> None:
        number = element.get("id", line)

        def where() -> str:
            return f"annotation {number} of {self.file} (line {line})"

        box = element.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            raise ValueError(
                f"Received: {where()} with bbox {str(box)[:60]}. Expected: four numbers: x, y, width, height."
            )
        x, y, width, height = box
        self.boxes.add(
            _whole(element.get("image_id"), where, "image_id"),
            _whole(element.get("category_id"), where, "category_id"),
            (x, y, x + width, y + height),
            ignored=element.get("iscrowd", 0) in (1, True),
            place=_whole(number, where, "id"),
        )

    def finish(self, wrong_boxes: str) -> Annotations:
        """Look up pictures and categories, and check all boxes."""
        for key in ("images", "annotations", "categories"):
            if key not in self.keys and not (key == "annotations" and self.names):
                raise ValueError(
                    f"Received: {self.file} without {key}. Expected: COCO's JSON, an object with images, annotations "
                    "and categories."
                )
        if not self.names:
            raise ValueError(f"Received: {self.file} without a picture. Expected: images.")
        root = self._root()
        self._check_files(root)
        ids = np.array(self.ids, np.int64)
        numbers = sorted(self.categories)
        boxes = self.boxes
        pictures = self._looked_up(np.asarray(boxes.pictures), ids, "image_id", "images")
        classes = self._looked_up(
            np.asarray(boxes.classes), np.array(numbers, np.int64), "category_id", "categories"
        )
        sizes = np.array(self.sizes, np.int32)
        pixel = (1 / sizes[:, ::-1]).astype(np.float32)[pictures]  # in x and y, of the sides
        starts, rows, clipped, left_out = boxes.finish(
            pictures,
            classes,
            len(ids),
            boxes.fractions(sizes[pictures]),
            pixel,
            wrong_boxes,
            self._place,
        )
        return Annotations(
            root=root,
            files=FileNames(self.names),
            sizes=sizes,
            starts=starts,
            rows=rows,
            class_names=tuple(self.categories[number] for number in numbers),
            picture_ids=ids,
            category_ids=tuple(numbers),
            clipped=clipped,
            left_out=left_out,
        )

    def _place(self, box: int) -> str:
        return f"annotation {self.boxes.places[box]} of {self.file}"

    def _looked_up(self, wanted: np.ndarray, ids: np.ndarray, key: str, there: str) -> np.ndarray:
        """Return the place of each number in `ids`, and refuse numbers that are not there, or there twice."""
        order = np.argsort(ids, kind="stable")
        ordered = ids[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            raise ValueError(
                f"Received: {self.file} with two {there} of id {ordered[twice[0]]}. Expected: one."
            )
        places = np.minimum(np.searchsorted(ordered, wanted), max(0, len(ids) - 1))
        wrong = np.flatnonzero(ordered[places] != wanted) if len(ids) else np.arange(len(wanted))
        if len(wrong):
            raise ValueError(
                f"Received: {self._place(int(wrong[0]))} with {key} {wanted[wrong[0]]}, which is not in {there}. "
                f"Expected: one of {len(ids)} that are there; correct or remove it."
            )
        return np.asarray(order[places])

    def _root(self) -> Path:
        """Return the folder below which the first picture is."""
        place, first = self.file.parent, self.names[0]
        own = re.sub(r"^(instances|image_info|person_keypoints)_", "", self.file.stem)
        folders = [place, place.parent] if place.name.lower() == "annotations" else [place]
        candidates = [
            candidate
            for folder in folders
            for candidate in (folder / own, folder / "images" / own, folder / "images", folder)
        ]
        candidates += subfolders(folders[-1])
        for candidate in candidates:
            if (candidate / first).is_file():
                return candidate
        raise ValueError(
            f"Received: {self.file}, whose first picture {first} is not in {candidates[0]}. Expected: the pictures in "
            f"a folder {own}, in images, or beside the file."
        )

    def _check_files(self, root: Path) -> None:
        """Refuse a picture that is not there."""
        folders = Folders(root)
        missing = next((name for name in self.names if not folders.has(name)), None)
        if missing is not None:
            raise ValueError(
                f"Received: {self.file} with the picture {missing}, which is not in {root}. Expected: every picture of "
                "the file; add it, or remove it from the file."
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any, where: Any, key: str, least: int = 0) -> int:
    if isinstance(value, float) and value.is_integer():  # 640.0, as some programs write
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < _MOST_NUMBER:
        raise ValueError(
            f"Received: {where()} with {key} {str(value)[:40]!r}. Expected: a whole number of at least {least}."
        )
    return value
