"""From raw predictions to boxes: the formulas of both kinds, and which boxes stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddl.boxes.decoding import decode, positions_of
from ddl.boxes.geometry import iou, with_centres, with_corners
from ddl.boxes.layout import Layout, Level
from ddl.boxes.suppression import suppress

ANCHORS = Layout("anchors", 2, (Level(8, ((10.0, 20.0), (16.0, 6.0))), Level(16, ((30.0, 30.0),))))
POINTS = Layout("points", 2, (Level(8), Level(16)))


def test_an_anchor_at_zero_is_in_the_middle_of_its_cell():
    raw = np.zeros((ANCHORS.positions((16, 32)), 7))
    boxes, scores = decode(raw, ANCHORS, (16, 32))
    second_cell = 2  # two anchors a cell
    assert np.allclose(boxes[second_cell] * [32, 16, 32, 16], [12 - 5, 4 - 10, 12 + 5, 4 + 10])
    assert np.allclose(scores, 0.25)


def test_a_point_at_zero_reaches_a_stride_to_each_side():
    raw = np.zeros((POINTS.positions((16, 16)), 7))
    boxes, _ = decode(raw, POINTS, (16, 16))
    assert np.allclose(boxes[0] * 16, [4 - 8, 4 - 8, 4 + 8, 4 + 8])
    assert np.allclose(boxes[-1] * 16, [8 - 16, 8 - 16, 8 + 16, 8 + 16])


def test_positions_are_in_the_order_of_the_layout():
    places = positions_of(ANCHORS, (16, 32))
    assert places.levels.tolist() == [0] * 16 + [1] * 2
    assert places.corners[:4].tolist() == [[0, 0], [0, 0], [8, 0], [8, 0]]


def test_a_prediction_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"Expected: \(18, 7\), by the model's layout"):
        decode(np.zeros((3, 7)), ANCHORS, (16, 32))


def test_huge_numbers_give_finite_boxes():
    boxes, scores = decode(
        np.full((10, 7), 1e9), Layout("points", 2, (Level(8), Level(16))), (16, 32)
    )
    assert np.isfinite(boxes).all()
    assert np.isfinite(scores).all()


BOXES = arrays(np.float64, (6, 4), elements=st.floats(0, 1)).map(
    lambda a: np.concatenate([np.minimum(a[:, :2], a[:, 2:]), np.maximum(a[:, :2], a[:, 2:])], 1)
)


@given(BOXES, BOXES)
def test_iou_is_symmetric_and_between_0_and_1(boxes, others):
    found = iou(boxes, others)
    assert np.array_equal(found, iou(others, boxes).T)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()


@given(BOXES)
def test_corners_and_centres_are_one_box(boxes):
    assert np.allclose(with_corners(with_centres(boxes)), boxes)


@given(BOXES, arrays(np.float64, (6, 2), elements=st.floats(0, 1)), st.floats(0.1, 0.9))
def test_what_stays_does_not_overlap_and_nothing_better_was_left_out(boxes, scores, most_overlap):
    found = suppress(boxes, scores, least_score=0.2, most_overlap=most_overlap)
    assert (np.diff(found.scores) <= 0).all()
    for label in range(2):
        own = found.boxes[found.classes == label]
        assert (iou(own, own)[~np.eye(len(own), dtype=bool)] <= most_overlap).all()
        has_area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (scores[:, label] >= 0.2)
        for box, score in zip(boxes[has_area], scores[has_area, label], strict=True):
            better = own[found.scores[found.classes == label] >= score]
            is_there = (better == box).all(axis=1).any()
            assert is_there or (iou(box[None], better) > most_overlap).any()


def test_equal_scores_keep_the_order_of_positions():
    boxes = np.array([[0.0, 0.0, 0.1, 0.1], [0.5, 0.5, 0.6, 0.6]])
    assert suppress(boxes, np.full((2, 1), 0.5)).boxes[0, 0] == 0


def test_without_classes_the_best_of_all_stays():
    boxes = np.array([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.51]])
    found = suppress(boxes, np.array([[0.9, 0.1], [0.2, 0.8]]), by_class=False)
    assert found.classes.tolist() == [0]
