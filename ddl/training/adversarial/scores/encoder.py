"""What turns pictures into features for scores: a network from a file, or one of random weights.

    encode = random_encoder((32, 32, 1))
    features = encode(pictures)  # (n, 32, 32, 1) of 0..1 -> (n, 440)

A trained network's features are the input of its last dense layer, or its output if it ends in features. Maps of
features are averaged over height and width. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.data.normalization import Normalization
from ddl.training.checkpoint.find_trained import find_trained, stored_preprocessing
from ddl.training.checkpoint.transfer import load_model
from ddl.training.record.run_dir import holds_run

RANDOM = "random features"
"""The name of the encoder without a file, in the history: its numbers are not those of Inception's features."""
RANDOM_SEED = 20_240
"""The same for all runs, so that their scores can be compared."""
_FILTERS = (8, 16, 32, 32)
_PARTS = 2  # a side of the pooled maps: the place of what is seen counts, too
_NOT_FEATURES = ("Activation", "Softmax", "ReLU", "Dropout", "Flatten")


@dataclass(frozen=True)
class ScoreEncoder:
    """A function from pictures (n, height, width, channels) of 0..1 to features (n, d), float32.

    Attributes:
        name: of the history.
        features: how many.
    """

    name: str
    features: int
    encode: Callable[[np.ndarray], np.ndarray]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        return self.encode(pictures)


def score_encoder(file: Path | None, picture_shape: tuple[int, ...]) -> ScoreEncoder:
    """Return the encoder of a run's scores: that of a file or run directory, without one that of random weights.

    Raises:
        ValueError: the file holds no network that takes pictures.
    """
    if file is None:
        return random_encoder(picture_shape)
    return trained_encoder(file, picture_shape)


def random_encoder(picture_shape: tuple[int, ...]) -> ScoreEncoder:
    """Return the encoder of random weights, which are the same everywhere. It takes pictures of any sides.

    Each level halves the sides and rectifies; the features are the means and the deviations of the maps of all levels
    over quarters of the picture.
    """
    kernels = _random_kernels(picture_shape[-1])

    def features(pictures: Any) -> Any:
        maps, found = 2 * pictures - 1, []
        for kernel in kernels:
            maps = tf.nn.conv2d(maps, kernel, 1, "SAME")
            maps = tf.nn.leaky_relu(maps, 0.2) * np.float32(np.sqrt(2 / (1 + 0.2**2)))
            found.append(_in_parts(maps))
            if min(maps.shape[1:3]) > 1:
                maps = tf.nn.avg_pool2d(maps, 2, 2, "SAME")
        return tf.concat(found, axis=1)

    return _compiled(RANDOM, features, picture_shape)


def trained_encoder(file: Path, picture_shape: tuple[int, ...]) -> ScoreEncoder:
    """Return the encoder of a network in a Keras file, which takes pictures of 0..1, or of a trained run.

    Pictures are resized to the network's sides. Grey ones get three channels, and coloured ones one, where it needs
    that.

    Raises:
        ValueError: the file holds no network that takes pictures.
    """
    how: Normalization | None = None
    if holds_run(file):
        trained = find_trained(file)
        stored = stored_preprocessing(trained)
        how = None if stored is None else stored.normalization
        model = load_model(trained.file)
    else:
        model = load_model(file)
    network = _network_of_features(model, file)
    sides, channels = network.input_shape[1:-1], network.input_shape[-1]

    def features(pictures: Any) -> Any:
        pictures = _with_channels(pictures, channels, file)
        if None not in sides and tuple(pictures.shape[1:3]) != tuple(sides):
            pictures = tf.image.resize(pictures, sides, "bilinear", antialias=True)
        if how is not None:
            pictures = (pictures - np.asarray(how.mean, np.float32)) / np.asarray(
                how.deviation, np.float32
            )
        found = network(pictures, training=False)
        return found if len(found.shape) == 2 else tf.reduce_mean(found, axis=(1, 2))

    return _compiled(file.name, features, picture_shape)


def _network_of_features(model: keras.Model, file: Path) -> keras.Model:
    """Return the network up to its features."""
    shape = model.input_shape
    if isinstance(shape, list | dict) or len(shape) != 4:
        raise ValueError(
            f"Received: score_encoder={file}, whose input has the shape {shape}. Expected: a network that takes "
            "pictures, (height, width, channels)."
        )
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    end = model.outputs[0]
    is_chain = [layer for layer in layers if layer.output is end]
    layer = is_chain[0] if is_chain else layers[-1]
    while type(layer).__name__ in _NOT_FEATURES and len(layers) > 1:
        end = layer.input
        layer = next(one for one in layers if one.output is end)
    if isinstance(layer, keras.layers.Dense):
        end = layer.input
    if len(end.shape) not in (2, 4):
        raise ValueError(
            f"Received: score_encoder={file}, whose last features have the shape {tuple(end.shape[1:])}. Expected: a "
            "row of features, or maps of them."
        )
    return keras.Model(model.input, end)


def _with_channels(pictures: Any, channels: int, file: Path) -> Any:
    have = pictures.shape[-1]
    if have == channels:
        return pictures
    if have == 1:
        return tf.repeat(pictures, channels, axis=-1)
    if channels == 1:
        return tf.reduce_mean(pictures, axis=-1, keepdims=True)
    raise ValueError(
        f"Received: score_encoder={file}, which takes {channels} channels, for pictures of {have}. Expected: as many, "
        "or one."
    )


def _compiled(name: str, features: Any, picture_shape: tuple[int, ...]) -> ScoreEncoder:
    signature = [tf.TensorSpec((None, *picture_shape), tf.float32)]
    traced = tf.function(features, signature, autograph=False).get_concrete_function()
    count = int(traced.structured_outputs.shape[-1])

    def encode(pictures: np.ndarray) -> np.ndarray:
        found: np.ndarray = traced(tf.constant(pictures, tf.float32)).numpy()
        return found.astype(np.float32, copy=False)

    return ScoreEncoder(name, count, encode)


def _random_kernels(channels: int) -> list[np.ndarray]:
    """Return kernels (3, 3, in, out) that keep the variance of what goes through them."""
    random = np.random.Generator(np.random.Philox(key=RANDOM_SEED))
    kernels = []
    for filters in _FILTERS:
        kernel = random.standard_normal((3, 3, channels, filters)) / np.sqrt(9 * channels)
        kernels.append(kernel.astype(np.float32))
        channels = filters
    return kernels


def _in_parts(maps: Any) -> Any:
    """Return the means of each map over the parts of the picture, and its deviation over the whole, (n, 5 x maps)."""
    height, width = maps.shape[1:3]
    rows, columns = (min(_PARTS, side) for side in (height, width))
    means = [
        tf.reduce_mean(
            maps[
                :,
                row * height // rows : (row + 1) * height // rows,
                column * width // columns : (column + 1) * width // columns,
            ],
            axis=(1, 2),
        )
        for row in range(rows)
        for column in range(columns)
    ]
    return tf.concat([*means, tf.math.reduce_std(maps, axis=(1, 2))], axis=1)
