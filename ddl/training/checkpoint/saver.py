"""A run's checkpoints: taken on all ranks, written by rank 0 in the background, restored when a run resumes."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

import ddl.distributed as dist
from ddl.training.checkpoint.checkpoint_file import Snapshot
from ddl.training.checkpoint.checkpoint_folder import (
    FOLDER,
    Retention,
    list_checkpoints,
    read_best,
    set_newer_aside,
)
from ddl.training.checkpoint.checkpoint_writer import CheckpointWriter
from ddl.training.checkpoint.snapshot import restore_metrics, restore_snapshot, take_snapshot
from ddl.training.optimization.weight_average import WeightAverage
from ddl.training.run import Run
from ddl.training.steps.step import Steps
from ddl.training.stops import Diverged, Interrupted

_TURN_S = 5.0


class Saver:
    """Writes and restores the checkpoints of one model. Every rank has one; rank 0's has the writer thread."""

    def __init__(self, model: keras.Model, run: Run) -> None:
        self._model, self._run = model, run
        self._folder = run.plan.run_dir / FOLDER
        self._restored: Snapshot | None = None
        self._resumed_mid_epoch = False
        self._writer: CheckpointWriter | None = None

    def __enter__(self) -> Saver:
        plan = self._run.plan
        if dist.is_root():
            set_newer_aside(self._folder, self._run.position)
            retention = Retention(
                plan.keep_last, plan.keep_best, plan.keep_every_epochs, plan.monitor, plan.mode
            )
            self._writer = CheckpointWriter(self._folder, retention)
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.flush()

    def restore(self, snapshot: Snapshot | None) -> None:
        """Restore weights, optimizer and private state. All ranks call it; rank 0 has the snapshot."""
        self._restore_weights(snapshot)
        run = self._run
        self._restored, self._resumed_mid_epoch = snapshot, run.position.step > 0
        if run.batch_has_changed:
            # The schedule counts steps, and another global batch size gives another number of steps per epoch.
            outer = self._model.optimizer
            counter = getattr(outer, "inner_optimizer", outer)._iterations  # counts micro-batches
            counter.assign(run.position.epoch * run.steps_per_epoch)

    def restore_best(self) -> None:
        """Restore the best epoch that has an intact checkpoint. All ranks call it, after the last epoch."""
        self._wait()
        plan, snapshot = self._run.plan, None
        if self._writer is not None:
            self._writer.flush()
            snapshot = read_best(self._folder, self._run.history, plan.monitor, plan.mode)
        if dist.broadcast(snapshot is not None):
            self._restore_weights(snapshot)

    def restore_metrics(self) -> None:
        """Restore the metrics of a resumed epoch, once. All ranks call it, after the metrics are built and reset."""
        if self._resumed_mid_epoch:
            restore_metrics(self._model, self._restored)
        self._restored, self._resumed_mid_epoch = None, False

    @property
    def is_due(self) -> bool:
        """Whether the plan asks for a checkpoint of the epoch that has just ended."""
        run, every = self._run, self._run.plan.checkpoint_every_epochs
        return bool(every) and (len(run.history) % every == 0 or run.is_over)

    def check_finite(self) -> None:
        """Refuse weights that hold NaN or infinity. All ranks call it.

        Raises:
            Diverged: on all ranks; names the last good checkpoint.
        """
        weights = self._model.trainable_variables if dist.is_root() else []
        finite = all(np.isfinite(np.asarray(weight, np.float32)).all() for weight in weights)
        if not dist.broadcast(finite):
            position = self._run.position
            raise Diverged(
                f"The weights became NaN or infinite at step {position.step} of epoch {position.epoch + 1}, although "
                f"the loss is finite. {self.last_good()}"
            )

    def save_within_epoch(self, steps: Steps) -> None:
        """Take a checkpoint within an epoch or its validation. All ranks call it."""
        self.check_finite()
        with steps.training_state():
            self.save(mid_epoch=True)

    def save(self, *, mid_epoch: bool = False) -> None:
        """Take a checkpoint now and write it in the background. All ranks call it, after `check_finite`."""
        self._wait()
        # A checkpoint is for others too, so a moving average is its model. The weights wait in the optimizer's slots.
        with WeightAverage(self._model).in_place() as averaged:
            facts = self._run.facts() | {"averaged": averaged}
            snapshot = take_snapshot(self._model, facts, mid_epoch=mid_epoch)
        if self._writer is not None and snapshot is not None:
            self._writer.submit(snapshot)

    def interrupted(self, reason: str) -> Interrupted:
        """Wait for the last checkpoint; return the exception to raise. All ranks call it."""
        self._wait()
        written = self._writer is not None and self._writer.flush()
        newest, written = dist.broadcast((self._newest(), written))
        return Interrupted(reason, newest, written=written)

    def last_good(self) -> str:
        """Return a sentence that names the last good checkpoint. Without a shared disk only rank 0's is correct."""
        if self._writer is not None:
            self._writer.flush()
        newest = self._newest()
        if newest is None:
            return "There is no earlier checkpoint."
        return f"The last good checkpoint is {newest}."

    def _restore_weights(self, snapshot: Snapshot | None) -> None:
        """Restore weights, optimizer and private state. All ranks call it; rank 0 has the snapshot."""
        restore_snapshot(self._model, snapshot)
        if dist.broadcast(bool(snapshot and snapshot.facts.get("averaged"))):
            WeightAverage(self._model).exchange()

    def _wait(self) -> None:
        """Wait in turns until nothing is being written, so that no rank reports rank 0 as stalled. All call it."""
        while not dist.broadcast(self._writer is None or self._writer.is_idle(_TURN_S)):
            pass

    def _newest(self) -> Path | None:
        written = list_checkpoints(self._folder)
        return written[-1][1] if written else None
