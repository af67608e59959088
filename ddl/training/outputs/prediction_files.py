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
from ddl.data.sample_file import SampleFile, channel_first, data_set_names
from ddl.data.source import Source
from ddl.training.outputs.assembled import AssembledFile
from ddl.training.plan.plan import Plan
from ddl.training.run import Run
from ddl.training.steps.step import Part

logger = logging.getLogger("ddl")


def output_path(folder: Path, epoch: int) -> Path:
    """Return the path of the predictions after so many epochs; inference alone has number 1."""
    return folder / f"output_{epoch}.h5"


def wants_predictions(plan: Plan) -> bool:
    """Return whether each validation is followed by the raw predictions of its samples. The same on all ranks."""
    return plan.prediction_output is not None or plan.assembled_output is not None


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
    return writers


class Writer(Protocol):
    """Takes the predictions of all samples in order, in a `with` block, and keeps them where `finish` is called.

    A failed write is a warning, not an error.
    """

    def write(self, parts: Sequence[Part]) -> None:
        """Take the next predictions."""

    def finish(self) -> None:
        """Complete the file."""

    def __enter__(self) -> Writer: ...

    def __exit__(self, *error: Any) -> None: ...


class PredictionFile:
    """A file of predictions while it is written on rank 0, in a `with` block. Without `finish`, nothing of it stays.

    A failed write is one warning: the ranks that gather predictions must not wait for each other in vain.

    Attributes:
        failed: whether it could not be written.
    """

    def __init__(self, path: Path, samples: Source) -> None:
        """Begin the file, with a data set for each of the samples, named as it is."""
        self._path, self._names = path, data_set_names(samples)
        self.failed = False
        self._file: SampleFile | None = None
        with self._warning():
            self._file = SampleFile(path)

    def write(self, parts: Sequence[Part]) -> None:
        """Add the predictions of one turn."""
        with self._warning():
            for indices, predictions in parts:
                for index, values in zip(indices, predictions, strict=True):
                    if self._file is not None and not self.failed:
                        self._file.write(self._names[index], channel_first(values))

    def finish(self) -> None:
        """Give the file its name."""
        with self._warning():
            if self._file is not None and not self.failed:
                self._file.finish()

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._file is not None:
            self._file.__exit__(*error)

    @contextlib.contextmanager
    def _warning(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failed = True
            logger.warning(
                "Could not write %s: %s. It is left out; free some space.",
                self._path,
                error.strerror or error,
            )
