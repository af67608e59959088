"""Draws curves of several experiments: a panel for each variable, the best ones named, all others in grey."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddl.experiments.comparing.curves import Curve, Panel
from ddl.experiments.terminal.words import number
from ddl.training.record.figure import new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#8c6d31",
    "#000000",
)
"""Colours that colour-blind readers can tell apart (Okabe and Ito); their yellow is faint on white, so it is brown."""

NAMED = 12
"""Curves with a name and a colour of their own; of more, these are the best ones."""

_OTHERS = "#b9b9b9"
_STYLES = ("-", "--", ":", "-.")
_WIDTH_PX, _PANEL_PX, _LEGEND_PX, _LETTER_PX = 640, 330, 60, 5.6
_MARKED = 30  # points of a curve; more would hide the line
_MANY = 300  # points of a curve; a thick line through more is a band
_LOG_SPAN = 100.0
_TITLES = {
    "epoch": "epoch",
    "step": "update of the weights",
    "seconds": "seconds of training",
}


def draw_curves(panels: Sequence[Panel], by: str, path: Path) -> None:
    """Draw a panel for each variable below each other, as a PNG file that appears whole."""
    letters = max(len(_entry(panel, curve)) for panel in panels for curve in panel.curves)
    legend = _LEGEND_PX + round(min(letters, 64) * _LETTER_PX)
    with new_figure(path, _WIDTH_PX + legend, _PANEL_PX * len(panels)) as figure:
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        styles = _styles(panels)
        for place, panel in zip(axes, panels, strict=True):
            _draw_panel(place, panel, by, styles)


def _draw_panel(axes: Axes, panel: Panel, by: str, styles: Mapping[str, dict[str, Any]]) -> None:
    named, others = _named_and_others(panel)
    for curve in others:
        axes.plot(curve.xs, _gaps(curve.ys), color=_OTHERS, lw=0.8, zorder=1.5)
    for curve in reversed(named):  # the best one on top
        _draw_curve(axes, panel, curve, styles[curve.name])
    handles, texts = axes.get_legend_handles_labels()
    handles, texts = handles[::-1], texts[::-1]
    if others:
        from matplotlib.lines import Line2D

        handles.append(Line2D([], [], color=_OTHERS, lw=0.8))
        texts.append(f"{len(others)} others")
    axes.set_title(shortened(panel.variable, 60), loc="left", fontweight="bold")
    axes.set_xlabel(_TITLES[by])
    _set_scales(axes, panel, by)
    axes.legend(
        handles,
        texts,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        fontsize=8,
        handlelength=1.8,
        borderaxespad=0,
    )


def _named_and_others(panel: Panel) -> tuple[list[Curve], list[Curve]]:
    """Return the best curves, which have a name and a colour of their own, and all others."""
    ranked = panel.ranked()
    most = NAMED if len(ranked) > NAMED + 1 else len(ranked)
    return ranked[:most], ranked[most:]


def _styles(panels: Sequence[Panel]) -> dict[str, dict[str, Any]]:
    """Return colour and line of each experiment that has a name somewhere, the same in all panels."""
    named = [{curve.name for curve in _named_and_others(panel)[0]} for panel in panels]
    order = dict.fromkeys(
        curve.name
        for panel, names in zip(panels, named, strict=True)
        for curve in panel.curves
        if curve.name in names
    )
    count = len(COLOURS)
    return {
        name: {"color": COLOURS[place % count], "ls": _STYLES[place // count % len(_STYLES)]}
        for place, name in enumerate(order)
    }


def _draw_curve(axes: Axes, panel: Panel, curve: Curve, style: dict[str, Any]) -> None:
    finite = [(x, y) for x, y in zip(curve.xs, curve.ys, strict=True) if math.isfinite(y)]
    marker = "o" if len(finite) <= _MARKED else None
    width = 1.5 if len(finite) <= _MANY else 0.9
    look: dict[str, Any] = {"marker": marker, "markersize": 3, "lw": width, **style}
    axes.plot(curve.xs, _gaps(curve.ys), label=_entry(panel, curve), **look)
    if finite and not math.isfinite(curve.ys[-1]):  # where it ended being a number
        axes.plot(*finite[-1], marker="x", markersize=8, mew=2, color=style["color"])


def _entry(panel: Panel, curve: Curve) -> str:
    """Return the text of the legend: what differs, and the best value."""
    best = curve.best(panel.is_low_good)
    text = f"{curve.label}: {'no finite value' if best is None else number(best)}"
    return text if math.isfinite(curve.ys[-1]) or best is None else f"{text}, then {curve.ys[-1]}"


def _gaps(ys: Sequence[float]) -> list[float]:
    return [y if math.isfinite(y) else math.nan for y in ys]


def _set_scales(axes: Axes, panel: Panel, by: str) -> None:
    """Use whole numbers for epochs and updates, and a log scale for losses that span magnitudes."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(8, integer=by != "seconds", steps=[1, 2, 5, 10], min_n_ticks=1)
    )
    values = [y for curve in panel.curves for y in curve.ys if math.isfinite(y)]
    if not values:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center")
        return
    low, high = min(values), max(values)
    if panel.is_low_good and low > 0 and high / low > _LOG_SPAN:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 1e3 else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        return
    axes.ticklabel_format(axis="y", scilimits=(-5, 6), useOffset=False)
