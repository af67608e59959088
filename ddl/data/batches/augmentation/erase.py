"""Random erasing (Zhong et al. 2017): a rectangle of the picture becomes noise."""

from __future__ import annotations

import math

import numpy as np

_AREA = (0.02, 0.33)  # fraction of the picture, as published
_RATIO = (0.3, 3.3)  # height / width, as published
_TRIES = 10


def erased(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Replace a rectangle of a picture (height, width, channels) by uniform noise from 0 to 1."""
    height, width, channels = picture.shape
    for _ in range(_TRIES):
        area = height * width * rng.uniform(*_AREA)
        ratio = math.exp(rng.uniform(math.log(_RATIO[0]), math.log(_RATIO[1])))
        tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < tall < height and 0 < wide < width:
            top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
            changed = np.array(picture)
            changed[top : top + tall, left : left + wide] = rng.random(
                (tall, wide, channels), np.float32
            )
            return changed
    return picture  # too small for any such rectangle
