"""Every metric against NumPy, and over batches as over all samples at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.training.objectives.metrics import METRICS, WHOLE_METRICS, build_metric
from ddl.training.plan.targets import METRICS_OF_VALUES

Array = np.ndarray[Any, Any]
MASKS = ("dice", "iou", "hausdorff_95", "precision", "recall")


def masks(
    seed: int, count: int = 4, classes: int = 1, sides: tuple[int, ...] = (7, 6)
) -> tuple[Array, Array]:
    """Return true masks as numbers, (N, *sides), some empty, and probabilities (N, *sides, classes)."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, max(classes, 2), (count, *sides))
    found = random.random((count, *sides, classes)) * random.choice(
        [0.4, 1.0], (count, 1, 1, 1, 1)[: len(sides) + 2]
    )
    truth[random.random(count) < 0.3] = 0
    return truth, found.astype("float32")


def foregrounds(truth: Array, found: Array) -> list[list[tuple[Array, Array]]]:
    """Return for each sample and class but the background the pair of masks."""
    classes = max(2, found.shape[-1])
    chosen = (found[..., 0] > 0.5) if found.shape[-1] == 1 else found.argmax(-1)
    return [
        [(t == c, f == c) for c in range(1, classes)] for t, f in zip(truth, chosen, strict=True)
    ]


def dice(t: Array, f: Array) -> float:
    return 2 * (t & f).sum() / (t.sum() + f.sum()) if (t | f).any() else 1.0


def iou(t: Array, f: Array) -> float:
    return (t & f).sum() / (t | f).sum() if (t | f).any() else 1.0


def hausdorff(t: Array, f: Array, spacing: float | tuple[float, ...] = 1.0) -> float:
    if not t.any() or not f.any():
        return float(np.linalg.norm(np.multiply(t.shape, spacing))) if (t | f).any() else 0.0
    edges = [np.argwhere(edge(mask)) * spacing for mask in (t, f)]
    apart = np.linalg.norm(edges[0][:, None] - edges[1][None], axis=-1)
    return max(np.percentile(apart.min(axis), 95) for axis in (0, 1))


def edge(mask: Array) -> Array:
    """Return the pixels of a mask that have a neighbour along an axis that is outside of it."""
    padded = np.pad(mask, 1)
    inner = padded.copy()
    for axis in range(mask.ndim):
        inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return mask & ~inner[(slice(1, -1),) * mask.ndim]


def precision(t: Array, f: Array) -> float:
    return (t & f).sum() / f.sum() if f.any() else 0.0


def recall(t: Array, f: Array) -> float:
    return (t & f).sum() / t.sum() if t.any() else 0.0


@pytest.mark.parametrize("sides", [(7, 6), (3, 4, 5)])
@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize(
    ("name", "formula"), [("dice", dice), ("iou", iou), ("hausdorff_95", hausdorff)]
)
def test_a_mean_over_pictures(
    name: str, formula: Callable[..., float], classes: int, sides: tuple[int, ...]
) -> None:
    truth, found = masks(3, 6, classes, sides)
    metric = build_metric(name)
    metric.update_state(truth[..., None], found)
    pairs = foregrounds(truth, found)
    expected = np.mean([np.mean([formula(t, f) for t, f in sample]) for sample in pairs])
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize(("name", "formula"), [("precision", precision), ("recall", recall)])
def test_a_share_of_all_pixels(name: str, formula: Callable[..., float], classes: int) -> None:
    truth, found = masks(5, 6, classes)
    metric = build_metric(name)
    metric.update_state(truth, found)
    classwise = zip(*foregrounds(truth, found), strict=True)
    whole = [[np.concatenate(side) for side in zip(*pairs, strict=True)] for pairs in classwise]
    assert float(metric.result()) == pytest.approx(np.mean([formula(*p) for p in whole]), rel=1e-6)


@pytest.mark.parametrize("name", MASKS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 4))
def test_batches_and_weights_do_not_matter(name: str, seed: int, cut: int) -> None:
    """States are sums: those of two shards, added, are that of the whole; a sample of weight 0 is no sample."""
    truth, found = masks(seed, 5)
    whole, first, second, weighed = (build_metric(name) for _ in range(4))
    whole.update_state(truth, found)
    first.update_state(truth[:cut], found[:cut])
    second.update_state(truth[cut:], found[cut:])
    for one, other in zip(first.variables, second.variables, strict=True):
        assert one.aggregation == "sum"
        one.assign(one + other)
    assert float(first.result()) == pytest.approx(float(whole.result()), rel=1e-5)
    weighed.update_state(truth, found, (np.arange(5) < cut).astype("float32"))
    first.reset_state()
    first.update_state(truth[:cut], found[:cut])
    assert float(weighed.result()) == pytest.approx(float(first.result()), rel=1e-5)


def test_a_spacing_stretches_the_distance() -> None:
    truth, found = masks(1, 3, sides=(3, 4, 5))
    spacing = (2.5, 1.0, 0.5)
    metric = build_metric("hausdorff_95", **METRICS.parse("hausdorff_95", ["spacing=2.5,1,0.5"]))
    metric.update_state(truth, found)
    expected = np.mean([hausdorff(*sample[0], spacing) for sample in foregrounds(truth, found)])
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(
        ValueError, match=r"spacing=\(0.0,\) for metric hausdorff_95. Expected: above 0."
    ):
        build_metric("hausdorff_95", spacing=(0.0,))
    with pytest.raises(ValueError, match="one spacing, or one per axis"):
        metric.update_state(truth[0], found[0])


