"""Boxes in pictures of any size: a detector that sees everything finds each object once, whatever the tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ddl.boxes.decoding import positions_of
from ddl.boxes.layout import Layout, Level
from ddl.data.preprocessing import Preprocessing
from ddl.inference.boxes.finder import Finder, frame
from ddl.inference.tiles.segmenter import Cut, Segmenter

LAYOUT = Layout("points", 1, (Level(8),))


class Seer:
    """Finds every bright rectangle of a picture exactly, as far as it is inside it."""

    input_shape: tuple[int | None, ...] = (None, None, 1)
    classes = 6

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([self._one(picture[..., 0] > 0.5) for picture in batch])

    def close(self) -> None:
        pass

    def _one(self, bright: np.ndarray) -> np.ndarray:
        places = positions_of(LAYOUT, (bright.shape[0], bright.shape[1]))
        raw = np.full((len(places.strides), 6), -20.0)
        for rows, columns in ndimage.find_objects(ndimage.label(bright)[0]):
            box = np.array([columns.start, rows.start, columns.stop, rows.stop], float)
            inside = ((places.centres > box[:2]) & (places.centres < box[2:])).all(axis=1)
            if not inside.any():  # less than a cell of it is in this tile
                continue
            own = int(np.flatnonzero(inside)[0])
            centre = places.centres[own]
            reach = np.concatenate([centre - box[:2], box[2:] - centre]) / 8
            raw[own, :4], raw[own, 4:] = np.log(reach), 20
        return raw


def how(**fields: Any) -> Preprocessing:
    return Preprocessing(
        target="boxes", channels=1, classes=1, side_multiple=8, layout=LAYOUT.to_dict(), **fields
    )


def find(picture: np.ndarray, cut: Cut, preprocessing: Preprocessing, *, is_file: bool) -> Any:
    """Return boxes in pixels, sorted."""
    finder = Finder(Seer(), LAYOUT, least_score=0.5, most_overlap=0.5, batch_size=3)
    segmenter = Segmenter(Seer.input_shape, preprocessing, cut)
    framed = frame(segmenter, preprocessing, picture, is_file=is_file)
    found = finder.find(framed)
    sides = np.array([picture.shape[1], picture.shape[0]] * 2)
    return sorted(np.round(found.boxes * sides, 4).tolist())


RECTANGLES = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 5), st.integers(9, 20), st.integers(9, 20)),
    unique_by=lambda row: row[:2],
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(RECTANGLES, st.sampled_from([(64, 32), (64, 40), (48, 24), (160, 32)]))
def test_each_object_is_found_once_in_whatever_tiles(
    rectangles: list[tuple[int, int, int, int]], cut: tuple[int, int]
) -> None:
    picture, expected = np.zeros((150, 200, 1), np.float32), []
    for column, row, width, height in rectangles:
        left, top = 25 * column + 2, 25 * row + 1
        picture[top : top + height, left : left + width] = 1
        expected.append([left, top, left + width, top + height])
    found = find(picture, Cut((cut[0],), cut[1]), how(), is_file=False)
    assert found == sorted([float(edge) for edge in box] for box in expected)


def test_an_object_that_is_longer_than_any_tile_is_one_box() -> None:
    picture = np.zeros((64, 200, 1), np.float32)
    picture[20:40, 10:190] = 1
    assert find(picture, Cut((64,), 32), how(), is_file=False) == [[10, 20, 190, 40]]


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_boxes_are_those_of_the_picture_as_stored(fit: str) -> None:
    """A picture of 240x120 comes to 64x64: between borders, or squeezed."""
    picture = np.zeros((120, 240, 1), np.uint8)
    picture[30:90, 60:180] = 255
    preprocessing = how(image_size=(64, 64), fit=fit)
    (box,) = find(picture, Cut(), preprocessing, is_file=True)
    assert np.abs(np.array(box) - [60, 30, 180, 90]).max() <= 4  # a pixel of the input
