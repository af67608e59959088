"""Random erasing: how often, how large, and what is left."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.batches.augmentation import Augmentation

PICTURE = np.full((40, 50, 3), 0.5, np.float32)


def test_a_rectangle_of_noise_of_the_published_size_with_the_probability_given() -> None:
    augmentation = Augmentation(erase=0.4)
    shares = []
    for index in range(600):
        image, _ = augmentation(PICTURE, None, seed=0, epoch=0, index=index)
        changed = (image != PICTURE).any(-1)
        shares.append(changed.mean())
        rows, columns = changed.any(1), changed.any(0)
        assert changed.sum() == rows.sum() * columns.sum()
        assert 0 <= image.min() <= image.max() <= 1
    erased = np.array([share for share in shares if share])
    assert len(erased) / len(shares) == pytest.approx(0.4, abs=0.06)
    assert 0.015 < erased.min() < erased.max() < 0.36


def test_what_is_erased_becomes_uniform_noise() -> None:
    image, _ = Augmentation(erase=1)(PICTURE, None, seed=0, epoch=0, index=0)
    noise = image[image != PICTURE]
    assert noise.mean() == pytest.approx(0.5, abs=0.1)
    assert noise.std() == pytest.approx(12**-0.5, abs=0.05)


def test_the_mask_stays_and_a_tiny_picture_too() -> None:
    mask = np.ones((40, 50, 1), np.uint8)
    _, kept = Augmentation(erase=1)(PICTURE, mask, seed=0, epoch=0, index=0)
    assert np.array_equal(kept, mask)
    tiny = PICTURE[:1, :1]
    image, _ = Augmentation(erase=1)(tiny, None, seed=0, epoch=0, index=0)
    assert np.array_equal(image, tiny)
