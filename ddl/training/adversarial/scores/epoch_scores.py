"""Scores of a run's generator after each validation, with a line where it has collapsed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.data.source import Source
from ddl.training.adversarial.samples.fixed_latents import SCORED, fixed_latents
from ddl.training.adversarial.samples.trained_generator import generator_of
from ddl.training.adversarial.scores.encoder import score_encoder
from ddl.training.adversarial.scores.sample_scores import SampleScores
from ddl.training.run import Run

logger = logging.getLogger("ddl")


class EpochScores:
    """Scores the generator of a model. Every rank has one, and all ranks call each method together.

    Attributes:
        turns: how often `take` yields.
    """

    def __init__(self, model: keras.Model, run: Run, held_out: Source) -> None:
        """Prepare it; nothing is read yet.

        Raises:
            ValueError: the plan's encoder cannot be used for such pictures.
        """
        plan, shape = run.plan, next(iter(held_out.fields.values())).shape
        self._run, self._generator = run, generator_of(model)
        encoder = score_encoder(plan.score_encoder, shape)
        self._name = encoder.name
        self._scores = SampleScores(
            held_out, encoder, plan.score_samples, labelled=plan.conditional
        )
        self.turns = self._scores.turns

    def take(self) -> Iterator[None]:
        """Generate and encode samples with the generator's weights of now, yielding after each turn."""
        seed, size = self._run.plan.seed, self._generator.latent_size

        def generate(numbers: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
            return self._generator(fixed_latents(seed, SCORED, numbers, size), labels)

        yield from self._scores.take(generate)

    def results(self) -> dict[str, Any]:
        """Return the scores of the last `take`, and what their features are; the same on all ranks."""
        results: dict[str, Any] = self._scores.results()
        found = self._scores.diversity
        if dist.is_root() and found is not None and found.has_collapsed:
            logger.warning("%s", found.warning(self._run.position.epoch + 1))
        return results | {"features": self._name}
