"""Puts the predictions of slices together in one file: those of all ranks, as they arrive on rank 0."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ddl.distributed as dist
from ddl.data.slicing.assembly import Assembly, check_predictions
from ddl.data.source import Source
from ddl.data.sources.slices import slices_of
from ddl.files import FULL
from ddl.training.steps.outputs import Outputs, Part


def assemble(parts: Iterable[list[Part]], samples: Source, path: Path, precision: str) -> list[str]:
    """Write the predictions of slices into one file, and return lines on it. All ranks must call it; rank 0 writes.

    Args:
        parts: the predictions, as `Outputs.in_order` yields them.
        samples: the samples that they are for: slices, or a view of slices.
        path: the file, which replaces an older one as a whole.
        precision: one of `ddl.data.slicing.assembly.PRECISIONS`.

    Raises:
        OSError: on rank 0, after all parts were taken: the file cannot be written.
    """
    if not dist.is_root():
        for _ in parts:  # each turn is a gathering
            pass
        return []
    slices, numbers = slices_of(samples)
    with Assembly(path, slices, numbers, precision) as assembly:
        for turn in parts:
            for indices, predictions in turn:
                assembly.add(indices, predictions)
        results = assembly.finish()
    shapes = ", ".join(f"{one.name} of {'x'.join(map(str, one.shape))}" for one in results)
    lines = [f"{path}: predictions of {len(numbers)} slices, put together in {shapes}"]
    return lines + [f"{path}: {note}" for one in results for note in one.notes()]


def check_assembled(model_output: tuple[int | None, ...], samples: Source) -> None:
    """Refuse a model whose predictions do not have the sides of a slice.

    Args:
        model_output: shape of a prediction, without that of the batch; None for open sides.
        samples: slices, or a view of slices.
    """
    slices, _ = slices_of(samples)
    check_predictions(model_output, slices.sample_sides)


def assemble_outputs(outputs: Outputs, samples: Source, path: Path, precision: str) -> list[str]:
    """Predict slices and put the predictions together; return lines on the file. All ranks must call it.

    Raises:
        ValueError: on all ranks: the predictions do not fit, or the file cannot be written.
        BadData: on the rank that cannot read a sample.
    """
    check_assembled(outputs.row_shape, samples)
    problem, lines = "", list[str]()
    try:
        lines = assemble(outputs.in_order(), samples, path, precision)
    except OSError as error:
        why, remedy = error.strerror or str(error), "Check the disk and the permissions."
        if error.errno in FULL:
            why, remedy = "no space left", "Free some space and run the same command again."
        problem = f"Could not write {path}: {why}. {remedy}"
    problem, lines = dist.broadcast((problem, lines))
    if problem:
        raise ValueError(problem)
    return lines
