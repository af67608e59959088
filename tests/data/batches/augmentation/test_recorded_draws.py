"""The options that were there first give what they gave before others came: their draws are recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddl.data.batches.augmentation import Augmentation

PICTURE = (np.add.outer(np.arange(16) * 7 % 13, np.arange(12) * 5 % 11) / 24).astype(np.float32)
PICTURE = PICTURE[..., None]
MASK = (PICTURE > 0.5).astype(np.uint8)
ALL: dict[str, Any] = {
    "flip": True,
    "right_angles": True,
    "rotation_degrees": 30.0,
    "zoom": 0.3,
    "elastic_pixels": 2.0,
    "brightness": 0.2,
    "contrast": 0.3,
    "gamma": 0.4,
    "noise": 0.1,
    "crop_size": (10, 8),
}
RECORDED = {
    "none": (0.29152, 1.13559, 0.29152, 1.13559),
    "flip": (0.63774, 0.41083, 0.80779, -0.74422),
    "flip_axes": (0.29152, 1.13559, 0.46157, -0.01945),
    "right_angles": (0.80779, -0.74422, 0.80779, -0.74422),
    "rotation_degrees": (-0.63616, 5.72608, -0.40175, 0.62478),
    "zoom": (-0.38137, -3.90035, 0.36206, 1.13559),
    "elastic_pixels": (0.62385, -0.26355, 0.56324, -0.26355),
    "brightness": (0.29008, 1.13559, 0.50236, 1.13559),
    "contrast": (0.23751, 1.13559, 0.28986, 1.13559),
    "gamma": (0.08702, 1.13559, 0.38054, 1.13559),
    "noise": (0.49822, 1.13559, 0.51651, 1.13559),
    "crop_size": (-0.26946, -0.9618, 0.08451, -2.08122),
    "all": (-0.48534, -3.39991, 0.49648, 1.45189),
}
"""Option -> numbers that stand for the picture and the mask of sample 0, and of sample 5."""


def number(values: np.ndarray) -> float:
    """Return a number that depends on every value and its place."""
    flat = values.astype(np.float64).ravel()
    return float(flat @ np.cos(np.arange(flat.size)))


@pytest.mark.parametrize("name", RECORDED)
def test_an_option_gives_what_it_gave(name: str) -> None:
    options = {"none": {}, "all": ALL, "flip_axes": {"flip_axes": ("width",)}}
    augmentation = Augmentation(**options.get(name, {name: ALL.get(name)}))
    found = []
    for index in (0, 5):
        image, mask = augmentation(PICTURE, MASK, seed=3, epoch=1, index=index)
        assert mask is not None
        found += [number(image), number(mask)]
    assert found == pytest.approx(RECORDED[name], abs=1e-3)
