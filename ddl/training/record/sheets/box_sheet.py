"""Draws `samples.png` of a model that finds boxes: true boxes dashed, found ones in their class's colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.boxes.found import Found
from ddl.boxes.rows import CLASS, CORNERS, boxes_in
from ddl.training.record.figure import new_figure, shortened
from ddl.training.record.picture_sheet import PALETTE, as_rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
_PANEL_PX, _TITLE_PX, _LEGEND_PX = 300, 24, 36


def draw_found(
    pictures: np.ndarray,
    truths: np.ndarray,
    found: Sequence[Found],
    path: Path,
    class_names: Sequence[str],
    titles: Sequence[str],
) -> None:
    """Draw pictures with their boxes.

    Args:
        pictures: (n, height, width, channels).
        truths: rows of true boxes, (n, most, 6).
        found: what was found in each.
        path: the PNG file.
        class_names: a name for each class.
        titles: a name for each picture.
    """
    rows = -(-len(pictures) // COLUMNS)
    size = COLUMNS * _PANEL_PX, rows * (_PANEL_PX + _TITLE_PX) + _LEGEND_PX
    with new_figure(path, *size) as figure:
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for panel in panels[len(pictures) :]:
            panel.set_visible(False)
        for panel, picture, own, boxes, title in zip(
            panels, pictures, truths, found, titles, strict=False
        ):
            panel.imshow(as_rgb(picture), interpolation="nearest")
            panel.set_title(shortened(title, 32), loc="left", fontsize=8)
            panel.set_xticks([])
            panel.set_yticks([])
            panel.grid(visible=False)
            sides = np.array([picture.shape[1], picture.shape[0]] * 2)
            for row in boxes_in(own):
                look = {"linestyle": "--", "linewidth": 1.0}
                _outline(panel, row[CORNERS] * sides, colour_of(int(row[CLASS])), look)
            for box, label, score in zip(boxes.boxes, boxes.classes, boxes.scores, strict=True):
                corners, colour = box * sides, colour_of(int(label))
                _outline(panel, corners, colour, {"linewidth": 1.8})
                panel.text(
                    corners[0],
                    corners[1],
                    f"{score:.2f}",
                    color="white",
                    fontsize=7,
                    va="bottom",
                    clip_on=True,
                    bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.8},
                )
        shown = sorted({int(label) for boxes in found for label in boxes.classes})
        shown = sorted({*shown, *truths[..., CLASS][truths[..., CLASS] >= 0].astype(int).tolist()})
        _legend(figure, [(label, class_names[label]) for label in shown[:8]])


def colour_of(label: int) -> str:
    """Return the colour of a class."""
    return PALETTE[label % len(PALETTE)]


def _outline(panel: Axes, corners: np.ndarray, colour: Any, look: dict[str, Any]) -> None:
    from matplotlib.patches import Rectangle

    left, top, right, bottom = (float(place) - 0.5 for place in corners)
    panel.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, **look)
    )


def _legend(figure: Any, classes: Sequence[tuple[int, str]]) -> None:
    """Say which colour is which class, and what a dashed line is."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour_of(label), linewidth=2, label=shortened(name, 20))
        for label, name in classes
    ]
    handles.append(Line2D([], [], color="grey", linestyle="--", linewidth=1, label="true"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)
