"""Mixed batches are the same bits on any number of ranks, with any number of threads, and after a resume."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.batches import pipeline
from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixed_reader import MixedReader
from ddl.data.batches.mixing import Mixing
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.order import Position, SampleOrder

COUNT, CLASSES = 26, 5
LABELS = (np.arange(COUNT) * 7 % CLASSES).astype(np.int64)
PICTURES = np.random.default_rng(0).random((COUNT, 6, 5, 3), np.float32)
SAMPLES = ArraySamples(PICTURES, LABELS)
AUGMENTATION = Augmentation(pad_crop=2, flip_horizontal=0.5, noise=0.1)
MIXING = Mixing(mixup=0.5, cutmix=1.0, probability=0.8)
Steps = list[tuple[np.ndarray, ...]]


def batches(size: int, rank: int, count: int, mixing: Mixing = MIXING, **options: Any) -> Steps:
    """Return the first batches of one of `size` ranks, which share 8 samples a step."""
    order = SampleOrder("global", COUNT, 8 // size, size, seed=9)
    options = {"augmentation": AUGMENTATION, "classes": CLASSES, "epochs": 9, **options}
    with pipeline.training_batches(
        SAMPLES, order=order, rank=rank, mixing=mixing, **options
    ) as found:
        return [tuple(part.numpy() for part in batch) for batch in islice(found.dataset, count)]


def equal(one: Steps, two: Steps) -> bool:
    pairs = zip(one, two, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


def test_ranks_together_have_the_batches_of_one() -> None:
    whole = batches(1, 0, 8)  # two epochs; the last step of each has two samples
    for size in (2, 4, 8):
        parts = [batches(size, rank, 8) for rank in range(size)]
        together = [
            tuple(np.concatenate(part) for part in zip(*step, strict=True))
            for step in zip(*parts, strict=True)
        ]
        assert equal(whole, together)


def test_threads_and_a_resume_within_an_epoch_change_nothing() -> None:
    whole = batches(2, 1, 8)
    assert equal(whole, batches(2, 1, 8, threads=4))
    assert equal(whole[2:], batches(2, 1, 6, start=Position(0, 2)))
    assert equal(whole[5:], batches(2, 1, 3, start=Position(1, 1), threads=3))


def test_labels_keep_their_mean_and_the_last_epochs_are_not_mixed() -> None:
    mixing = Mixing(mixup=1.0, off_epochs=1)
    steps = batches(1, 0, 8, mixing, epochs=2, augmentation=None)
    order = SampleOrder("global", COUNT, 8, 1, seed=9)
    for (pictures, targets), (position, indices) in zip(
        steps, order.after(Position(), 0), strict=False
    ):
        one_hot = np.eye(CLASSES, dtype=np.float32)[LABELS[indices]]
        assert targets.dtype == np.float32
        assert targets.mean(axis=0) == pytest.approx(one_hot.mean(axis=0), abs=1e-6)
        assert pictures.mean() == pytest.approx(PICTURES[indices].mean(), abs=1e-5)
        is_plain = np.array_equal(pictures, PICTURES[indices])
        assert is_plain == np.array_equal(targets, one_hot) == (position.epoch == 1)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(2, 40),
    batch=st.integers(1, 7),
    size=st.integers(1, 4),
    steps=st.integers(1, 4),
)
def test_steps_read_together_are_those_read_alone(
    count: int, batch: int, size: int, steps: int
) -> None:
    samples = ArraySamples(
        np.arange(count * 4, dtype=np.float32).reshape(count, 2, 2, 1), np.arange(count) % 3
    )
    order = SampleOrder("global", count, batch, size, seed=3)
    reader = MixedReader(BatchReader(samples), Mixing(mixup=1.0), classes=3, seed=3, epochs=5)
    for rank in range(size):
        pairs = list(order.pairs(0, rank))
        alike = [pair for pair in pairs[:steps] if pair.shape == pairs[0].shape]
        together = reader.read_steps(0, 0, np.stack(alike))
        alone = [reader.read_steps(0, step, pair[None]) for step, pair in enumerate(alike)]
        for part, parts in zip(together, zip(*alone, strict=True), strict=True):
            assert np.array_equal(part, np.concatenate(parts))


def test_in_contiguous_order_a_rank_reads_no_sample_of_another() -> None:
    order = SampleOrder("contiguous", 23, 3, 2, seed=0)
    for rank, block in ((0, range(12)), (1, range(12, 23))):
        for own, (mine, partners) in zip(order.epoch(1, rank), order.pairs(1, rank), strict=True):
            assert np.array_equal(own, mine)
            assert set(partners.tolist()) == set(own.tolist()) <= set(block)


@pytest.mark.parametrize(
    ("samples", "classes"),
    [
        (ArraySamples(PICTURES, PICTURES[..., :1]), CLASSES),
        (ArraySamples(PICTURES, LABELS.astype(np.float32)), CLASSES),
        (ArraySamples(PICTURES[:, 0, 0], LABELS), CLASSES),
        (SAMPLES, 1),
    ],
)
def test_samples_that_cannot_be_mixed_are_refused(samples: Any, classes: int) -> None:
    with pytest.raises(ValueError, match="Expected: pictures with one label each, and 2 classes"):
        MixedReader(BatchReader(samples), MIXING, classes=classes, seed=0, epochs=1)


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_a_label_out_of_range_is_refused(label: int) -> None:
    samples = ArraySamples(PICTURES[:2], np.array([0, label]))
    reader = MixedReader(BatchReader(samples), MIXING, classes=CLASSES, seed=0, epochs=1)
    with pytest.raises(ValueError, match=f"label {label} of 5 classes"):
        reader.read_steps(0, 0, np.array([[[0, 1], [1, 0]]]))
