"""Inputs with targets that are boxes: pictures from 0 to 1, and rows as `ddl.boxes.rows` says.

samples = BoxSamples(open_source("synthetic-boxes"), classes=3)
samples.read([0, 1])["boxes"].shape  # (2, 6, 6)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ddl.boxes.rows import BOTTOM, CLASS, COLUMNS, IGNORED, LEFT, RIGHT, TOP
from ddl.data.inputs_and_targets import Scaled
from ddl.data.source import Field, Source, origin_of
from ddl.ranges import Range, check_ranges

_READ_AT_ONCE = 64


class BoxSamples(Scaled):
    """Pictures from 0 to 1 and their boxes, both float32, from a source with "image" and "boxes"."""

    def __init__(self, source: Source, classes: int) -> None:
        """Use the samples of `source`, which is closed with this one.

        Reading refuses boxes that are not inside their picture or have no area, and classes from `classes` on, and
        names the sample.
        """
        check_box_fields(source)
        super().__init__(source)
        check_ranges({"classes": classes}, {"classes": Range(1)}, "boxes")
        self.classes = classes
        most = source.fields["boxes"].shape[0]
        self.fields = {
            "image": self.fields["image"],
            "boxes": Field((most, COLUMNS), np.dtype(np.float32)),
        }

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = super().read(indices)
        rows = batch["boxes"].astype(np.float32, copy=False)
        self._check(rows, indices)
        return {"image": batch["image"], "boxes": rows}

    def read_column(self, name: str) -> np.ndarray | None:
        del name
        return None

    def _check(self, rows: np.ndarray, indices: Sequence[int] | np.ndarray) -> None:
        """Refuse the first box that cannot be."""
        found = first_wrong(rows, self.classes)
        if found is not None:
            sample, number, what, expected = found
            raise ValueError(
                f"Received: box {number} of sample {self.source.name_of(int(indices[sample]))} with {what}. Expected: "
                f"{expected}."
            )


def check_box_fields(source: Source) -> None:
    """Refuse a source without pictures and rows of boxes."""
    if "image" not in source.fields or "boxes" not in source.fields:
        raise ValueError(
            f"Received: data with {', '.join(source.fields)}. Expected: image and boxes."
        )
    image, boxes = source.fields["image"], source.fields["boxes"]
    if len(image.shape) != 3:
        raise ValueError(
            f"Received: samples of shape {image.shape} with boxes. Expected: pictures (height, width, channels)."
        )
    if len(boxes.shape) != 2 or boxes.shape[1] != COLUMNS or boxes.dtype.kind != "f":
        raise ValueError(
            f"Received: boxes of shape {boxes.shape} and dtype {boxes.dtype}. Expected: rows of {COLUMNS} floats: "
            "class, x0, y0, x1, y1, ignored."
        )


def first_wrong(rows: np.ndarray, classes: int) -> tuple[int, int, str, str] | None:
    """Return the first row (of samples, rows, 6) that is no box: its sample, its number, what is wrong, what is right.

    None if all are right, or hold no box.
    """
    with np.errstate(invalid="ignore"):
        good = np.isfinite(rows).all(-1) & (rows[..., CLASS] % 1 == 0)
        is_box = (rows[..., CLASS] >= 0) & (rows[..., CLASS] < classes)
        is_box &= (rows[..., LEFT] >= 0) & (rows[..., LEFT] < rows[..., RIGHT])
        is_box &= (rows[..., TOP] >= 0) & (rows[..., TOP] < rows[..., BOTTOM])
        is_box &= (rows[..., RIGHT] <= 1) & (rows[..., BOTTOM] <= 1)
        is_box &= (rows[..., IGNORED] == 0) | (rows[..., IGNORED] == 1)
    wrong = np.argwhere(~(good & (is_box | (rows[..., CLASS] == -1))))
    if not len(wrong):
        return None
    sample, number = wrong[0].tolist()
    return sample, number, *_reason(rows[sample, number].tolist(), classes)


def _reason(row: list[float], classes: int) -> tuple[str, str]:
    """Return what is wrong with a row, and what is right."""
    number, x0, y0, x1, y1, ignored = row
    corners = f"x from {x0:g} to {x1:g}, y from {y0:g} to {y1:g}"
    checks: tuple[tuple[Callable[[], bool], str, str], ...] = (
        (
            lambda: not all(map(math.isfinite, row)),
            "NaN or infinity",
            "finite numbers; correct the sample",
        ),
        (
            lambda: number % 1 != 0 or not 0 <= number < classes,
            f"class {number:g}",
            f"0 to {classes - 1}, or -1 for a row without a box; correct the sample, or increase the number of classes",
        ),
        (
            lambda: x0 >= x1 or y0 >= y1,
            corners,
            "x0 < x1 and y0 < y1, an area above 0; correct or remove the box",
        ),
        (
            lambda: min(x0, y0) < 0 or max(x1, y1) > 1,
            corners,
            "fractions of the picture's sides, from 0 to 1; correct the box",
        ),
    )
    for is_wrong, what, expected in checks:
        if is_wrong():
            return what, expected
    return f"ignored={ignored:g}", "0 or 1"


def count_box_classes(source: Source) -> int:
    """Return the number of classes of a source with boxes; of the complete source if this is a subset.

    Formats with names of classes know it. For others it is the largest class number plus 1; they are read once.
    """
    check_box_fields(source)
    origin = origin_of(source)
    if origin.class_names:
        return len(origin.class_names)
    most = -1.0
    for start in range(0, len(origin), _READ_AT_ONCE):
        numbers = np.arange(start, min(start + _READ_AT_ONCE, len(origin)))
        most = max(most, float(origin.read(numbers)["boxes"][..., CLASS].max(initial=-1)))
    if not 0 <= most < 10**5:
        raise ValueError(
            "Received: data without a box, or with a class that is no number. Expected: at least one box of a class "
            "counted from 0; or set the number of classes."
        )
    return int(most) + 1
