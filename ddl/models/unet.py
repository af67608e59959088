"""U-Net (Ronneberger et al. 2015), 2D and 3D, for pictures and volumes of any size that its depth divides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from ddl.models import layer_blocks
from ddl.models.norms import normalize


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
) -> keras.Model:
    """Return a U-Net that gives a probability per pixel: (N, H, W, C) -> (N, H, W, classes), volumes likewise.

    Args:
        input_shape: (height, width, channels), or (depth, height, width, channels) for volumes; each side is a multiple
            of 2**depth, or None where it may vary.
        classes: 1 ends in a sigmoid, more in a softmax.
        width: channels of the first level, which every level down doubles; or of every level, depth + 1 of them.
        depth: levels below the first.
        norm: "sync" (batch normalization over all ranks), "batch" (over this rank's part), "group" or "none".
        dropout: share of features dropped after every block; masks are a rank's own.
        residual: add a block's input to its output.
        attention: weigh each skip by attention gates (Oktay et al. 2018).
        deep_supervision: outputs {"mask", "mask_2", "mask_4", ...}, the latter from 1/2, 1/4, ... of the size, enlarged
            to the whole: each is compared with the same true mask. `main_output` leaves "mask" alone.
        transposed: enlarge by transposed convolutions, else by interpolation.
    """
    widths = _checked_widths(tuple(input_shape), classes, width, depth)
    _check_options(depth, dropout, deep_supervision)
    level_block = _level_block(norm, dropout, residual=residual)
    inputs = keras.Input(tuple(input_shape), name="image")
    features, skips = inputs, []
    for level in range(depth):
        skips.append(level_block(features, widths[level], f"down_{level}"))
        features = layer_blocks.layer("MaxPooling", inputs)(2, name=f"down_{level}_pool")(
            skips[level]
        )
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
            outputs[f"mask_{2**level}"] = _coarse_mask(features, classes, 2**level)
    scores = layer_blocks.layer("Conv", features)(classes, 1, name="scores")(features)
    mask = layer_blocks.probabilities(scores, "mask")
    # The finest first, so that output 0 is the one to predict with.
    outputs = {"mask": mask, **dict(reversed(outputs.items()))}
    return keras.Model(inputs, outputs if deep_supervision else mask, name="unet")


def _level_block(
    norm: str, dropout: float, *, residual: bool
) -> Callable[[keras.KerasTensor, int, str], keras.KerasTensor]:
    """Return what every level computes, of features, channels and a name: a block, and dropout if asked for."""
    block = layer_blocks.residual_block if residual else layer_blocks.plain_block

    def level_block(features: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
        features = block(features, channels, norm, name)
        if dropout:
            features = keras.layers.Dropout(dropout, name=f"{name}_dropout")(features)
        return features

    return level_block


def _coarse_mask(features: keras.KerasTensor, classes: int, factor: int) -> keras.KerasTensor:
    """Return the mask that features at 1/`factor` of the size give, enlarged to the whole."""
    scores = layer_blocks.layer("Conv", features)(classes, 1, name=f"scores_{factor}")(features)
    enlarged = layer_blocks.enlarge(scores, factor, f"scores_{factor}_enlarged")
    return layer_blocks.probabilities(enlarged, f"mask_{factor}")


def build_seed_unet(
    input_shape: Sequence[int | None], *, classes: int = 1, norm: str = "batch", bias: bool = False
) -> keras.Model:
    """Return the eight-level network that this package's predecessor trained: (N, H, W, C) -> (N, H, W, classes).

    Two convolutions with batch normalization and ReLU at 8, 16, ..., 1024 channels, seven poolings; on the way up, a
    transposed convolution with batch normalization and ReLU, the skip, and two convolutions again.

    Args:
        input_shape: (height, width, channels), height and width multiples of 128, or None; there 512, 512, 3.
        classes: 1 ends in a sigmoid, more in a softmax.
        norm: "batch" as there, "sync" for the same numbers on any number of ranks, "group" or "none".
        bias: give all convolutions a bias, as there. In front of a normalization it changes nothing but the parameter
            count, and Adam moves it by rounding errors.
    """
    widths = _checked_widths(tuple(input_shape), classes, 8, 7)
    if len(input_shape) != 3:
        raise ValueError(f"Received: input_shape={input_shape}. Expected: height, width, channels.")
    with_bias = {"use_bias": bias or norm == "none"}

    def finish(features: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
        features = normalize(features, channels, norm, momentum=0.99, name=f"{name}_norm")
        return keras.layers.ReLU(name=f"{name}_relu")(features)

    def convolve_twice(features: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
        for part in (f"{name}_1", f"{name}_2"):
            features = layer_blocks.convolve(
                features, channels, 3, norm, name=f"{part}_conv", **with_bias
            )
            features = finish(features, channels, part)
        return features

    inputs = keras.Input(tuple(input_shape), name="image")
    features, skips = inputs, []
    for level, channels in enumerate(widths[:-1]):
        skips.append(convolve_twice(features, channels, f"down_{level}"))
        features = keras.layers.MaxPooling2D(2, name=f"down_{level}_pool")(skips[-1])
    features = convolve_twice(features, widths[-1], "bottom")
    for level, channels in reversed(list(enumerate(widths[:-1]))):
        up = keras.layers.Conv2DTranspose
        features = up(channels, 2, strides=2, name=f"up_{level}_enter_conv", **with_bias)(features)
        features = finish(features, channels, f"up_{level}_enter")
        features = keras.layers.Concatenate(name=f"up_{level}_skip")([features, skips[level]])
        features = convolve_twice(features, channels, f"up_{level}")
    scores = keras.layers.Conv2D(classes, 1, name="scores")(features)
    return keras.Model(inputs, layer_blocks.probabilities(scores, "mask"), name="unet_seed")


def main_output(model: keras.Model) -> keras.Model:
    """Return the model with its output "mask" alone, sharing the weights: what to predict with and to save."""
    return keras.Model(model.input, model.get_layer("mask").output, name=model.name)


def _checked_widths(
    input_shape: tuple[int | None, ...], classes: int, width: int | tuple[int, ...], depth: int
) -> tuple[int, ...]:
    """Return the channels of every level, or refuse what does not fit together."""
    sides, unit = input_shape[:-1], 2**depth
    if len(sides) not in (2, 3) or any(side is not None and side % unit for side in sides):
        raise ValueError(
            f"Received: input_shape={input_shape}, depth={depth}. Expected: (height, width, channels) or (depth, "
            f"height, width, channels) with sides that are multiples of 2**depth = {unit}."
        )
    if classes < 1 or not input_shape[-1]:
        raise ValueError(
            f"Received: classes={classes}, input_shape={input_shape}. Expected: 1 or more classes and channels."
        )
    widths = (
        tuple(width * 2**level for level in range(depth + 1)) if isinstance(width, int) else width
    )
    if len(widths) != depth + 1 or min(widths) < 1:
        raise ValueError(
            f"Received: width={width}, depth={depth}. Expected: one number of channels, or depth + 1 = {depth + 1} of "
            "them, all 1 or more."
        )
    return widths


def _check_options(depth: int, dropout: float, deep_supervision: bool) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"Received: dropout={dropout}. Expected: 0 or more, less than 1.")
    if deep_supervision and depth < 2:
        raise ValueError(
            f"Received: deep_supervision=True, depth={depth}. Expected: depth 2 or more, as no level lies between "
            "the deepest and the first."
        )
