"""Scores of a run's generator: its own latent vectors, the averaged generator, and one line about a collapse."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ddl.data.sources.arrays import Arrays
from ddl.training.adversarial.model import Gan, gan_model
from ddl.training.adversarial.scores.epoch_scores import EpochScores
from ddl.training.plan.plan import Plan
from tests.ranks import call_ranks

PICTURES = np.random.default_rng(0).random((40, 8, 8, 1)).astype(np.float32)
SMALL = {"width": 4}


def scored(folder: Path, weight: float | None) -> tuple[dict[str, Any], list[str]]:
    """Score a GAN twice, all of whose weights are this number if it is one; return results and warnings."""
    plan = Plan(
        run_dir=folder, gan_loss="dcgan", data="arrays", score_samples=40, latent_size=4,
        generator_average=0.9, generator_option=SMALL, discriminator_option=SMALL,
    )  # fmt: skip
    model: Gan = gan_model(plan, (8, 8, 1), 1)
    if weight is not None:
        model.set_weights([np.full(one.shape, weight) for one in model.get_weights()])
    run: Any = SimpleNamespace(plan=plan, position=SimpleNamespace(epoch=6))
    scores = EpochScores(model, run, Arrays({"image": PICTURES}, "arrays"))
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("ddl").addHandler(handler)
    try:
        for _ in range(2):
            for _ in scores.take():
                pass
            results = scores.results()
    finally:
        logging.getLogger("ddl").removeHandler(handler)
    return results, lines


def test_a_collapse_is_one_line_for_each_validation(tmp_path: Path) -> None:
    found = call_ranks(scored, tmp_path, 0.0, ranks=2)
    results, lines = found[0]
    assert (results["diversity"], results["near_duplicates"]) == (0, 40)
    assert [line.startswith("Epoch 7: the generator may have collapsed.") for line in lines] == [
        True,
        True,
    ]
    assert all(other == [] for _, other in found[1:])


def test_results_say_what_they_rest_on(tmp_path: Path) -> None:
    ((results, _),) = call_ranks(scored, tmp_path, None, ranks=1)
    assert results["features"] == "random features"
    assert results["kid"] > 0
