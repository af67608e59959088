"""U-Net (Ronneberger et al. 2015) for pictures of any size that its depth divides."""

from __future__ import annotations

import keras

from ddl.models.norms import normalize


def build_unet(
    input_shape: tuple[int, int, int],
    *,
    classes: int = 1,
    width: int = 16,
    depth: int = 4,
    norm: str = "sync",
) -> keras.Model:
    """Return a U-Net that gives a probability per pixel: (N, H, W, C) -> (N, H, W, classes).

    Args:
        input_shape: height, width, channels; height and width are multiples of 2**depth.
        classes: 1 ends in a sigmoid, more in a softmax.
        width: channels of the first level; every level down doubles them.
        depth: levels below the first.
        norm: "sync" (batch normalization over all ranks), "batch" (over this rank's part), "group" or "none".
    """
    _check(input_shape, depth)
    inputs = keras.Input(input_shape, name="image")
    # A bias in front of a normalization has no gradient but rounding, which Adam would blow up.
    features, skips = inputs, []
    for level in range(depth):
        features = _convolve_twice(features, width * 2**level, norm)
        skips.append(features)
        features = keras.layers.MaxPooling2D()(features)
    features = _convolve_twice(features, width * 2**depth, norm)
    for level in reversed(range(depth)):
        features = keras.layers.Conv2DTranspose(
            width * 2**level, 2, strides=2, use_bias=norm == "none"
        )(features)
        features = keras.layers.Concatenate()([skips[level], features])
        features = _convolve_twice(features, width * 2**level, norm)
    scores = keras.layers.Conv2D(classes, 1, name="scores")(features)
    # Probabilities in float32 also under mixed precision: their logarithm is the loss.
    activation = "sigmoid" if classes == 1 else "softmax"
    outputs = keras.layers.Activation(activation, dtype="float32", name="mask")(scores)
    return keras.Model(inputs, outputs, name="unet")


def _convolve_twice(features: keras.KerasTensor, channels: int, norm: str) -> keras.KerasTensor:
    for _ in range(2):
        features = keras.layers.Conv2D(channels, 3, padding="same", use_bias=norm == "none")(
            features
        )
        features = normalize(features, channels, norm)
        features = keras.layers.ReLU()(features)
    return features


def _check(input_shape: tuple[int, int, int], depth: int) -> None:
    if len(input_shape) != 3 or any(side % 2**depth for side in input_shape[:2]):
        raise ValueError(
            f"Received: input_shape={input_shape}, depth={depth}. Expected: (height, width, channels) with height "
            f"and width multiples of 2**depth = {2**depth}."
        )
