"""Two logs of numbers alone, for readers that take from each line what matches `[0-9]*\\.?[0-9]+`. Only rank 0 writes.

    NAME_train.txt, a line for each batch:        epoch batch seconds loss gradient_norm accuracy
    NAME_test.txt, a line for each validation:    epoch seconds loss accuracy

The first number is the epoch, the last the accuracy: the run's first metric, over the epoch's batches so far or over
all validation samples. Numbers have no exponents. What does not exist is 0: an accuracy without a metric, the norm of a
gradient that was accumulated or skipped. Seconds are those of the run, earlier starts included.

A new run replaces both files. A run that resumes keeps the lines up to where it resumes.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ddl.data.order import Position
from ddl.files import check_folder
from ddl.training.batch_results import Batch
from ddl.training.outputs.line_file import LineFile
from ddl.training.plan.plan import Plan
from ddl.training.run import Epoch, Run

TRAIN, TEST = "_train.txt", "_test.txt"

_LINE = re.compile(r"(\d+) (\d+)( -?[0-9.]+| nan| inf){3} [0-9.]+\n")


def log_paths(base: Path) -> tuple[Path, Path]:
    """Return the paths of the log of batches and of that of validations. Of a name, the ending .txt is left out."""
    name = base.name.removesuffix(".txt")
    return base.with_name(f"{name}{TRAIN}"), base.with_name(f"{name}{TEST}")


def check_epoch_log(plan: Plan) -> None:
    """Refuse names at which no log can be written. Writes nothing."""
    base = plan.epoch_log
    if base is None:
        return
    if base.name in ("", ".", ".."):
        raise ValueError(
            f"Received: epoch_log={base}. Expected: the start of a file name, such as out/run, for run{TRAIN} and "
            f"run{TEST}."
        )
    check_folder("epoch_log", base.parent)
    for path in log_paths(base):
        if os.path.lexists(path) and not path.is_file():
            raise ValueError(
                f"Received: epoch_log={base}, but {path} is no file. Expected: another name; or remove it."
            )


def number(value: float, *, is_last: bool = False) -> str:
    """Return a number without an exponent, which reads back as the same float32; as the last of a line, 0 for NaN."""
    if not math.isfinite(value):
        return "0.0" if is_last else "nan" if math.isnan(value) else "inf"
    return np.format_float_positional(np.float32(value), unique=True, trim="0")


def train_line(epoch: int, batch: int, seconds: float, result: Batch) -> str:
    """Return the line of a batch; both are counted from 1."""
    norm = result.gradient_norm or 0.0
    numbers = f"{number(result.loss)} {number(norm)} {number(result.accuracy, is_last=True)}"
    return f"{epoch} {batch} {seconds:.3f} {numbers}\n"


def validation_line(epoch: int, seconds: float, loss: float, accuracy: float) -> str:
    """Return the line of a validation, whose epoch is counted from 1."""
    return f"{epoch} {seconds:.3f} {number(loss)} {number(accuracy, is_last=True)}\n"


def kept_lines(lines: Iterable[str], position: Position) -> list[str]:
    """Return those lines of batches that stay when the run resumes at a position. Others than ours do not."""
    kept = []
    for line in lines:
        match = _LINE.fullmatch(line)
        if match and (int(match[1]) - 1, int(match[2])) <= (position.epoch, position.step):
            kept.append(line)
    return kept


class EpochLogs:
    """Both logs of a run. A failed write is one warning; its lines wait for the next one."""

    def __init__(self, base: Path, run: Run) -> None:
        """Replace both files, or continue those of an earlier start.

        Args:
            base: path and start of the name.
            run: at its first step, or where it resumes.

        Raises:
            OSError: they cannot be written.
        """
        train, test = log_paths(base)
        kept: list[str] = []
        if run.position != Position() and train.is_file():
            with train.open(encoding="utf-8", errors="replace", newline="") as lines:
                kept = kept_lines(lines, run.position)
        self._run = run
        self._train = LineFile(train, "".join(kept))
        self._test = LineFile(test, "".join(self._validations(run.history)))
        self._seconds = self._run_seconds()

    def batches(self, results: Sequence[Batch]) -> None:
        """Append the lines of the batches just taken. Their times are spread evenly since the last call."""
        before, now = self._seconds, self._run_seconds()
        self._seconds, count = now, len(results)
        epoch, first = self._run.position.epoch + 1, self._run.position.step - count + 1
        lines = [
            train_line(epoch, first + k, before + (now - before) * (k + 1) / count, result)
            for k, result in enumerate(results)
        ]
        self._train.append("".join(lines))

    def end_epoch(self) -> None:
        """Append the line of the last epoch of the history, if it was validated."""
        *before, _ = self._run.history
        lines = self._validations(self._run.history)
        self._test.append("".join(lines[len(self._validations(before)) :]))
        self._seconds = self._run_seconds()

    def close(self) -> None:
        """Try once more to write what could not be written."""
        self._train.append("")
        self._test.append("")

    def _validations(self, history: Sequence[Epoch]) -> list[str]:
        seconds = np.cumsum([epoch["seconds"] for epoch in history])
        metric = next(iter(self._run.plan.metric), "")
        return [
            validation_line(epoch["epoch"], at, epoch["val_loss"], epoch.get(f"val_{metric}", 0.0))
            for epoch, at in zip(history, seconds, strict=True)
            if "val_loss" in epoch
        ]

    def _run_seconds(self) -> float:
        done = sum(epoch["seconds"] for epoch in self._run.history)
        return float(done + self._run.epoch_seconds)
