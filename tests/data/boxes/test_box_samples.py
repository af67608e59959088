"""Boxes are checked when they are read, and messages name the sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ddl.boxes.rows import padded_rows
from ddl.data.box_samples import BoxSamples, count_box_classes
from ddl.data.source import Field, Source, Subset
from ddl.data.sources import open_source


class Given(Source):
    """Grey pictures with given rows of boxes, one list a picture."""

    def __init__(self, *rows: Any, dtype: type = np.float32) -> None:
        self.rows = np.stack([padded_rows(np.array(r, dtype).reshape(-1, 6), 4) for r in rows])
        self.fields = {
            "image": Field((8, 8, 1), np.dtype(np.uint8)),
            "boxes": Field((4, 6), np.dtype(dtype)),
        }

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = np.asarray(indices)
        return {
            "image": np.full((len(wanted), 8, 8, 1), 255, np.uint8),
            "boxes": self.rows[wanted].astype(self.fields["boxes"].dtype),
        }

    def name_of(self, index: int) -> str:
        return f"{index}.png"


GOOD = [2, 0, 0.25, 0.5, 1, 0]


def test_pictures_are_from_0_to_1_and_boxes_float32() -> None:
    samples = BoxSamples(Given([GOOD, GOOD], [], dtype=np.float64), classes=3)
    batch = samples.read([1, 0])
    assert batch["image"].dtype == batch["boxes"].dtype == np.float32
    assert batch["image"].max() == 1
    assert batch["boxes"][:, :, 0].tolist() == [[-1] * 4, [2, 2, -1, -1]]
    assert {name: field.dtype for name, field in samples.fields.items()} == {
        "image": np.float32,
        "boxes": np.float32,
    }


WRONG = {
    "NaN": ([2, 0, 0.1, np.nan, 1, 0], "with NaN or infinity"),
    "infinity": ([2, 0, 0.1, np.inf, 1, 0], "with NaN or infinity"),
    "unknown class": ([3, 0, 0, 1, 1, 0], "with class 3. Expected: 0 to 2"),
    "half a class": ([0.5, 0, 0, 1, 1, 0], "with class 0.5. Expected: 0 to 2"),
    "negative class": ([-2, 0, 0, 1, 1, 0], "with class -2. Expected: 0 to 2"),
    "no width": ([0, 0.5, 0, 0.5, 1, 0], "x from 0.5 to 0.5, y from 0 to 1. Expected: x0 < x1"),
    "turned": ([0, 0, 0.8, 1, 0.2, 0], "y from 0.8 to 0.2. Expected: x0 < x1 and y0 < y1"),
    "left of it": ([0, -0.1, 0, 1, 1, 0], "Expected: fractions of the picture's sides"),
    "pixels": ([0, 3, 4, 20, 40, 0], "Expected: fractions of the picture's sides"),
    "half ignored": ([0, 0, 0, 1, 1, 0.5], "with ignored=0.5. Expected: 0 or 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_box_that_cannot_be_is_refused_by_its_sample(case: str) -> None:
    row, message = WRONG[case]
    samples = BoxSamples(Subset(Given([], [GOOD], [GOOD, row]), [2, 1]), classes=3)
    samples.read([1])
    with pytest.raises(ValueError, match=r"Received: box 1 of sample 2\.png with ") as raised:
        samples.read([1, 0])
    assert message in str(raised.value)


def test_data_without_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: data with image, label\. Expected: image and"):
        BoxSamples(open_source("faces"), classes=3)


def test_boxes_of_four_numbers_are_refused() -> None:
    source = Given([GOOD])
    source.fields = {**source.fields, "boxes": Field((4, 4), np.dtype(np.float32))}
    with pytest.raises(ValueError, match=r"boxes of shape \(4, 4\).*Expected: rows of 6 floats"):
        BoxSamples(source, classes=3)


def test_classes_are_those_with_names_or_the_largest_number_and_one() -> None:
    assert count_box_classes(open_source("synthetic-boxes", classes=4)) == 4
    assert count_box_classes(Subset(Given([], [GOOD], [[5, 0, 0, 1, 1, 0]]), [0])) == 6


def test_classes_of_data_without_a_box_are_unknown() -> None:
    with pytest.raises(ValueError, match="Received: data without a box"):
        count_box_classes(Given([], []))
