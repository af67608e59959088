"""What is new between two looks at experiments: changes of states, and findings."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddl.experiments.store.findings import read_findings
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.terminal.details import finding_line
from ddl.plain_text import escaped

Item = Mapping[str, Any]


class News:
    """Remembers what experiments were at the last look."""

    def __init__(self) -> None:
        """Start with nothing seen: what is there at the first look is no news."""
        self._states: dict[Path, str] = {}
        self._findings: dict[Path, int] = {}
        self._is_first = True

    def since_last(self, experiments: Sequence[ExperimentView]) -> Iterator[Item]:
        """Yield each new finding and each change of a state, as JSON values."""
        for item in experiments:
            key = item.folder.path
            known, before = self._findings.get(key, 0), self._states.get(key)
            if not self._is_first and item.findings_count > known:
                for finding in read_findings(item.attempts)[known:]:
                    yield {"name": item.name, "number": item.number, "finding": finding}
            if not self._is_first and item.state != before:
                yield _change(item, before)
            self._states[key] = item.state
            self._findings[key] = item.findings_count
        self._is_first = False


def _change(item: ExperimentView, before: str | None) -> Item:
    return {
        "name": item.name,
        "number": item.number,
        "time": time.time(),
        "before": before,
        "state": item.state,
        "why": item.why,
        "epoch": item.epoch,
    }


def news_line(item: Item) -> str:
    """Return an item of news as a line."""
    if "finding" in item:
        return f"{escaped(item['name'])}: {finding_line(item['finding'])}"
    clock = time.strftime("%H:%M:%S", time.localtime(item["time"]))
    change = f"{item['before']} -> {item['state']}" if item["before"] else item["state"]
    epoch = f" at epoch {item['epoch']}" if item["epoch"] is not None else ""
    why = f": {item['why']}" if item["why"] else ""
    return escaped(f"{clock} {item['name']}: {change}{epoch}{why}")
