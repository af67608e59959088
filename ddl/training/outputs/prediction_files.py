"""Writes the raw predictions of held-out samples to `output_EPOCH.h5`: a data set a sample, channels first.

All ranks gather them; rank 0 writes. The bytes are the same on any number of ranks.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import ddl.distributed as dist
from ddl.data.source import Source
from ddl.distributed.on_ranks import on_root
from ddl.training.objectives.boxes.box_scores import box_scores
from ddl.training.objectives.metrics import WHOLE_METRICS
from ddl.training.outputs.assembled import AssembledFile
from ddl.training.outputs.sample_file import SampleFile, channel_first, data_set_names
from ddl.training.plan.plan import Plan
from ddl.training.run import Run
from ddl.training.steps.outputs import Outputs
from ddl.training.steps.step import Part

logger = logging.getLogger("ddl")


def output_path(folder: Path, epoch: int) -> Path:
    """Return the path of the predictions after so many epochs; inference alone has number 1."""
    return folder / f"output_{epoch}.h5"


def wants_predictions(plan: Plan) -> bool:
    """Return whether each validation is followed by the raw predictions of its samples, for files or for metrics of
    the whole validation. The same on all ranks."""
    is_written = plan.prediction_output is not None or plan.assembled_output is not None
    return is_written or any(name in WHOLE_METRICS for name in plan.metric)


def prediction_writers(run: Run, samples: Source | None) -> list[Writer]:
    """Return what gets the predictions of the run's validation samples in the current epoch. Only rank 0 has any."""
    plan, epoch = run.plan, run.position.epoch + 1
    writers: list[Writer] = []
    if samples is None or not dist.is_root():
        return writers
    if plan.prediction_output is not None:
        writers.append(PredictionFile(output_path(plan.prediction_output, epoch), samples))
    if plan.assembled_output is not None:
        writers.append(AssembledFile(plan.assembled_output, samples, plan.assembled_precision))
    if plan.predicts == "boxes":
        writers.append(box_scores(plan, samples, run.preprocessing.box_layout))
    return writers


def write_predictions(outputs: Outputs, samples: Source, folder: Path, epoch: int = 1) -> Path:
    """Write a model's predictions of these samples, for inference alone. All ranks must call it.

        model = keras.models.load_model("m/model_checkpoint_20.keras", compile=False)
        write_predictions(Outputs(model, samples), samples, Path("predicted"))  # predicted/output_1.h5

    Returns:
        The file's path.

    Raises:
        ValueError: on all ranks: the samples' names cannot stand in one file, or the file cannot be written.
        BadData: on the rank that cannot read a sample.
    """
    on_root(lambda: check_samples(samples))
    path, problem = output_path(folder, epoch), ""
    with contextlib.ExitStack() as opened:
        file = None
        if dist.is_root():
            file = opened.enter_context(PredictionFile(path, samples, quiet=True))
        for parts in outputs.in_order():
            if file is not None:
                file.write(parts)
        if file is not None:
            file.finish()
            problem = file.problem
    problem = dist.broadcast(problem)
    if problem:
        raise ValueError(
            f"Received: {path}, which cannot be written ({problem}). Expected: a folder with room for it."
        )
    return path


def check_samples(samples: Source) -> None:
    """Refuse samples whose names cannot stand in one file.

    Raises:
        ValueError: names two of them.
    """
    data_set_names(samples)


class Writer(Protocol):
    """Takes the predictions of all samples in order, in a `with` block, and keeps them where `finish` is called.

    A failed write is a warning, not an error.

    Attributes:
        path: the file.
        problem: why it could not be written, "" if it could.
    """

    path: Path
    problem: str

    def write(self, parts: Sequence[Part]) -> None:
        """Take the next predictions."""

    def finish(self) -> None:
        """Complete the file."""

    def __enter__(self) -> Writer: ...

    def __exit__(self, *error: Any) -> None: ...


class Writers:
    """Several writers as one, in a `with` block. Ranks other than 0 have none."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers, self._open = writers, contextlib.ExitStack()

    def write(self, parts: Sequence[Part]) -> None:
        """Pass the next predictions to all."""
        for writer in self._writers:
            writer.write(parts)

    def finish(self) -> None:
        """Complete all files."""
        for writer in self._writers:
            writer.finish()

    def __enter__(self) -> Writers:
        for writer in self._writers:
            self._open.enter_context(writer)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()


class PredictionFile:
    """A file of predictions while it is written on rank 0, in a `with` block. Without `finish`, nothing of it stays.

    A failed write raises nothing: the ranks that gather predictions must not wait for each other in vain.

    Attributes:
        path: its path.
        problem: why it could not be written, "" if it could.
    """

    def __init__(self, path: Path, samples: Source, *, quiet: bool = False) -> None:
        """Begin the file, with a data set for each of the samples, named as it is. `quiet` leaves the warning out."""
        self.path, self._names, self._quiet = path, data_set_names(samples), quiet
        self.problem = ""
        self._file: SampleFile | None = None
        with self._noting_problem():
            self._file = SampleFile(path)

    def write(self, parts: Sequence[Part]) -> None:
        """Add the predictions of one turn."""
        if self._file is None or self.problem:
            return
        with self._noting_problem():
            for indices, predictions in parts:
                for index, values in zip(indices, predictions, strict=True):
                    self._file.write(self._names[index], channel_first(values))

    def finish(self) -> None:
        """Give the file its name."""
        if self._file is not None and not self.problem:
            with self._noting_problem():
                self._file.finish()

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._file is not None:
            self._file.__exit__(*error)

    @contextlib.contextmanager
    def _noting_problem(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.problem = error.strerror or str(error)
            if not self._quiet:
                logger.warning(
                    "Could not write %s: %s. The run continues without it; check the disk.",
                    self.path,
                    self.problem,
                )
