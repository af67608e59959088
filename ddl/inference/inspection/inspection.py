"""Settings of scripts/evaluate.py, with the flags for evaluation sample by sample, by tiles and on any backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.files import check_distinct, check_file
from ddl.inference.backends.predictor import PRECISIONS
from ddl.inference.inspection.groups import check_groups
from ddl.inference.prediction.label_table import csv_text
from ddl.inference.tiles.segmenter import Cut
from ddl.options import convert_fields
from ddl.ranges import Range, check_choice, check_ranges
from ddl.training.evaluation import Evaluation
from ddl.training.record.run_dir import check_no_run_file

_RANGES = {
    "tile": Range(1),
    "overlap": Range(0),
    "worst": Range(0, 48),
    "occlusion": Range(0, 8),
    "occlusion_patch": Range(0, 4096),
}
MASK_ROWS = 8
"""Maximum number of samples on a sheet of masks."""
_SUFFIXES = {
    "per_picture": (".csv",),
    "confusion": (".csv", ".txt"),
    "worst_sheet": (".png",),
    "occlusion_sheet": (".png",),
}


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
        by: groups to give results for, separated by spaces: "class", "size" (share of foreground in the mask),
            "intensity", "contrast" (mean and deviation of the input), or columns of `by_table`.
        by_table: table (.csv) with a column that names the samples, and the columns that `by` names.
        occlusion: number of samples with the worst predictions to hide part by part, to see what they depend on.
        occlusion_patch: side in pixels of what is hidden at a time; 0 for an eighth of the shorter side.
        occlusion_sheet: path of a .png file for the maps.
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
    by: tuple[str, ...] = ()
    by_table: Path | None = None
    occlusion: int = 0
    occlusion_patch: int = 0
    occlusion_sheet: Path = Path("occlusion.png")

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
        check_groups(self.by, self.by_table)
        if self.occlusion_patch and not self.occlusion:
            raise ValueError(
                f"Received: occlusion_patch={self.occlusion_patch} without occlusion. Expected: both flags."
            )
        unused = [name for name in ("worst", "occlusion") if not getattr(self, name)]
        written = [name for name in _SUFFIXES if name.removesuffix("_sheet") not in unused]
        for name in written:
            check_file(name, getattr(self, name), _SUFFIXES[name], replaces=True)
            check_no_run_file(name, getattr(self, name))
        check_distinct({name: getattr(self, name) for name in ("output", *written)})

    @property
    def looks_closer(self) -> bool:
        """Whether a flag needs evaluation sample by sample, which is slower than Keras's own evaluation."""
        options = (self.tile, self.exported, self.per_picture, self.confusion)
        has_backend = self.backend != "auto" or self.inference_precision != "f32"
        counts = self.worst or self.by or self.occlusion
        return any(option is not None for option in options) or bool(counts) or has_backend

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
