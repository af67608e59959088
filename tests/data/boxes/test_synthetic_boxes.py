"""Synthetic scenes come from (seed, index), and their boxes are those of the pixels that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.boxes.rows import CLASS, CORNERS, boxes_in
from ddl.data.pictures.synthetic_scene import SHAPES, scene
from ddl.data.sources import open_source
from ddl.data.sources.synthetic_boxes import SyntheticBoxes


def opened(**options: object) -> SyntheticBoxes:
    source = open_source("synthetic-boxes", **options)
    assert isinstance(source, SyntheticBoxes)
    return source


@given(
    index=st.integers(0, 10**6),
    height=st.integers(32, 150),
    width=st.integers(32, 150),
    classes=st.integers(1, len(SHAPES)),
    most=st.integers(1, 20),
)
def test_boxes_are_those_of_the_pixels_that_are_seen(
    index: int, height: int, width: int, classes: int, most: int
) -> None:
    drawn = scene(index, (height, width), channels=1, classes=classes, most=most, seed=2)
    assert len(drawn.classes) <= most
    assert np.all(drawn.classes < classes)
    for cell, (x0, y0, x1, y1) in enumerate(drawn.corners):
        seen = drawn.owner == cell
        assert seen[y0:y1, x0:x1].sum() == seen.sum() > 0
        for edge in (seen[y0, x0:x1], seen[y1 - 1, x0:x1], seen[y0:y1, x0], seen[y0:y1, x1 - 1]):
            assert edge.any()


def test_rows_are_fractions_of_the_sides() -> None:
    source = opened(count=20, size=(40, 80), objects=9)
    rows = source.read(range(20))["boxes"]
    assert rows.shape == (20, 9, 6)
    for index in range(20):
        drawn = scene(index, (40, 80), channels=3, classes=3, most=9, seed=0)
        boxes = boxes_in(rows[index])
        assert boxes[:, CLASS].tolist() == drawn.classes.tolist()
        assert np.allclose(boxes[:, CORNERS] * (80, 40, 80, 40), drawn.corners, atol=1e-4)


def test_a_sample_comes_from_seed_and_index_alone() -> None:
    source = opened(count=40, seed=3)
    batch = source.read([7, 2])
    for name, values in batch.items():
        assert np.array_equal(values[1], source.read([2])[name][0])
        assert np.array_equal(values[0], opened(count=9, seed=3).read([7])[name][0])
    assert not np.array_equal(batch["image"], opened(count=40, seed=4).read([7, 2])["image"])


def test_test_pictures_are_others() -> None:
    train, test = opened(count=20), opened(count=20, split="test")
    assert (len(train), len(test)) == (20, 4)
    pictures = {p.tobytes() for s in (train, test) for p in s.read(range(len(s)))["image"]}
    assert len(pictures) == 24


def test_some_cells_overlap_and_some_reach_the_edge() -> None:
    boxes = [boxes_in(rows)[:, CORNERS] for rows in opened(count=60).read(range(60))["boxes"]]
    assert any((part == 0).any() or (part == 1).any() for part in boxes)
    assert any(_overlap(part) for part in boxes)


def _overlap(boxes: np.ndarray) -> bool:
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    return bool(((low < high).all(-1) & ~np.eye(len(boxes), dtype=bool)).any())


def test_the_description_counts_boxes_of_each_class() -> None:
    counts = opened(count=30).count_boxes()
    rows = opened(count=30).read(range(30))["boxes"]
    assert list(counts.values()) == [int((rows[..., CLASS] == n).sum()) for n in range(3)]
    line = ", ".join(f"{name} ({count})" for name, count in counts.items())
    assert opened(count=30).describe() == f"30 pictures with boxes of 3 classes: {line}; 96x96 RGB"
    assert opened(count=10**6).describe() == (
        "1000000 pictures with boxes of 3 classes: disk, ring, rod; 96x96 RGB"
    )


BAD = {
    "no pictures": ({"count": 0}, "count=0 for synthetic boxes. Expected: at least 1"),
    "many classes": (
        {"classes": 6},
        "classes=6 for synthetic boxes. Expected: at least 1, at most",
    ),
    "no channel": ({"channels": 0}, "channels=0 for synthetic boxes"),
    "no cells": ({"objects": 0}, "objects=0 for synthetic boxes"),
    "tiny": ({"size": 16}, "size=16 for synthetic boxes. Expected: at least 32"),
    "volumes": ({"size": (32, 32, 32)}, "Expected: a side, or height and width"),
    "validation": ({"split": "validation"}, "Expected one of: train, test"),
}


@pytest.mark.parametrize("case", BAD)
def test_options_that_cannot_be_get_one_line(case: str) -> None:
    options, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        opened(**options)
