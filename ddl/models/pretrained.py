"""Networks of `keras.applications` inside our models: scaled pictures, weights from a local file, norms over ranks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
from keras import KerasTensor

# Of ImageNet, as in `keras.applications`.
_MEANS, _DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # 0..1, red first
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # 0..255, blue first


def scaled_pictures(pictures: KerasTensor, kind: str) -> KerasTensor:
    """Return pictures from 0 to 1, scaled as `keras.applications` does: (N, H, W, C) -> the same shape.

    Args:
        pictures: red first if there are three channels. Other numbers of channels are scaled to -1..1 or 0..255.
        kind: "caffe", "tf", "torch" or "raw"; see `ddl.models.published`.
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


def synchronize(model: keras.Model) -> None:
    """Let batch normalization of the model span all ranks."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def build_backbone(name: str, pictures: KerasTensor, weights_file: str | None) -> keras.Model:
    """Return a network of `keras.applications` without its last layers, on scaled pictures."""
    shape = pictures.shape[1:]
    backbone = build_published(name, include_top=False, input_tensor=pictures, input_shape=shape)
    if weights_file is None:
        return backbone
    # A weights file must match every layer, so load it into a model without our scaling layers.
    source = build_published(name, include_top=False, input_shape=shape)
    try:
        load_weights(source, weights_file)
        backbone.set_weights(source.get_weights())
    except ValueError as error:
        why = str(error).partition("\n")[0]
        raise ValueError(
            f"Received: weights_file={weights_file}, which does not fit: {why} Expected: the weights of "
            f"keras.applications.{name} with include_top=False and {pictures.shape[-1]} channels."
        ) from error
    return backbone


def build_published(name: str, **arguments: Any) -> keras.Model:
    """Return a network of `keras.applications` with random weights. Nothing is downloaded."""
    build: Callable[..., keras.Model] = getattr(keras.applications, name)
    with warnings.catch_warnings():
        # About channels other than 1 or 3. They only keep the published weights from loading.
        warnings.filterwarnings("ignore", "This model usually expects", UserWarning)
        return build(weights=None, **arguments)


def load_weights(model: keras.Model, weights_file: str) -> None:
    """Load a weights file that fits every layer.

    Raises:
        ValueError: it does not.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns about layers that keep their random weights.
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            model.load_weights(weights_file)
    except (OSError, KeyError, UserWarning) as error:
        raise ValueError(str(error)) from error