@pytest.mark.parametrize("k", [1, 5])
def test_top_k(k: int) -> None:
    random = np.random.default_rng(0)
    found, truth = random.random((40, 8)).astype("float32"), random.integers(0, 8, 40)
    expected = np.mean([t in np.argsort(-f)[:k] for t, f in zip(truth, found, strict=True)])
    for labels in (truth, truth[:, None], np.eye(8)[truth]):
        metric = build_metric(f"top_{k}")
        metric.update_state(labels, found)
        assert float(metric.result()) == pytest.approx(expected)
    metric.reset_state()
    metric.update_state(truth, np.full_like(found, np.nan))
    assert float(metric.result()) == 0


def test_top_1_of_one_probability_and_top_5_of_too_few_classes() -> None:
    metric = build_metric("top_1")
    metric.update_state([[1], [0], [1], [0]], np.asarray([[0.9], [0.2], [0.1], [np.nan]]))
    assert float(metric.result()) == 0.5
    with pytest.raises(ValueError, match=r"always 1. Expected: more than 5 classes"):
        build_metric("top_5").update_state([0], np.ones((1, 3)))


def test_a_confusion_matrix() -> None:
    random = np.random.default_rng(0)
    truth, found = random.integers(0, 3, 30), random.random((30, 3))
    expected = np.zeros((3, 3))
    np.add.at(expected, (truth, found.argmax(1)), 1)
    metric = build_metric("confusion_matrix")
    metric.update_state(truth[:11], found[:11])
    early = np.asarray(metric.result())
    metric.update_state(truth[11:], found[11:])
    assert early.sum() == 11  # what was returned stays as it was
    assert np.array_equal(metric.result(), expected)
    rates = build_metric("recall")  # of labels, class 0 counts too
    rates.update_state(truth, found)
    assert float(rates.result()) == pytest.approx(np.mean(np.diag(expected) / expected.sum(1)))
    two = build_metric("confusion_matrix")
    two.update_state([1, 0, 1], np.asarray([[0.9], [0.8], [0.1]]))
    assert np.array_equal(two.result(), [[0, 1], [1, 1]])


def test_more_pixels_than_a_float32_can_count() -> None:
    metric = build_metric("confusion_matrix")
    metric.update_state(np.ones((1, 1, 1)), np.ones((1, 1, 1, 1)), [2.0**24])
    metric.update_state(np.ones((1, 1, 1)), np.ones((1, 1, 1, 1)))
    assert np.asarray(metric.result())[1, 1] == 2**24 + 1


KERAS_METRICS = [name for name in METRICS if name not in WHOLE_METRICS]
OF_CLASSES = [name for name in KERAS_METRICS if name not in METRICS_OF_VALUES]


def test_all_of_them_inside_fit_and_evaluate() -> None:
    truth, found = masks(0, 6, classes=6)
    inputs = keras.Input((7, 6, 6))
    model = keras.Model(inputs, keras.layers.Conv2D(6, 1, activation="softmax")(inputs))
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=[build_metric(name) for name in OF_CLASSES],
    )
    history = model.fit(found, truth, batch_size=4, epochs=2, verbose=0).history
    assert set(OF_CLASSES) < set(history)
    shown = model.evaluate(found, truth, batch_size=4, verbose=0, return_dict=True)
    predicted = model.predict(found, verbose=0)
    for name in OF_CLASSES:
        alone = build_metric(name)
        alone.update_state(truth, predicted)
        assert np.allclose(shown[name], alone.result(), rtol=1e-5), name


def test_metrics_survive_their_config() -> None:
    for name in KERAS_METRICS:
        metric = build_metric(name)
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
        assert (type(again), again.name) == (type(metric), name)


def test_what_is_unknown_lists_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"'auc'. Expected one of: dice, iou, precision"):
        build_metric("auc")
    with pytest.raises(
        ValueError, match=r"metric dice. Received: 'k'. Expected: background, ignore"
    ):
        build_metric("dice", k=3)
    with pytest.raises(ValueError, match=r"metric top_5. Received: 'k'"):
        build_metric("top_5", k=3)


def test_the_tables_load_no_framework() -> None:
    code = (
        "import json, sys; from ddl.training.objectives import losses, metrics\n"
        "losses.LOSSES.parse('dice', ['smooth=2']); losses.LOSSES.options('batch_dice')\n"
        "metrics.METRICS.options('hausdorff_95'); print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "numpy"} & set(json.loads(done.stdout))


@pytest.mark.parametrize(("name", "expected"), [("mae", 2.0), ("mse", 5.0)])
@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 1), (2, 1, 2)])
def test_errors_of_values_are_means_over_samples(
    name: str, expected: float, shape: tuple[int, ...]
) -> None:
    metric = build_metric(name)
    metric.update_state(np.zeros(shape), np.reshape([1.0, -3.0, 5.0, 7.0], shape), np.array([1, 0]))
    assert float(metric.result()) == expected
    metric.reset_state()
    metric.update_state(np.zeros((2,)), np.ones((2, 1)))  # one value a sample
    assert float(metric.result()) == 1
