"""The status that a manager writes for an attempt whose agent cannot write it any more."""

from __future__ import annotations

import time
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.whole import read_json
from ddl.experiments.engine.actions import Finish

FORMAT = 1


def status_of(attempt: AttemptFolder, action: Finish) -> dict[str, Any]:
    """Return the status of an attempt. Whether it made progress, its rows in the history tell."""
    claims = attempt.claim_numbers()
    identity = read_json(attempt.claim(claims[-1]) / "identity.json") if claims else {}
    rows = read_json(attempt.experiment.history).get("rows") or []
    return {
        "format": FORMAT,
        "outcome": action.outcome,
        "why": action.why,
        "cause": action.cause,
        "by": "manager",
        "returncode": action.returncode,
        "signal": None,
        "attempt": attempt.number,
        "claim": claims[-1] if claims else None,
        "epochs": 0,
        "progressed": any(
            isinstance(row, dict) and row.get("attempt") == attempt.number for row in rows
        ),
        "peak_memory_bytes": 0,
        "tail": [],
        "started": identity.get("started"),
        "ended": time.time(),
        "seconds": None,
    }
