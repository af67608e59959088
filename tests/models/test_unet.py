"""The U-Net's shapes, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ddl.models.norms import NORMS
from ddl.models.unet import build_unet


@pytest.mark.parametrize("norm", NORMS)
def test_a_mask_of_the_size_of_the_picture_comes_out(norm: str) -> None:
    model = build_unet((32, 48, 3), width=4, depth=2, norm=norm)
    mask = model.predict(np.ones((2, 32, 48, 3)), verbose=0)
    assert mask.shape == (2, 32, 48, 1)
    assert 0 <= mask.min() <= mask.max() <= 1
    kinds = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [layer.synchronized for layer in kinds] == [norm == "sync"] * len(kinds)


def test_several_classes_sum_to_one() -> None:
    model = build_unet((16, 16, 1), classes=3, width=4, depth=1, norm="none")
    mask = model.predict(np.ones((1, 16, 16, 1)), verbose=0)
    assert np.allclose(mask.sum(axis=-1), 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected one of: sync, batch, group, none"):
        build_unet((16, 16, 1), norm="layer")
    with pytest.raises(ValueError, match=r"multiples of 2\*\*depth = 16"):
        build_unet((24, 24, 1))
