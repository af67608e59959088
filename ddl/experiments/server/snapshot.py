"""What the page shows of a store at one moment, as JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddl.experiments.pages.page_details import command_of
from ddl.experiments.pages.rows import Row, parameter_names, result_columns, short
from ddl.experiments.server.histories import Histories
from ddl.experiments.store.findings import read_findings
from ddl.experiments.store.plain import totals
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.plain_text import escaped

_MOST_FINDINGS = 50


@dataclass(frozen=True)
class Snapshot:
    """A store at one moment.

    Attributes:
        view: The store.
        head: What is about all of them: name, totals, columns, nodes.
        rows: Number of an experiment -> its row of the table.
    """

    view: StoreView
    head: dict[str, Any]
    rows: dict[int, dict[str, Any]]


def take_snapshot(view: StoreView, histories: Histories) -> Snapshot:
    """Return what the page shows of a store."""
    rows = [Row(item, [], histories.results(item.folder)) for item in view.experiments]
    differing, same = parameter_names([row.item for row in rows])
    first = view.experiments[0].record.parameters if view.experiments else {}
    columns = {
        "parameters": [escaped(name) for name in differing],
        "same": {escaped(name): escaped(short(first.get(name))) for name in same},
        "results": [escaped(name) for name in result_columns(rows)],
        "curves": [escaped(name) for name in result_columns(rows, most=100)],
    }
    head = {
        "name": escaped(view.store.name),
        "path": escaped(view.store.path),
        "totals": totals(list(view.experiments)),
        "columns": columns,
        "nodes": _nodes(view),
        "damaged": {escaped(name): escaped(why) for name, why in view.damaged.items()},
    }
    return Snapshot(view, head, {row.item.number: _row(row) for row in rows})


def _nodes(view: StoreView) -> dict[str, Any]:
    return {
        escaped(name): {
            "time": seen.get("time"),
            "reachable": bool(seen.get("reachable")),
            "error": escaped(seen.get("error") or ""),
        }
        for name, seen in view.nodes_seen.items()
    }


def _row(row: Row) -> dict[str, Any]:
    item = row.item
    return {
        "n": item.number,
        "name": escaped(item.name),
        "state": item.state,
        "why": escaped(item.why),
        "since": item.since,
        "node": escaped(item.node),
        "epoch": item.epoch,
        "epochs": item.epochs,
        "attempts": len(item.attempts),
        "findings": item.findings_count,
        "parameters": {
            escaped(name): _value(value) for name, value in item.record.parameters.items()
        },
        "results": {
            escaped(name): [_value(result.last), result.best]
            for name, result in row.results.items()
        },
    }


def details_json(item: ExperimentView) -> dict[str, Any]:
    """Return what the page shows of one experiment beside its row."""
    record, code = item.record, item.record.code
    facts = {
        "command": command_of(item),
        "commit": f"{code.commit}{' with changes' if code.dirty else ''}" if code.commit else "",
        "author": record.author,
        "subject": record.subject,
        "group": record.group,
        "folder": str(item.folder.path),
    }
    return {
        "n": item.number,
        "facts": {name: escaped(value) for name, value in facts.items() if value},
        "rules": {escaped(rule.name): escaped(rule.text) for rule in record.watch},
        "findings": [_finding(found) for found in read_findings(item.attempts)[-_MOST_FINDINGS:]],
        "attempts": [
            {
                "number": attempt.number,
                "node": escaped(attempt.node),
                "reason": escaped(attempt.intent.get("reason") or ""),
                "started": attempt.started or None,
                "ended": attempt.ended or None,
                "outcome": escaped(attempt.outcome or ""),
                "why": escaped(attempt.status.get("why") or ""),
            }
            for attempt in item.attempts
        ],
    }


def _finding(found: dict[str, Any]) -> dict[str, Any]:
    time = found.get("time")
    return {
        "time": time if isinstance(time, int | float) else None,
        "epoch": _value(found.get("epoch")),
        "rule": escaped(found.get("rule") or found.get("check") or ""),
        "text": escaped(found.get("text") or ""),
        "action": escaped(short(found.get("action"))),
    }


def _value(value: Any) -> Any:
    """Return a value for JSON: numbers and truth values as they are, anything else as a text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < 1e308 else short(value)
    return escaped(short(value))
