"""A grid of pictures as one PNG file: each a square of whole pixels, so that pictures of 8 pixels can be seen, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddl.training.record.figure import new_figure

GAP_PX, LEAST_CELL_PX, TITLE_PX = 2, 48, 70
_PAPER = 1.0


def mosaic(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Return pictures (n, height, width, 1 or 3) of 0..1 as one picture (.., .., 3), row after row, with gaps.

    Small ones are enlarged by a whole factor. Values beyond 0..1 are cut off.
    """
    values = np.nan_to_num(np.asarray(pictures, np.float32))
    values = np.clip(
        values[..., :3] if values.shape[-1] >= 3 else np.repeat(values[..., :1], 3, -1), 0, 1
    )
    factor = max(1, -(-LEAST_CELL_PX // max(values.shape[1:3])))
    values = values.repeat(factor, axis=1).repeat(factor, axis=2)
    count, height, width, _ = values.shape
    rows = -(-count // columns)
    sides = rows * (height + GAP_PX) + GAP_PX, columns * (width + GAP_PX) + GAP_PX
    whole = np.full((*sides, 3), _PAPER, np.float32)
    for number, picture in enumerate(values):
        row, column = divmod(number, columns)
        top, left = GAP_PX + row * (height + GAP_PX), GAP_PX + column * (width + GAP_PX)
        whole[top : top + height, left : left + width] = picture
    return whole


def draw_grid(
    pictures: np.ndarray, columns: int, path: Path, row_titles: Sequence[str] = ()
) -> None:
    """Draw pictures (n, height, width, channels) of 0..1 in rows, whole or not at all.

    Args:
        pictures: grey or of three channels; of more channels the first three are shown.
        columns: pictures a row.
        path: the PNG file.
        row_titles: a name left of each row; none for none.
    """
    whole = mosaic(pictures, columns)
    height, width, _ = whole.shape
    left = TITLE_PX if row_titles else 0
    with new_figure(path, width + left, height, arranges=False) as figure:
        axes = figure.add_axes((left / (width + left), 0, width / (width + left), 1))
        axes.imshow(whole, interpolation="nearest", aspect="auto")
        axes.axis("off")
        for row, title in enumerate(row_titles):
            middle = 1 - (row + 0.5) / len(row_titles)
            place = (left - 6) / (width + left)
            figure.text(place, middle, title, ha="right", va="center", fontsize=9)
