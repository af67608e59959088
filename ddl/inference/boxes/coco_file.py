"""The boxes of all pictures as one COCO JSON file, assembled from the parts that ranks write block by block.

"images" and "categories" are those of a COCO data set, so that any tool for such files shows the boxes;
"annotations" have a "score" as well, and as a list are what `COCO.loadRes` of pycocotools takes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddl.boxes.found import Found
from ddl.data.preprocessing import Preprocessing
from ddl.files import write_whole
from ddl.inference.prediction import block_parts

NAME = "detections.json"
_SUFFIX = ".jsonl"
_DIGITS = 5


def part_path(folder: Path, block: int) -> Path:
    """Return the path of a block's pictures until the file is assembled."""
    return block_parts.part_path(folder, block, _SUFFIX)


def is_done(folder: Path, block: int) -> bool:
    """Return whether a block has been predicted."""
    return block_parts.is_done(folder / NAME, block, _SUFFIX)


def picture_line(name: str, sides: tuple[int, int], found: Found, how: Preprocessing) -> str:
    """Return a picture (height, width) with its boxes as a line of a part."""
    height, width = sides
    boxes = []
    for box, label, score in zip(found.boxes, found.classes, found.scores, strict=True):
        left, top, right, bottom = (
            float(part) * side for part, side in zip(box, (width, height) * 2, strict=True)
        )
        boxes.append(
            {
                "category_id": category_of(int(label), how),
                "bbox": [_short(x) for x in (left, top, right - left, bottom - top)],
                "area": _short((right - left) * (bottom - top)),
                "score": _short(float(score)),
            }
        )
    image = {"file_name": name, "width": width, "height": height}
    return json.dumps({"image": image, "boxes": boxes}) + "\n"


def category_of(label: int, how: Preprocessing) -> int:
    """Return the number of a class in the files of the training data; counted from 1 where these have none."""
    return how.category_ids[label] if how.category_ids else label + 1


def assemble(folder: Path, how: Preprocessing) -> None:
    """Join the parts in order. Does nothing if the file is already assembled."""
    parts = sorted((folder / block_parts.FOLDER).glob("*.jsonl"))
    if not parts:
        return
    write_whole(folder / NAME, lambda path: _write(path, parts, how))
    shutil.rmtree(folder / block_parts.FOLDER)


def _write(path: Path, parts: list[Path], how: Preprocessing) -> None:
    """Write the file picture by picture: twice over the parts, so that memory holds one line."""
    categories = [
        {"id": category_of(label, how), "name": how.name_of(label), "supercategory": ""}
        for label in range(how.classes)
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "Boxes found by ddl"}, "licenses": [],\n')
        file.write(f'"categories": {json.dumps(categories)},\n"images": [')
        _join(file, (json.dumps({"id": n, **line["image"]}) for n, line in _lines(parts)))
        file.write('],\n"annotations": [')
        _join(file, _annotations(parts))
        file.write("]}\n")


def _annotations(parts: list[Path]) -> Iterator[str]:
    number = 0
    for image, line in _lines(parts):
        for box in line["boxes"]:
            number += 1
            yield json.dumps({"id": number, "image_id": image, "iscrowd": 0, **box})


def _lines(parts: list[Path]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for part in parts:
        with part.open(encoding="utf-8") as file:
            for line in file:
                number += 1
                yield number, json.loads(line)


def _join(file: Any, texts: Iterator[str]) -> None:
    for number, text in enumerate(texts):
        file.write(f"{',' if number else ''}\n{text}")


def _short(number: float) -> float:
    return round(number, _DIGITS)
