"""Results of a classifier: `predictions.csv`, assembled from one part per block of pictures. No TensorFlow here."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ddl.data.preprocessing import Preprocessing
from ddl.files import write_whole
from ddl.inference.prediction import block_parts
from ddl.inference.prediction.decision import every_class
from ddl.plain_text import encodable

NAME = "predictions.csv"
_SUFFIX = ".csv"


def part_path(folder: Path, block: int) -> Path:
    """Return the path of a block's lines until the table is assembled."""
    return block_parts.part_path(folder, block, _SUFFIX)


def is_done(folder: Path, block: int) -> bool:
    """Return whether a block has been predicted."""
    return block_parts.is_done(folder / NAME, block, _SUFFIX)


def part_text(predicted: Sequence[tuple[str, np.ndarray]], how: Preprocessing) -> str:
    """Return one line per picture: name, class name, class number, its probability, and every class's probability."""
    rows = []
    for name, probabilities in predicted:
        every = every_class(probabilities)
        best = int(every.argmax())
        numbers = [f"{float(probability):.6g}" for probability in every]
        class_name = how.name_of(best) if len(every) == how.classes else best
        rows.append([name, class_name, best, numbers[best], *numbers])
    return csv_text(rows)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return encodable(text.getvalue())


def assemble(folder: Path, how: Preprocessing) -> None:
    """Join the parts in order. Does nothing if the table is already assembled."""
    parts = sorted((folder / block_parts.FOLDER).glob("*.csv"))
    if not parts:
        return
    names = [how.name_of(label) for label in range(how.classes)] if how.classes > 1 else ["0", "1"]
    header = ["name", "class", "label", "probability", *(f"p_{name}" for name in names)]

    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            file.write(csv_text([header]))
            for part in parts:
                file.write(part.read_text(encoding="utf-8"))

    write_whole(folder / NAME, write)
    shutil.rmtree(folder / block_parts.FOLDER)
