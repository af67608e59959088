"""Saturation and hue: what stays, what turns, and which pictures have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.augmentation.colour import LUMINANCE, tint_matrix

PICTURE = np.random.default_rng(0).random((9, 7, 3), np.float32)
MILD = PICTURE * 0.2 + 0.4  # far from black and white, where clipping begins


@given(saturation=st.floats(0, 2), turn=st.floats(-0.5, 0.5))
def test_grey_and_luminance_stay(saturation: float, turn: float) -> None:
    matrix = tint_matrix(saturation, turn)
    assert matrix @ np.ones(3) == pytest.approx(np.ones(3))
    assert LUMINANCE @ matrix == pytest.approx(LUMINANCE)


def test_a_third_of_a_turn_brings_red_to_green_and_three_of_them_back() -> None:
    matrix = tint_matrix(1, 1 / 3)
    red = matrix @ np.array([1.0, 0, 0])
    assert red.argmax() == 1
    assert red[0] == pytest.approx(red[2])
    assert matrix @ matrix @ matrix == pytest.approx(np.eye(3))
    assert tint_matrix(1, 0) == pytest.approx(np.eye(3))
    assert tint_matrix(0, 0.3) == pytest.approx(np.ones((3, 1)) * LUMINANCE)


@given(index=st.integers(0, 10**6))
def test_a_picture_keeps_its_luminance_and_its_range(index: int) -> None:
    augmentation = Augmentation(saturation=0.5, hue=0.2)
    image, _ = augmentation(MILD, None, seed=0, epoch=0, index=index)
    assert image.dtype == np.float32
    assert image @ LUMINANCE == pytest.approx(MILD @ LUMINANCE, abs=1e-5)
    strong, _ = augmentation(PICTURE, None, seed=0, epoch=0, index=index)
    assert 0 <= strong.min() <= strong.max() <= 1


def test_only_pictures_of_three_channels_have_colours() -> None:
    grey = PICTURE[..., :1]
    for option in ({"saturation": 0.5}, {"hue": 0.1}):
        with pytest.raises(ValueError, match="for pictures of 1 channels"):
            Augmentation(**option).crop_of(grey.shape)  # type: ignore[arg-type]
