"""Every loss against its formula in NumPy, and as a mean over samples."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ddl.options import parse_value
from ddl.training.objectives.losses import BOX_LOSSES, LOSSES, build_loss, needs_input

Array = np.ndarray[Any, Any]
OF_TARGETS = [name for name in LOSSES if not needs_input(name) and name not in BOX_LOSSES]
"""Those of boxes have tests of their own: tests/training/detection."""
MEANS = [name for name in OF_TARGETS if name != "batch_dice"]
ONE_CHANNEL = ("binary_crossentropy", "batch_dice", "mse", "wasserstein")
SEVERAL = ("categorical_crossentropy", "crossentropy", "nll")


def sample(seed: int, count: int = 3, classes: int = 1) -> tuple[Array, Array]:
    """Return true masks as numbers, (N, 6, 5, 1), and probabilities (N, 6, 5, classes)."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, max(classes, 2), (count, 6, 5, 1))
    found = random.uniform(0.01, 0.99, (count, 6, 5, classes))
    return truth.astype("float32"), (
        found / found.sum(-1, keepdims=True) if classes > 1 else found
    ).astype("float32")


def one_hot(truth: Array, classes: int) -> Array:
    return truth if classes == 1 else np.eye(classes, dtype="float32")[truth[..., 0].astype(int)]


def entropy(t: Array, p: Array) -> Array:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p) if t.shape[-1] == 1 else t * np.log(p)).sum(-1)


def dice(t: Array, p: Array, s: float = 1.0) -> float:
    return 1 - np.mean((2 * (t * p).sum((0, 1)) + s) / (t.sum((0, 1)) + p.sum((0, 1)) + s))


def jaccard(t: Array, p: Array, s: float = 1.0) -> float:
    both = (t * p).sum((0, 1))
    return 1 - np.mean((both + s) / (t.sum((0, 1)) + p.sum((0, 1)) - both + s))


def lovasz(t: Array, p: Array, present_only: bool = True) -> float:
    """Return Berman's Algorithm 1, pixel by pixel."""
    losses = []
    for truth, found in zip(
        t.reshape(-1, t.shape[-1]).T, p.reshape(-1, p.shape[-1]).T, strict=True
    ):
        if present_only and t.shape[-1] > 1 and not truth.any():
            continue
        errors, wrong, before, total = np.abs(truth - found), np.zeros(len(truth)), 0.0, 0.0
        for index in np.argsort(-errors):
            wrong[index] = 1
            mask = np.abs(truth - wrong)
            now = 1 - (truth * mask).sum() / np.maximum(truth, mask).sum()
            total, before = total + errors[index] * (now - before), now
        losses.append(total)
    return np.mean(losses)


def tversky(t: Array, p: Array, a: float = 0.3, b: float = 0.7, s: float = 1.0) -> float:
    tp, fp, fn = ((x * y).sum((0, 1)) for x, y in ((t, p), (1 - t, p), (t, 1 - p)))
    return 1 - np.mean((tp + s) / (tp + a * fp + b * fn + s))


def focal(t: Array, p: Array, g: float = 2.0, a: float = 0.5) -> float:
    if t.shape[-1] > 1:
        return np.mean((-t * (1 - p) ** g * np.log(p)).sum(-1))
    chance = np.where(t > 0.5, p, 1 - p)
    share = 2 * np.where(t > 0.5, a, 1 - a)
    return np.mean(-share * (1 - chance) ** g * np.log(chance))


def boundary(t: Array, p: Array, w: float = 5.0, r: int = 2) -> float:
    size = (2 * r + 1, 2 * r + 1, 1)
    grown = ndimage.maximum_filter(t, size, mode="constant", cval=0)
    shrunk = ndimage.minimum_filter(t, size, mode="constant", cval=1)
    weights = 1 + w * (grown - shrunk).max(-1)
    return (weights * entropy(t, p)).sum() / weights.sum()


