"""Pixels of the class `ignore_index` have no weight in any loss or metric: as if they were not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.options import read_options
from ddl.training.objectives.hausdorff import hausdorff95
from ddl.training.objectives.losses import BOX_LOSSES, EQUATIONS, LOSSES, build_loss
from ddl.training.objectives.metrics import METRICS, build_metric
from tests.ranks import call_ranks
from tests.training.steps.small_steps import make_steps

Array = np.ndarray[Any, Any]
SIDES = (6, 5)
OF_CLASSES = [name for name in LOSSES if "ignore_index" in LOSSES.options(name)]
METRICS_OF_CLASSES = [name for name in METRICS if "ignore_index" in METRICS.options(name)]
PIXELWISE = [name for name in OF_CLASSES if name != "boundary_crossentropy"]
COUNTED = ("dice", "iou", "precision", "recall", "confusion_matrix", "top_1")
NUMBERS = st.sampled_from([-1, 255])


def sample(seed: int, classes: int, ignored: int, count: int = 3) -> tuple[Array, Array, Array]:
    """Return true class numbers (N, H, W), with some to ignore, probabilities (N, H, W, C), and what counts."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, max(classes, 2), (count, *SIDES))
    found = random.uniform(0.01, 0.99, (count, *SIDES, classes)).astype("float32")
    if classes > 1:
        found /= found.sum(-1, keepdims=True)
    counts = random.random((count, *SIDES)) < random.uniform(0.2, 1)
    counts[:, 0, 0] = True  # some pixel of each sample
    return np.where(counts, truth, ignored).astype("int32"), found, counts


def classes_for(name: str) -> int:
    several = ("categorical_crossentropy", "crossentropy", "nll", "focal", "top_1")
    return 3 if name in several else 1


def without(truth: Array, found: Array, counts: Array) -> tuple[Array, Array]:
    """Return one sample without its other pixels: (1, pixels), (1, pixels, C)."""
    return truth[counts][None], found[counts][None]


def test_every_loss_of_classes_and_every_metric_has_the_option() -> None:
    assert set(LOSSES) - {*OF_CLASSES} == {"mse", "wasserstein", "none", *EQUATIONS, *BOX_LOSSES}
    for table, names in ((LOSSES, OF_CLASSES), (METRICS, METRICS_OF_CLASSES)):
        for name in names:
            option = table.options(name)["ignore_index"]
            assert (option.default, option.type) == (None, "int | None"), name
            assert option.help, name
            assert table.parse(name, ["ignore_index=-1"]) == {"ignore_index": -1}


@pytest.mark.filterwarnings("ignore:Received. loss 'batch_dice'")
@pytest.mark.parametrize("name", PIXELWISE)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), ignored=NUMBERS, many=st.booleans())
def test_a_loss_is_that_of_the_pixels_that_count(
    name: str, seed: int, ignored: int, many: bool
) -> None:
    """The mean over samples of each sample's loss without the ignored pixels."""
    classes = 3 if many and name != "binary_crossentropy" else classes_for(name)
    truth, found, counts = sample(seed, classes, ignored, 1 if name == "batch_dice" else 3)
    plain, ignoring = build_loss(name), build_loss(name, ignore_index=ignored)
    alone = [float(plain(*without(*one))) for one in zip(truth, found, counts, strict=True)]
    for form in (truth, truth[..., None], truth.astype("float32")):
        assert float(ignoring(form, found)) == pytest.approx(np.mean(alone), rel=1e-4, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), ignored=NUMBERS)
def test_boundaries_are_those_between_pixels_that_count(seed: int, ignored: int) -> None:
    truth, found, counts = sample(seed, 1, ignored)
    expected = []
    for t, p, w in zip(truth, found[..., 0].astype(float), counts, strict=True):
        near = np.zeros(SIDES)
        for y, x in np.ndindex(SIDES):
            around = (slice(max(y - 2, 0), y + 3), slice(max(x - 2, 0), x + 3))
            near[y, x] = len(set(t[around][w[around]])) == 2
        weights = (1 + 5 * near) * w
        entropy = -np.where(t == 1, np.log(p), np.log(1 - p))
        expected.append((weights * entropy).sum() / weights.sum())
    loss = build_loss("boundary_crossentropy", ignore_index=ignored)
    assert float(loss(truth, found)) == pytest.approx(np.mean(expected), rel=1e-4)


@pytest.mark.filterwarnings("ignore:Received. loss 'batch_dice'")
@pytest.mark.parametrize("name", OF_CLASSES)
def test_without_a_pixel_to_ignore_a_loss_is_the_same(name: str) -> None:
    classes = classes_for(name)
    truth, found, _ = sample(1, classes, 0)
    plain = float(build_loss(name)(truth, found))
    assert float(build_loss(name, ignore_index=255)(truth, found)) == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in OF_CLASSES if name != "batch_dice"])
def test_a_sample_without_a_pixel_that_counts_adds_0_to_the_mean(name: str) -> None:
    truth, found, _ = sample(2, classes_for(name), 255)
    loss = build_loss(name, ignore_index=255)
    alone = [float(loss(truth[i : i + 1], found[i : i + 1])) for i in range(3)]
    truth[1] = 255
    assert float(loss(truth, found)) == pytest.approx((alone[0] + alone[2]) / 3, rel=1e-5)


