"""Finds the boxes of one rank's blocks of pictures, and writes a part of the result for each block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from ddl.boxes.found import Found
from ddl.data.preprocessing import Preprocessing
from ddl.files import write_whole
from ddl.inference.backends.predictor import Predictor
from ddl.inference.boxes.coco_file import part_path, picture_line
from ddl.inference.boxes.drawing import draw_boxes
from ddl.inference.boxes.finder import Finder, FramedPicture, frame
from ddl.inference.one_rank import naming_disk
from ddl.inference.prediction.inputs import Item
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.result_names import result_paths
from ddl.inference.tiles.segmenter import Segmenter
from ddl.inference.tiles.tiling import Rows

Naming = Callable[[Item], AbstractContextManager[None]]


class BoxShare:
    """Predicts blocks of pictures with a detector."""

    def __init__(
        self, prediction: Prediction, how: Preprocessing, predictor: Predictor, segmenter: Segmenter
    ) -> None:
        self._prediction, self._how, self._segmenter = prediction, how, segmenter
        self._predictor = predictor
        self._finder = Finder(
            predictor,
            how.box_layout,
            least_score=prediction.threshold,
            most_overlap=prediction.most_overlap,
            batch_size=prediction.batch_size,
        )

    def find(self, number: int, block: Sequence[Item], naming: Naming) -> None:
        """Find the boxes of a block: large pictures by tiles, small ones of equal size in one batch."""
        lines: dict[str, str] = {}
        waiting: dict[tuple[int, ...], list[tuple[Item, tuple[int, int], FramedPicture]]] = {}
        for item in block:
            with naming(item), item.open() as rows:
                sides = (int(rows.shape[0]), int(rows.shape[1]))
                framed = frame(self._segmenter, self._how, rows, is_file=item.is_file)
                if framed.prepared.is_single:
                    held = np.array(rows[: sides[0]])
                    framed = frame(self._segmenter, self._how, held, is_file=item.is_file)
                    shape = tuple(axis.tile for axis in framed.prepared.axes)
                    waiting.setdefault(shape, []).append((item, sides, framed))
                else:
                    found = self._finder.find(framed)
                    lines[item.name] = self._line(item, sides, found)
                    self._draw(item, rows, found)
        for group in waiting.values():
            batch = np.stack([framed.prepared.tile for _, _, framed in group])
            for (item, sides, framed), raw in zip(
                group, self._predictor.predict(batch), strict=True
            ):
                found = self._finder.found(raw, framed)
                lines[item.name] = self._line(item, sides, found)
                if self._prediction.overlay:
                    with naming(item), item.open() as rows:
                        self._draw(item, rows, found)
        text = "".join(lines[item.name] for item in block if item.name in lines)
        _write(
            part_path(self._prediction.output, number),
            lambda partial: partial.write_text(text, encoding="utf-8"),
        )

    def _line(self, item: Item, sides: tuple[int, int], found: Found) -> str:
        """Return a picture's line of the part, under the name of its file."""
        suffix = Path(item.origin).suffix if item.is_file else ""
        return picture_line(f"{item.name}{suffix}", sides, found, self._how)

    def _draw(self, item: Item, rows: Rows, found: Found) -> None:
        """Write the picture with its boxes, if it is asked for."""
        if not self._prediction.overlay:
            return
        from PIL import Image

        drawn = draw_boxes(np.asarray(rows[: rows.shape[0]]), found, self._how)
        path = result_paths(self._prediction.output, item.name, self._prediction.format)[2]
        _write(path, lambda partial: Image.fromarray(drawn).save(partial, format="PNG"))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    with naming_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, write)