FORMULAS: list[tuple[str, dict[str, Any], tuple[int, ...], Callable[[Array, Array], float]]] = [
    ("binary_crossentropy", {}, (1,), lambda t, p: entropy(t, p).mean()),
    (
        "binary_crossentropy",
        {"label_smoothing": 0.2},
        (1,),
        lambda t, p: entropy(t * 0.8 + 0.1, p).mean(),
    ),
    ("categorical_crossentropy", {}, (3,), lambda t, p: entropy(t, p).mean()),
    ("crossentropy", {}, (3,), lambda t, p: entropy(t, p).mean()),
    (
        "crossentropy",
        {"outputs": "separate"},
        (1, 3),
        lambda t, p: -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(-1).mean(),
    ),
    (
        "categorical_crossentropy",
        {"label_smoothing": 0.3},
        (3,),
        lambda t, p: entropy(t * 0.7 + 0.1, p).mean(),
    ),
    ("nll", {}, (3,), lambda t, p: entropy(t, p).mean()),
    ("nll", {"weight": (1.0, 0.5, 3.0)}, (3,), lambda t, p: entropy(t * [1, 0.5, 3], p).mean()),
    ("mse", {}, (1,), lambda t, p: ((t - p) ** 2).mean()),
    ("wasserstein", {}, (1,), lambda t, p: (-t * p).mean()),
    ("lovasz", {}, (1, 3), lovasz),
    ("lovasz", {"present_only": False}, (3,), lambda t, p: lovasz(t, p, False)),
    ("dice", {}, (1, 3), dice),
    ("dice", {"smooth": 1e-7}, (1, 3), lambda t, p: dice(t, p, 1e-7)),
    ("dice", {"smooth": 0.5}, (1, 3), lambda t, p: dice(t, p, 0.5)),
    (
        "dice_crossentropy",
        {"dice_weight": 2.0},
        (1, 3),
        lambda t, p: 2 * dice(t, p) + entropy(t, p).mean(),
    ),
    ("jaccard", {}, (1, 3), jaccard),
    ("jaccard", {"smooth": 1e-7}, (1, 3), lambda t, p: jaccard(t, p, 1e-7)),
    ("tversky", {}, (1, 3), tversky),
    ("tversky", {"alpha": 0.5, "beta": 0.5, "smooth": 0.5}, (1, 3), lambda t, p: dice(t, p, 1.0)),
    ("focal", {}, (1, 3), focal),
    ("focal", {"gamma": 1.0, "alpha": 0.25}, (1,), lambda t, p: focal(t, p, 1.0, 0.25) / 2),
    ("boundary_crossentropy", {}, (1, 3), boundary),
    (
        "boundary_crossentropy",
        {"boundary_weight": 2.0, "radius": 1},
        (1, 3),
        lambda t, p: boundary(t, p, 2, 1),
    ),
]


