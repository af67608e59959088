"""GoogLeNet (Szegedy et al. 2014), without local response normalization and without auxiliary classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.models.classifiers.parts import classifier, convolve_with_relu
from ddl.models.zoo import check_model

BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Name -> channels of 1x1; of 1x1 and 3x3; of 1x1 and 5x5; and of 1x1 after the pooling. Table 1 of the paper."""


def build_googlenet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 1000,
    norm: str = "none",
    dropout: float = 0.4,
    small_input: bool = False,
) -> keras.Model:
    """Return GoogLeNet: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels); it is published for 224.
        classes: 1 for a sigmoid output; more for a softmax.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none", as published.
        dropout: dropout rate before the last layer; each rank draws its own masks.
        small_input: begin with one 3x3 convolution at full size, for pictures of about 32 pixels, instead of three
            convolutions and two poolings that reduce each side to an eighth.
    """
    check_model("googlenet", **locals())
    inputs = features = keras.Input(tuple(input_shape), name="image")
    if small_input:
        features = convolve_with_relu(features, 192, 3, norm, "stem")
    else:
        features = convolve_with_relu(features, 64, 7, norm, "stem_1", strides=2)
        features = _pool(features, "stem_pool_1")
        features = convolve_with_relu(features, 64, 1, norm, "stem_2")
        features = convolve_with_relu(features, 192, 3, norm, "stem_3")
        features = _pool(features, "stem_pool_2")
    for name, channels in BLOCKS.items():
        features = _inception(features, channels, norm, f"block_{name}")
        if name in ("3b", "4e"):
            features = _pool(features, f"pool_{name[0]}")
    features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    return classifier(inputs, features, classes, "googlenet", dropout)


def _pool(features: KerasTensor, name: str) -> KerasTensor:
    return keras.layers.MaxPooling2D(3, 2, padding="same", name=name)(features)


def _inception(features: KerasTensor, channels: Sequence[int], norm: str, name: str) -> KerasTensor:
    """Return four branches side by side: (N, H, W, C) -> (N, H, W, channels of all)."""
    plain, before_3, after_3, before_5, after_5, pooled = channels
    one = convolve_with_relu(features, plain, 1, norm, f"{name}_1x1")
    three = convolve_with_relu(features, before_3, 1, norm, f"{name}_3x3_reduce")
    three = convolve_with_relu(three, after_3, 3, norm, f"{name}_3x3")
    five = convolve_with_relu(features, before_5, 1, norm, f"{name}_5x5_reduce")
    five = convolve_with_relu(five, after_5, 5, norm, f"{name}_5x5")
    pool = keras.layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_pool")(features)
    pool = convolve_with_relu(pool, pooled, 1, norm, f"{name}_pool_1x1")
    return keras.layers.Concatenate(name=f"{name}_concat")([one, three, five, pool])
