"""What a run writes beside its run directory: logs of numbers, predictions, models of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

import ddl.distributed as dist
from ddl.data.source import Source
from ddl.training.adversarial.samples.run_sheets import draw_generated
from ddl.training.batch_results import Batch
from ddl.training.objectives.boxes.box_scores import BoxScores
from ddl.training.objectives.metrics import WHOLE_METRICS
from ddl.training.outputs.epoch_logs import EpochLogs
from ddl.training.outputs.model_copies import write_due_copy
from ddl.training.outputs.prediction_files import (
    Writer,
    Writers,
    prediction_writers,
    wants_predictions,
)
from ddl.training.record.run_dir import spare_training
from ddl.training.run import Run
from ddl.training.stops import Unsaved


class RunOutputs:
    """The outputs that the plan asks for. Every rank has one; rank 0 writes, inside a `with` block.

    A failed write is a warning, and training continues. An inference, whose predictions are all that it is for, fails.
    """

    def __init__(self, run: Run, validation: Source | None) -> None:
        self._run, self._validation = run, validation
        self._logs: EpochLogs | None = None
        self._writes = False
        self._writers: Sequence[Writer] = ()

    def __enter__(self) -> RunOutputs:
        """Begin or continue the logs. Only rank 0 enters."""
        self._writes = True
        if self._run.plan.epoch_log is not None:
            with spare_training("the logs of batches and epochs"):
                self._logs = EpochLogs(self._run.plan.epoch_log, self._run)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._logs is not None:
            self._logs.close()

    def batches(self, results: Sequence[Batch]) -> None:
        """Record the results of the steps just taken, if the plan notes them. All ranks call it."""
        self._run.gradient_norms.note(results)
        if self._logs is not None and results:
            self._logs.batches(results)

    @property
    def wants_predictions(self) -> bool:
        """Whether each validation is followed by the predictions of its samples. The same on all ranks."""
        return wants_predictions(self._run.plan)

    def predictions(self) -> Writers:
        """Return what gets these predictions in the current epoch."""
        self._writers = prediction_writers(self._run, self._validation)
        return Writers(self._writers)

    def scores(self) -> dict[str, float]:
        """Return the plan's metrics of the whole validation that was just predicted. All ranks must call it."""
        own = [writer for writer in self._writers if isinstance(writer, BoxScores)]
        wanted = [name for name in self._run.plan.metric if name in WHOLE_METRICS]
        if not wanted:
            return {}
        values = {name: own[0].values[name] for name in wanted} if own else None
        return dict(dist.broadcast(values))

    def check_written(self) -> None:
        """Refuse to end an inference well whose predictions could not be written.

        Raises:
            Unsaved: names the first file, and why.
        """
        for writer in self._writers:
            if writer.problem and not self._run.plan.epochs:
                raise Unsaved(
                    f"Could not write {writer.path}: {writer.problem}. Check the disk, and start again."
                )

    def end_epoch(self, model: keras.Model) -> None:
        """Write what is due after the last epoch of the history."""
        if self._logs is not None:
            self._logs.end_epoch()
        if self._writes:
            with spare_training("the model of this epoch"):
                write_due_copy(self._run, model)
            if self._run.plan.is_adversarial and "val_kid" in self._run.history[-1]:
                with spare_training("pictures of samples"):
                    draw_generated(self._run, model)
