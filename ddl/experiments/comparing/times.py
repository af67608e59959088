"""Where the time of experiments went: queue, training, validation, checkpoints, start and end.

Attempts say when they were handed over, started and ended; ddl's own history and log say what an epoch's seconds were
spent on. Of other programs only the queue and the run are known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.experiments.comparing.ddl_log import DdlLog, read_ddl_log
from ddl.experiments.comparing.labels import labels_of
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.watching.history import read_history

PARTS = ("queue", "training", "validation", "checkpoints", "epochs", "start and end", "run")
"""`epochs` are training, validation and checkpoints where they cannot be told apart, `run` is all of a run of which no
more is known. `start and end` also has what was trained and then lost."""


@dataclass(frozen=True)
class Times:
    """Seconds of one experiment by part, over all its attempts. Parts of which nothing is known are missing."""

    name: str
    label: str
    attempts: int
    seconds: Mapping[str, float]

    @property
    def total_s(self) -> float:
        """Return all seconds."""
        return sum(self.seconds.values())


def times_of(items: Sequence[ExperimentView], now: float) -> list[Times]:
    """Return the times of experiments that had an attempt."""
    labels = labels_of([item.record for item in items])
    return [
        Times(item.name, label, len(item.attempts), _seconds(item, now))
        for item, label in zip(items, labels, strict=True)
        if item.attempts
    ]


def _seconds(item: ExperimentView, now: float) -> dict[str, float]:
    queue = sum(_queue_s(attempt, now) for attempt in item.attempts)
    run = sum(_run_s(attempt, now) for attempt in item.attempts)
    rows = read_history(item.folder.history)["rows"]
    parts = split_run(run, rows, read_ddl_log(item.folder.run_dir))
    found = {"queue": queue, **parts}
    return {name: round(found[name], 3) for name in PARTS if found.get(name)}


def split_run(run_s: float, rows: Sequence[Mapping[str, Any]], log: DdlLog) -> dict[str, float]:
    """Return what the seconds of a run were spent on.

    An epoch's seconds begin where the epoch before it ended, so they hold the checkpoint after that; the log's line has
    its steps and validation alone. The seconds of steps are samples by samples a second.
    """
    known = [row for row in rows if "seconds" in row and math.isfinite(row["seconds"])]
    if not known or not run_s:
        return {"run": run_s}
    epochs = sum(row["seconds"] for row in known)
    rest = max(run_s - epochs, 0.0)
    if not log.samples or not log.seconds:
        return {"epochs": min(epochs, run_s), "start and end": rest}
    training = validation = checkpoints = 0.0
    for row in known:
        whole = row["seconds"]
        inner = min(log.seconds.get(row.get("epoch", 0), whole), whole)
        rate = row.get("samples_per_s", 0.0)
        steps = min(log.samples / rate, inner) if rate > 0 else inner
        training, validation = training + steps, validation + inner - steps
        checkpoints += whole - inner
    share = min(run_s / epochs, 1.0) if epochs else 1.0  # two clocks never agree quite
    return {
        "training": training * share,
        "validation": validation * share,
        "checkpoints": checkpoints * share,
        "start and end": rest,
    }


def _queue_s(attempt: AttemptView, now: float) -> float:
    if not attempt.created:
        return 0.0
    return max((attempt.started or attempt.ended or now) - attempt.created, 0.0)


def _run_s(attempt: AttemptView, now: float) -> float:
    if not attempt.started:
        return 0.0
    end = attempt.ended or (now if not attempt.has_ended else attempt.sign_of_life)
    return max(end - attempt.started, 0.0)
