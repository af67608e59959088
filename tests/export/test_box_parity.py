"""An exported detector is compared by its boxes: where they are, how sure they are, and whether they are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddl.boxes.layout import Layout, Level
from ddl.boxes.rows import CORNERS
from ddl.export.box_parity import Decoded, rows_of
from ddl.export.parity import compare
from ddl.export.reference_pictures import Sample

LAYOUT = Layout("points", 2, (Level(8),))
SIDES = (16, 16)


class Fixed:
    """A detector that gives one raw prediction whatever the picture."""

    input_shape = (*SIDES, 1)
    classes = 7

    def __init__(self, raw: np.ndarray) -> None:
        self.raw, self.is_closed = raw, False

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return np.repeat(self.raw[None], len(batch), axis=0)

    def close(self) -> None:
        self.is_closed = True


def raw_prediction() -> np.ndarray:
    """Return a prediction that shows one box of class 1 at the first cell."""
    raw = np.full((4, 7), -8.0, np.float32)
    raw[:, :4] = -1
    raw[0, [4, 6]] = 8
    return raw


def parity(export: np.ndarray, truth: np.ndarray | None = None) -> Any:
    sample = Sample(np.zeros((*SIDES, 1), np.float32), truth, ())
    pair = (Decoded(Fixed(raw), LAYOUT) for raw in (raw_prediction(), export))
    return compare([sample], *pair, "boxes")


def test_equal_predictions_agree() -> None:
    found = parity(raw_prediction())
    assert (found.score, found.largest, found.agreement) == ("ap50", 0, 1)


def test_differences_are_parts_of_a_side_and_of_a_probability() -> None:
    moved = raw_prediction()
    moved[0, 0] += np.log(2)  # the left side is twice as far from the centre
    expected = 8 * np.exp(-1) / SIDES[1]
    cut = min(expected, (4 - 8 * np.exp(-1)) / SIDES[1])  # at the edge of the picture
    assert parity(moved).largest == pytest.approx(cut, rel=1e-5)


def test_a_box_that_is_lost_lowers_the_score() -> None:
    found = parity(np.full_like(raw_prediction(), -8))
    assert (found.before, found.after) == (1, 0)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_export_of_nan_is_infinitely_far_away() -> None:
    found = parity(np.full_like(raw_prediction(), np.nan))
    assert found.largest == np.inf
    assert found.after == 0


def test_true_boxes_are_what_the_score_is_against() -> None:
    truth = np.array([[0, 0.5, 0.5, 0.9, 0.9, 0]], np.float32)
    found = parity(raw_prediction(), truth)
    assert (found.reference, found.before) == ("ground truth", 0)


def test_what_is_shown_becomes_rows() -> None:
    predicted = Decoded(Fixed(raw_prediction()), LAYOUT).predict(np.zeros((1, *SIDES, 1)))[0]
    (row,) = rows_of(predicted)
    assert row[0] == 1
    assert (row[CORNERS] >= 0).all()
