"""Draws `probe.png`: what a probe has measured of each layer, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.training.record.figure import new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "probe.png"
_PANELS = {
    "gradient_norm": "gradient norm",
    "weight_norm": "weight norm",
    "update_ratio": "update / weights",
    "activation_std": "deviation of outputs",
    "activation_mean": "mean of outputs",
    "dead_share": "share of dead units",
}
_LINEAR = ("activation_mean", "dead_share")
_PANEL_PX = (330, 250)
_LEGEND_PX = 230
_COLUMNS = 3
_NAMED = 18
"""Layers in the legend at most; with more, some between the first and the last one."""
_MARKED_EPOCHS = 30
_USUAL_RATIO = (1e-4, 1e-2)
"""Between these most trainings go well: the grey band of the panel."""

Row = Mapping[str, Any]


def draw_probe(rows: Sequence[Row], path: Path) -> None:
    """Draw a panel for each quantity with a line for each layer, from blue (near the input) to yellow (near the end).

        draw_probe(read_probe(run_dir), run_dir / "probe.png")

    Args:
        rows: lines of `probe.jsonl`; values that are missing or not finite leave a gap.
        path: the PNG file.
    """
    names = list(dict.fromkeys(layer["name"] for row in rows for layer in row["layers"]))
    rows_of_panels = -(-len(_PANELS) // _COLUMNS)
    size = _PANEL_PX[0] * _COLUMNS + _LEGEND_PX, _PANEL_PX[1] * rows_of_panels
    with new_figure(path, *size) as figure:
        lines: dict[str, Any] = {}
        for index, (key, title) in enumerate(_PANELS.items()):
            axes = figure.add_subplot(rows_of_panels, _COLUMNS, index + 1)
            lines = _draw_panel(axes, rows, names, key) | lines
            axes.set_title(title, loc="left", fontweight="bold")
        shown = [name for name in _some_of(names) if name in lines]
        if shown:
            figure.legend(
                [lines[name] for name in shown],
                [shortened(name, 28) for name in shown],
                loc="outside right upper",
                fontsize=8,
                title=_legend_title(len(shown), len(names)),
                title_fontsize=8,
                alignment="left",
            )


def _legend_title(shown: int, count: int) -> str:
    return "layers, input first" if shown == count else f"{shown} of {count} layers, input first"


def _some_of(names: Sequence[str]) -> list[str]:
    """Return the names for the legend: all, or the first, the last and some evenly between."""
    if len(names) <= _NAMED:
        return list(names)
    places = np.linspace(0, len(names) - 1, _NAMED).round().astype(int)
    return [names[at] for at in places]


def _draw_panel(axes: Axes, rows: Sequence[Row], names: Sequence[str], key: str) -> dict[str, Any]:
    from matplotlib import colormaps

    epochs = [row["epoch"] for row in rows]
    lines, drawn = {}, []
    kinds = {layer["name"]: str(layer.get("kind")) for row in rows for layer in row["layers"]}
    for place, name in enumerate(names):
        values = np.array([_value(row, name, key) for row in rows], np.float64)
        if key not in _LINEAR:
            values[~(values > 0)] = np.nan  # a logarithm has no 0
        finite = np.isfinite(values)
        if not finite.any():
            continue
        drawn.append(values[finite])
        colour = colormaps["viridis"](0.95 * place / max(1, len(names) - 1))
        marker = "o" if finite.sum() <= _MARKED_EPOCHS else None
        width = 0.6 if "Normalization" in kinds[name] else 1.4  # they would hide the kernels
        [lines[name]] = axes.plot(
            epochs, values, color=colour, lw=width, marker=marker, markersize=2.5
        )
    _set_scales(axes, key, epochs, drawn)
    return lines


def _value(row: Row, name: str, key: str) -> float:
    for layer in row["layers"]:
        if layer["name"] == name:
            value = layer.get(key)
            is_number = isinstance(value, int | float) and math.isfinite(value)
            return float(value) if is_number else math.nan
    return math.nan


def _set_scales(axes: Axes, key: str, epochs: Sequence[int], drawn: list[np.ndarray]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    margin = max((epochs[-1] - epochs[0]) * 0.03, 0.5)
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    axes.grid(visible=False, axis="x")
    if not drawn:
        axes.set_yticks([])
        text = "no such layer" if key == "dead_share" else "no finite value yet"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color="#777777")
        return
    if key == "dead_share":
        axes.set_ylim(-0.03, 1.03)
    if key in _LINEAR:
        return
    axes.set_yscale("log")
    low, high = min(v.min() for v in drawn), max(v.max() for v in drawn)
    axes.set_ylim(low / 2, high * 2)
    if key == "update_ratio":
        axes.axhspan(*_USUAL_RATIO, color="#eeeeee", zorder=0)
    decades = math.log10(high / low) if high > low else 0.0
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if decades < 2 else (1,), numticks=8))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
