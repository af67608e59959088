"""A U-Net on the features of a network from `keras.applications`, with weights from a local file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import keras

from ddl.models import layer_blocks
from ddl.models.encoders import check_weights_file, find_encoder

_LEVELS = 5  # every network in the table halves the picture five times
_DEVIATIONS = (
    0.229,
    0.224,
    0.225,
)  # of ImageNet in 0..1, red first, as `keras.applications` has them
_MEANS = (0.485, 0.456, 0.406)
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # in 0..255, blue first


def build_encoder_unet(
    input_shape: Sequence[int],
    *,
    classes: int = 1,
    encoder: str = "resnet50",
    weights_file: str | None = None,
    width: int = 16,
    norm: str = "sync",
    residual: bool = False,
    attention: bool = False,
    transposed: bool = True,
) -> keras.Model:
    """Return a U-Net on an encoder of `keras.applications`: pictures in 0..1, (N, H, W, C) -> (N, H, W, classes).

    The skip of a level is the last feature map that the encoder computes at that resolution; where it has none (the
    whole size, mostly), the decoder goes on without. Pictures are scaled inside to what the encoder was trained on.

    Args:
        input_shape: (height, width, channels), height and width multiples of 32 and at least 64.
        classes: 1 ends in a sigmoid, more in a softmax.
        encoder: a name in `ddl.models.encoders.ENCODERS`, such as "resnet50", "mobilenetv2" or "vgg16".
        weights_file: the encoder's weights without its top, a file of `keras.applications`; else they are random.
        width: channels of the decoder's finest level, which every level down doubles.
        norm: of the decoder: "sync", "batch", "group" or "none". With "sync" the encoder's batch normalization is over
            all ranks too.
        residual: add a block's input to its output, in the decoder.
        attention: weigh each skip by attention gates.
        transposed: enlarge by transposed convolutions, else by interpolation.
    """
    application, pictures = find_encoder(encoder)
    _check(tuple(input_shape), classes, width, weights_file)
    inputs = keras.Input(tuple(input_shape), name="image")
    backbone = _build_backbone(application, scaled_pictures(inputs, pictures), weights_file)
    if norm == "sync":
        for layer in backbone.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    features, skips = backbone.output, skips_by_level(backbone, tuple(input_shape)[:2])
    if tuple(features.shape[1:3]) != tuple(side // 2**_LEVELS for side in input_shape[:2]):
        raise ValueError(
            f"Received: encoder={encoder!r}, input_shape={tuple(input_shape)}, whose features end at "
            f"{features.shape[1:3]}. Expected: a 32nd of the picture; take another encoder or another size."
        )
    block = layer_blocks.residual_block if residual else layer_blocks.plain_block
    for level in reversed(range(_LEVELS)):
        name, channels = f"up_{level}", width * 2**level
        features = layer_blocks.upsample(
            features, channels, norm, transposed=transposed, name=f"{name}_enter"
        )
        if level in skips:
            skip = skips[level]
            if attention:
                skip = layer_blocks.attention_gate(skip, features, norm, f"{name}_attention")
            features = keras.layers.Concatenate(name=f"{name}_skip")([skip, features])
        features = block(features, channels, norm, name)
    scores = keras.layers.Conv2D(classes, 1, name="scores")(features)
    return keras.Model(
        inputs, layer_blocks.probabilities(scores, "mask"), name=f"unet_{application.lower()}"
    )


def scaled_pictures(pictures: keras.KerasTensor, kind: str) -> keras.KerasTensor:
    """Return pictures in 0..1 as `keras.applications` scaled them: (N, H, W, C) -> the same shape.

    Args:
        pictures: red first where there are three channels; other numbers of channels go to -1..1 or 0..255.
        kind: "caffe", "tf", "torch" or "raw", see `ddl.models.encoders`.
    """
    scaling = keras.layers.Rescaling
    if kind == "raw":
        return scaling(255.0, name="scaled")(pictures)
    if kind == "tf" or pictures.shape[-1] != 3:
        return scaling(2.0, -1.0, name="scaled")(pictures)
    if kind == "torch":
        scale = [1 / deviation for deviation in _DEVIATIONS]
        offset = [-mean / deviation for mean, deviation in zip(_MEANS, _DEVIATIONS, strict=True)]
        return scaling(scale, offset, name="scaled")(pictures)
    blue_first = keras.ops.flip(pictures, axis=-1)
    return scaling(255.0, [-mean for mean in _CAFFE_MEANS], name="scaled")(blue_first)


def skips_by_level(backbone: keras.Model, size: tuple[int, ...]) -> dict[int, keras.KerasTensor]:
    """Return, for each level from 0 (the whole size), the last computed features of size `size` / 2**level."""
    skips, learned = {}, False
    for layer in backbone.layers:
        learned = learned or bool(layer.trainable_weights)
        output = layer.output
        if not learned or not isinstance(output, keras.KerasTensor) or len(output.shape) != 4:
            continue  # scaled or padded pictures are no features
        for level in range(_LEVELS):
            if tuple(output.shape[1:3]) == tuple(side // 2**level for side in size):
                skips[level] = output
    return skips


def _build_backbone(
    name: str, pictures: keras.KerasTensor, weights_file: str | None
) -> keras.Model:
    build = getattr(keras.applications, name)
    shape = pictures.shape[1:]
    with warnings.catch_warnings():
        # Of other channels than 1 or 3, which matter to the published weights alone: those would not load.
        warnings.filterwarnings("ignore", "This model usually expects", UserWarning)
        backbone = build(include_top=False, weights=None, input_tensor=pictures, input_shape=shape)
    if weights_file is not None:
        # Into a model of their own first: weights files mind every layer, also those that scale pictures.
        source = build(include_top=False, weights=None, input_shape=shape)
        try:
            with warnings.catch_warnings():
                # What Keras only warns of: layers that keep their random weights.
                warnings.filterwarnings("error", "Skipping nested container", UserWarning)
                source.load_weights(weights_file)
            backbone.set_weights(source.get_weights())
        except (ValueError, OSError, KeyError, UserWarning) as error:
            why = str(error).partition("\n")[0]
            raise ValueError(
                f"Received: weights_file={weights_file}, which does not fit: {why} Expected: the weights of "
                f"keras.applications.{name} with include_top=False and {pictures.shape[-1]} channels."
            ) from error
    return backbone


def _check(
    input_shape: tuple[int, ...], classes: int, width: int, weights_file: str | None
) -> None:
    unit = 2**_LEVELS
    sides = input_shape[:2]
    if len(input_shape) != 3 or any(not side or side % unit or side < 2 * unit for side in sides):
        raise ValueError(
            f"Received: input_shape={input_shape}. Expected: (height, width, channels) with height and width "
            f"multiples of {unit}, at least {2 * unit}."
        )
    if classes < 1 or width < 1:
        raise ValueError(f"Received: classes={classes}, width={width}. Expected: 1 or more.")
    check_weights_file(weights_file)
