"""Which file holds a trained model, and the plan that it was trained by. No TensorFlow here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ddl.training.checkpoint import Checkpoint, open_checkpoint
from ddl.training.checkpoints import find_checkpoint
from ddl.training.model_file import FINAL, find_model_file
from ddl.training.plan import Plan, plan_from_dict


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        file: that holds it.
        plan: that it was trained by.
        checkpoint: the file as it was verified, where it is a checkpoint.
    """

    file: Path
    plan: Plan
    checkpoint: Checkpoint | None = None


def find_trained(path: Path, checkpoint: str = "final") -> Trained:
    """Return the model's file and its plan. A checkpoint is verified, once.

    Args:
        path: a run directory, its model.keras, or a checkpoint.
        checkpoint: of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.

    Raises:
        ValueError: there is no such model, or no plan with it.
    """
    if not path.exists():
        raise ValueError(
            f"Received: {path}, which does not exist. Expected: a run directory or a checkpoint."
        )
    if not path.is_dir():
        if checkpoint != "final":
            raise ValueError(
                f"Received: checkpoint={checkpoint!r} of {path}, which is a file. Expected: a run directory with it."
            )
        if path.name == FINAL:
            return Trained(find_model_file(path), read_plan(path.parent))
        alone = open_checkpoint(path)
        return Trained(path, plan_from_dict(alone.facts["plan"]), alone)
    plan = read_plan(path)
    if checkpoint == "final":
        if not (path / FINAL).exists():
            raise ValueError(
                f"Received: {path}, which holds no {FINAL}. Expected: a run that has ended; or --checkpoint auto, best "
                "or an epoch's number."
            )
        return Trained(find_model_file(path), plan)
    found = find_checkpoint(path, checkpoint, plan.monitor, plan.mode, flag="--checkpoint")
    if found is None:
        raise ValueError(f"Received: {path} without checkpoints. Expected: one at least.")
    return Trained(found.path, plan, found)


def read_plan(run_dir: Path) -> Plan:
    """Return the plan of a run.

    Raises:
        ValueError: the folder holds none.
    """
    file = run_dir / "plan.json"
    try:
        return plan_from_dict(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(
            f"Received: {run_dir}, where plan.json cannot be read ({error.strerror}). Expected: a run directory."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"Received: {file}, which is no plan ({str(error).rstrip('.')}). Expected: the plan of a training."
        ) from error
