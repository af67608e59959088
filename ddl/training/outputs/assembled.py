"""Puts the predictions of slices together in one file: those of all ranks, as they arrive on rank 0."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ddl.distributed as dist
from ddl.data.slicing.assembly import Assembly, check_predictions
from ddl.data.source import Source
from ddl.data.sources.slices import slices_of
from ddl.files import FULL
from ddl.progress import Progress
from ddl.training.record.run_dir import spare_training
from ddl.training.steps.outputs import Outputs
from ddl.training.steps.step import Part

logger = logging.getLogger("ddl")


class AssembledFile:
    """The file while predictions arrive on rank 0, in a `with` block. Without `finish`, nothing of it stays.

    Attributes:
        path: its path.
        count: predictions that have arrived.
        problem: why it could not be written, "" if it could.
    """

    def __init__(self, path: Path, samples: Source, precision: str) -> None:
        """Prepare it; nothing is written yet.

        Args:
            path: the file, which replaces an older one as a whole.
            samples: slices, or a view of slices.
            precision: one of `ddl.data.slicing.assembly.PRECISIONS`.
        """
        slices, numbers = slices_of(samples)
        self.path, self.count, self.problem = path, 0, ""
        self._assembly = Assembly(path, slices, numbers, precision)

    def write(self, parts: Sequence[Part]) -> None:
        """Keep the next predictions. A full disk is told by `finish`."""
        for indices, predictions in parts:
            self._assembly.add(indices, predictions)
            self.count += len(indices)

    def finish(self) -> None:
        """Write the file, and log what is in it. A failed write is a warning, so that training continues."""
        with spare_training(str(self.path)):
            try:
                lines = self.write_file()
            except OSError as error:
                self.problem = error.strerror or str(error)
                raise
            for line in lines:
                logger.info("%s.", line)

    def write_file(self) -> list[str]:
        """Write the file, and return lines on what is in it.

        Raises:
            OSError: it cannot be written.
        """
        results = self._assembly.finish()
        shapes = ", ".join(f"{one.name} ({'x'.join(map(str, one.shape))})" for one in results)
        notes = [note for one in results for note in one.notes()]
        first = f"predictions of {self.count} slices, in {shapes}"
        return [f"{self.path}: {line}" for line in (first, *notes)]

    def __enter__(self) -> AssembledFile:
        return self

    def __exit__(self, *error: Any) -> None:
        self._assembly.__exit__(*error)


def check_assembled(prediction: tuple[int | None, ...], samples: Source | None) -> None:
    """Refuse a model whose predictions do not have the sides of a slice.

    Args:
        prediction: shape of a prediction, with None for open sides.
        samples: slices, or a view of slices; None without validation, in which nothing is predicted.
    """
    if samples is None:
        return
    slices, _ = slices_of(samples)
    check_predictions(prediction, slices.sample_sides)


def assemble_predictions(
    outputs: Outputs, samples: Source, path: Path, precision: str
) -> list[str]:
    """Predict slices, put the predictions together, and return lines on the file. All ranks must call it.

    Args:
        outputs: the predictions of `samples`.
        samples: slices, or a view of slices.
        path: the file, which replaces an older one as a whole.
        precision: one of `ddl.data.slicing.assembly.PRECISIONS`.

    Raises:
        ValueError: on all ranks: the predictions do not fit, or the file cannot be written.
        BadData: on the rank that cannot read a sample.
    """
    check_assembled(outputs.row_shape, samples)
    problem, lines = "", list[str]()
    if dist.is_root():
        try:
            with (
                AssembledFile(path, samples, precision) as file,
                contextlib.closing(Progress("slices predicted", len(samples))) as progress,
            ):
                for parts in outputs.in_order():
                    file.write(parts)
                    progress.show(file.count)
                lines = file.write_file()
        except OSError as error:
            why, remedy = error.strerror or str(error), "Check the disk and the permissions."
            if error.errno in FULL:
                why, remedy = "no space left", "Free some space and run the same command again."
            problem = f"Could not write {path}: {why}. {remedy}"
    else:
        for _ in outputs.in_order():  # each turn is a gathering
            pass
    problem, told = dist.broadcast((problem, lines))
    if problem:
        raise ValueError(problem)
    return list(told)
