"""Finds the file of a trained model and the plan it was trained with. No Keras here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.data.preprocessing import NAME as PREPROCESSING
from ddl.data.preprocessing import Preprocessing, preprocessing_from_json
from ddl.files import check_regular, parse_json, read_text
from ddl.models.from_file import FROM_FILE
from ddl.models.network.file import digest_of
from ddl.models.network.old_weights import is_old_weights, read_old_weights
from ddl.training.checkpoint.checkpoint_file import Checkpoint, open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import FOLDER, find_checkpoint
from ddl.training.checkpoint.model_copy import read_notes, real_model_path
from ddl.training.checkpoint.saved_model import problem_of_model
from ddl.training.plan.plan import Plan
from ddl.training.plan.stored_plan import plan_from_stored

FINAL = "model.keras"
PLAN_NAME = "plan.json"
NETWORK = "network.json"
"""The network file of a run whose model comes from one."""


@dataclass(frozen=True)
class Trained:
    """The file of a trained model and the plan it was trained with."""

    file: Path
    plan: Plan
    checkpoint: Checkpoint | None = None  # if the file is one
    notes: Mapping[str, Any] = field(default_factory=dict)  # in a model of `checkpoint_copies`


def find_trained(path: Path, checkpoint: str = "final") -> Trained:
    """Return the model's file and its plan. A checkpoint is verified once.

        find_trained("runs/cells").file                     # runs/cells/model.keras
        find_trained("runs/cells", checkpoint="best").file  # runs/cells/checkpoints/epoch-0031.h5

    Args:
        path: a run directory, its model.keras, a checkpoint, or a model of `checkpoint_copies`.
        checkpoint: in a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.

    Raises:
        ValueError: there is no such model, or it has no plan.
    """
    path = real_model_path(path)
    if not path.exists():
        raise ValueError(
            f"Received: {path}, which does not exist. Expected: a run directory or a checkpoint."
        )
    if not path.is_dir():
        if checkpoint != "final":
            raise ValueError(
                f"Received: checkpoint={checkpoint!r} for {path}, which is a file. Expected: a run directory."
            )
        if path.name == FINAL:
            return Trained(find_model_file(path), read_plan(path.parent))
        notes = read_notes(path)
        if notes is not None:
            target = _target_in(notes)
            return Trained(find_model_file(path), _plan_in(path, notes, target), notes=notes)
        alone = open_checkpoint(path)
        return Trained(path, _plan_in(path, alone.facts, _target_in(alone.facts)), alone)
    plan = read_plan(path)
    if checkpoint == "final":
        if not (path / FINAL).exists():
            raise ValueError(
                f"Received: {path}, which has no {FINAL}. Expected: a finished run; or --checkpoint auto, best "
                "or an epoch's number."
            )
        return Trained(find_model_file(path), plan)
    chosen = find_checkpoint(path, checkpoint, plan.monitor, plan.mode, flag="--checkpoint")
    if chosen is None:
        raise ValueError(f"Received: {path}, which has no checkpoints. Expected: at least one.")
    return Trained(chosen.path, plan, chosen)


def stored_preprocessing(trained: Trained) -> Preprocessing | None:
    """Return the preprocessing in the run's folder, else in the checkpoint; None for a run of an early version."""
    file = trained.file
    run_dir = file.parent.parent if file.parent.name == FOLDER else file.parent
    if (run_dir / PREPROCESSING).is_file() and (run_dir / "plan.json").is_file():
        return read_preprocessing(run_dir / PREPROCESSING)
    kept = trained.checkpoint.facts if trained.checkpoint else trained.notes
    if "preprocessing" in kept:  # a model that was taken out of its run
        return preprocessing_from_json(json.dumps(kept["preprocessing"]), file)
    return None


def read_preprocessing(path: Path) -> Preprocessing:
    """Return the preprocessing in a file.

    Raises:
        ValueError: it cannot be read, or is none.
    """
    try:
        return preprocessing_from_json(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"Received: {path}, which cannot be read ({error}). Expected: the file that training or export wrote."
        ) from error


def read_plan(run_dir: Path) -> Plan:
    """Return the plan of a run.

    Raises:
        ValueError: the folder has none.
    """
    file = run_dir / PLAN_NAME
    try:
        values = _with_network(parse_json(read_text(file)), run_dir)
        return plan_from_stored(values, _stored_target(run_dir))
    except OSError as error:
        raise ValueError(
            f"Received: {run_dir}, where plan.json cannot be read ({error.strerror}). Expected: a run directory."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"Received: {file}, which is not a plan ({str(error).rstrip('.')}). Expected: the plan.json of a "
            "training run."
        ) from error


def _with_network(values: Any, run_dir: Path) -> Any:
    """Return the values of plan.json with the text of the network that the run directory keeps, if there is one."""
    options = values.get("model_option") if isinstance(values, dict) else None
    file = run_dir / NETWORK
    if not (isinstance(options, dict) and file.is_file() and values.get("model") == FROM_FILE):
        return values
    text = read_text(file)
    if options.get("layers") != digest_of(text):
        raise ValueError(f"{file.name} is another network than that of the plan")
    return {**values, "model_option": {**options, "layers": text}}


def _plan_in(file: Path, facts: Mapping[str, Any], target: str) -> Plan:
    try:
        return plan_from_stored(facts.get("plan"), target)
    except ValueError as error:
        raise ValueError(
            f"Received: {file}, whose plan is none ({str(error).rstrip('.')}). Expected: a checkpoint of a training "
            "run."
        ) from error


def _target_in(facts: Mapping[str, Any]) -> str:
    how = facts.get("preprocessing")
    return str(how.get("target", "")) if isinstance(how, Mapping) else ""


def _stored_target(run_dir: Path) -> str:
    """Return what the run's preprocessing says that the model predicts; "" if it is missing or damaged."""
    try:
        text = read_text(run_dir / PREPROCESSING)
        return preprocessing_from_json(text).target
    except (OSError, ValueError):
        return ""


def find_model_file(path: Path) -> Path:
    """Return the file of an intact saved model: `path` itself, or the final model of a run.

    For a path that ends in .pt it is what `real_model_path` returns.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    path = real_model_path(path)
    file = path / FINAL if path.is_dir() else path
    check_regular(file)
    if not file.is_file():
        what = f"a folder without {FINAL}" if path.is_dir() else "which does not exist"
        raise ValueError(
            f"Received: {path}, {what}. Expected: a .keras or .h5 file, a checkpoint, or a finished run."
        )
    problem = problem_of_model(file)
    if problem:
        raise ValueError(
            f"Received: {file}, which is not an intact saved model ({problem}). Expected: a .keras or .h5 file of a "
            "model, or a checkpoint."
        )
    return file


def check_weights_file(path: Path) -> None:
    """Refuse a file or folder that weights cannot be taken from. No model is built.

    Raises:
        ValueError: it is no model, and no weights of Keras 2.
    """
    if is_old_weights(path):
        read_old_weights(path)
    else:
        find_model_file(path)
