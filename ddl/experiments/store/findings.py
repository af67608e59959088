"""What watch rules and checks have found in an experiment: the lines of its attempts' findings.jsonl."""

from __future__ import annotations

import json
from typing import Any

from ddl.experiments.store.attempts import AttemptView

_MOST_BYTES = 4 << 20


def read_findings(attempts: tuple[AttemptView, ...]) -> list[dict[str, Any]]:
    """Return the findings of attempts, oldest first, each with its `attempt`. A torn line is left out."""
    found = []
    for attempt in attempts:
        try:
            with attempt.folder.findings.open("rb") as file:
                lines = file.read(_MOST_BYTES).splitlines()
        except OSError:  # none yet
            continue
        for line in lines:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append({"attempt": attempt.number, **value})
    return found
