"""RUN_DIR/updates.jsonl: a line for each update of asynchronous training, and one for each start of the run.

A start says from where the updates after it go on:

    {"format": 1, "plan": "6b1c...", "data": "09fe...", "order": {"size": 4, ...}, "version": 0, "from": null, ...}

An update says which lease a worker computed on which version of the weights, and how much that counted:

    {"lease": 17, "epoch": 0, "step": 4, "part": 1, "read": 14, "written": 18, "worker": "a:4711", "weight": 0.25, ...}

`loss` and `norm` are those of its gradient, and `mark` is one number of all weights after it: by them a replay says
which line was the first to differ.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.epoch_leases import leases_before
from ddl.asynchronous.server_state import Arrays, Update
from ddl.data.order import Position, SampleOrder
from ddl.files import open_to_append, write_whole
from ddl.training.checkpoint.resume import FREE

NAME = "updates.jsonl"
LOST = "updates_lost.jsonl"
FORMAT = 1
_DIGITS = 9


class Log:
    """Appends lines to the log of a run. Each line is whole before the next update begins."""

    def __init__(self, run_dir: Path) -> None:
        """Open the log of a run directory to append to it."""
        self._file: io.TextIOWrapper = open_to_append(run_dir / NAME)
        self._mark = Mark()

    def begin(self, start: dict[str, Any]) -> None:
        """Write the line of a start; `start_line` makes it."""
        self._line(start)
        self.sync()

    def write(self, update: Update) -> None:
        """Write the line of an update."""
        self._line(update_line(update, self._mark))

    def sync(self) -> None:
        """Make sure that all lines are on the disk, as before a checkpoint that counts them."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync, and close the file."""
        self.sync()
        self._file.close()

    def _line(self, values: dict[str, Any]) -> None:
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()


class Mark:
    """One number for all weights: their sum with random signs, divided by the root of their number.

    It changes by about as much as each single weight does.
    """

    def __init__(self) -> None:
        self._signs: list[np.ndarray] = []

    def __call__(self, arrays: Arrays) -> float:
        """Return the mark of these weights, always of the same shapes."""
        if not self._signs:
            draws = np.random.Generator(np.random.PCG64(0x6D61726B))
            self._signs = [
                (2 * draws.integers(0, 2, size=array.size, dtype=np.int8) - 1).astype(np.float32)
                for array in arrays
            ]
        total = sum(
            float(np.dot(signs, np.asarray(array, np.float32).ravel()))
            for signs, array in zip(self._signs, arrays, strict=True)
        )
        return total / math.sqrt(max(1, sum(array.size for array in arrays)))


def gradient_norm(gradients: Sequence[np.ndarray | None]) -> float:
    """Return the Euclidean norm of all gradients together."""
    present = [np.asarray(part, np.float32).ravel() for part in gradients if part is not None]
    return math.sqrt(sum(float(np.dot(part, part)) for part in present))


def start_line(
    plan: dict[str, Any],
    data_fingerprint: str,
    order: SampleOrder,
    position: Position,
    rules: AgeRules,
    checkpoint: str | None,
) -> dict[str, Any]:
    """Return the line of a start.

    Args:
        plan: as RUN_DIR/plan.json has it.
        data_fingerprint: of the data.
        order: whose ranks are the parts of a global batch.
        position: of the start.
        rules: what ages do.
        checkpoint: path of the file that it starts from, within the run directory where it is there; None for the
            initial weights.
    """
    return {
        "format": FORMAT,
        "plan": plan_digest(plan),
        "data": data_fingerprint,
        "order": order.state(position),
        "version": leases_before(order, position),
        "max_staleness": rules.bound,
        "staleness_scaling": rules.scaling,
        "from": checkpoint,
    }


def update_line(update: Update, mark: Mark) -> dict[str, Any]:
    """Return the line of an update."""
    lease = update.lease
    return {
        "lease": lease.number,
        "epoch": lease.epoch,
        "step": lease.step,
        "part": lease.part,
        "read": update.read,
        "written": update.written,
        "worker": update.worker,
        "weight": update.weight,
        "loss": _rounded(update.push.loss),
        "norm": _rounded(gradient_norm(update.push.gradients)),
        "mark": _rounded(mark(update.weights)),
    }


def plan_digest(plan: Mapping[str, Any]) -> str:
    """Return a checksum of what a plan says about learning, which a resume cannot change."""
    kept = {name: value for name, value in plan.items() if name not in _FREE}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_FREE = FREE | {"workers", "min_workers", "ray_address", "lease_timeout_s", "max_staleness"}


def resume_log(run_dir: Path, version: int) -> int:
    """Keep the lines up to a checkpoint's version; move those after it to updates_lost.jsonl. Return their number.

    The updates after the checkpoint are lost with the server that made them. Nobody counts them, and the run makes
    them again.
    """
    path = run_dir / NAME
    if not path.is_file():
        return 0
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept: list[str] = []
    lost: list[str] = []
    now = 0
    for line in lines:
        values = _parsed(line)
        now = values.get("written", values.get("version", now)) if values else version + 1
        (kept if now <= version else lost).append(line)
    if lost:
        with open_to_append(run_dir / LOST) as file:
            file.writelines(line if line.endswith("\n") else line + "\n" for line in lost)
        write_whole(path, lambda partial: partial.write_text("".join(kept), "utf-8"))
    return len(lost)


def _parsed(line: str) -> dict[str, Any]:
    """Return the values of a whole line; none for one that was cut off."""
    try:
        values = json.loads(line) if line.endswith("\n") else {}
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
