"""Synthetic pictures: the same from the same seed, in range, with cells in them."""

from __future__ import annotations

import numpy as np

from ddl.data.pictures.synthetic_picture import microscope_picture
from tests.data.make import microscope_pictures


def test_pictures_repeat_and_differ() -> None:
    picture, mask = microscope_picture(3, 64, seed=1)
    again, _ = microscope_picture(3, 64, seed=1)
    assert np.array_equal(picture, again)
    assert not np.array_equal(picture, microscope_picture(4, 64, seed=1)[0])
    assert not np.array_equal(picture, microscope_picture(3, 64, seed=2)[0])
    assert picture.shape == (64, 64, 3)
    assert mask.shape == (64, 64, 1)
    assert picture.dtype == mask.dtype == np.float32


def test_pictures_show_cells_darker_than_their_surroundings() -> None:
    pictures, masks = microscope_pictures(6, 64)
    assert 0 <= pictures.min() <= pictures.max() <= 1
    assert set(np.unique(masks)) == {0.0, 1.0}
    for picture, mask in zip(pictures, masks, strict=True):
        assert 0.02 < mask.mean() < 0.6
        assert picture[mask[..., 0] == 1].mean() < picture[mask[..., 0] == 0].mean() - 0.05
