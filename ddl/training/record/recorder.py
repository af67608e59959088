"""Shows a run's progress on the screen, and records it in the run directory. Only rank 0 writes."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

import ddl.distributed as dist
from ddl.training.data.training_data import TrainingData
from ddl.training.outputs.announcement import announce_early_end
from ddl.training.outputs.final_model import write_final_model
from ddl.training.outputs.run_outputs import RunOutputs
from ddl.training.record.drawings import draw_run
from ddl.training.record.epoch_progress import TrainingProgress
from ddl.training.record.history import append_epoch, write_history
from ddl.training.record.mlperf_log import MLPerfLog
from ddl.training.record.origin import hold_again
from ddl.training.record.rates import Rates
from ddl.training.record.report import own_use, report_run
from ddl.training.record.run_dir import (
    EarlyLines,
    RunLog,
    lock_identity,
    open_log,
    spare_training,
)
from ddl.training.record.tensorboard import EventWriter
from ddl.training.run import Run
from ddl.training.stops import Diverged, Interrupted

logger = logging.getLogger("ddl")

DRAW_EVERY_S = 60.0


class Recorder:
    """Shows progress, and writes history, log, TensorBoard events, curves, pictures and the final model.

    Every rank has one. Only a failed write of the final model is an error; others are one warning, and training
    continues.
    """

    def __init__(
        self, run: Run, data: TrainingData, early_log: EarlyLines, hosts: Sequence[str] = ()
    ) -> None:
        self._hosts, self._lock = hosts, lock_identity(run.plan.run_dir)
        self._run, self._data, self._folder = run, data, run.plan.run_dir
        self._early_log = early_log
        self.outputs = RunOutputs(run, data.validation)
        self._drawn_at = time.monotonic()
        self._open = contextlib.ExitStack()
        self._progress: TrainingProgress | None = None  # on rank 0 only
        self._log: RunLog | None = None
        self._events: EventWriter | None = None
        self._mlperf: MLPerfLog | None = None
        self.rates = Rates(run.order.samples_per_epoch, run.order.global_batch_size)

    def __enter__(self) -> Recorder:
        """Open log, progress and events."""
        if not dist.is_root():
            self._early_log.hand_over(None)
            return self
        run, plan = self._run, self._run.plan
        self._log = self._open.enter_context(open_log(self._folder))
        self._early_log.hand_over(self._log)
        self._progress = TrainingProgress(
            plan.epochs or 1,
            run.order.samples_per_epoch,
            run.order.global_batch_size,
            every_s=plan.log_every_s,
            log=self._log.write_line,
        )
        self._open.callback(self._progress.close)
        self._open_events()
        if plan.mlperf_log is not None:
            with spare_training("MLPerf's log"):
                self._mlperf = MLPerfLog(plan.mlperf_log, run, *self._data.counts)
        self._open.enter_context(self.outputs)
        return self

    def _open_events(self) -> None:
        if self._run.plan.tensorboard:
            with spare_training("TensorBoard's events"):
                self._events = EventWriter(self._folder / "events", len(self._run.history) + 1)
                self._open.enter_context(spare_training("TensorBoard's events"))
                self._open.callback(self._events.close)

    def keep_folder(self) -> None:
        """Make the run directory again if somebody deleted it, so that what is written next is a whole run.

        Call it before anything is written. Only rank 0 looks.

        Raises:
            Unsaved: another run is there now, or it cannot be made.
        """
        if self._progress is None or lock_identity(self._folder) == self._lock:
            return
        self._open.enter_context(hold_again(self._run, self._hosts))
        self._lock = lock_identity(self._folder)
        if self._log is not None:
            self._log.reopen()
        self._open_events()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Log why the run stopped early, and close everything."""
        if self._log is not None and isinstance(error, Interrupted | Diverged):
            self._log.write_line(str(error))
        if isinstance(error, Diverged):
            self._log_mlperf(lambda log: log.end_run("aborted"))
        self._open.close()

    def begin_epoch(self) -> None:
        """Start the progress display and the clock of the current epoch."""
        position, steps = self._run.position, self._run.steps_per_epoch
        self.rates.begin_epoch(steps, position.step)
        if self._progress is not None:
            self._progress.begin_epoch(position.epoch, steps, position.step)
            self._log_mlperf(MLPerfLog.begin_epoch)

    def steps(self, logs: Mapping[str, Any]) -> None:
        """Show the steps done so far. Values of `logs` are read only if they are shown."""
        self.rates.step(self._run.position.step)
        if self._progress is not None:
            self._progress.step(self._run.position.step, self._run.named(logs))

    def end_steps(self) -> None:
        """Record that the epoch's steps have ended, and their losses were read."""
        self.rates.end_steps()
        if self._progress is not None:
            self._log_mlperf(MLPerfLog.end_steps)

    def begin_validation(self) -> None:
        """Record that the epoch's validation begins."""
        self._log_mlperf(MLPerfLog.begin_validation)

    def validation(self, step: int, steps: int) -> None:
        """Show that `step` of `steps` validation steps are done."""
        if self._progress is not None:
            self._progress.validate(step, steps)

    def predicting(self, turn: int) -> None:
        """Show that so many turns of predictions after a validation are done."""
        if self._progress is not None:
            self._progress.predict(turn)

    def testing(self, step: int, steps: int, when: str) -> None:
        """Show that `step` of `steps` steps of a test before or after training are done."""
        if self._progress is not None:
            self._progress.test(step, steps, when)

    def end_test(self, results: Mapping[str, float]) -> None:
        """Write the history again, whose last epoch has got the results on test data."""
        if self._progress is None:
            return
        self.keep_folder()
        with spare_training("the history and TensorBoard's events"):
            write_history(self._folder, self._run.history)
            if self._events is not None:
                self._events.write_epoch({"epoch": len(self._run.history), **results})

    def _log_mlperf(self, write: Callable[[MLPerfLog], None]) -> None:
        if self._mlperf is not None:
            with spare_training("MLPerf's log"):
                write(self._mlperf)

    def end_epoch(self, model: keras.Model) -> None:
        """Write the last epoch of the history; draw curves and pictures about once a minute."""
        if self._progress is None:
            return
        self.keep_folder()
        epoch = self._run.history[-1]
        with spare_training("the history"):
            append_epoch(self._folder, self._run.history)
        self._progress.end_epoch(epoch)
        if self._events is not None:
            with spare_training("TensorBoard's events"):
                self._events.write_epoch(epoch)
        self._log_mlperf(MLPerfLog.end_epoch)
        self.outputs.end_epoch(model)
        if time.monotonic() - self._drawn_at > DRAW_EVERY_S:
            self._draw(model)
        announce_early_end(self._run)

    def finish(self, model: keras.Model) -> None:
        """Write the final model without its optimizer and the report, and draw curves and pictures a last time.

        All ranks must call it.

        Raises:
            Unsaved: the model, or an inference's predictions, cannot be written, for example because the disk is full.
        """
        uses = dist.allgather(own_use())
        if self._progress is None:
            return
        self.keep_folder()
        report_run(self._run, self.rates, uses)
        path = write_final_model(model, self._folder)
        self._draw(model)
        logger.info("The model is %s.", path)
        self.outputs.check_written()

    def _draw(self, model: keras.Model) -> None:
        samples = self._data.validation or self._data.training
        with spare_training("curves and pictures"):
            draw_run(self._run, samples, model, self._events)
        self._drawn_at = time.monotonic()
