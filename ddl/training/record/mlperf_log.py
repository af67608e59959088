"""MLPerf's log lines (`:::MLLOG {...}`) of a run, in a file of their own. Only rank 0 writes. No Keras here.

    :::MLLOG {"namespace": "", "time_ms": 1795730400000, "event_type": "INTERVAL_START", "key": "epoch_start",
    "value": null, "metadata": {"epoch_num": 1}}

The lines are in order: init_start, the settings, init_stop, run_start; for each epoch epoch_start, epoch_stop and,
where it is validated, eval_start, eval_accuracy, eval_stop; then run_stop. A resumed run continues its file: the lines
of epochs that are trained again are replaced. It has no lines on a submission, which this is not.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from ddl.data.order import Position
from ddl.files import check_folder, open_to_append, read_text, write_whole
from ddl.training.plan.plan import Plan
from ddl.training.run import Run

TOKEN = ":::MLLOG "
_EVENTS = {"start": "INTERVAL_START", "stop": "INTERVAL_END"}


def check_log_file(plan: Plan) -> None:
    """Refuse a file that exists, unless it is a log that a resumed run may continue. Writes nothing."""
    path = plan.mlperf_log
    if path is None:
        return
    if os.path.lexists(path) and (plan.resume is None or not _is_log(path)):
        raise ValueError(
            f"Received: mlperf_log={path}, which exists. Expected: a new file; only a run that resumes continues its "
            "log."
        )
    check_folder("mlperf_log", path.parent)


def _is_log(path: Path) -> bool:
    """Return whether a file has lines of MLPerf and nothing else. The last one may be cut short."""
    try:
        return all(TOKEN.startswith(line[: len(TOKEN)]) for line in read_text(path).splitlines())
    except (OSError, ValueError):
        return False


def log_line(key: str, value: Any = None, *, time_s: float | None = None, **metadata: Any) -> str:
    """Return a line. A key that ends in "_start" or "_stop" is an end of an interval, others are points in time."""
    event = {
        "namespace": "",
        "time_ms": int(1000 * (time.time() if time_s is None else time_s)),
        "event_type": _EVENTS.get(key.rpartition("_")[2], "POINT_IN_TIME"),
        "key": key,
        "value": value,
        "metadata": metadata,
    }
    return f"{TOKEN}{json.dumps(event)}\n"


def kept_lines(lines: Iterable[str], position: Position) -> list[str]:
    """Return the lines of an earlier start that stay when the run resumes at a position; none without run_start."""
    kept, keys = [], []
    for line in lines:
        try:
            event = json.loads(line.removeprefix(TOKEN))
            key, number = event["key"], event["metadata"].get("epoch_num", 0)
        except (ValueError, KeyError, TypeError, AttributeError):  # cut short by a killed process
            continue
        is_begun = number == position.epoch + 1 and position.step > 0 and key == "epoch_start"
        if key != "run_stop" and (number <= position.epoch or is_begun):
            kept.append(line if line.endswith("\n") else f"{line}\n")
            keys.append(key)
    return kept if "run_start" in keys else []


class MLPerfLog:
    """Appends the lines of a run to its file. Writing may raise an OSError; later lines are then tried as usual."""

    def __init__(self, path: Path, run: Run, training: int, validation: int) -> None:
        """Write the lines up to run_start, or keep those of an earlier start.

        Args:
            path: the file; its folder is made if needed.
            run: at its first step, or where it resumes.
            training: number of training samples.
            validation: number of validation samples.
        """
        self._path, self._run = path, run
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = []
        if path.exists():
            lines = kept_lines(read_text(path).splitlines(keepends=True), run.position)
        self._is_in_epoch = bool(lines) and '"epoch_start"' in lines[-1]
        text = "".join(lines or _first_lines(run, training, validation))
        write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))

    def begin_epoch(self) -> None:
        """Write epoch_start, unless an earlier start of the run has begun this epoch."""
        if not self._is_in_epoch:
            self._write("epoch_start")
        self._is_in_epoch = False

    def end_steps(self) -> None:
        """Write epoch_stop."""
        self._write("epoch_stop")

    def begin_validation(self) -> None:
        """Write eval_start."""
        self._write("eval_start")

    def end_epoch(self) -> None:
        """Write the value of the last epoch of the history, if it was validated; and run_stop after the last one."""
        epoch = self._run.history[-1]
        name = accuracy_name(self._run.plan)
        if name in epoch:
            number = epoch["epoch"]
            self._append(
                log_line("eval_accuracy", _as_json(epoch[name]), epoch_num=number, metric=name),
                log_line("eval_stop", epoch_num=number),
            )
        if self._run.is_over:
            goal = self._run.plan.goal
            reached = goal is None or goal.reached_in(self._run.history) is not None
            self.end_run("success" if reached else "aborted")

    def end_run(self, status: str) -> None:
        """Write run_stop with "success" or "aborted"."""
        self._append(log_line("run_stop", status=status))

    def _write(self, key: str) -> None:
        self._append(log_line(key, epoch_num=self._run.position.epoch + 1))

    def _append(self, *lines: str) -> None:
        with open_to_append(self._path) as file:
            file.write("".join(lines))


def accuracy_name(plan: Plan) -> str:
    """Return the quantity that stands as eval_accuracy: that of the target, else the monitored one, of validation.

    Without validation it is that of training.
    """
    watched = plan.goal.monitor if plan.goal is not None else plan.monitor
    if watched.startswith("val_") or not plan.has_validation:
        return watched
    return f"val_{plan.metric[0]}" if plan.metric else "val_loss"


def _first_lines(run: Run, training: int, validation: int) -> list[str]:
    plan = run.plan
    settings: Mapping[str, Any] = {
        "seed": plan.seed,
        "global_batch_size": run.order.global_batch_size,
        "gradient_accumulation_steps": plan.optimizer_option.get("gradient_accumulation_steps")
        or 1,
        "train_samples": training,
        "eval_samples": validation,
        "opt_name": plan.optimizer,
        "opt_base_learning_rate": plan.learning_rate,
        "opt_learning_rate_warmup_epochs": plan.warmup_epochs,
        "opt_learning_rate_decay_schedule": plan.schedule,
    }
    begun_s = psutil.Process().create_time()
    return [
        log_line("init_start", time_s=begun_s),
        *(log_line(key, value) for key, value in settings.items()),
        log_line("init_stop"),
        log_line("run_start"),
    ]


def _as_json(number: float) -> float | str:
    """Return the number, or the text for one that JSON lacks."""
    return number if abs(number) < float("inf") else str(number)
