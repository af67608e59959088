"""Writes an example data set: synthetic microscope pictures and masks, in folders `images/` and `masks/`."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.files import check_file
from ddl.options import convert_fields
from ddl.progress import Progress
from ddl.ranges import Range, check_ranges

_RANGES = {"count": Range(1, 10**6), "size": Range(8, 4096), "seed": Range(0)}


@dataclass(frozen=True)
class Example:
    """The example data set to write.

    Attributes:
        output: a new folder.
        count: number of pictures.
        size: height and width in pixels.
        seed: another seed gives other pictures.
    """

    output: Path
    count: int = 100
    size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse an output that cannot be written."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "example pictures")
        check_file("output", self.output)


def write_example(example: Example) -> None:
    """Write all pictures and masks. The folder appears when they are complete.

    Raises:
        ValueError: the disk is full or cannot be written. Nothing is left behind.
    """
    try:
        beside = example.output.absolute().parent
        with tempfile.TemporaryDirectory(prefix=".example-", dir=beside) as scratch:
            folder = Path(scratch, "example")
            _fill(folder, example)
            folder.rename(example.output)
    except OSError as error:
        raise ValueError(
            f"Received: output={example.output}, which cannot be written ({error.strerror or error}). Expected: a disk "
            "with enough space."
        ) from error


def _fill(folder: Path, example: Example) -> None:
    from PIL import Image

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    with contextlib.closing(Progress("pictures", example.count)) as progress:
        for index in range(example.count):
            picture, mask = microscope_picture(index, example.size, example.seed)
            for name, values in (("images", picture), ("masks", mask[..., 0])):
                pixels = np.rint(values * 255.0).astype(np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{index:05d}.png")
            progress.show(index + 1)
