"""What is new between two looks at experiments, as lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ddl.experiments.store.findings import read_findings
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.terminal.details import finding_line
from ddl.experiments.terminal.status_lines import epochs_text
from ddl.plain_text import escaped


class News:
    """Remembers what experiments were at the last look."""

    def __init__(self) -> None:
        """Start with nothing seen: what is there at the first look is no news."""
        self._states: dict[Path, str] = {}
        self._findings: dict[Path, int] = {}
        self._is_first = True

    def since_last(self, experiments: Sequence[ExperimentView]) -> Iterator[str]:
        """Yield a line for each change of a state and for each new finding."""
        for item in experiments:
            key = item.folder.path
            before = self._states.get(key)
            if item.findings_count > self._findings.get(key, 0) and not self._is_first:
                for finding in read_findings(item.attempts)[self._findings.get(key, 0) :]:
                    yield f"{escaped(item.name)}: {finding_line(finding)}"
            if before != item.state and not self._is_first:
                yield change_line(item, before)
            self._states[key] = item.state
            self._findings[key] = item.findings_count
        self._is_first = False


def change_line(item: ExperimentView, before: str | None) -> str:
    """Return a change of a state in one line."""
    clock = time.strftime("%H:%M:%S")
    change = f"{before} -> {item.state}" if before else item.state
    epoch = f" at epoch {epochs_text(item)}" if item.epoch is not None else ""
    why = f": {item.why}" if item.why else ""
    return escaped(f"{clock} {item.name}: {change}{epoch}{why}")
