"""Draws `curves.png`: a panel for each quantity of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.training.record.figure import FOUND, TRUTH, new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_QUANTITY = ("epoch", "seconds", "samples_per_s")
_TESTED = "#009e73"
_PANEL_PX = (300, 230)
_PANELS_A_ROW = 3
_PANELS = 24
_MARKED_EPOCHS = 30  # more points would hide the line
_LOG_SPANS = {"learning_rate": 10.0, "loss": 100.0}


def draw_curves(
    epochs: Sequence[Mapping[str, Any]], path: Path, *, best_epoch: int | None = None
) -> None:
    """Draw the history so far, with training and validation values in one panel. Only rank 0 calls it.

        draw_curves(read_history(run_dir), run_dir / "curves.png")

    Args:
        epochs: the history; values that are not finite leave a gap.
        path: the PNG file.
        best_epoch: the epoch (from 1) to mark.
    """
    names = quantities(epochs)[:_PANELS] or ["loss"]
    columns = min(len(names), _PANELS_A_ROW)
    rows = -(-len(names) // columns)
    with new_figure(path, _PANEL_PX[0] * columns, _PANEL_PX[1] * rows) as figure:
        for index, name in enumerate(names):
            axes = figure.add_subplot(rows, columns, index + 1)
            _draw_panel(axes, epochs, name, best_epoch)


def quantities(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the quantities to draw: the loss first, the learning rate last, no matrices."""
    names = dict.fromkeys(
        name.removeprefix("val_").removeprefix("test_")
        for epoch in epochs
        for name, value in epoch.items()
        if name not in _NO_QUANTITY
        and isinstance(value, int | float)
        # Those before training have no place on an axis of epochs that are done.
        and not name.startswith("test_before_")
    )
    return sorted(names, key=lambda name: (name == "learning_rate", name != "loss"))


def _draw_panel(
    axes: Axes, epochs: Sequence[Mapping[str, Any]], name: str, best_epoch: int | None
) -> None:
    numbers = _numbers(epochs)
    drawn: list[np.ndarray] = []
    for key, label, colour in (
        (name, "training", TRUTH),
        (f"val_{name}", "validation", FOUND),
        (f"test_{name}", "test", _TESTED),
    ):
        # An epoch without the value, such as one without validation, leaves no gap.
        having = [epoch for epoch in epochs if key in epoch]
        values = _values(having, key)
        finite = np.isfinite(values)
        if not finite.any():
            continue
        drawn.append(values[finite])
        # A point between two gaps has no line, so it needs a marker.
        marker = "o" if finite.sum() <= _MARKED_EPOCHS else None
        style: dict[str, Any] = {
            "color": colour,
            "label": label,
            "marker": marker,
            "markersize": 3,
            "lw": 1.5,
        }
        axes.plot(_numbers(having), values, **style)
    axes.set_title(shortened(name.replace("_", " "), 32), loc="left", fontweight="bold")
    axes.set_xlabel("epoch")
    _set_scales(axes, name, numbers, drawn)
    if best_epoch is not None and numbers and numbers[0] <= best_epoch <= numbers[-1]:
        label = f"best: epoch {best_epoch}"
        axes.axvline(best_epoch, color="#777777", ls="--", lw=1, zorder=1, label=label)
    if axes.lines and name != "learning_rate":  # has only one line
        axes.legend(loc="best", fontsize=8, handlelength=1.5, borderaxespad=0.2)


def _numbers(epochs: Sequence[Mapping[str, Any]]) -> list[int]:
    return [int(epoch.get("epoch", index)) for index, epoch in enumerate(epochs, 1)]


def _values(epochs: Sequence[Mapping[str, Any]], key: str) -> np.ndarray:
    values = np.array([epoch.get(key, np.nan) for epoch in epochs], np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _set_scales(axes: Axes, name: str, numbers: list[int], drawn: list[np.ndarray]) -> None:
    """Label epochs with whole numbers; use a log scale if values span several magnitudes."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    if numbers:
        margin = max((numbers[-1] - numbers[0]) * 0.03, 0.5)
        axes.set_xlim(numbers[0] - margin, numbers[-1] + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.grid(visible=False, axis="x")
    if not drawn:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no finite value yet", transform=axes.transAxes, ha="center", color="#777777"
        )
        return
    low, high = min(v.min() for v in drawn), max(v.max() for v in drawn)
    kind = "loss" if "loss" in name else name
    if low <= 0 or high / low <= _LOG_SPANS.get(kind, np.inf):
        axes.ticklabel_format(axis="y", scilimits=(-5, 6), useOffset=False)
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 1e3 else (1,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
