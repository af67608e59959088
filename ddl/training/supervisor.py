"""What all ranks decide together, every second or so in the middle of an epoch and at its end, as a Keras callback.

To stop (a signal on any rank, the time limit), to write a checkpoint (minutes have passed), to give up (a loss that is
no number). A rank that decided alone would leave the others waiting.
"""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.data.order import Position
from ddl.training.blocks import Blocks, block_size
from ddl.training.epochs import Feed
from ddl.training.run import Diverged, Run
from ddl.training.saver import Saver
from ddl.training.stop_request import StopRequest, signal_name
from ddl.training.suspects import listed

logger = logging.getLogger("ddl")

AGREE_EVERY_S = 0.5
"""The ranks talk about this often: two small reductions, under a millisecond."""
_NEVER = 1 << 30


class Supervisor(keras.callbacks.Callback):
    """Keeps the run's position, history and checkpoints, and ends it when that is due. All ranks have one."""

    def __init__(
        self, run: Run, saver: Saver, stop: StopRequest, feed: Feed, blocks: Blocks
    ) -> None:
        super().__init__()
        self._run, self._saver, self._stop = run, saver, stop
        self._feed, self._blocks = feed, blocks
        self._first_step = 0  # of what `fit` calls batch 0
        self._trained: list[np.ndarray] = []  # the epoch's sums, while a validation makes its own
        self._batches = 0  # since the ranks last agreed
        self._interval = 1  # batches between two agreements
        self._agreed_at = self._saved_at = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start where the run stands: in the middle of an epoch after a resume."""
        self._run.begin_epoch(epoch)
        self._first_step = self._run.position.step
        self._saver.restore_metrics(self._feed.batch_spec)
        self._batches, self._agreed_at = 0, time.monotonic()  # what lay between is no step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the steps; agree when it is time."""
        run = self._run
        if not self._blocks.taken:
            return
        run.position = Position(run.position.epoch, self._first_step + batch + 1)
        self._batches += self._blocks.taken
        if self._batches < self._interval:
            return
        self._check_losses()
        stop, save = self._agree(sizes=True)
        # After the last step the end of the epoch saves anyway, unless a long validation comes in between.
        if stop or (save and run.position.step < run.steps_per_epoch):
            self._save(stop)

    def on_test_begin(self, logs: Any = None) -> None:
        """Keep the epoch's sums: the validation has its own in the same place."""
        self._check_losses()
        self._trained = self._sums()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop and save in a long validation, too: the next start repeats it."""
        self._batches += 1
        if self._batches < self._interval:
            return
        stop, save = self._agree()
        if stop or save:
            validated = self._sums()
            self._set_sums(self._trained)
            self._save(stop)
            self._set_sums(validated)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the epoch to the history, write its checkpoint, and end the training where that is due."""
        run, plan = self._run, self._run.plan
        self._check_losses()
        self._saver.check_finite()
        run.end_epoch(logs, float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
        stop, _ = self._agree()
        every = plan.checkpoint_every_epochs
        if stop or (every and (len(run.history) % every == 0 or run.is_over)):
            self._saver.save(mid_epoch=False)
            self._saved_at = time.monotonic()
        self.model.stop_training = run.is_over
        if run.is_over and len(run.history) < plan.epochs and dist.is_root():
            patience = plan.early_stopping_patience
            logger.info("%s: no progress in %d epochs; training ends early", plan.monitor, patience)
        if stop and not run.is_over:
            raise self._saver.interrupted(stop)

    def _save(self, stop: str | None) -> None:
        """Take a checkpoint in the middle of an epoch, and end there if `stop` says why. All ranks call it."""
        self._saver.check_finite()
        self._saver.save(mid_epoch=True)
        self._saved_at = time.monotonic()
        if stop:
            raise self._saver.interrupted(stop)

    def _agree(self, *, sizes: bool = False) -> tuple[str | None, bool]:
        """Return why the run must stop, or None, and whether a checkpoint is due: the same on all ranks.

        With `sizes` the time since the last agreement was that of training steps, which decides how many of them are
        taken together.
        """
        now, plan = time.monotonic(), self._run.plan
        batch_s = (now - self._agreed_at) / max(1, self._batches)
        interval = min(self._interval * 4, max(1, math.floor(AGREE_EVERY_S / max(batch_s, 1e-6))))
        late = 0 < plan.time_limit_min * 60 <= self._stop.seconds
        due = 0 < plan.checkpoint_every_min * 60 <= now - self._saved_at
        size = self._block_size(batch_s) if sizes else self._blocks.size
        own = [late, due, interval, size] if dist.is_root() else [0, 0, 0, 0]  # one clock for all
        mine = np.array([self._stop.signal, *own], np.int64)
        number, late, due, self._interval, self._blocks.size = dist.allreduce(mine, "max").tolist()
        self._batches, self._agreed_at = 0, now
        if number:
            return signal_name(number), bool(due)
        return (f"time_limit_min={plan.time_limit_min:g}" if late else None), bool(due)

    def _block_size(self, batch_s: float) -> int:
        """Return how many steps to take together from here on, as rank 0 sees it."""
        run, blocks = self._run, self._blocks
        if run.plan.steps_per_execution:
            return run.plan.steps_per_execution
        done = run.position.epoch * run.steps_per_epoch + run.position.step
        left = run.plan.epochs * run.steps_per_epoch - done
        return block_size(batch_s, left, blocks.first_s if blocks.size == 1 else 0.0)

    def _sums(self) -> list[np.ndarray]:
        """Return what the metrics have added up so far, on this rank."""
        return [variable.numpy() for variable in self.model.metrics_variables]

    def _set_sums(self, sums: list[np.ndarray]) -> None:
        for variable, values in zip(self.model.metrics_variables, sums, strict=True):
            variable.assign(values)

    def _check_losses(self) -> None:
        """End the training, on all ranks, at the first loss that is no number.

        Raises:
            Diverged: naming the step, the rank, its samples, and the last good checkpoint.
        """
        losses = self._blocks.pop_losses()
        bad = next((k for k, loss in enumerate(losses) if not math.isfinite(loss)), _NEVER)
        first = int(dist.allreduce(np.int64(bad), "min"))
        if first == _NEVER:
            return
        epoch, step = self._run.position.epoch, self._run.position.step - len(losses) + first
        samples = next(self._run.order.epoch(epoch, dist.rank(), step))
        found = dist.allgather((bad == first, *self._feed.suspects(samples)))
        spoiled = [index for _, _, indices in found for index in indices]
        if spoiled:
            rank = next(rank for rank, (_, _, indices) in enumerate(found) if indices)
            advice = f"Samples {listed(spoiled)} hold NaN or infinity: mend them or take them out."
        else:
            rank = next(rank for rank, (is_first, _, _) in enumerate(found) if is_first)
            advice = (
                "Take a smaller --learning-rate, --optimizer-option global_clipnorm=1 or a longer --warmup-epochs; or "
                "look at these samples."
            )
        raise Diverged(
            f"the loss is not finite from step {step + 1} of epoch {epoch + 1} on, first on rank {rank} "
            f"(samples {listed(found[rank][1])}). {self._saver.last_good()} {advice}"
        )
