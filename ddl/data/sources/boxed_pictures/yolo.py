"""YOLO's text files: `images/train/1.jpg` + `labels/train/1.txt`, or `train/images` + `train/labels`; `data.yaml`.

A line is a class and its box, "0 0.5 0.5 0.2 0.1": centre x and y, width and height in fractions of the picture; or a
class and the corners of an outline, whose box is taken. A picture without a text file has no boxes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.listing import is_picture
from ddl.data.pictures.picture_table import picture_names
from ddl.data.sources.boxed_pictures.annotations import Annotations, FileNames, Gathering
from ddl.data.sources.boxed_pictures.opening import (
    boxes_opener,
    chosen_split,
    files_ending,
    folder_named,
)
from ddl.data.sources.boxed_pictures.yolo_yaml import DataYaml, read_data_yaml
from ddl.data.sources.split_folders import split_folders
from ddl.data.splits import SPLITS
from ddl.files import read_text

_TOLERANCE = 0.01  # of a side, for numbers that were rounded
_YAML = (".yaml", ".yml")
_NAME_LISTS = ("classes.txt", "labels/classes.txt")


def detect(path: Path) -> bool:
    """Return whether it is a `data.yaml`, or a folder with one, or with folders `images` and `labels` of text files."""
    if path.is_file():
        return path.suffix.lower() in _YAML
    return path.is_dir() and (_yaml_in(path) is not None or bool(_folders(path)))


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits that have a folder or a list."""
    del options
    _, places = _layout(path)
    return tuple(split for split in SPLITS if split in places)


def read_annotations(path: Path, split: str, wrong_boxes: str = "stop") -> Annotations:
    """Return the pictures and boxes of a split."""
    yaml, places = _layout(path)
    chosen = places[chosen_split(path, split, [name for name in SPLITS if name in places])]
    pictures = [picture for place in chosen for picture in _pictures(place)]
    if not pictures:
        raise ValueError(f"Received: {chosen[0]} without a picture. Expected: pictures.")
    names = yaml.names if yaml else _listed_names(path)
    boxes = Gathering()
    for number, picture in enumerate(pictures):
        _read_labels(label_file(picture), number, names, boxes)
    classes = np.asarray(boxes.classes, np.int64)
    if not names:
        names = tuple(map(str, range(int(classes.max(initial=0)) + 1)))
    owners = np.asarray(boxes.pictures, np.int64)
    tolerance = np.full((len(owners), 2), _TOLERANCE)
    starts, rows, clipped, left_out = boxes.finish(
        owners,
        classes,
        len(pictures),
        boxes.corners,
        tolerance,
        wrong_boxes,
        lambda box: f"{label_file(pictures[boxes.pictures[box]])}, line {boxes.places[box]},",
    )
    root = Path(os.path.commonpath([picture.parent for picture in pictures]))
    return Annotations(
        root=root,
        files=FileNames(picture.relative_to(root).as_posix() for picture in pictures),
        sizes=np.zeros((len(pictures), 2), np.int32),
        starts=starts,
        rows=rows,
        class_names=names,
        picture_ids=np.arange(len(pictures)),
        category_ids=tuple(range(len(names))),
        clipped=clipped,
        left_out=left_out,
    )


open_source = boxes_opener(read_annotations)


def label_file(picture: Path) -> Path:
    """Return the text file of a picture: the last folder `images` of its path is `labels` there."""
    parts = picture.parts
    last = max((n for n, part in enumerate(parts[:-1]) if part.lower() == "images"), default=None)
    if last is None:
        return picture.with_suffix(".txt")
    labels = {"Images": "Labels", "IMAGES": "LABELS"}.get(parts[last], "labels")
    return Path(*parts[:last], labels, *parts[last + 1 :]).with_suffix(".txt")


def _layout(path: Path) -> tuple[DataYaml | None, Mapping[str, tuple[Path, ...]]]:
    """Return the `data.yaml`, if there is one, and split -> places of pictures; "" for data without splits."""
    file = path if path.is_file() else _yaml_in(path)
    if file is not None:
        yaml = read_data_yaml(file)
        return yaml, yaml.places
    found = _folders(path)
    if not found:
        raise ValueError(
            f"Received: {path} without images and labels. Expected: images/train and labels/train, or a data.yaml."
        )
    return None, found