@pytest.mark.parametrize(("name", "options", "kinds", "formula"), FORMULAS)
def test_a_loss_is_its_formula(
    name: str, options: dict[str, Any], kinds: tuple[int, ...], formula: Callable[..., float]
) -> None:
    for classes in kinds:
        truth, found = sample(1, classes=classes)
        hot = one_hot(truth, classes)
        expected = np.mean([formula(t, p) for t, p in zip(hot, found, strict=True)])
        loss = build_loss(name, **options)
        for shape in (truth, truth[..., 0], hot):
            assert float(loss(shape, found)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", MEANS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 4))
def test_the_loss_of_a_batch_is_the_mean_of_its_samples(name: str, seed: int, count: int) -> None:
    truth, found = sample(seed, count, 1 if name in ONE_CHANNEL else 3)
    loss = build_loss(name)
    alone = [float(loss(truth[i : i + 1], found[i : i + 1])) for i in range(count)]
    assert float(loss(truth, found)) == pytest.approx(np.mean(alone), rel=1e-4)
    weights = np.arange(count, dtype="float32")
    assert float(loss(truth, found, weights)) == pytest.approx(
        np.mean(weights * alone), rel=1e-4, abs=1e-7
    )


def test_volumes_and_labels_are_samples_too() -> None:
    random = np.random.default_rng(0)
    volume, truth = random.uniform(0.1, 0.9, (2, 3, 4, 5, 1)), random.integers(0, 2, (2, 3, 4, 5))
    for name in [name for name in MEANS if name not in SEVERAL]:
        assert np.isfinite(float(build_loss(name)(truth, volume)))
    found = np.asarray([[0.2, 0.8], [0.6, 0.4]])
    expected = -np.mean(np.log([0.8, 0.4]))
    loss = build_loss("categorical_crossentropy")
    assert float(loss(np.asarray([1, 1]), found)) == pytest.approx(expected)
    assert float(loss(np.asarray([[1], [1]]), found)) == pytest.approx(expected)


def test_batch_dice_is_of_the_whole_batch_and_says_so() -> None:
    with pytest.warns(UserWarning, match="will depend on the number of ranks"):
        loss = build_loss("batch_dice")
    truth, found = sample(2)
    whole = 1 - (2 * (truth * found).sum() + 1) / (truth.sum() + found.sum() + 1)
    assert float(loss(truth, found)) == pytest.approx(whole, rel=1e-5)
    alone = [float(loss(truth[i : i + 1], found[i : i + 1])) for i in range(3)]
    assert abs(np.mean(alone) - whole) > 1e-4
    two = float(loss(truth, found, np.asarray([1.5, 1.5, 0.0])))
    assert two == pytest.approx(float(loss(truth[:2], found[:2])), rel=1e-5)


@pytest.mark.parametrize("name", OF_TARGETS)
@pytest.mark.filterwarnings("ignore:Received. loss 'batch_dice'")
def test_a_model_learns_with_it(name: str) -> None:
    classes = 1 if name in ONE_CHANNEL else 2
    truth, found = sample(0, classes=classes)
    inputs = keras.Input((6, 5, classes))
    activation = "sigmoid" if classes == 1 else "softmax"
    model = keras.Model(inputs, keras.layers.Conv2D(classes, 1, activation=activation)(inputs))
    model.compile(keras.optimizers.SGD(0.1), build_loss(name))
    losses = model.fit(found, truth, batch_size=3, epochs=3, shuffle=False, verbose=0).history[
        "loss"
    ]
    assert losses[-1] < losses[0]


def test_what_is_unknown_lists_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"'hinge'. Expected one of: binary_crossentropy, "):
        build_loss("hinge")
    with pytest.raises(
        ValueError, match=r"option of loss tversky. Received: 'gamma'. Expected: alpha, beta"
    ):
        build_loss("tversky", gamma=1)
    with pytest.raises(ValueError, match="one channel, for which it is always 0"):
        build_loss("categorical_crossentropy")(*sample(0))
    with pytest.raises(ValueError, match="class numbers without the last axis"):
        build_loss("dice")(np.zeros((1, 4, 4, 2)), np.zeros((1, 4, 4, 3)))
    for name in ("mse", "wasserstein"):
        with pytest.raises(ValueError, match=f"loss {name} of targets .* equally many channels"):
            build_loss(name)(*sample(0, classes=3))
    with pytest.raises(ValueError, match="2 weights of loss nll for 3 classes"):
        build_loss("nll", weight=(1, 2))(*sample(0, classes=3))
    with pytest.raises(ValueError, match="one channel, or no alpha"):
        build_loss("focal", alpha=0.5)(*sample(0, classes=3))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dice", "smooth=0", "smooth=0.0 for loss dice. Expected: at least 1e-07."),
        ("binary_crossentropy", "label_smoothing=1.5", "Expected: at least 0, at most 1."),
        ("focal", "alpha=2", "Expected: at least 0, at most 1."),
        ("tversky", "beta=nan", "Expected: at least 0."),
        ("boundary_crossentropy", "radius=0", "Expected: at least 1."),
        ("nll", "weight=1,-1", "Expected: at least 0."),
        ("nll", "source=tanh", "Expected one of: auto, probability, sigmoid, softmax, log_softmax"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LOSSES.parse(name, [text])


def test_options_are_documented_and_read_from_texts() -> None:
    assert LOSSES.parse("focal", ["gamma=3", "alpha=none"]) == {"gamma": 3.0, "alpha": None}
    for name in LOSSES:
        for option in LOSSES.options(name).values():
            assert option.help, (name, option.name)
            assert parse_value(str(option.default), option) == option.default
            LOSSES.check(name, **{option.name: option.default})
