"""Draws pictures with a map of where they matter: NumPy arrays in, a PNG file out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.training.record.figure import new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_PX, _TITLE_PX, _BAR_PX = 230, 42, 90


@dataclass(frozen=True)
class Heat:
    """A picture and its map.

    Attributes:
        picture: (height, width, channels), numbers from 0 to 1.
        drops: the map, (height, width): how much worse the result is where the picture is hidden there.
        outline: a mask to outline, (height, width), or None.
        title: two lines at most.
    """

    picture: np.ndarray
    drops: np.ndarray
    outline: np.ndarray | None
    title: str


def draw_heat(heats: Sequence[Heat], path: Path, label: str) -> None:
    """Draw a row for each picture: the picture, the map, and both on one another.

    Args:
        heats: at least one.
        path: the PNG file.
        label: what the numbers of the maps are, such as "drop of dice".
    """
    size = 3 * _PANEL_PX + _BAR_PX, len(heats) * (_PANEL_PX + _TITLE_PX)
    with new_figure(path, *size) as figure:
        panels = figure.subplots(len(heats), 3, squeeze=False)
        for row, heat in zip(panels, heats, strict=True):
            most = float(np.abs(heat.drops).max()) or 1e-6
            look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
            _show(row[0], heat)
            row[0].set_title(heat.title, loc="left", fontsize=8)
            drawn = row[1].imshow(heat.drops, **look)
            row[1].set_title("where it is needed", loc="left", fontsize=8)
            _show(row[2], heat)
            strength = np.clip(np.abs(heat.drops) / most, 0, 1)
            row[2].imshow(heat.drops, alpha=0.15 + 0.6 * strength, **look)
            row[2].set_title("both", loc="left", fontsize=8)
            for panel in row:
                panel.set_xticks([])
                panel.set_yticks([])
            bar = figure.colorbar(drawn, ax=row[2], fraction=0.05, pad=0.02)
            bar.set_label(shortened(label, 28), fontsize=8)
            bar.ax.tick_params(labelsize=7)


def _show(panel: Axes, heat: Heat) -> None:
    picture = np.asarray(heat.picture, np.float32)
    low, high = float(picture.min()), float(picture.max())
    if low < 0 or high > 1:
        picture = (picture - low) / max(high - low, 1e-6)
    shown = picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0]
    panel.imshow(shown, cmap="gray", vmin=0, vmax=1)
    panel.grid(visible=False)
    if heat.outline is not None and heat.outline.any() and not heat.outline.all():
        panel.contour(heat.outline > 0, levels=[0.5], colors=["#00d5ff"], linewidths=1)
