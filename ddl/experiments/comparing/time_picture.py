"""Draws where the time of experiments went: a bar for each, its parts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddl.experiments.comparing.times import PARTS, Times
from ddl.experiments.terminal.words import age
from ddl.training.record.figure import new_figure

COLOURS = {
    "queue": "#b9b9b9",
    "training": "#0072b2",
    "validation": "#e69f00",
    "checkpoints": "#009e73",
    "epochs": "#56b4e9",
    "start and end": "#cc79a7",
    "run": "#8c6d31",
}

_MOST_BARS = 60
_BAR_PX, _AROUND_PX, _WIDTH_PX = 22, 110, 900
_UNITS = (("hours", 3600.0, 7200.0), ("minutes", 60.0, 120.0), ("seconds", 1.0, 0.0))


def draw_times(times: Sequence[Times], path: Path) -> None:
    """Draw a bar for each experiment, as a PNG file that appears whole. Of many the longest ones are drawn."""
    chosen = sorted(times, key=lambda each: each.total_s, reverse=True)[:_MOST_BARS]
    drawn = [each for each in times if each in chosen]
    longest = max((each.total_s for each in drawn), default=0.0)
    unit, unit_s = next((name, length) for name, length, least in _UNITS if longest >= least)
    with new_figure(path, _WIDTH_PX, _AROUND_PX + _BAR_PX * len(drawn)) as figure:
        axes = figure.subplots()
        axes.grid(visible=False, axis="y")
        places = range(len(drawn))
        left = [0.0] * len(drawn)
        for part in PARTS:
            widths = [each.seconds.get(part, 0.0) / unit_s for each in drawn]
            if not any(widths):
                continue
            axes.barh(places, widths, left=left, height=0.7, color=COLOURS[part], label=part)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        for place, each in zip(places, drawn, strict=True):
            axes.text(left[place], place, f" {age(each.total_s)}", va="center", fontsize=8)
        axes.set_yticks(places, [each.label for each in drawn], fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.08, y=0.02)
        axes.set_xlabel(unit)
        more = f"  ({len(drawn)} longest of {len(times)})" if len(drawn) < len(times) else ""
        axes.set_title(f"where the time went{more}", loc="left", fontweight="bold")
        if longest:
            figure.legend(loc="outside lower center", ncols=len(PARTS), fontsize=8)
