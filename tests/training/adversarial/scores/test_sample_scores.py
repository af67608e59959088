"""Scores over ranks: the same on one and on two, with the labels of the held-out pictures."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.inputs_and_targets import ArraySamples
from ddl.training.adversarial.scores.encoder import random_encoder
from ddl.training.adversarial.scores.sample_scores import SampleScores
from tests.ranks import call_ranks

COUNT = 130
"""Three batches, so that of two ranks one has two."""


def held_out() -> ArraySamples:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    pictures = random.random((90, 8, 8, 1)) * 0.5 + labels[:, None, None, None] * 0.2
    return ArraySamples(pictures.astype(np.float32), labels)


def generate(numbers: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Return pictures that depend on their numbers and labels alone."""
    levels = np.zeros(len(numbers)) if labels is None else 0.2 * labels
    pictures = [
        np.random.default_rng(int(number)).random((8, 8, 1)) * 0.5 + level
        for number, level in zip(numbers, levels, strict=True)
    ]
    return np.asarray(pictures, np.float32)


def scored(labelled: bool) -> list[dict[str, float]]:
    """Return the results of two validations, on every rank."""
    scores = SampleScores(held_out(), random_encoder((8, 8, 1)), COUNT, labelled=labelled)
    results = []
    for _ in range(2):
        for _ in scores.take(generate):
            pass
        results.append(scores.results())
    return results


@pytest.mark.parametrize(
    ("labelled", "ranks"),
    [(True, 2), pytest.param(False, 2, marks=pytest.mark.proof),
     pytest.param(True, 3, marks=pytest.mark.proof)],
)  # fmt: skip
def test_several_ranks_find_what_one_finds(labelled: bool, ranks: int) -> None:
    (one,) = call_ranks(scored, labelled, ranks=1)
    for found in call_ranks(scored, labelled, ranks=ranks):
        assert found[0] == pytest.approx(one[0], rel=1e-5, abs=1e-6)


def test_each_validation_of_equal_weights_has_equal_scores() -> None:
    first, second = call_ranks(scored, False, ranks=1)[0]
    assert first == second
    assert {*first} == {"kid", "kid_error", "fid", "diversity", "near_duplicates"}


def test_labels_of_the_held_out_pictures_bring_samples_near_to_them() -> None:
    without, with_labels = (call_ranks(scored, given, ranks=1)[0][0] for given in (False, True))
    assert abs(with_labels["kid"]) < without["kid"] / 20