def _yaml_in(path: Path) -> Path | None:
    """Return the only YAML file with `names` and `train` in a folder."""
    named = [file for file in files_ending(path, *_YAML) if file.is_file() and _has_names(file)]
    if len(named) > 1:
        raise ValueError(
            f"Received: {path} with {named[0].name} and {named[1].name}. Expected: one YAML file; name the file itself "
            "as data."
        )
    return named[0] if named else None


def _has_names(file: Path) -> bool:
    with file.open("rb") as opened:
        lines = opened.read(1 << 16).splitlines()
    return all(any(line.startswith(key) for line in lines) for key in (b"names", b"train"))


def _folders(path: Path) -> dict[str, tuple[Path, ...]]:
    """Return split -> folder of pictures that has a folder of text files; "" for data without splits."""
    found: dict[str, tuple[Path, ...]] = {}
    images, labels = folder_named(path, "images"), folder_named(path, "labels")
    if images and labels:
        found = {s: (f,) for s, f in split_folders(images).items() if picture_names(f)}
        if any(files_ending(labels / folder.name, ".txt") for (folder, *_) in found.values()):
            return found
        return {"": (images,)} if files_ending(labels, ".txt") and picture_names(images) else {}
    has_text = False
    for split, folder in split_folders(path).items():
        images, labels = folder_named(folder, "images"), folder_named(folder, "labels")
        if images and labels and picture_names(images):
            found[split] = (images,)
            has_text |= bool(files_ending(labels, ".txt"))
    return found if has_text else {}


def _pictures(place: Path) -> Iterator[Path]:
    """Yield the pictures below a folder, sorted; or those of a list, in its order."""
    if place.is_dir():
        for folder, _, names in sorted(os.walk(place)):
            yield from sorted(Path(folder, name) for name in names if is_picture(Path(name)))
        return
    for number, line in enumerate(_lines(place), 1):
        if not line.strip():
            continue
        picture = place.parent / line.strip()
        if not picture.is_file():
            raise ValueError(
                f"Received: {place}, line {number}, with {line.strip()[:80]}, which does not exist. Expected: a "
                "picture, relative to the list."
            )
        yield picture


def _listed_names(path: Path) -> tuple[str, ...]:
    """Return the classes of a `classes.txt`, one a line; () without one."""
    file = next((path / name for name in _NAME_LISTS if (path / name).is_file()), None)
    return () if file is None else tuple(line.strip() for line in _lines(file) if line.strip())


def _lines(file: Path) -> list[str]:
    try:
        return read_text(file).splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"Received: {file}, which is not UTF-8. Expected: a text file.") from None


def _read_labels(file: Path, picture: int, names: Sequence[str], boxes: Gathering) -> None:
    """Add the boxes of a picture's text file, if there is one."""
    if not file.is_file():
        return
    for number, line in enumerate(_lines(file), 1):
        words = line.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise _wrong_line(file, number, line, "numbers: a class, x, y, width, height") from None
        if values[0] % 1 or values[0] < 0 or not math.isfinite(values[0]):
            raise _wrong_line(file, number, line, "a class, counted from 0")
        if names and values[0] >= len(names):
            raise _wrong_line(file, number, line, f"a class from 0 to {len(names) - 1}")
        boxes.add(
            picture,
            int(values[0]),
            _corners(file, number, line, values[1:]),
            ignored=False,
            place=number,
        )


def _corners(
    file: Path, number: int, line: str, values: list[float]
) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 of a centre and sides, or of an outline."""
    if len(values) == 4:
        x, y, width, height = values
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) < 6 or len(values) % 2:
        raise _wrong_line(
            file,
            number,
            line,
            "5 numbers: a class, x, y, width, height; or a class and the points of an outline",
        )
    xs, ys = values[::2], values[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def _wrong_line(file: Path, number: int, line: str, expected: str) -> ValueError:
    return ValueError(
        f"Received: {file}, line {number}: {line.strip()[:60]!r}. Expected: {expected}."
    )
