"""The document's own example on made rows, raw 0 to 255: errors as those of the NumPy re-implementation."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import ndimage

from ddl.models.network.prototxt import read_neuralnet
from ddl.training.objectives.losses import build_loss
from tests.models.network.prototxt.keras_side import keras_model
from tests.models.network.prototxt.reference import Array, Reference, text_of

SPEC = [("fc", 50), ("act", "sigmoid"), ("fc", 10), ("loss", "sigmoid")]
SHAPE, BATCH = (28, 28), 10


def rows(count: int) -> tuple[Array, Array]:
    """Return pictures like digits, (N, 1, 28, 28) of whole numbers 0 to 255, and their labels."""
    random = np.random.default_rng(3)
    strokes = random.random((10, 28, 28)) > 0.93
    digits = np.stack([ndimage.gaussian_filter(one * 1.0, 1.2) for one in strokes])
    labels = random.integers(0, 10, count)
    moved = np.stack(
        [np.roll(digits[label], random.integers(-2, 3, 2), (0, 1)) for label in labels]
    )
    noisy = moved / digits.max() + random.normal(0, 0.08, moved.shape)
    return np.round(noisy.clip(0, 1) * 255)[:, None], labels


def start(reference: Reference) -> None:
    """Draw the initial weights that the document's file asks for."""
    random = np.random.default_rng(1)
    for layer, spread, bias in zip(reference.layers[::2], (1e-4, 1e-2), (2e-4, 2e-2), strict=True):
        kernel = random.normal(0, spread, layer.weights[0].shape)
        layer.weights = [kernel, np.full_like(layer.weights[1], bias)]


@pytest.mark.parametrize(
    ("train", "validation", "iterations", "rate"),
    [(200, 50, 10, 1e-2), pytest.param(1000, 100, 20, 1e-3, marks=pytest.mark.proof)],
)
def test_errors_after_iterations(train: int, validation: int, iterations: int, rate: float) -> None:
    x, labels = rows(train + validation)
    reference = Reference(SHAPE, SPEC, "A")
    start(reference)
    net = read_neuralnet(text_of(SHAPE, SPEC, "A", BATCH, rate), "neuralnet")
    model = keras_model(net, reference)
    optimizer = keras.optimizers.SGD(net.step_size)
    model.compile(optimizer, build_loss(net.loss, **net.loss_option), jit_compile=False)
    for _ in range(iterations):
        for at in range(0, train, BATCH):
            part = slice(at, at + BATCH)
            reference.step(x[part], labels[part], rate)
            model.train_on_batch(x[part].transpose(0, 2, 3, 1), labels[part])
    ours, theirs = np.asarray(model(x.transpose(0, 2, 3, 1))), reference.forward(x)[-1]
    for part in (slice(train), slice(train, None)):
        errors = [float(np.mean(made[part].argmax(1) != labels[part])) for made in (ours, theirs)]
        assert errors[1] < 0.7  # it learns: guessing gives 0.9
        assert errors[0] == pytest.approx(errors[1], abs=0.03)
