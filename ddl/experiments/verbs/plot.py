"""`plot`: curves of experiments in one picture, or where their time went. Reads the store, writes one PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddl.experiments.comparing.curves import AXES, Panel, Rows, panels_of, variables_of
from ddl.experiments.comparing.times import Times, times_of
from ddl.experiments.results import main_variable
from ddl.experiments.store.view import ExperimentView, read_view
from ddl.experiments.store.which import select
from ddl.experiments.verbs.of_store import OfStore, find, say, say_json
from ddl.experiments.watching.history import read_history
from ddl.experiments.watching.values import json_number
from ddl.flags import ARGUMENT
from ddl.plain_text import escaped
from ddl.ranges import check_choice

_ENDINGS = (".png",)


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Draw curves of experiments in one picture, or with --times where their time went: queue, training, validation.

    The legend says in which settings the experiments differ, from the best one to the worst. Of many experiments the
    best ones have a name, the others are grey. --by seconds leaves out what attempts waited in a queue.

        python scripts/experiments.py plot
        python scripts/experiments.py plot lr=0.001 --variable val_dice loss --by seconds --output lr.png
        python scripts/experiments.py plot state=finished --times

    Attributes:
        which: names, numbers (3, 3-7), globs, state=STATE, PARAMETER=VALUE, group=NAME; or a spec's file; all without
        variable: variables to draw, a panel each; without it the one that tells most, and the loss
        by: what the curves are drawn over: epoch, step or seconds
        times: draw where the time went instead of curves
        output: the PNG file; without it curves.png or times.png in the store
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    variable: tuple[str, ...] = ()
    by: str = "epoch"
    times: bool = False
    output: Path | None = None


def run(settings: Settings) -> int:
    """Write the picture and say where; with --json print what it shows."""
    check_choice("by", settings.by, AXES)
    store, words = find(settings, settings.which)
    view = read_view(store.path)
    items = select(view, words)
    default = "times.png" if settings.times else "curves.png"
    path = settings.output or store.path / default
    if path.suffix.lower() not in _ENDINGS:
        raise ValueError(f"Received: output={path}. Expected: a file that ends with .png.")
    if settings.times:
        _plot_times(settings, items, view.now, path)
    else:
        _plot_curves(settings, items, path)
    if not settings.json:
        say([f"The picture is {escaped(path)}."])
    return 0


def _plot_curves(settings: Settings, items: list[ExperimentView], path: Path) -> None:
    from ddl.experiments.comparing.curve_picture import draw_curves

    histories = [read_history(item.folder.history)["rows"] for item in items]
    variables = settings.variable or _telling(histories)
    panels = panels_of(items, histories, variables, settings.by)
    draw_curves(panels, settings.by, path)
    if settings.json:
        say_json({"picture": str(path), "by": settings.by, "panels": list(map(_panel, panels))})


def _plot_times(settings: Settings, items: list[ExperimentView], now: float, path: Path) -> None:
    from ddl.experiments.comparing.time_picture import draw_times

    times = times_of(items, now)
    if not times:
        raise ValueError(
            "Received: experiments that have not been handed over. Expected: one with an attempt."
        )
    draw_times(times, path)
    if settings.json:
        say_json({"picture": str(path), "experiments": list(map(_times, times))})


def _telling(histories: Sequence[Rows]) -> tuple[str, ...]:
    """Return the variable that tells most, and the loss."""
    names = variables_of(histories)
    main = main_variable([row for rows in histories for row in rows[-1:]])
    found = [main or next(iter(names), "loss")]
    return (*found, "loss") if "loss" in names and "loss" not in found else tuple(found)


def _panel(panel: Panel) -> dict[str, object]:
    return {
        "variable": panel.variable,
        "curves": [
            {
                "name": curve.name,
                "label": curve.label,
                "best": curve.best(panel.is_low_good),
                "x": list(curve.xs),
                "y": [json_number(y) for y in curve.ys],
            }
            for curve in panel.ranked()
        ],
    }


def _times(times: Times) -> dict[str, object]:
    return {"name": times.name, "attempts": times.attempts, "seconds": dict(times.seconds)}
