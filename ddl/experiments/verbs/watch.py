"""`watch`: the status again and again, and what is new. Reads files only."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field

from ddl.experiments.spec.text.units import parse_duration
from ddl.experiments.states import ENDED
from ddl.experiments.store.files import Files
from ddl.experiments.store.plain import totals
from ddl.experiments.store.view import ExperimentView, StoreView, read_view
from ddl.experiments.store.which import select
from ddl.experiments.terminal.columns import output_width
from ddl.experiments.terminal.news import News, news_line
from ddl.experiments.terminal.screen import Screen
from ddl.experiments.terminal.status_lines import status_lines, total_line
from ddl.experiments.verbs.of_store import (
    OfStore,
    exit_status,
    find,
    nobody_reads,
    say_damaged,
)
from ddl.flags import ARGUMENT

_LEAST_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show the status again and again, and what is new as lines, until all experiments have ended.

    It reads what is in the store and writes nothing: `manage` or `sync` in another terminal (or cron) asks the nodes.
    Without a terminal only what is new is printed; with --json a JSON document a line. Ctrl-C ends it with status 130,
    and nothing else. Exit status 3: something wanted has failed.

        python scripts/experiments.py watch

    Attributes:
        which: names, numbers (3, 3-7), globs, state=STATE, PARAMETER=VALUE, group=NAME; or a spec's file; all without
        every: time between two looks, such as 2s or 1 min
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    every: str = "2s"


def run(settings: Settings) -> int:
    """Watch until all have ended. Return 3 where something has failed."""
    every_s = parse_duration(settings.every)
    if not every_s >= _LEAST_S:
        raise ValueError(f"Received: every={settings.every}. Expected: at least {_LEAST_S} s.")
    store, words = find(settings, settings.which)
    files = Files()
    view = read_view(store.path, files=files)
    # By number from now on: an experiment stays on the screen when its state is no longer that of WHICH.
    numbers = {item.number for item in select(view, words)}
    say_damaged(view)
    screen = Screen(sys.stdout, redraws=False if settings.json else None)
    news = News()
    _sum_up(screen, view, select(view, words), settings)
    try:
        while True:
            chosen = [item for item in view.experiments if item.number in numbers or not words]
            for item in news.since_last(chosen):
                screen.tell(json.dumps(item) if settings.json else news_line(item))
            if screen.redraws:
                lines = status_lines(view, chosen, output_width(), coloured=screen.has_colours)
                screen.show(lines)
            if all(item.state in ENDED for item in chosen) or nobody_reads():
                break
            time.sleep(every_s)
            view = read_view(store.path, files=files)
    finally:
        screen.close()
    _sum_up(screen, view, chosen, settings)
    return exit_status(view, chosen)


def _sum_up(
    screen: Screen, view: StoreView, chosen: list[ExperimentView], settings: Settings
) -> None:
    """Print how many are in each state, at the beginning and at the end, where nothing is redrawn."""
    if settings.json:
        screen.tell(json.dumps({"time": view.now, "totals": totals(chosen)}))
    elif not screen.redraws:
        screen.tell(total_line(view, chosen))
