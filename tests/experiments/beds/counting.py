"""A training of no framework: it counts, writes a checkpoint each step, and its weights depend on every step.

    python counting.py FOLDER STEPS SECONDS_A_STEP

FOLDER/log gets a line "PID ATTEMPT KIND STEP TIME" for its begin, each step and its end: what trained, whatever the
files of attempts say. The clock is that of the machine since its boot, so lines of several processes compare.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GO_ON = 75


@dataclass(frozen=True)
class Trainer:
    """A process that counted.

    Attributes:
        pid: Its number.
        attempt: Name of its attempt.
        begin: When it began, by the machine's clock.
        end: Its last sign: its end, or its last step where it was killed.
        steps: The steps that it took.
        has_ended: Whether it ended by itself.
    """

    pid: int
    attempt: str
    begin: float
    end: float
    steps: tuple[int, ...]
    has_ended: bool


def weights_of(steps: int) -> str:
    """Return the weights after a number of steps without any interruption."""
    weights = ""
    for step in range(1, steps + 1):
        weights = _after(weights, step)
    return weights


def trainers_of(log: Path) -> list[Trainer]:
    """Return who counted, by the log, in the order of their begin."""
    found: dict[int, list[tuple[str, str, int, float]]] = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        pid, attempt, kind, step, at = line.split()
        found.setdefault(int(pid), []).append((attempt, kind, int(step), float(at)))
    trainers = [
        Trainer(
            pid=pid,
            attempt=lines[0][0],
            begin=lines[0][3],
            end=lines[-1][3],
            steps=tuple(step for _, kind, step, _ in lines if kind == "step"),
            has_ended=lines[-1][1] == "end",
        )
        for pid, lines in found.items()
    ]
    return sorted(trainers, key=lambda trainer: trainer.begin)


def overlaps(trainers: list[Trainer]) -> Iterator[tuple[Trainer, Trainer]]:
    """Yield pairs that counted at the same time."""
    for place, first in enumerate(trainers):
        for second in trainers[place + 1 :]:
            if second.begin < first.end:
                yield first, second


def _after(weights: str, step: int) -> str:
    return hashlib.sha256(f"{weights}{step}".encode()).hexdigest()


def _count(folder: Path, steps: int, step_s: float) -> int:
    stopped: list[int] = []
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopped.append(number))
    path = folder / "checkpoint.json"
    state = json.loads(path.read_text()) if path.exists() else {"step": 0, "weights": ""}
    _say(folder, "begin", state["step"])
    while state["step"] < steps and not stopped:
        time.sleep(step_s)
        step = state["step"] + 1
        state = {"step": step, "weights": _after(state["weights"], step)}
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(state))
        partial.replace(path)
        _say(folder, "step", step)
    is_done = state["step"] >= steps
    if is_done:
        (folder / "weights").write_text(state["weights"])
    _say(folder, "end", state["step"])
    return 0 if is_done else GO_ON


def _say(folder: Path, kind: str, step: int) -> None:
    words = (os.getpid(), os.environ.get("DDL_ATTEMPT", "-"), kind, step, time.monotonic())
    with (folder / "log").open("a") as log:
        log.write(" ".join(map(str, words)) + "\n")


if __name__ == "__main__":
    sys.exit(_count(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
