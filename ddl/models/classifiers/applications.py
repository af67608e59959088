"""Classifiers of `keras.applications`, built by Keras and never written again: MobileNet, Inception, EfficientNet, ...

What changes: pictures are scaled inside, layers have names that do not depend on other models in the process, batch
normalization spans all ranks (`norm=sync`) and its moving statistics follow as fast as those of our own networks.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from ddl.models.layer_blocks import probabilities
from ddl.models.norms import MOMENTUM
from ddl.models.pretrained import build_published, load_weights, scaled_pictures
from ddl.models.published import PUBLISHED
from ddl.models.zoo import check_model

logger = logging.getLogger("ddl")

_IMAGENET_CLASSES = 1000
_DROP_PATH = 0.2
"""Keras's rate of stochastic depth for the last block of every EfficientNet."""


def build_application(
    input_shape: Sequence[int],
    *,
    classes: int = 1000,
    application: str = "mobilenetv2",
    weights_file: str | None = None,
    norm: str = "sync",
    dropout: float | None = None,
    drop_path: float | None = None,
) -> keras.Model:
    """Return a classifier of `keras.applications`: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 32 pixels (Inception 75, Xception 71).
        classes: 1 for a sigmoid output; more for a softmax.
        application: a name in `ddl.models.published.APPLICATIONS`.
        weights_file: weights file of `keras.applications` on this machine, with or without its last layers; by
            default random weights.
        norm: "sync" lets batch normalization span all ranks; "batch" is per rank.
        dropout: dropout rate before the last layer; by default as published. Each rank draws its own masks.
        drop_path: rate of stochastic depth in the last block, rising linearly from the first one on; by default as
            published. Each rank draws its own samples.
    """
    check_model(application, **locals())
    published, shape = PUBLISHED[application], tuple(input_shape)
    inputs = keras.Input(shape, name="image")
    top = {"classes": classes, "classifier_activation": None, "input_shape": shape}
    body = build_published(
        published.application, input_tensor=scaled_pictures(inputs, published.scaling), **top
    )
    outputs = probabilities(body.output, "probabilities")
    whole = keras.Model(inputs, outputs, name=application)
    change = _Changes(norm, dropout, drop_path)
    model = keras.models.clone_model(whole, clone_function=change.cloned)
    if weights_file is not None:
        _copy_published(published.application, weights_file, top, model)
    return model


class _Changes:
    """Clones layers one after the other, with settings and names of ours."""

    def __init__(self, norm: str, dropout: float | None, drop_path: float | None) -> None:
        self._norm, self._dropout, self._drop_path = norm, dropout, drop_path
        self._counts: Counter[str] = Counter()

    def cloned(self, layer: Any) -> Any:
        """Return a layer with new weights."""
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config |= {"synchronized": self._norm == "sync", "momentum": MOMENTUM}
        if isinstance(layer, keras.layers.Dropout):
            config["rate"] = self._rate(layer)
        if "name" in config:
            config["name"] = self._name(layer)
        return type(layer).from_config(config)

    def _rate(self, layer: keras.layers.Dropout) -> float:
        if layer.noise_shape is None:
            return float(layer.rate if self._dropout is None else self._dropout)
        if self._drop_path is None:
            return float(layer.rate)
        return float(layer.rate * self._drop_path / _DROP_PATH)

    def _name(self, layer: Any) -> str:
        """Return the layer's name; a numbered name that Keras has given is numbered anew."""
        given = layer.name.rstrip("0123456789").rstrip("_")
        if given.replace("_", "") != type(layer).__name__.lower():
            return str(layer.name)
        self._counts[given] += 1
        return f"{given}_{self._counts[given]}"


def _copy_published(
    application: str, weights_file: str, top: dict[str, Any], model: keras.Model
) -> None:
    """Copy the weights of a file into the model: all of them, or all but those of the last layers."""
    others = {**top, "classes": _IMAGENET_CLASSES}
    forms: list[tuple[dict[str, Any], int, str]] = [
        (top, 0, "all layers"),
        (others, 2, "all layers but the last, which has other classes"),
        (
            {"include_top": False, "input_shape": top["input_shape"]},
            0,
            "all layers but the last ones",
        ),
    ]
    problem = ""
    for arguments, left_out, told in forms:
        source = build_published(application, **arguments)
        try:
            load_weights(source, weights_file)
        except ValueError as error:
            problem = problem or str(error).partition("\n")[0]
            continue
        found = source.get_weights()
        kept = found[: len(found) - left_out]
        # Without its last layers, a network has the same weights in the same order.
        model.set_weights([*kept, *model.get_weights()[len(kept) :]])
        logger.info("%s gives the weights of %s of %s.", weights_file, told, application)
        return
    raise ValueError(
        f"Received: weights_file={weights_file}, which does not fit: {problem} Expected: the weights of "
        f"keras.applications.{application} with {top['input_shape'][-1]} channels, and {top['classes']} or 1000 "
        "classes or include_top=False."
    )
