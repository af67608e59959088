"""What is known on this machine about attempts, and asking them to end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ddl.experiments.agent.attempt import closing
from ddl.experiments.agent.attempt.claim import Claim, newest_identity
from ddl.experiments.agent.attempt.requests import RANKS, Request, write_stop
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node.processes import is_gone, is_here
from ddl.experiments.agent.outcome import outcome_of
from ddl.experiments.agent.runner.queue import NodeHome, ensure_runner, node_home
from ddl.experiments.agent.whole import read_json


def look(folders: list[Path]) -> dict[str, Any]:
    """Return the state of each attempt by its name, or by its folder where it has none.

    A contact starts the runner again where attempts wait and it was killed.
    """
    home = node_home()
    found = {}
    for folder in folders:
        attempt = AttemptFolder(folder.resolve())
        found[str(read_json(attempt.intent).get("name") or folder)] = _look(home, attempt)
    ensure_runner(home)
    return found


def _look(home: NodeHome, attempt: AttemptFolder) -> dict[str, Any]:
    name = str(read_json(attempt.intent).get("name") or "")
    identity, status = newest_identity(attempt), read_json(attempt.status)
    alive = bool(identity) and is_here(identity or {}) and not is_gone(identity or {})
    if status:
        state = "ended"
    elif not name:
        state = "absent"
    elif identity is not None:
        state = "running" if (identity or {}).get("command") else "claimed"
    else:
        state = "queued" if home.job(name).exists() else "intent"
    return {
        "state": state,
        "alive": alive,
        "identity": identity or {},
        "heartbeat_age_s": _age_s(attempt),
        "status": status,
    }


def _age_s(attempt: AttemptFolder) -> float | None:
    try:
        beat = json.loads(attempt.heartbeat.read_text("utf-8"))
        return max(0.0, time.time() - float(beat["time"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stop(folder: Path, how: str, by: str, why: str) -> dict[str, Any]:
    """Ask an attempt to end. One that was not claimed yet is taken out of the queue and ends at once."""
    if how not in RANKS:
        raise ValueError(f"Received: --how {how}. Expected: stop, pause or kill.")
    attempt = AttemptFolder(folder.resolve())
    name = str(read_json(attempt.intent).get("name") or "")
    if not name:
        raise ValueError(
            f"Received: {folder}. Expected: the folder of an attempt with an intent.json."
        )
    if attempt.status.exists():
        return {name: {"state": "ended", "changed": False}}
    changed = write_stop(attempt, how, by, why)
    home = node_home()
    if not attempt.claim_numbers() and _end_unclaimed(attempt, how, by, why):
        for path in (home.job(name), home.started_job(name)):
            if path.exists():
                path.unlink()
    ensure_runner(home)
    return {name: {"state": "ended" if attempt.status.exists() else "stopping", "changed": changed}}


def _end_unclaimed(attempt: AttemptFolder, how: str, by: str, why: str) -> bool:
    """End an attempt that nobody runs: claim it, so that nobody can start it any more. Return whether that worked."""
    claim = Claim(attempt, 0)
    if claim.take():
        return False
    outcome = Request(how, by, why).told(outcome_of(None, how))
    return closing.close(attempt, outcome, by, claim.number, progressed=False)
