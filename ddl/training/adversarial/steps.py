"""The steps of a GAN: updates of the discriminator, in turn with those of the generator; validation is scores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ddl.data.batches import pipeline
from ddl.training.adversarial.model import Gan
from ddl.training.adversarial.scores.epoch_scores import EpochScores
from ddl.training.data.training_data import TrainingData
from ddl.training.profiling.profile import Profile
from ddl.training.run import Run
from ddl.training.steps.bad_data import naming_bad_data
from ddl.training.steps.run_batches import open_training
from ddl.training.steps.step import Part
from ddl.training.steps.supervised import SupervisedSteps


class AdversarialSteps(SupervisedSteps):
    """Trains a GAN. `ddl.training.steps.step.Steps` documents the methods."""

    def __init__(
        self, model: Gan, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare training. Rank 0's weights count."""
        super().__init__(model, run, data, profile)
        held_out = data.validation
        self._scores = None if held_out is None else EpochScores(model, run, held_out)
        self.validation_steps = 0 if self._scores is None else self._scores.turns
        self._has_scores = False

    def results(self) -> dict[str, Any]:
        if self._has_scores and self._scores is not None:
            self._has_scores = False
            return self._scores.results()
        return super().results()

    def validate(self) -> Iterator[Mapping[str, Any]]:
        if self._scores is not None:
            for _ in self._scores.take():
                yield {}
            self._has_scores = True

    def outputs(self) -> Iterator[list[Part]]:
        yield from ()

    @contextlib.contextmanager
    def training_state(self) -> Iterator[None]:
        yield

    def _open_batches(self) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
        return open_training(self._run, self._data), []

    def _opened(self, part: pipeline.Batches, class_weights: np.ndarray | None = None) -> Any:
        self._open.enter_context(naming_bad_data(part))
        self._open.enter_context(part)
        return part.dataset
