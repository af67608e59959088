"""The picture of all modes under the same straggler: validation loss over time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COLORS = {"sync": "#666666", "balanced": "#2a6fbb", "local": "#e07b00", "async": "#2e8b57"}
"""Four that colour-blind readers can distinguish; each mode has its own marker, too."""
_MARKERS = {"sync": "s", "balanced": "o", "local": "^", "async": "D"}


def curve(epochs: list[dict[str, float]]) -> tuple[list[float], list[float]]:
    """Return seconds since the end of the first epoch, and the validation loss after each epoch."""
    seconds = itertools.accumulate([0.0, *(epoch["seconds"] for epoch in epochs[1:])])
    return list(seconds), [epoch["val_loss"] for epoch in epochs]


def draw_modes(result: Mapping[str, Any], path: Path) -> None:
    """Draw a line for each mode, named at its end and in the legend."""
    from ddl.training.record.figure import new_figure

    setup = result["setup"]
    with new_figure(path, 760, 420) as figure:
        axes = figure.add_subplot()
        for mode, epochs in result["epochs"].items():
            seconds, losses = curve(epochs)
            look: dict[str, Any] = {"color": COLORS[mode], "marker": _MARKERS[mode]}
            axes.plot(seconds, losses, linewidth=1.8, markersize=4, label=mode, **look)
            axes.annotate(
                f"{mode}: {seconds[-1]:.3g} s",
                (seconds[-1], losses[-1]),
                textcoords="offset points",
                xytext=(6, 6),
                color=COLORS[mode],
                fontweight="bold",
            )
        axes.set_xlim(left=0)
        axes.margins(x=0.14, y=0.12)
        axes.set_xlabel("time since the end of the first epoch (s)")
        axes.set_ylabel("validation loss (no unit)")
        axes.legend(loc="upper right", title="--parallel")
        late = f" from step {setup['from_step']} on" if setup["from_step"] else ""
        axes.set_title(
            f"The same {setup['epochs']} epochs on {setup['ranks']} ranks, one of them {setup['times']:g} times "
            f"slower{late}; a point is an epoch",
            loc="left",
            fontweight="bold",
        )
