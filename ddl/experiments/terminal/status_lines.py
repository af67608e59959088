"""The lines of `status`: one for each experiment, the nodes, the totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddl.experiments.results import main_variable
from ddl.experiments.store.attempts import number as number_in
from ddl.experiments.store.plain import in_order, totals
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.experiments.terminal.columns import Column, cut, draw
from ddl.experiments.terminal.words import age, number, painted
from ddl.plain_text import escaped

_STATE = 1
_OLD_S = 15 * 60


def status_lines(
    view: StoreView,
    chosen: list[ExperimentView],
    width: int | None = None,
    *,
    coloured: bool = False,
) -> list[str]:
    """Return the status of experiments as lines, the most urgent ones first."""
    ordered = in_order(chosen)
    variable = main_variable([item.last for item in ordered])
    columns = (
        Column("NAME", least=16),
        Column("STATE"),
        Column("NODE", least=6),
        Column("EPOCH", right=True),
        Column(escaped(variable or "").upper(), right=True, least=8),
        Column("FOR", right=True),
        Column("NEWS", right=True),
        Column("WHY", least=12),
    )
    rows = [_row(item, variable, view.now) for item in ordered]

    def paint(row: int, column: int, text: str) -> str:
        return painted(text, ordered[row].state) if coloured and column == _STATE else text

    lines = draw(columns, rows, width, paint) if rows else []
    below = [*node_lines(view), total_line(view, chosen)]
    return [*lines, *(line if width is None else cut(line, width) for line in below)]


def total_line(view: StoreView, chosen: list[ExperimentView]) -> str:
    """Return how many experiments are in each state, in one line."""
    counts = ", ".join(f"{count} {state}" for state, count in totals(chosen).items())
    number_of = len(chosen)
    what = "experiment" if number_of == 1 else "experiments"
    return f"{escaped(view.store.name)}: {number_of} {what}" + (f": {counts}" if counts else "")


def node_lines(view: StoreView) -> list[str]:
    """Return a line for each node that does not answer, or was asked long ago while something is there."""
    busy = {item.node for item in view.experiments if item.seen_age_s is not None}
    lines = []
    for name, seen in sorted(view.nodes_seen.items()):
        asked_s = view.now - number_in(seen.get("time"))
        if seen.get("reachable") is False:
            lines.append(_unreachable(name, seen, asked_s, view.now))
        elif name in busy and asked_s > _OLD_S:
            lines.append(f"{escaped(name)}: asked {age(asked_s)} ago; `sync` asks again")
    return lines


def _unreachable(name: str, seen: Mapping[str, Any], asked_s: float, now: float) -> str:
    since = number_in(seen.get("since_unreachable"))
    gone = f" for {age(now - since)}" if since else ""
    told = f": {escaped(seen['error'])}" if seen.get("error") else ""
    return f"{escaped(name)}: not reachable{gone} (asked {age(asked_s)} ago){told}"


def _row(item: ExperimentView, variable: str | None, now: float) -> tuple[object, ...]:
    return (
        item.name,
        item.state,
        item.node,
        epochs_text(item),
        number(item.last.get(variable)) if variable else "",
        age(now - item.since) if item.since else "",
        age(item.seen_age_s),
        why_text(item),
    )


def epochs_text(item: ExperimentView) -> str:
    """Return how far an experiment is: "12/50", "12", or "" before its first epoch."""
    if item.epoch is None:
        return ""
    return f"{item.epoch}/{item.epochs}" if item.epochs else str(item.epoch)


def why_text(item: ExperimentView) -> str:
    """Return why an experiment is in its state, and how many findings there are."""
    if not item.findings_count:
        return item.why
    count = f"{item.findings_count} finding{'' if item.findings_count == 1 else 's'}"
    return f"{item.why}; {count}" if item.why else count
