"""Local steps: each rank takes `sync_every` steps alone, then all ranks average what these changed.

A call of `take` is one round, so the loop only ever sees averaged weights: checkpoints, validation and the comparison
of ranks stay valid. docs/parallel.md says what is promised.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data.batches import pipeline
from ddl.data.order import Position
from ddl.distributed.local_steps import OuterSteps
from ddl.distributed.state import model_state
from ddl.training.data.training_data import TrainingData
from ddl.training.parallel.rounds import better_speeds, round_order
from ddl.training.profiling.profile import Profile
from ddl.training.run import Run
from ddl.training.steps.nonfinite import check_losses
from ddl.training.steps.run_batches import open_batches, open_training
from ddl.training.steps.step import Taken
from ddl.training.steps.supervised import CHECK_DESYNC_STEPS, SupervisedSteps

logger = logging.getLogger("ddl")

_EVERY_ROUND = 4
"""Rounds after which speeds are compared every time; later every so many rounds."""


class LocalSteps(SupervisedSteps):
    """Takes rounds of local steps. `ddl.training.steps.step.Steps` documents the methods."""

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare training. The model has its outer optimizer; rank 0's weights count."""
        super().__init__(model, run, data, profile)
        self._outer: OuterSteps = model._ddl_outer
        self._rounds = round_order(run.order, run.plan)
        self._used = [
            (0, self._rounds)
        ]  # in this epoch: the first step of each division into shares
        self._logs: Mapping[str, Any] = {}
        self._own: list[int] = []  # the step of the epoch of each loss that is not yet checked
        self._seconds: list[float] = []  # of a step, in each round since speeds were compared
        self._rounds_taken = 0
        if dist.is_root():
            _announce(run)

    def begin_epoch(self) -> None:
        super().begin_epoch()
        self._used = [(self._run.position.step, self._rounds)]

    def take(self, most: int) -> Taken:
        """Take a round, whatever `most` is."""
        run, rounds = self._run, self._rounds
        begin = run.position.step
        end = rounds.end(begin)
        sizes = rounds.batches(begin, end, dist.rank())
        started = time.perf_counter()
        if self._compilation.decide():
            self._use(self._compilation.compiled_step())
        self._outer.keep()
        self._take_alone(len(sizes))
        self._own += [min(begin + number, end - 1) for number in range(len(sizes))]
        if run.plan.steps_by_speed:
            self._note_speed(len(sizes), started)
        self._outer.average(sum(sizes), sum(rounds.samples(begin, end)))
        self._outer.count_step(run.position.epoch * run.steps_per_epoch + end)
        self.first_step_s = self.first_step_s or time.perf_counter() - started
        self._until_desync_check -= end - begin
        if self._until_desync_check <= 0:
            self._until_desync_check = CHECK_DESYNC_STEPS
            model_state.check_desync(self.model, f"after batch {end}")
        self._follow_speeds(end)
        return Taken(end - begin, self._logs)

    def check_losses(self, last_good: Callable[[], str]) -> None:
        losses = [float(loss) for part in self._losses for loss in part.numpy().ravel()]
        own, self._own = self._own, []
        self._losses.clear()
        epoch, used = self._run.position.epoch, self._used

        def indices_at(step: int) -> np.ndarray:
            first, rounds = [part for part in used if part[0] <= step][-1]
            begin = max(first, rounds.begin(step))
            found = rounds.own_steps(epoch, dist.rank(), begin)
            parts = [indices for at, indices in found if at == step]
            return np.concatenate(parts) if parts else np.zeros(0, np.int64)

        check_losses(
            *(losses, self._run, self._data.training, last_good),
            own_steps=own,
            indices_at=indices_at,
        )

    def _take_alone(self, count: int) -> None:
        """Take this rank's own steps of a round."""
        if self._compilation.is_open or self.model.run_eagerly or count == 1:
            for _ in range(count):
                begin = time.perf_counter()
                self._logs = self._single(self._batches)
                self._losses.append(tf.convert_to_tensor(self._logs["loss"]))
                self._compilation.note(self._logs, begin)
        elif count:
            self._logs, losses, _ = self._several(self._batches, tf.constant(count))
            self._losses.append(losses)
        if not count:
            self._compilation.note({"loss": 0.0}, time.perf_counter())

    def _note_speed(self, count: int, started: float) -> None:
        """Note the seconds of a step, before this rank waits for others."""
        if count:
            self._losses[-1].numpy()  # waits for a GPU
            self._seconds.append((time.perf_counter() - started) / count)

    def _follow_speeds(self, step: int) -> None:
        """Compare the ranks' speeds now and then, and divide the next rounds by them. All ranks call it."""
        self._rounds_taken += 1
        taken = self._rounds_taken
        if not self._run.plan.steps_by_speed or dist.size() == 1 or taken < 2:
            return  # the first round is mostly tracing
        if taken > _EVERY_ROUND and taken % _EVERY_ROUND:
            return
        mine = np.zeros(dist.size())
        mine[dist.rank()] = float(np.median(self._seconds[-_EVERY_ROUND:] or [1e-9]))
        step_s = dist.allreduce(mine, "sum").tolist()
        now, every = self._rounds.speeds, min(self._rounds.every, self._run.steps_per_epoch)
        speeds = better_speeds(now, step_s, every * dist.size())
        if speeds != now:
            self._divide(speeds, step)

    def _open_batches(self) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
        return open_batches(self._run, self._data, self._rounds)

    def _divide(self, speeds: tuple[float, ...], step: int) -> None:
        """Read the samples of other shares from here on."""
        run = self._run
        self._rounds = dataclasses.replace(self._rounds, speeds=speeds)
        self._used.append((step, self._rounds))
        self._training.close()
        start = Position(run.position.epoch, step)
        self._batches = iter(self._train_on(open_training(run, self._data, self._rounds, start)))
        if dist.is_root():
            steps = [
                len(self._rounds.batches(0, self._rounds.end(0), r)) for r in range(dist.size())
            ]
            logger.info(
                "Steps of each rank between two averages, by speed: %s.", ", ".join(map(str, steps))
            )


def _announce(run: Run) -> None:
    """Log where a setting has less effect than its name says."""
    every, steps, plan = run.plan.sync_every, run.steps_per_epoch, run.plan
    if dist.size() == 1 and plan.outer_optimizer == "average":
        logger.info(
            "There is one rank, so parallel=local averages nothing and trains as sync does."
        )
    elif every > steps:
        logger.info(
            "sync_every=%d, but an epoch has %d steps: ranks average at its end.", every, steps
        )
