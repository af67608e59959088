"""How a training is told: a Keras callback that hands what happens to rank 0's account."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

import ddl.distributed as dist
from ddl.training.account import Account
from ddl.training.blocks import Blocks
from ddl.training.data import TrainingData
from ddl.training.run import Diverged, Interrupted, Run
from ddl.training.run_dir import EarlyLines


class Report(keras.callbacks.Callback):
    """Tells how a training goes. Every rank has one; only rank 0's speaks. Stands behind the `Supervisor`."""

    def __init__(
        self,
        run: Run,
        data: TrainingData,
        blocks: Blocks,
        validation_steps: int,
        early: EarlyLines,
    ) -> None:
        super().__init__()
        self._run, self._data, self._blocks = run, data, blocks
        self._open = contextlib.ExitStack()
        self._first_step = 0
        self._account: Account | None = None
        self._early, self._validation_steps = early, validation_steps

    def __enter__(self) -> Report:
        """Open log and progress."""
        if dist.is_root():
            self._account = self._open.enter_context(Account(self._run, self._data, self._early))
        else:
            self._early.hand_over(None)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Leave in the log why the training ended before its time, and close log and progress."""
        if self._account and isinstance(error, Interrupted | Diverged):
            self._account.log.write_line(str(error))
        self._open.close()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the epoch's progress."""
        self._first_step = self._run.position.step
        if self._account:
            self._account.progress.begin_epoch(epoch, self._run.steps_per_epoch, self._first_step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Show the steps."""
        if self._account and self._blocks.taken:
            self._account.progress.step(self._first_step + batch + 1, self._run.named(logs))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Show that the validation goes on."""
        if self._account:
            self._account.progress.validate(batch + 1, self._validation_steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the epoch down, and draw from time to time."""
        if self._account:
            self._account.end_epoch(self._run.history[-1], self.model)

    def finish(self, model: keras.Model) -> None:
        """Write the final model, curves and pictures. All ranks call it."""
        if self._account:
            self._account.finish(model)
