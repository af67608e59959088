"""Draws arrays of numbers side by side, each with its own scale: what a model gets, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.training.record.figure import FOUND, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 8
_PANEL_PX, _TITLE_PX = 200, 24


def draw_values(columns: Mapping[str, Sequence[np.ndarray] | np.ndarray], path: Path) -> None:
    """Draw one row per sample and one column per name, such as "input" and "output"; titles give each panel's range.

    Args:
        columns: name -> arrays of the samples: (height, width, 1) as a picture, (depth, height, width, 1) by the slice
            in the middle of the last axis, (places, 1) as a line. Of several channels the first is drawn.
        path: the PNG file.
    """
    rows = min(ROWS, *(len(arrays) for arrays in columns.values()))
    size = len(columns) * _PANEL_PX, rows * (_PANEL_PX + _TITLE_PX)
    with new_figure(path, *size) as figure:
        panels = figure.subplots(rows, len(columns), squeeze=False)
        for panel_row, row in zip(panels, range(rows), strict=True):
            for panel, (name, arrays) in zip(panel_row, columns.items(), strict=True):
                _draw(panel, name, np.asarray(arrays[row], np.float32)[..., 0])


def _draw(panel: Axes, name: str, values: np.ndarray) -> None:
    if values.ndim == 3:
        values = values[:, :, values.shape[2] // 2]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    panel.set_title(f"{name}: {low:.3g} to {high:.3g}", fontsize=8)
    look: dict[str, Any] = {"labelbottom": False, "labelleft": False, "length": 0}
    panel.tick_params(**look)
    if values.ndim == 1:
        panel.plot(values, color=FOUND)
        return
    panel.grid(visible=False)
    panel.imshow(values, cmap="viridis", aspect="auto")
