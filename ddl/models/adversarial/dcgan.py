"""DCGAN's generator and discriminator for pictures of any sides: convolutions that double or halve them.

After Radford, Metz and Chintala, 2015, with group in place of batch normalization in the generator, none in the
discriminator, and a class by an embedding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from ddl.models.norms import normalize

L = keras.layers
_SLOPE = 0.2
_LEAST_SIDE = 2
_MOST_LEVELS = 5


def levels_of(sides: Sequence[int]) -> int:
    """Return how often the sides are halved: to 4 or a little less, at least once where they allow it."""
    return min(_MOST_LEVELS, max(1, math.ceil(math.log2(min(sides) / 4)))) if min(sides) > 3 else 1


def generator(
    shape: Sequence[int],
    *,
    classes: int = 0,
    latent_size: int = 64,
    width: int = 64,
    norm: str = "group",
) -> keras.Model:
    """Return a network from latent vectors, and class numbers if there are classes, to pictures of 0..1.

    Args:
        shape: height, width and channels of a picture.
        classes: number of classes it knows; 0 for none.
        latent_size: length of a latent vector.
        width: channels before the picture; each level below has twice as many.
        norm: "group", "sync" (over all ranks), "batch" (per rank) or "none".
    """
    *sides, channels = shape
    levels = levels_of(sides)
    least = [-(-side // 2**levels) for side in sides]
    inputs, x = _latents(latent_size, classes)
    filters = width * 2 ** (levels - 1)
    x = L.Dense(math.prod(least) * filters, name="project")(x)
    x = L.Reshape((*least, filters), name="maps")(x)
    x = L.LeakyReLU(_SLOPE, name="project_act")(normalize(x, norm, name="project_norm"))
    for level in range(levels):
        filters = max(width, filters // 2)
        x = L.Conv2DTranspose(filters, 4, strides=2, padding="same", name=f"up_{level}")(x)
        x = normalize(x, norm, name=f"up_{level}_norm")
        x = L.LeakyReLU(_SLOPE, name=f"up_{level}_act")(x)
    over = [small * 2**levels - side for small, side in zip(least, sides, strict=True)]
    if any(over):
        cut = tuple((extra // 2, extra - extra // 2) for extra in over)
        x = L.Cropping2D(cut, name="crop")(x)
    pictures = L.Conv2D(channels, 3, padding="same", activation="sigmoid", name="picture")(x)
    return keras.Model(inputs, pictures, name="generator")


def discriminator(
    shape: Sequence[int], *, classes: int = 0, width: int = 64, norm: str = "none"
) -> keras.Model:
    """Return a network from pictures of 0..1, and class numbers if there are classes, to a score each, a logit.

    Args:
        shape: height, width and channels of a picture.
        classes: number of classes it knows; 0 for none.
        width: channels of the first level; each level below has twice as many.
        norm: "none" or "group". Batch normalization would make a picture's score one of the whole batch.
    """
    *sides, _ = shape
    picture = keras.Input(tuple(shape), name="picture")
    x: Any = L.Rescaling(2.0, -1.0, name="centre")(picture)
    inputs = [picture]
    if classes:
        label, embedded = _label(classes, math.prod(sides))
        inputs.append(label)
        x = L.Concatenate(name="with_label")(
            [x, L.Reshape((*sides, 1), name="label_map")(embedded)]
        )
    for level in range(levels_of(sides)):
        # Without a bias, which TensorFlow would try to fuse with the activation and complain within a condition.
        x = L.Conv2D(
            width * 2**level, 4, strides=2, padding="same", use_bias=False, name=f"down_{level}"
        )(x)
        x = normalize(x, norm, name=f"down_{level}_norm") if level else x
        x = L.LeakyReLU(_SLOPE, name=f"down_{level}_act")(x)
    scores = L.Dense(1, name="score")(L.Flatten(name="flat")(x))
    return keras.Model(inputs if classes else picture, scores, name="discriminator")


def _latents(size: int, classes: int) -> tuple[Any, Any]:
    latent = keras.Input((size,), name="latent")
    if not classes:
        return latent, latent
    label, embedded = _label(classes, size)
    return [latent, label], L.Concatenate(name="with_label")([latent, embedded])


def _label(classes: int, size: int) -> tuple[Any, Any]:
    label = keras.Input((), dtype="int32", name="label")
    return label, L.Embedding(classes, size, name="label_embedding")(label)
