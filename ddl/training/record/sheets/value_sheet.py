"""Draws `samples.png` of a model that predicts values: inputs, true and predicted values, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.training.record.figure import new_figure, shortened
from ddl.training.record.picture_sheet import ROWS, as_rgb, middle, smaller

_WIDTH_PX, _ROW_PX = 900, 200
_HEADINGS = ("input", "true values", "predicted", "absolute error")


def draw_values(
    inputs: Sequence[np.ndarray] | np.ndarray,
    truths: Sequence[np.ndarray] | np.ndarray,
    predictions: Sequence[np.ndarray] | np.ndarray,
    path: Path,
    names: Sequence[str] | None = None,
) -> None:
    """Draw one row per sample, and the mean absolute error in it.

    Values that are no pictures, such as (count,), are drawn as lines: the true ones black, the predicted ones orange.

    Args:
        inputs: (height, width, channels) each; of volumes the middle slice is shown.
        truths: true values of any shape.
        predictions: predicted values of the same shape.
        path: the PNG file.
        names: a name for each sample.
    """
    rows = min(len(inputs), ROWS)
    with new_figure(path, _WIDTH_PX, rows * _ROW_PX) as figure:
        panels = figure.subplots(rows, len(_HEADINGS), squeeze=False)
        for row in range(rows):
            truth, found = (np.asarray(part[row], np.float32) for part in (truths, predictions))
            _draw_input(panels[row][0], np.asarray(inputs[row]))
            if truth.ndim > 2:
                _draw_pictures(panels[row][1:], truth, found)
            else:
                _draw_lines(panels[row][1:], truth.ravel(), found.ravel())
            error = float(np.abs(truth - found).mean()) if truth.shape == found.shape else np.nan
            name = f"{shortened(names[row], 24)}: " if names else ""
            panels[row][3].set_title(f"mean {error:.3g}", loc="right", fontsize=8)
            panels[row][0].set_title(f"{name}{_HEADINGS[0]}", loc="left", fontsize=8)
            for panel, heading in zip(panels[row][1:], _HEADINGS[1:], strict=True):
                panel.set_title(heading, loc="left", fontsize=8)


def _draw_input(axes: Any, picture: np.ndarray) -> None:
    if picture.ndim < 3:
        axes.plot(picture.ravel(), color="black", lw=1)
        return
    axes.imshow(as_rgb(smaller(middle(picture))))
    axes.axis("off")


def _draw_pictures(panels: np.ndarray, truth: np.ndarray, found: np.ndarray) -> None:
    """Draw both in one range of colours, that of the true values."""
    true, predicted = (smaller(middle(part)) for part in (truth, found))
    low, high = float(true.min()), float(true.max())
    span = (high - low) or 1.0
    is_colour = true.shape[-1] == 3
    for axes, values in zip(panels, (true, predicted), strict=False):
        shown = np.clip((values - low) / span, 0, 1)
        axes.imshow(shown if is_colour else shown[..., 0], cmap="magma", vmin=0, vmax=1)
    panels[2].imshow(np.abs(true - predicted).mean(axis=-1), cmap="magma", vmin=0, vmax=span)
    for axes in panels:
        axes.axis("off")


def _draw_lines(panels: np.ndarray, truth: np.ndarray, found: np.ndarray) -> None:
    marker = "o" if len(truth) < 20 else None
    panels[0].plot(truth, color="black", marker=marker, markersize=3, lw=1)
    panels[1].plot(found, color="#d55e00", marker=marker, markersize=3, lw=1)
    panels[2].plot(np.abs(truth - found), color="#777777", marker=marker, markersize=3, lw=1)
