"""`facts.json`: how a run was started. Each start, including a resume, adds an entry."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import ddl
from ddl import machine
from ddl.distributed.job.launcher import placement, usable_cores
from ddl.files import parse_json, read_text, write_whole
from ddl.git import git_text

FACTS_NAME = "facts.json"

_SETTINGS = re.compile(r"(OMP_NUM_THREADS|CUDA_VISIBLE_DEVICES|SLURM_JOB_ID)$|HOROVOD_|DDL_")


def gather_facts(hosts: Sequence[str] = ()) -> dict[str, Any]:
    """Return the facts needed to repeat the run, as JSON values, given each rank's host. Loads no TensorFlow."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join(machine.command(sys.orig_argv)),
        "folder": str(Path.cwd()),
        "git": find_commit(),
        "versions": machine.versions(),
        "launcher": placement().launcher,
        "ranks": len(hosts) or placement().size,
        "hosts": dict(Counter(hosts)),
        "processor": machine.processor(),
        "instruction_sets": machine.instruction_sets(),
        "cores": usable_cores(),
        "memory_gb": round(machine.total_memory_bytes() / 1e9, 1),
        "gpus": machine.driver_gpus(),
        "settings": machine.settings(os.environ, _SETTINGS),
    }


def append_start(run_dir: Path, facts: dict[str, Any]) -> None:
    """Add a start to the run's facts. Only rank 0 calls it."""
    starts = [*read_starts(run_dir), facts]
    text = json.dumps({"starts": starts}, indent=2) + "\n"
    write_whole(run_dir / FACTS_NAME, lambda path: path.write_text(text, encoding="utf-8"))


def read_starts(run_dir: Path) -> list[dict[str, Any]]:
    """Return the facts of all starts of a run, oldest first; an empty list without the file."""
    path = run_dir / FACTS_NAME
    try:
        starts = parse_json(read_text(path))["starts"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        starts = None
    if not isinstance(starts, list):
        raise ValueError(
            f'Received: {path} with other contents. Expected: {{"starts": [...]}}, as ddl writes it; move it away.'
        )
    return starts


def find_commit(folder: Path = Path(ddl.__file__).parent) -> dict[str, Any]:
    """Return commit and state of the repository that contains ddl, {} without one.

    Returns:
        {"commit": ..., "dirty": whether tracked files differ from it}. Benchmark results are ignored, because each
        benchmark writes one before the next starts.
    """
    # A virtual environment may lie inside another repository, which does not track its files.
    if git_text(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return {}
    commit = git_text(folder, "rev-parse", "HEAD")
    tracked = "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/results"
    changes = git_text(folder, "status", "--porcelain", *tracked)
    if commit is None or changes is None:
        return {}
    return {"commit": commit.strip(), "dirty": bool(changes.strip())}
