"""The same scenes as COCO's JSON, YOLO's text files and VOC's XML, for the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from ddl.boxes.rows import CLASS, CORNERS
from ddl.data.pictures.synthetic_scene import SHAPES, Scene, scene

SIDES = (40, 60)
CATEGORY_IDS = (2, 7, 90)
NAMES = SHAPES[:3]


def drawn(index: int, sides: tuple[int, int] = SIDES) -> Scene:
    """Return the scene of an index; that of index 1 has no cell."""
    found = scene(index, sides, channels=3, classes=3, most=5, seed=11)
    if index == 1:
        return Scene(found.picture, found.owner, found.classes[:0], found.corners[:0])
    return found


def rows_of(scenes: Sequence[Scene]) -> list[np.ndarray]:
    """Return the rows that each scene should give."""
    result = []
    for one in scenes:
        rows = np.zeros((len(one.classes), 6))
        rows[:, CLASS] = one.classes
        rows[:, CORNERS] = one.corners / np.tile(one.owner.shape[::-1], 2)
        result.append(rows)
    return result


def coco_dict(scenes: Sequence[Scene], start: int = 0) -> dict[str, Any]:
    """Return COCO's JSON of scenes as values, with ids that have gaps."""
    annotations = []
    for number, one in enumerate(scenes):
        for kind, (x0, y0, x1, y1) in zip(one.classes.tolist(), one.corners.tolist(), strict=True):
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": 1000 - 3 * number,
                    "category_id": CATEGORY_IDS[kind],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "iscrowd": 0,
                    "segmentation": [[x0, y0, x1, y0, x1, y1]],
                }
            )
    return {
        "info": {"year": 2026},
        "images": [
            {
                "id": 1000 - 3 * number,
                "file_name": f"{start + number}.png",
                "height": one.owner.shape[0],
                "width": one.owner.shape[1],
            }
            for number, one in enumerate(scenes)
        ],
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "supercategory": "cell"}
            for number, name in zip(reversed(CATEGORY_IDS), reversed(NAMES), strict=True)
        ],
    }


def write_pictures(folder: Path, scenes: Sequence[Scene], start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(scenes):
        iio.imwrite(folder / f"{start + number}.png", one.picture)
    return folder


def coco(root: Path, train: int = 4, validation: int = 2) -> Path:
    """Write `annotations/instances_train2017.json` + `train2017/`, and those of val."""
    (root / "annotations").mkdir(parents=True)
    parts = {"train2017": range(train), "val2017": range(train, train + validation)}
    for name, numbers in parts.items():
        scenes = [drawn(n) for n in numbers]
        write_pictures(root / name, scenes, numbers.start)
        file = root / "annotations" / f"instances_{name}.json"
        file.write_text(json.dumps(coco_dict(scenes, numbers.start)))
        (root / "annotations" / f"captions_{name}.json").write_text('{"images": []}')
    return root


def write_labels(folder: Path, scenes: Sequence[Scene], start: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(rows_of(scenes)):
        lines = [
            f"{int(k)} {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"
            for k, x0, y0, x1, y1, _ in rows.tolist()
        ]
        if lines:  # a picture without boxes has no file
            (folder / f"{start + number}.txt").write_text("".join(lines))


def yolo(root: Path, train: int = 4, validation: int = 2) -> Path:
    """Write `images/train`, `labels/train`, those of val, and `data.yaml`."""
    for name, numbers in (("train", range(train)), ("val", range(train, train + validation))):
        scenes = [drawn(n) for n in numbers]
        write_pictures(root / "images" / name, scenes, numbers.start)
        write_labels(root / "labels" / name, scenes, numbers.start)
    names = "\n".join(f"  {n}: {name}" for n, name in enumerate(NAMES))
    (root / "data.yaml").write_text(
        f"path: .\ntrain: images/train\nval: images/val\nnames:\n{names}\n"
    )
    return root


def voc_xml(one: Scene, name: str = "0.png", **more: str) -> str:
    """Return an annotation of Pascal VOC."""
    objects = "".join(
        f"\n<object><name>{NAMES[kind]}</name><difficult>0</difficult>"
        f"<bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
        for kind, (x0, y0, x1, y1) in zip(one.classes.tolist(), one.corners.tolist(), strict=True)
    )
    height, width = one.owner.shape
    return (
        f"<annotation><filename>{name}</filename>\n<size><width>{width}</width><height>{height}</height>"
        f"<depth>3</depth></size>{objects}{more.get('more', '')}\n</annotation>"
    )


def voc(root: Path, train: int = 4, validation: int = 2) -> Path:
    """Write `JPEGImages`, `Annotations` and `ImageSets/Main`."""
    scenes = [drawn(n) for n in range(train + validation)]
    write_pictures(root / "JPEGImages", scenes)
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for number, one in enumerate(scenes):
        (root / "Annotations" / f"{number}.xml").write_text(voc_xml(one))
    for name, numbers in (("train", range(train)), ("val", range(train, train + validation))):
        (root / "ImageSets" / "Main" / f"{name}.txt").write_text("".join(f"{n}\n" for n in numbers))
    return root


WRITERS = {"coco": coco, "yolo": yolo, "voc": voc}
