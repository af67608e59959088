"""U-Net (Ronneberger et al. 2015) in 2D and 3D, for pictures and volumes whose sides are multiples of 2**depth."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.models import layer_blocks
from ddl.models.norms import normalize
from ddl.models.zoo import check_model


def build_unet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 1,
    width: int | tuple[int, ...] = 16,
    depth: int = 4,
    norm: str = "sync",
    dropout: float = 0.0,
    residual: bool = False,
    attention: bool = False,
    deep_supervision: bool = False,
    transposed: bool = True,
    output: str = "auto",
) -> keras.Model:
    """Return a U-Net that predicts a probability per pixel: (N, H, W, C) -> (N, H, W, classes); volumes likewise.

    Args:
        input_shape: (height, width, channels), or (depth, height, width, channels) for volumes; each side is a multiple
            of 2**depth, or None if it may vary.
        classes: 1 for a sigmoid output; more for a softmax.
        width: channels of the first level, doubled in every level below; or a list of depth + 1 numbers.
        depth: number of levels below the first.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate after every block; each rank draws its own masks.
        residual: add each block's input to its output.
        attention: weight each skip connection by an attention gate (Oktay et al. 2018).
        deep_supervision: outputs {"mask", "mask_2", "mask_4", ...}: the latter are predicted at 1/2, 1/4, ... of the
            size and enlarged, so that each is compared with the same true mask. `main_output` keeps "mask" only.
        transposed: enlarge by transposed convolutions; otherwise by interpolation.
        output: activation of the output: "auto" (as `classes` says), "sigmoid", "softmax" or "linear".
    """
    check_model("unet", **locals())
    widths = _level_widths(width, depth)
    block = layer_blocks.residual_block if residual else layer_blocks.plain_block

    def level_block(features: KerasTensor, channels: int, name: str) -> KerasTensor:
        features = block(features, channels, norm, name)
        if dropout:
            features = keras.layers.Dropout(dropout, name=f"{name}_dropout")(features)
        return features

    inputs = keras.Input(tuple(input_shape), name="image")
    pooling = layer_blocks.layer("MaxPooling{}D", inputs)
    features, skips = inputs, []
    for level in range(depth):
        skips.append(level_block(features, widths[level], f"down_{level}"))
        features = pooling(2, name=f"down_{level}_pool")(skips[level])
    features = level_block(features, widths[depth], "bottom")
    outputs = {}
    for level in reversed(range(depth)):
        name, skip = f"up_{level}", skips[level]
        features = layer_blocks.upsample(
            features, widths[level], norm, transposed=transposed, name=f"{name}_enter"
        )
        if attention:
            skip = layer_blocks.attention_gate(skip, features, norm, f"{name}_attention")
        features = keras.layers.Concatenate(name=f"{name}_skip")([skip, features])
        features = level_block(features, widths[level], name)
        if deep_supervision and level:
            outputs[f"mask_{2**level}"] = _coarse_mask(features, classes, 2**level, output)
    scores = layer_blocks.layer("Conv{}D", features)(classes, 1, name="scores")(features)
    mask = layer_blocks.probabilities(scores, "mask", output)
    # The finest first, so that output 0 is the prediction.
    outputs = {"mask": mask, **dict(reversed(outputs.items()))}
    return keras.Model(inputs, outputs if deep_supervision else mask, name="unet")


def _coarse_mask(features: KerasTensor, classes: int, factor: int, output: str) -> KerasTensor:
    """Return the mask predicted from features at 1/`factor` of the size, enlarged to the whole size."""
    scores = layer_blocks.layer("Conv{}D", features)(classes, 1, name=f"scores_{factor}")(features)
    enlarged = layer_blocks.enlarge(scores, factor, f"scores_{factor}_enlarged")
    return layer_blocks.probabilities(enlarged, f"mask_{factor}", output)


def build_seed_unet(
    input_shape: Sequence[int | None], *, classes: int = 1, norm: str = "batch", bias: bool = False
) -> keras.Model:
    """Return the eight-level network of this package's predecessor: (N, H, W, C) -> (N, H, W, classes).

    Each level has two convolutions with batch normalization and ReLU, of 8, 16, ..., 1024 channels, with seven poolings
    between them. On the way up, each level has a transposed convolution with batch normalization and ReLU, then the
    skip connection, then two convolutions.

    Args:
        input_shape: (height, width, channels); height and width are multiples of 128, or None. The predecessor used
            (512, 512, 3).
        classes: 1 for a sigmoid output; more for a softmax.
        norm: "batch" as in the predecessor; "sync" for the same numbers on any number of ranks; "group" or "none".
        bias: give all convolutions a bias, as in the predecessor. Before a normalization it changes only the parameter
            count, and Adam moves it by rounding errors.
    """
    check_model("unet_seed", **locals())
    *widths, bottom_width = _level_widths(8, 7)
    with_bias = {"use_bias": bias or norm == "none"}

    def finish(features: KerasTensor, name: str) -> KerasTensor:
        features = normalize(features, norm, momentum=0.99, name=f"{name}_norm")
        return keras.layers.ReLU(name=f"{name}_relu")(features)

    def convolve_twice(features: KerasTensor, channels: int, name: str) -> KerasTensor:
        for part in (f"{name}_1", f"{name}_2"):
            features = layer_blocks.convolve(
                features, channels, 3, norm, name=f"{part}_conv", **with_bias
            )
            features = finish(features, part)
        return features

    inputs = keras.Input(tuple(input_shape), name="image")
    features, skips = inputs, []
    for level, channels in enumerate(widths):
        skips.append(convolve_twice(features, channels, f"down_{level}"))
        features = keras.layers.MaxPooling2D(2, name=f"down_{level}_pool")(skips[level])
    features = convolve_twice(features, bottom_width, "bottom")
    for level, channels in reversed(list(enumerate(widths))):
        up = keras.layers.Conv2DTranspose
        features = up(channels, 2, strides=2, name=f"up_{level}_enter_conv", **with_bias)(features)
        features = finish(features, f"up_{level}_enter")
        features = keras.layers.Concatenate(name=f"up_{level}_skip")([features, skips[level]])
        features = convolve_twice(features, channels, f"up_{level}")
    scores = keras.layers.Conv2D(classes, 1, name="scores")(features)
    return keras.Model(inputs, layer_blocks.probabilities(scores, "mask"), name="unet_seed")


def main_output(model: keras.Model) -> keras.Model:
    """Return the model with only its output "mask", for prediction and saving. It shares the weights."""
    return keras.Model(model.input, model.get_layer("mask").output, name=model.name)


def _level_widths(width: int | tuple[int, ...], depth: int) -> tuple[int, ...]:
    """Return the channels of each level."""
    if isinstance(width, int):
        return tuple(width * 2**level for level in range(depth + 1))
    return tuple(width)
