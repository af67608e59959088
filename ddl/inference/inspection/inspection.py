"""An evaluation that looks at samples one by one: by tiles, by any backend, with tables and pictures of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.files import check_file
from ddl.inference.backends.predictor import PRECISIONS
from ddl.inference.tiles.segmenter import Cut
from ddl.options import convert_fields
from ddl.ranges import Range, check_choice, check_ranges
from ddl.training.evaluation import Evaluation

_RANGES = {"overlap": Range(0), "worst": Range(0, 48)}
MASK_ROWS = 8
"""Of a sheet of masks, at most."""
_SUFFIXES = {"per_picture": (".csv",), "confusion": (".csv", ".txt"), "worst_sheet": (".png",)}


@dataclass(frozen=True)
class Inspection(Evaluation):
    """What is evaluated.

    Attributes:
        model: a run directory, its model.keras, or a checkpoint.
        checkpoint: of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        data: other data than the model was trained with, of the same kind.
        part: "train", "validation" or "test" of the data, or "all"; else validation, and all of other data.
        metric: what is measured, several with spaces; else what the training measured.
        per_rank_batch_size: samples a rank and step; it changes nothing but speed and memory.
        output: a .json file for the results, besides the screen.
        tile: side of tiles to predict by, such as 256; without, samples are predicted whole.
        overlap: pixels that neighbouring tiles share; without, 128, in volumes 32, at most half a tile.
        backend: what computes: a name, or "auto" for Keras's own evaluation.
        inference_precision: "f32", or "bf16" (openvino alone): faster on processors that have it, less exact.
        exported: a model file that is measured in place of the one it was made from.
        per_picture: a .csv file for the metrics of every sample.
        confusion: a .csv or .txt file for the table of what was taken for what.
        worst: draw so many of the samples that went worst; 0 for none.
        worst_sheet: a .png file for these.
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
        """Give every field its type, and refuse what cannot be evaluated."""
        super().__post_init__()
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "evaluation")
        check_choice("inference_precision", self.inference_precision, PRECISIONS)
        if self.overlap is not None and self.tile is None:
            raise ValueError(f"Received: overlap={self.overlap} without tile. Expected: both.")
        for name, suffixes in _SUFFIXES.items():
            if name != "worst_sheet" or self.worst:
                check_file(name, getattr(self, name), suffixes, replaces=True)

    @property
    def looks_closer(self) -> bool:
        """Whether samples are looked at one by one, which takes longer than Keras's own evaluation."""
        wanted = (self.tile, self.exported, self.per_picture, self.confusion)
        is_said = self.backend != "auto" or self.inference_precision != "f32"
        return any(one is not None for one in wanted) or bool(self.worst) or is_said

    @property
    def cut(self) -> Cut:
        """How samples are brought before the model."""
        return Cut(self.tile or (1 << 30,), self.overlap, batch_size=self.per_rank_batch_size)


def per_picture_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Return a CSV table with a line a sample."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def confusion_text(counts: np.ndarray, names: Sequence[str], *, aligned: bool) -> str:
    """Return a table of what (row) was taken for what (column): in columns for people, or as CSV."""
    table = [["true \\ found", *names]]
    table += [[name, *(str(int(n)) for n in row)] for name, row in zip(names, counts, strict=True)]
    if not aligned:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(table)
        return text.getvalue()
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(n.rjust(w) for n, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in table
    ]
    return "\n".join(lines) + "\n"
