"""The plan of a run that resumes: the run's own plan, changed by what is given now. No TensorFlow here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.training.checkpoint.checkpoint_file import Checkpoint, peek_plan
from ddl.training.checkpoint.checkpoint_folder import FOLDER
from ddl.training.checkpoint.find_trained import PLAN_NAME, read_plan
from ddl.training.optimization.schedules import needs_length
from ddl.training.plan.fields import ParallelPlan
from ddl.training.plan.modes.table import MODES
from ddl.training.plan.plan import Plan
from ddl.training.plan.stored_plan import plan_from_stored

MORE_EPOCHS = 10
_ONE_OF = ("per_rank_batch_size", "global_batch_size")
_OUTPUTS = (
    "mlperf_log",
    "epoch_log",
    "prediction_output",
    "checkpoint_copies",
    "copy_every_epochs",
    "assembled_output",
    "assembled_precision",
)
_NOT_TAKEN = ("run_dir", "resume", "profile")  # what this start does, not what the run is


def resumed_values(run_dir: Path, resume: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the plan that `--resume` continues; {} where no run has started yet.

    The options of a model, a loss, ... are left out where `given` names another one, whose options they are not.

    Raises:
        ValueError: the stored plan cannot be read.
    """
    stored = _own_plan(run_dir, resume)
    if stored is None:
        return {}
    names = [field.name for field in dataclasses.fields(Plan) if field.name not in _NOT_TAKEN]
    values = {name: getattr(stored, name) for name in names}
    if not _is_own(resume):
        for name in _OUTPUTS:  # a run does not continue the log of another, nor replace its files
            values.pop(name)
    if any(name in given for name in _ONE_OF):
        values = {name: value for name, value in values.items() if name not in _ONE_OF}
    used = MODES.get(given.get("parallel", values.get("parallel")), names)
    for field in dataclasses.fields(ParallelPlan):  # those of another mode have no meaning
        if field.name not in ("parallel", *used):
            values.pop(field.name, None)
    for name in names:
        is_other = name not in ("data", "target_data") and given.get(
            name, values.get(name)
        ) != values.get(name)
        if is_other and f"{name}_option" not in given:
            values.pop(f"{name}_option", None)
    return values


def _is_own(resume: str) -> bool:
    """Return whether `--resume` selects a checkpoint of the run directory itself, not by a path."""
    return resume in ("auto", "best") or resume.isdecimal()


def _own_plan(run_dir: Path, resume: str) -> Plan | None:
    """Return the plan of the run that `--resume` selects, None where it has none."""
    if _is_own(resume):
        return read_plan(run_dir) if (run_dir / PLAN_NAME).exists() else None
    path = Path(resume)
    if path.is_file():
        values = peek_plan(path)
        return None if values is None else plan_from_stored(values, "")
    run = path.parent if path.name == FOLDER else path
    return read_plan(run) if (run / PLAN_NAME).exists() else None


def train_ten_more(plan: Plan, start: Checkpoint | None) -> Plan:
    """Return the plan with ten more epochs where those of `plan` are done at the checkpoint that it resumes from.

    `--resume auto` trains no more: a job that is started again after its end has nothing to do.
    """
    if start is None or plan.resume == "auto":
        return plan
    done: int = start.facts["position"]["epoch"]
    if done < plan.epochs:
        return plan
    length = plan.schedule_length if needs_length(plan.schedule) else plan.schedule_epochs
    return dataclasses.replace(plan, epochs=done + MORE_EPOCHS, schedule_epochs=length)
