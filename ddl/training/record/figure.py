"""Writes figures as PNG files, whole. The only module that sets up matplotlib, which it imports when needed."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ddl.files import write_whole
from ddl.plain_text import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
TRUTH, FOUND = "#2a6fbb", "#e07b00"
"""Blue and orange, which colour-blind readers can distinguish."""

_ROWS, _PANEL_PX, _TITLE_PX = 8, 200, 24

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.framealpha": 0.8,
    "legend.edgecolor": "none",
    "text.parse_math": False,  # a class name may contain "$"
    "text.usetex": False,
}


@contextmanager
def new_figure(
    path: Path, width_px: float, height_px: float, *, arranges: bool = True
) -> Iterator[Figure]:
    """Yield an empty figure, and write it to `path` when the block ends without an error.

    It uses neither a window nor pyplot, and changes settings only for the block. A notebook's figures are unaffected.
    If `arranges`, matplotlib makes room for titles and labels; otherwise the caller places each panel.
    """
    with _quiet_matplotlib():
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with mpl.rc_context(_STYLE):
            layout: Literal["constrained"] | None = "constrained" if arranges else None
            # Slightly more than whole pixels: 2.3 inches give 229.99, which some versions round down.
            size = ((width_px + 0.01) / DPI, (height_px + 0.01) / DPI)
            figure = Figure(figsize=size, dpi=DPI, layout=layout)
            FigureCanvasAgg(figure)
            try:
                yield figure
                write_whole(path, lambda partial: figure.savefig(partial, format="png", dpi=DPI))
            finally:
                figure.clear()  # reference cycles would keep its pictures in memory until garbage collection


@contextmanager
def _quiet_matplotlib() -> Iterator[None]:
    """Silence messages that a user cannot act on: no font cache in the home folder, a font that lacks a letter."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            yield
    finally:
        log.setLevel(level)


def shortened(text: str, limit: int) -> str:
    """Shorten a long text in the middle, because names often begin alike."""
    text = escaped(text)  # a name of bytes that are not UTF-8 cannot be drawn
    if len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def draw_columns(columns: Mapping[str, Sequence[np.ndarray] | np.ndarray], path: Path) -> None:
    """Draw one row per sample and one column per name, such as "input" and "output"; titles give each panel's range.

    Args:
        columns: name -> arrays of the samples: (height, width, 1) as a picture, (depth, height, width, 1) by the slice
            in the middle of the last axis, (places, 1) or (classes,) as a line. Of several channels the first is drawn.
        path: the PNG file.
    """
    rows = min(_ROWS, *(len(arrays) for arrays in columns.values()))
    size = len(columns) * _PANEL_PX, rows * (_PANEL_PX + _TITLE_PX)
    with new_figure(path, *size) as figure:
        panels = figure.subplots(rows, len(columns), squeeze=False)
        for panel_row, row in zip(panels, range(rows), strict=True):
            for panel, (name, arrays) in zip(panel_row, columns.items(), strict=True):
                values = np.asarray(arrays[row], np.float32)
                _draw_panel(panel, name, values if values.ndim == 1 else values[..., 0])


def _draw_panel(panel: Axes, name: str, values: np.ndarray) -> None:
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
