"""Runs of scripts/train_unet.py that are interrupted, go on, and are compared with runs that never were."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import Snapshot, open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from tests.launch import REPOSITORY, Job, Result
from tests.ranks.scripts import run_script

TIMED = ("seconds", "samples_per_s")
"""Values of an epoch that are measured, so that no two runs have the same."""

SCRIPT = REPOSITORY / "scripts" / "train_unet.py"
EAGER = REPOSITORY / "tests" / "training" / "steps" / "eager_program.py"

# 27 samples to train on in 5 steps an epoch, the last one short; 18 to look at, in 3 steps.
DATA = (
    *("--data", "synthetic", "--data-option", "count=45", "--image-size", "32"),
    *("--validation-part", "0.4", "--per-rank-batch-size", "3"),
    *("--augment", "flip=true", "rotation_degrees=15"),
    *("--log-every-s", "0", "--keep-last", "100", "--tensorboard", "false"),
)
SYNCED = (  # an update every third step: one waits for its gradients at the end of every epoch
    *DATA,
    *("--model-option", "width=2", "depth=1", "norm=sync", "dropout=0.2"),
    *("--optimizer-option", "gradient_accumulation_steps=3"),
    *("--schedule", "cosine", "--schedule-option", "final_factor=0.1"),
)
LOCAL = (  # statistics of each rank's own, a loss scale, a moving average; a rate and an end that the history decides
    *DATA,
    *("--model-option", "width=2", "depth=1", "norm=batch", "dropout=0.2"),
    *("--mixed-precision", "float16", "--learning-rate", "1e-2"),
    *("--optimizer-option", "use_ema=true", "ema_momentum=0.9"),
    *("--schedule", "plateau", "--schedule-option", "patience=3", "factor=0.5", "min_delta=0.01"),
    *("--early-stopping-patience", "25", "--early-stopping-min-delta", "0.01"),
)
OFTEN = ("--checkpoint-every-min", "1e-4")
"""At every occasion: under `EAGER`, after every batch of training and validation."""


def start(
    run_dir: Path,
    *arguments: str,
    program: Path = SCRIPT,
    ranks: int = 2,
    launcher: str = "mpirun",
    resume: str = "auto",
    env: Mapping[str, str] | None = None,
) -> Job:
    """Start or resume a run."""
    command = [program, "--run-dir", run_dir, *arguments, "--resume", resume]
    return Job(command, ranks, launcher, env)


def finish(run_dir: Path, *arguments: str, **how: Any) -> Result:
    """Start or resume a run on a pooled job, which must come to its end."""
    result = in_pool(run_dir, *arguments, **how)
    assert result.returncode == 0, result.output
    return result


def in_pool(run_dir: Path, *arguments: str, resume: str = "auto", **how: Any) -> Result:
    """Start or resume a run that ends by itself on a pooled job."""
    command = ["--run-dir", run_dir, *arguments, "--resume", resume]
    return run_script("scripts/train_unet", command, **how)


def reached(run_dir: Path) -> Position:
    """Return the position of the newest checkpoint."""
    found = list_checkpoints(run_dir / "checkpoints")
    return found[-1][0] if found else Position()


def is_writing(run_dir: Path) -> bool:
    """Return whether a checkpoint is half-written: a rank is at it, or was killed in the midst of it."""
    return any((run_dir / "checkpoints").glob(".*.epoch-*.h5"))


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes with signal 9."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def no_traceback_of_ours(result: Result) -> bool:
    """Return whether no traceback, unless it is the launcher's, has been printed."""
    return f'File "{REPOSITORY}/' not in result.output.replace(f"{REPOSITORY}/.venv", "")


def plain_output(text: str) -> str:
    """Return an output without the prefixes of horovodrun."""
    return re.sub(r"^\[[\d,]+\]<std\w+>:", "", text, flags=re.MULTILINE)


def differences(run_dir: Path, reference: Path) -> list[str]:
    """Return in what two runs differ, bit by bit: every checkpoint that both have, the last one, history, model."""
    own, other = (dict(list_checkpoints(path / "checkpoints")) for path in (run_dir, reference))
    ends = [position for position in other if not position.step]
    found = [] if max(own) == max(other) else [f"{max(own)} is not {max(other)}"]
    for position in sorted(set(ends) & set(own)):
        one, two = open_checkpoint(own[position]).read(), open_checkpoint(other[position]).read()
        found += [f"{own[position].name}: {text}" for text in _snapshot_differences(one, two)]
    if _history(run_dir) != _history(reference):
        found.append("history.jsonl")
    found += _array_differences("model.keras", _final(run_dir), _final(reference))
    return found


def _snapshot_differences(one: Snapshot, two: Snapshot) -> list[str]:
    found = []
    for what in ("weights", "optimizer"):
        found += _array_differences(what, _arrays(one, what), _arrays(two, what))
    for rank, (mine, theirs) in enumerate(zip(one.private, two.private, strict=True)):
        found += _array_differences(f"rank {rank}", mine, theirs)
    for name in ("order", "position", "reference_batch_size", "data_fingerprint"):
        if one.facts[name] != two.facts[name]:
            found.append(f"{name} {one.facts[name]} is not {two.facts[name]}")
    if _without_times(one.facts["history"]) != _without_times(two.facts["history"]):
        found.append("history")
    return found


def _arrays(snapshot: Snapshot, what: str) -> dict[str, np.ndarray]:
    if what == "optimizer":
        return dict(snapshot.optimizer)
    return {path: values for _, weights in snapshot.weights for path, values in weights}


def _array_differences(
    what: str, one: Mapping[str, np.ndarray], two: Mapping[str, np.ndarray]
) -> list[str]:
    if list(one) != list(two):
        return [f"{what}: {sorted(set(one) ^ set(two))}"]
    return [
        f"{what} {name} by {np.abs(np.subtract(one[name], two[name], dtype=np.float64)).max():.2g}"
        for name in one
        if one[name].dtype != two[name].dtype or one[name].tobytes() != two[name].tobytes()
    ]


def _history(run_dir: Path) -> list[dict[str, Any]]:
    lines = (run_dir / "history.jsonl").read_text().splitlines()
    return _without_times([json.loads(line) for line in lines])


def _without_times(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in epoch.items() if k not in TIMED} for epoch in history]


def _final(run_dir: Path) -> dict[str, np.ndarray]:
    """Return the weights of the final model."""
    weights: dict[str, np.ndarray] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = item[()]

    with zipfile.ZipFile(run_dir / "model.keras") as archive:
        stored = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stored) as file:
        file.visititems(take)
    return weights