def test_the_loss_does_not_pull_at_ignored_pixels() -> None:
    import tensorflow as tf

    truth, found, counts = sample(3, 1, 255)
    for name in ("dice_crossentropy", "boundary_crossentropy", "focal", "tversky"):
        predicted = tf.constant(found)
        with tf.GradientTape() as tape:
            tape.watch(predicted)
            value = build_loss(name, ignore_index=255)(truth, predicted)
        gradient = tape.gradient(value, predicted).numpy()[..., 0]
        assert np.all(gradient[~counts] == 0)
        assert np.all(gradient[counts] != 0)


@pytest.mark.parametrize("name", COUNTED)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), ignored=NUMBERS, many=st.booleans())
def test_a_metric_is_that_of_the_pixels_that_count(
    name: str, seed: int, ignored: int, many: bool
) -> None:
    classes = 3 if many else classes_for(name)
    truth, found, counts = sample(seed, classes, ignored)
    ignoring, plain = build_metric(name, ignore_index=ignored), build_metric(name)
    ignoring.update_state(truth, found)
    for one in zip(truth, found, counts, strict=True):
        plain.update_state(*without(*one))
    np.testing.assert_allclose(ignoring.result(), plain.result(), rtol=1e-5)


@pytest.mark.parametrize("name", METRICS_OF_CLASSES)
def test_a_sample_without_a_pixel_that_counts_is_no_sample_of_a_metric(name: str) -> None:
    classes = 6 if name == "top_5" else 3
    truth, found, _ = sample(4, classes, 255)
    truth[1] = 255
    both, rest = (build_metric(name, ignore_index=255) for _ in range(2))
    both.update_state(truth, found)
    rest.update_state(truth[[0, 2]], found[[0, 2]])
    np.testing.assert_allclose(both.result(), rest.result(), rtol=1e-6)
    for one, other in zip(both.variables, rest.variables, strict=True):  # what ranks add up
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6)


def test_hausdorff_takes_ignored_pixels_as_background() -> None:
    truth, found, counts = sample(5, 1, 255, 1)
    metric = build_metric("hausdorff_95", ignore_index=255)
    metric.update_state(truth, found)
    masks = ((truth[0] == 1) & counts[0], (found[0, ..., 0] > 0.5) & counts[0])
    assert float(metric.result()) == pytest.approx(hausdorff95(*masks), rel=1e-5)


def test_labels_to_ignore() -> None:
    """A label has no other pixel: it adds 0 to the loss, and is no sample of a metric."""
    found = np.array([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], "float32")
    labels = np.array([1, -1, 0])
    loss = build_loss("categorical_crossentropy", ignore_index=-1)
    assert float(loss(labels, found)) == pytest.approx(-np.log([0.7, 0.1]).sum() / 3)
    metric = build_metric("top_1", ignore_index=-1)
    metric.update_state(labels, found, np.ones(3, "float32"))
    assert float(metric.result()) == 0.5
    matrix = build_metric("confusion_matrix", ignore_index=-1)
    matrix.update_state(labels, found)
    assert np.asarray(matrix.result()).sum() == 2


def test_one_hot_targets_have_no_number_to_ignore() -> None:
    _, found, _ = sample(0, 3, 255)
    with pytest.raises(ValueError, match="Expected: class numbers, not one-hot"):
        build_loss("dice", ignore_index=255)(np.zeros_like(found), found)


def test_a_class_takes_its_options_from_the_class_that_it_extends() -> None:
    found = list(read_options("ddl.training.objectives.overlap:IoU"))
    assert found == ["name", "background", "ignore_index"]


# Runs on every rank.
def trained(batch_size: int) -> dict[str, Array]:
    """Train an epoch of 13 samples, of which one has nothing that counts; return weights, results and validation."""
    import keras

    import ddl.distributed as dist

    keras.utils.set_random_seed(1)
    truth, inputs, _ = sample(7, 3, 255, 13)
    truth[4] = 255
    shape = keras.Input((*SIDES, 3))
    outputs = keras.layers.Conv2D(3, 3, padding="same", activation="softmax")(shape)
    model = keras.Model(shape, outputs)
    optimizer = keras.optimizers.SGD(0.5)
    model.compile(
        dist.DistributedOptimizer(optimizer) if dist.size() > 1 else optimizer,
        build_loss("dice_crossentropy", ignore_index=255),
        metrics=[build_metric(name, ignore_index=255) for name in ("dice", "recall", "top_1")],
    )
    steps, run = make_steps(model, inputs, truth[..., None], batch_size)
    with steps:
        steps.begin_epoch()
        while run.position.step < run.steps_per_epoch:
            run.advance(steps.take(1).count)
        results = steps.results()
        for _ in steps.validate():
            pass
        results |= {f"val_{name}": value for name, value in steps.results().items()}
    weights = {f"weight {n}": value for n, value in enumerate(model.get_weights())}
    return weights | {name: np.asarray(value) for name, value in results.items()}


def test_ignored_pixels_on_two_ranks_give_the_numbers_of_one() -> None:
    one = trained(6)
    two = call_ranks("tests.training.objectives.test_ignore_index:trained", 3, ranks=2)
    for of_rank in two:
        assert sorted(of_rank) == sorted(one)
        for name, value in one.items():
            np.testing.assert_allclose(of_rank[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
