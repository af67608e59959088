"""Balanced steps: those of supervised training, with shares of the global batch in proportion to the ranks' speeds.

A step has the samples that it has on one process, whatever the shares, and its gradient is the mean over them. So what
is learned stays the same, to rounding. docs/parallel.md says what is promised.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.distributed.balance import better_shares
from ddl.distributed.gradients.step_share import known_share
from ddl.training.data.training_data import TrainingData
from ddl.training.parallel.own_time import OwnTime
from ddl.training.profiling.profile import Profile
from ddl.training.run import Run
from ddl.training.steps.blocks import several_steps
from ddl.training.steps.run_batches import open_training
from ddl.training.steps.step import Taken
from ddl.training.steps.supervised import SupervisedSteps

logger = logging.getLogger("ddl")

WINDOW = 4
"""Measured steps from which shares are decided: their median takes out a single hiccup."""
_BETWEEN = 2
"""Calls of other steps between two measured ones, once shares have settled."""


class BalancedSteps(SupervisedSteps):
    """Takes the steps of `SupervisedSteps` with shares. Rank 0 decides them; every rank takes the same kind of step.

    Shares change only where losses are checked: between blocks, after a decision of all ranks.
    """

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare training."""
        super().__init__(model, run, data, profile)
        self._share = tf.Variable(1.0, dtype=tf.float64, trainable=False)
        self._own_time: OwnTime | None = None  # while shares follow speeds
        self._measures = False  # whether the next single step is measured
        self._settled = False  # whether the last decision kept the shares
        self._until_measured = 0
        if not run.plan.shares:
            run.compiled = False  # XLA would compile the step for each number of samples
        self._note_share()

    def take(self, most: int) -> Taken:
        self._follow_speeds()
        self._measures = self._until_measured <= 0 and self._can_measure()
        taken = super().take(most)
        self._until_measured -= taken.count
        if self._measures:
            self._until_measured = _BETWEEN * most if self._settled else 0
        return taken

    def _use(self, single: Any) -> None:
        super()._use(single)
        plain = self._single
        if dist.size() > 1 and not self._run.plan.shares and not self.model.run_eagerly:
            own_time = self._own_time = OwnTime(self.model, self._known)
            self._single = lambda iterator: (own_time.take if self._measures else plain)(iterator)

    def _in_blocks(self) -> Any:
        return several_steps(self.model, self._notes, self._known)

    def _known(self) -> AbstractContextManager[Any]:
        return known_share(self._share)

    def _block(self, most: int) -> int:
        """Return how many steps to take in one call. A short last step is taken alone: it has shares of its own."""
        if self._measures or self._single_steps_left > 0 or self._compilation.is_open:
            return 1
        order = self._run.order
        ends_short = order.samples_per_epoch % order.global_batch_size != 0
        return max(1, min(most, order.steps_per_epoch - self._run.position.step - ends_short))

    def _can_measure(self) -> bool:
        """Whether the next step has all its samples, and may be taken alone. The same on all ranks."""
        order = self._run.order
        is_full = (self._run.position.step + 1) * order.global_batch_size <= order.count
        is_free = self._single_steps_left <= 0 and not self._compilation.is_open
        return self._own_time is not None and is_full and is_free

    def _follow_speeds(self) -> None:
        """Decide about the shares, once enough steps are measured. All ranks call it."""
        own_time = self._own_time
        if own_time is None or len(own_time.seconds) < WINDOW or self._losses:
            return
        order = self._run.order
        mine = np.zeros(dist.size())
        mine[dist.rank()] = np.median(own_time.seconds)
        seconds = dist.allreduce(mine, "sum").tolist()
        now = [order.share_of(rank) for rank in range(dist.size())]
        shares = tuple(dist.broadcast(better_shares(now, seconds) if dist.is_root() else []))
        self._settled = list(shares) == now
        own_time.clear(skips=not self._settled)
        if not self._settled:
            self._divide(shares, seconds)

    def _divide(self, shares: tuple[int, ...], seconds: Sequence[float]) -> None:
        """Read other shares from here on. What was read ahead is read again, but no sample is trained on twice."""
        run = self._run
        run.order = dataclasses.replace(run.order, shares=shares)
        self._note_share()
        self._training.close()
        self._batches = iter(self._train_on(open_training(run, self._data)))
        if dist.is_root():
            logger.info(
                "Samples of each rank in a step, by speed, from step %d of epoch %d on: %s. With the shares before, "
                "the fastest rank took %.3g ms and the slowest %.3g ms.",
                *(run.position.step + 1, run.position.epoch + 1, ", ".join(map(str, shares))),
                *(1e3 * min(seconds), 1e3 * max(seconds)),
            )

    def _note_share(self) -> None:
        """Set the variable from which steps in blocks, and measured ones, read this rank's share."""
        order = self._run.order
        self._share.assign(order.share_of(dist.rank()) * dist.size() / order.global_batch_size)
