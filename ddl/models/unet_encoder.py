"""A U-Net whose encoder is a network of `keras.applications`, with weights from a local file."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.models import layer_blocks
from ddl.models.encoders import find_encoder
from ddl.models.pretrained import build_backbone, scaled_pictures, synchronize
from ddl.models.zoo import check_model

_LEVELS = 5  # every encoder halves the picture five times


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
    """Return a U-Net on an encoder of `keras.applications`: pictures 0..1, (N, H, W, C) -> (N, H, W, classes).

    The skip connection of a level is the encoder's last feature map at that resolution. Levels for which the encoder
    has none, usually the whole size, have no skip connection. The model scales pictures as the encoder expects them.

    Args:
        input_shape: (height, width, channels); height and width are multiples of 32, at least 64.
        classes: 1 for a sigmoid output; more for a softmax.
        encoder: a name in `ddl.models.encoders.ENCODERS`, such as "resnet50", "mobilenetv2" or "vgg16".
        weights_file: weights file of `keras.applications` for the encoder, without its top; by default random weights.
        width: channels of the decoder's finest level, doubled in every level below.
        norm: normalization of the decoder: "sync", "batch", "group" or "none". With "sync" the encoder's batch
            normalization also spans all ranks.
        residual: add each decoder block's input to its output.
        attention: weight each skip connection by an attention gate.
        transposed: enlarge by transposed convolutions; otherwise by interpolation.
    """
    check_model("unet_encoder", **locals())
    application, scaling = find_encoder(encoder)
    inputs = keras.Input(tuple(input_shape), name="image")
    backbone = build_backbone(application, scaled_pictures(inputs, scaling), weights_file)
    if norm == "sync":
        synchronize(backbone)
    features, skips = backbone.output, skips_by_level(backbone, tuple(input_shape)[:2])
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


def skips_by_level(backbone: keras.Model, size: tuple[int, ...]) -> dict[int, KerasTensor]:
    """Return, for each level from 0 (the whole size), the last computed features of size `size` / 2**level."""
    skips, has_weights = {}, False
    for layer in backbone.layers:
        has_weights = has_weights or bool(layer.trainable_weights)
        output = layer.output
        if not has_weights or not isinstance(output, KerasTensor) or len(output.shape) != 4:
            continue  # scaled or padded pictures are not features
        for level in range(_LEVELS):
            if tuple(output.shape[1:3]) == tuple(side // 2**level for side in size):
                skips[level] = output
    return skips
