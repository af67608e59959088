"""Predictions of two models are compared with each other and with the ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.export.parity import compare
from ddl.export.reference_pictures import Sample

TRUTH = np.array([[1, 0], [0, 0]], np.float32)[..., None]
FOUND = np.array([[0.9, 0.4], [0.1, 0.2]], np.float32)[..., None]


class Fixed:
    """Predicts the same for every input."""

    input_shape, classes = (None, None, 1), 1

    def __init__(self, found: np.ndarray) -> None:
        self._found = found

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return self._found[None]

    def close(self) -> None:
        pass


def sample(truth: np.ndarray | None, inside: tuple[slice, ...] = ()) -> Sample:
    return Sample(np.zeros((2, 2, 1), np.float32), truth, inside)


def test_differences_and_dice() -> None:
    other = FOUND + np.array([[0, 0.2], [0, 0]], np.float32)[..., None]
    found = compare([sample(TRUTH)] * 3, Fixed(FOUND), Fixed(other), "mask")
    assert found.samples == 3
    assert found.largest == pytest.approx(0.2)
    assert found.mean == pytest.approx(0.05)
    assert (found.before, found.after) == pytest.approx((1, 2 / 3))
    assert found.agreement == pytest.approx(2 / 3)
    assert found.deviation("f32") == pytest.approx(0.2)
    assert found.deviation("int8") == pytest.approx(1 / 3)
    assert "dice 1.0000 -> 0.6667 (-0.3333) of 3 samples against ground truth" in found.line()


def test_a_better_score_does_not_hide_other_masks() -> None:
    """An export can score better against the ground truth by chance, and still predict other masks than Keras."""
    found = compare([sample(TRUTH)], Fixed(1 - FOUND), Fixed(FOUND), "mask")
    assert (found.before, found.after, found.agreement) == (0, 1, 0)
    assert "dice against Keras" in found.table(1, 1)
    assert "0.0000 against Keras" in found.line()


def test_without_ground_truth_keras_is_the_reference_without_padding() -> None:
    other = FOUND.copy()
    other[1] = 1
    found = compare([sample(None, (slice(1),))], Fixed(FOUND), Fixed(other), "mask")
    assert (found.reference, found.largest, found.after) == ("Keras", 0, 1)
    found = compare([sample(None)], Fixed(FOUND), Fixed(other), "mask")
    assert found.after < 0.6


def test_labels_are_compared_by_accuracy() -> None:
    right, wrong = np.array([0.1, 0.9], np.float32), np.array([0.6, 0.4], np.float32)
    found = compare([sample(np.int64(1))], Fixed(right), Fixed(wrong), "label")
    assert (found.score, found.before, found.after) == ("accuracy", 1, 0)


def test_nan_is_infinitely_far() -> None:
    found = compare([sample(TRUTH)], Fixed(FOUND), Fixed(FOUND * np.nan), "mask")
    assert found.deviation("f32") == np.inf
