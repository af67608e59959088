"""wanted.json: what the user wants of an experiment. Only the manager's side writes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import read_json, write_json

WANTS = ("nothing", "run", "pause", "stop", "remove")

DEFAULTS: Mapping[str, Any] = {
    "want": "nothing",
    "since": 0.0,
    "by": "",
    "node": None,
    "priority": None,
    "tries": 0,
    "first_attempt": 1,
}
"""What holds where nothing is written."""


def read_wanted(folder: ExperimentFolder) -> dict[str, Any]:
    """Return what is wanted of an experiment."""
    return {**DEFAULTS, **read_json(folder.wanted)}


def set_wanted(folder: ExperimentFolder, **changes: Any) -> dict[str, Any]:
    """Change what is wanted of an experiment, and return it. `since` becomes now where `want` changes.

    Raises:
        ValueError: An unknown name or wish.
    """
    unknown = set(changes) - set(DEFAULTS)
    if unknown or changes.get("want", "run") not in WANTS:
        raise ValueError(f"Received: {changes}. Expected: {', '.join(DEFAULTS)}; want in {WANTS}.")
    before = read_wanted(folder)
    after = {**before, **changes}
    if after["want"] != before["want"] and "since" not in changes:
        after["since"] = time.time()
    if after != before:
        write_json(folder.wanted, after)
    return after
