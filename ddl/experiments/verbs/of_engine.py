"""What the verbs that change something share: they note wishes, sync once, and tell what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.engine.sync import Report, sync
from ddl.experiments.store.view import ExperimentView, read_view
from ddl.experiments.store.which import select
from ddl.experiments.verbs.of_store import OfStore, exit_status, find, say, say_json
from ddl.plain_text import escaped


@dataclass(frozen=True)
class Asked:
    """A wish and what was said to it: name of the experiment -> line."""

    store: Path
    names: tuple[str, ...]
    lines: dict[str, str]


def ask(settings: OfStore, which: Sequence[str], wish: Callable[[ExperimentView], str]) -> Asked:
    """Note a wish for the experiments that words name.

    Raises:
        ValueError: The words name none, or one cannot be asked this; then none is asked.
    """
    store, words = find(settings, which)
    view = read_view(store.path)
    chosen = select(view, words)
    return Asked(
        store.path, tuple(item.name for item in chosen), {item.name: wish(item) for item in chosen}
    )


def carry_out(settings: OfStore, asked: Asked) -> int:
    """Sync once, and tell what was asked and done. Return 3 where one of the experiments has failed."""
    told = [f"{name}: {line}" for name, line in asked.lines.items() if line]
    if not settings.json:
        say([escaped(line) for line in told])
    report = sync(asked.store, say=teller(settings))
    chosen = [item for item in report.view.experiments if item.name in asked.names]
    if settings.json:
        say_json({"asked": asked.lines, **as_json(report, chosen)})
    else:
        say(summary(report, chosen))
    return exit_status(report.view, chosen)


def teller(settings: OfStore) -> Callable[[str], None]:
    """Return what prints lines of a sync while it works; nothing where JSON is printed at the end."""
    return (lambda line: None) if settings.json else (lambda line: say([escaped(line)]))


def summary(report: Report, chosen: Sequence[ExperimentView]) -> list[str]:
    """Return the last lines of a verb: what waits, and how many are in each state."""
    names = {item.name for item in chosen}
    reasons = Counter(why for name, why in report.waits.items() if name in names)
    lines = [
        escaped(f"{count} wait{'s' if count == 1 else ''}: {why}") for why, count in reasons.items()
    ]
    states = Counter(item.state for item in chosen)
    counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
    total = f"{len(chosen):,} experiment{'s' if len(chosen) != 1 else ''}"
    return [*lines, f"{total}: {counts}." if counts else f"{total}."]


def as_json(report: Report, chosen: Sequence[ExperimentView]) -> dict[str, Any]:
    """Return a report as JSON values."""
    return {
        "lines": report.lines,
        "actions": [{"kind": type(action).__name__, **vars(action)} for action in report.actions],
        "waits": report.waits,
        "unreachable": report.unreachable,
        "experiments": [
            {"name": item.name, "state": item.state, "why": item.why, "node": item.node}
            for item in chosen
        ],
    }
