"""What has ended since the last sync: told once, with the time at which it happened."""

from __future__ import annotations

from typing import Any

from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.states import ENDED
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.progress import duration

_NAME = ".told.json"


def news(view: StoreView) -> list[str]:
    """Return a line for each experiment that has ended since the last call, and note that they were told."""
    path = view.store.seen / _NAME
    before = read_json(path)
    now = {item.name: _mark(item) for item in view.experiments}
    if now != before:
        view.store.seen.mkdir(exist_ok=True)
        write_json(path, now)
    return [
        _line(item, view.now)
        for item in view.experiments
        if item.state in ENDED | {"paused"}
        and item.attempts
        and before.get(item.name) != now[item.name]
    ]


def _mark(item: ExperimentView) -> list[Any]:
    return [item.state, item.attempts[-1].number if item.attempts else 0]


def _line(item: ExperimentView, now: float) -> str:
    by = str(item.attempts[-1].status.get("by") or "")
    told = f" by {by}" if by.startswith("rule ") else ""
    why = f": {item.why}" if item.why else ""
    return f"{item.name}: {item.state}{told} {duration(max(0.0, now - item.since))} ago{why}"
