"""Losses and metrics with labels that are parts of several classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.training.objectives.losses import build_loss
from ddl.training.objectives.metrics import build_metric

LOSSES = (
    ("categorical_crossentropy", {}),
    ("categorical_crossentropy", {"label_smoothing": 0.2}),
    ("focal", {}),
)


def sample(
    seed: int, count: int = 6, classes: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, their partners' and probabilities."""
    rng = np.random.default_rng(seed)
    found = rng.random((count, classes)).astype(np.float32) + 0.01
    labels, others = rng.integers(0, classes, (2, count))
    return labels, others, found / found.sum(-1, keepdims=True)


@pytest.mark.parametrize(("name", "options"), LOSSES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0, 1))
def test_the_loss_of_a_mixed_label_is_the_mixed_loss(
    name: str, options: dict[str, float], seed: int, share: float
) -> None:
    labels, others, found = sample(seed)
    one_hot = np.eye(4, dtype=np.float32)
    loss = build_loss(name, **options)
    mixed = float(loss(share * one_hot[labels] + (1 - share) * one_hot[others], found))
    own, other = float(loss(labels, found)), float(loss(others, found))
    assert mixed == pytest.approx(share * own + (1 - share) * other, abs=1e-5)


def test_a_label_of_one_part_gives_the_bits_of_its_number() -> None:
    labels, _, found = sample(0)
    one_hot = np.eye(4, dtype=np.float32)[labels]
    for name, options in LOSSES:
        loss = build_loss(name, **options)
        assert float(loss(labels, found)) == float(loss(one_hot, found))
    for name in ("top_1", "precision", "recall"):
        metrics = [build_metric(name) for _ in range(2)]
        for metric, truth in zip(metrics, (labels, one_hot), strict=True):
            metric.update_state(truth, found)
        assert float(metrics[0].result()) == float(metrics[1].result())


def test_top_1_compares_with_the_largest_part() -> None:
    found = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]], np.float32)
    truth = np.array([[0.6, 0.4, 0], [0.6, 0, 0.4]], np.float32)
    metric = build_metric("top_1")
    metric.update_state(truth, found)
    assert float(metric.result()) == 0.5
