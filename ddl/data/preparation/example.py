"""Writes an example data set of synthetic pictures, volumes or maps, for first runs without a download."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ddl.data.equations.diffusion_map import diffusion_map
from ddl.data.pictures.synthetic_digit import DIGITS, digit_picture
from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.pictures.synthetic_scene import SHAPES as CELLS
from ddl.data.pictures.synthetic_scene import scene
from ddl.data.pictures.synthetic_shape import SHAPES, shape_picture
from ddl.data.pictures.synthetic_volume import microscope_volume
from ddl.files import check_file
from ddl.options import convert_fields
from ddl.progress import Progress
from ddl.ranges import Range, check_choices, check_ranges

_RANGES = {"count": Range(1, 10**6), "size": Range(8, 4096), "seed": Range(0)}
_CELL_KINDS, _MOST_CELLS = 3, 6  # as `--data synthetic-boxes` has them
_LEAST_SCENE = 32
_MOST_NUMBERS = 1 << 30
"""Of a block, which is made in memory."""


@dataclass(frozen=True)
class Example:
    """The example data set to write.

    Attributes:
        output: a new folder.
        kind: "masks": pictures of cells and masks; "classes": a folder of pictures for each shape; "digits": a folder
            for each digit of several fonts; "volumes": arrays of tissue in .npy files, and masks; "block": one long
            array of tissue in input.h5, and its mask in target.h5; "maps": maps of a diffusion coefficient in .npy
            files, for equations; "boxes": pictures of cells with their boxes in COCO's JSON.
        count: number of pictures or volumes; of the volumes in a block.
        size: height and width, of volumes also depth, in pixels, or nodes of a map.
        seed: another seed gives other pictures.
    """

    output: Path
    kind: str = "masks"
    count: int = 100
    size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse an output that cannot be written."""
        convert_fields(self)
        check_choices(vars(self), {"kind": KINDS})
        check_ranges(vars(self), _RANGES, "example pictures")
        if self.kind == "block" and self.count * self.size**3 > _MOST_NUMBERS:
            raise ValueError(
                f"Received: count={self.count} and size={self.size} for kind=block, an array of "
                f"{self.count * self.size**3:,} numbers. Expected: at most {_MOST_NUMBERS:,}."
            )
        if self.kind == "boxes" and self.size < _LEAST_SCENE:
            raise ValueError(
                f"Received: size={self.size} for kind=boxes. Expected: at least {_LEAST_SCENE}."
            )
        check_file("output", self.output)


def write_example(example: Example) -> None:
    """Write all files. The folder appears when they are complete.

    Raises:
        ValueError: the disk is full or cannot be written. Nothing is left behind.
    """
    try:
        beside = example.output.absolute().parent
        with tempfile.TemporaryDirectory(prefix=".example-", dir=beside) as scratch:
            folder = Path(scratch, "example")
            folder.mkdir()
            with contextlib.closing(Progress("samples", example.count)) as progress:
                KINDS[example.kind](folder, example, progress)
            folder.rename(example.output)
    except OSError as error:
        raise ValueError(
            f"Received: output={example.output}, which cannot be written ({error.strerror or error}). Expected: a disk "
            "with enough space."
        ) from error


def _write_masks(folder: Path, example: Example, progress: Progress) -> None:
    """Write images/00000.png, masks/00000.png, ..."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for index in range(example.count):
        picture, mask = microscope_picture(index, example.size, example.seed)
        for name, values in (("images", picture), ("masks", mask[..., 0])):
            pixels = np.rint(values * 255.0).astype(np.uint8)
            _save_picture(pixels, folder / name / f"{index:05d}.png")
        progress.show(index + 1)


def _write_classes(folder: Path, example: Example, progress: Progress) -> None:
    """Write disc/00001.png, ..."""
    for name in SHAPES:
        (folder / name).mkdir()
    for index in range(example.count):
        picture, shape = shape_picture(index, example.size, example.seed)
        _save_picture(picture, folder / shape / f"{index:05d}.png")
        progress.show(index + 1)


def _write_digits(folder: Path, example: Example, progress: Progress) -> None:
    """Write 0/00000.png, 1/00001.png, ..."""
    for name in DIGITS:
        (folder / name).mkdir()
    for index in range(example.count):
        picture, digit = digit_picture(index, example.size, example.seed)
        _save_picture(picture, folder / DIGITS[digit] / f"{index:05d}.png")
        progress.show(index + 1)


def _write_volumes(folder: Path, example: Example, progress: Progress) -> None:
    """Write inputs/00000.npy, targets/00000.npy, ..., each (1, depth, height, width)."""
    for name in ("inputs", "targets"):
        (folder / name).mkdir()
    for index in range(example.count):
        volume, mask = microscope_volume(index, example.size, example.seed)
        for name, values in (("inputs", volume), ("targets", mask.astype(np.uint8))):
            np.save(folder / name / f"{index:05d}.npy", np.moveaxis(values, -1, 0))
        progress.show(index + 1)


def _write_block(folder: Path, example: Example, progress: Progress) -> None:
    """Write input.h5 and target.h5, each with an array (1, count * size, size, size)."""
    volumes = []
    for index in range(example.count):
        volumes.append(microscope_volume(index, example.size, example.seed))
        progress.show(index + 1)
    inputs, targets = (np.concatenate(parts)[None, ..., 0] for parts in zip(*volumes, strict=True))
    for name, array in (("input", inputs), ("target", targets.astype(np.uint8))):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset(name, data=array, chunks=(1, *[example.size] * 3))


def _write_maps(folder: Path, example: Example, progress: Progress) -> None:
    """Write 00000.npy, ..., each (1, size, size)."""
    for index in range(example.count):
        values = diffusion_map(index, (example.size, example.size), example.seed)
        np.save(folder / f"{index:05d}.npy", np.moveaxis(values, -1, 0))
        progress.show(index + 1)


def _write_boxes(folder: Path, example: Example, progress: Progress) -> None:
    """Write images/00000.png, ... and instances.json."""
    (folder / "images").mkdir()
    sides = (example.size, example.size)
    how = {"channels": 3, "classes": _CELL_KINDS, "most": _MOST_CELLS, "seed": example.seed}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(example.count):
        drawn, name = scene(index, sides, **how), f"{index:05d}.png"
        _save_picture(drawn.picture, folder / "images" / name)
        images.append(
            {"id": index, "file_name": name, "height": example.size, "width": example.size}
        )
        for kind, (x0, y0, x1, y1) in zip(
            drawn.classes.tolist(), drawn.corners.tolist(), strict=True
        ):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": kind + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": 0,
                }
            )
        progress.show(index + 1)
    categories = [{"id": n + 1, "name": name} for n, name in enumerate(CELLS[:_CELL_KINDS])]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(content), "utf-8")


def _save_picture(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path)


KINDS: dict[str, Callable[[Path, Example, Progress], None]] = {
    "masks": _write_masks,
    "classes": _write_classes,
    "digits": _write_digits,
    "volumes": _write_volumes,
    "block": _write_block,
    "maps": _write_maps,
    "boxes": _write_boxes,
}
