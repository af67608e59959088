"""Tells another program what a command would train: the checked plan goes into a file, and nothing is trained."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.data.order import order_from_state
from ddl.files import write_whole
from ddl.training.plan.plan import Plan

VARIABLE = "DDL_PLAN_FILE"
"""Names the file. scripts/elastic.py sets it to learn what any training script would do, in the script's own words."""


def is_asked() -> bool:
    """Return whether this process is only to tell its plan."""
    return bool(os.environ.get(VARIABLE))


def write_asked(plan: Plan, facts: Mapping[str, Any] | None) -> None:
    """Write the plan, and the global batch size of the checkpoint that it resumes from, whose `facts` are given."""
    batch = order_from_state(facts["order"]).global_batch_size if facts else None
    text = json.dumps({"plan": plan.to_dict(), "checkpoint_batch_size": batch})
    write_whole(Path(os.environ[VARIABLE]), lambda path: path.write_text(text, "utf-8"))
