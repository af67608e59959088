"""Settings of scripts/evaluate.py, with the flags for evaluation sample by sample, by tiles and on any backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.files import check_distinct, check_file
from ddl.inference.backends.predictor import PRECISIONS
from ddl.inference.prediction.label_table import csv_text
from ddl.inference.tiles.segmenter import Cut
from ddl.options import convert_fields
from ddl.ranges import Range, check_choice, check_ranges
from ddl.training.evaluation import Evaluation
from ddl.training.record.run_dir import check_no_run_file

_RANGES = {"tile": Range(1), "overlap": Range(0), "worst": Range(0, 48)}
MASK_ROWS = 8
"""Maximum number of samples on a sheet of masks."""
_SUFFIXES = {"per_picture": (".csv",), "confusion": (".csv", ".txt"), "worst_sheet": (".png",)}


@dataclass(frozen=True)
class Inspection(Evaluation):
    """Evaluation.

    Attributes:
        tile: side of the tiles to predict by, such as 256; samples are predicted whole if not given.
        overlap: overlap of neighbouring tiles in pixels; 128 (volumes: 32), at most half a tile, if not given.
        backend: backend that predicts, or "auto" for Keras's own evaluation.
        inference_precision: "f32", or "bf16" (openvino only): faster on processors with bf16, less exact.
        exported: exported model file to evaluate instead of the run's Keras model.
        per_picture: path of a .csv file for the metrics of every sample.
        confusion: path of a .csv or .txt file for the confusion matrix.
        worst: number of samples with the worst predictions to draw; 0 for none.
        worst_sheet: path of a .png file for these samples.
    """

    tile: tuple[int, ...] | None = None
    overlap: int | None = None
    backend: str = "auto"
    inference_precision: str = "f32"
    exported: Path | None = None
    per_picture: Path | None = None
    confusion: Path | None = None
    worst: int = 0
    worst_sheet: Path = Path("worst.png")

    def __post_init__(self) -> None:
        """Convert the fields to their types and check them."""
        super().__post_init__()
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "evaluation")
        check_choice("inference_precision", self.inference_precision, PRECISIONS)
        if self.prediction_output is not None and self.looks_closer:
            raise ValueError(
                f"Received: prediction_output={self.prediction_output} with flags of an evaluation sample by sample. "
                "Expected: prediction_output alone; it holds what the network gives for whole samples."
            )
        if self.overlap is not None and self.tile is None:
            raise ValueError(
                f"Received: overlap={self.overlap} without tile. Expected: both flags."
            )
        if self.assembled_output is not None and self.looks_closer:
            raise ValueError(
                "Received: assembled_output with flags for evaluation sample by sample or on another backend. "
                "Expected: one of them; slices are predicted whole, by Keras."
            )
        for name, suffixes in _SUFFIXES.items():
            if name != "worst_sheet" or self.worst:
                check_file(name, getattr(self, name), suffixes, replaces=True)
                check_no_run_file(name, getattr(self, name))
        written = ("output", *_SUFFIXES) if self.worst else ("output", "per_picture", "confusion")
        check_distinct({name: getattr(self, name) for name in written})

    @property
    def looks_closer(self) -> bool:
        """Whether a flag needs evaluation sample by sample, which is slower than Keras's own evaluation."""
        options = (self.tile, self.exported, self.per_picture, self.confusion)
        has_backend = self.backend != "auto" or self.inference_precision != "f32"
        return any(option is not None for option in options) or bool(self.worst) or has_backend

    @property
    def cut(self) -> Cut:
        """How samples are cut into tiles."""
        return Cut(self.tile or (1 << 30,), self.overlap)


def per_picture_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return a CSV table with one line per sample."""
    return csv_text([rows[0].keys(), *(row.values() for row in rows)])


def confusion_text(counts: np.ndarray, names: Sequence[str], *, aligned: bool) -> str:
    """Return the confusion matrix, true class by row and predicted class by column, as aligned text or CSV."""
    table = [["true \\ found", *names]]
    table += [[name, *(str(int(n)) for n in row)] for name, row in zip(names, counts, strict=True)]
    if not aligned:
        return csv_text(table)
    first, *others = ([len(cell) for cell in column] for column in zip(*table, strict=True))
    lines = [
        "  ".join(
            [name.ljust(max(first)), *(n.rjust(max(w)) for n, w in zip(row, others, strict=True))]
        )
        for name, *row in table
    ]
    return "\n".join(lines) + "\n"
