"""Trains the same small task under the same straggler in every mode, and draws the loss over time. No TensorFlow."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.benchmark.modes.picture import draw_modes
from ddl.benchmark.reports import Result, markdown, report, rounded
from ddl.benchmark.runner import TIMEOUT_S, TrialError
from ddl.benchmark.trial import RESULT
from ddl.distributed.job.launcher import usable_cores
from ddl.doctor.allreduce import run_bounded
from ddl.doctor.facts import find_mpirun
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges, expected_one_of

MODES: dict[str, dict[str, Any]] = {
    "sync": {},
    "balanced": {},
    "local": {"sync_every": 3, "steps_by_speed": True},
    "async": {},
}
"""Mode -> the fields of the plan that it takes beside those of the task."""
WITHOUT_LAUNCHER = ("async",)
"""One plain process starts its workers itself, as many as other modes have ranks."""

_RANGES = {
    "ranks": Range(2, 64),
    "epochs": Range(3, 10**6),
    "epoch_steps": Range(1, 10**6),
    "per_rank_batch_size": Range(1, 10**6),
    "sample_ms": Range(0, 60_000, above=True),
    "times": Range(1, 1_000),
    "from_step": Range(0),
}


@dataclass(frozen=True, kw_only=True)
class ModesRequest:
    """Measurement.

    Attributes:
        modes: modes to compare, separated by spaces; the first is the baseline. By default all that are installed.
        ranks: number of ranks; they may be more than cores, because a sample takes a sleep and little computing.
        slow: the slow rank, from 0.
        times: how many times as long a sample takes on the slow rank.
        sample_ms: milliseconds that a sample sleeps on the other ranks.
        from_step: first step in which the slow rank is slow, from 0.
        per_rank_batch_size: samples per rank and step.
        epoch_steps: steps per epoch.
        epochs: epochs of each run; the first one warms up and does not count.
        output: path of the results without an ending; writes .json, .md and .png.
    """

    modes: tuple[str, ...] = ()
    ranks: int = 4
    slow: int = 3
    times: float = 5.0
    sample_ms: float = 8.0
    from_step: int = 0
    per_rank_batch_size: int = 16
    epoch_steps: int = 6
    epochs: int = 8
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a benchmark of modes")
        if not 0 <= self.slow < self.ranks:
            raise ValueError(
                f"Received: slow={self.slow} with ranks={self.ranks}. Expected: a rank from 0 to {self.ranks - 1}."
            )
        for mode in self.modes:
            if mode not in MODES:
                raise ValueError(f"Received: modes={mode}. {expected_one_of(mode, MODES)}")
        if len(set(self.modes)) != len(self.modes):
            raise ValueError(f"Received: modes={' '.join(self.modes)}. Expected: each mode once.")
        if "async" in self.modes and not _has_ray():
            raise ValueError(
                "Received: modes with async, but Ray is not installed. Expected: the packages of "
                "requirements-async.txt, or modes without it."
            )
        if "async" in self.chosen and self.from_step:
            raise ValueError(
                f"Received: from_step={self.from_step} with mode async, whose workers are slow from the start. "
                "Expected: from_step=0, or modes without async."
            )
        if find_mpirun() is None:
            raise ValueError("Received: no mpirun on PATH. Expected: one; ./setup.sh installs it.")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The modes to compare."""
        return self.modes or tuple(mode for mode in MODES if mode != "async" or _has_ray())

    def run(self) -> None:
        """Train in each mode in turn, and report."""
        epochs = {}
        if not _has_ray():
            print("async is left out: Ray is not installed.", flush=True)
        for mode in self.chosen:
            epochs[mode] = self._train(mode)
            last = epochs[mode][-1]
            print(f"{mode}: validation loss {last['val_loss']:.4g} after {len(epochs[mode])} epochs, "
                  f"{_epoch_s(epochs[mode]):.3g} s an epoch", flush=True)  # fmt: skip
        fields = dataclasses.asdict(self)
        setup = {name: value for name, value in fields.items() if name not in ("modes", "output")}
        result = {"benchmark": "modes", "setup": setup, "epochs": epochs}
        report(self.output, result, table_of, draw_modes)

    def plan(self, mode: str) -> dict[str, Any]:
        """Return the fields of a mode's plan, all but the run directory, as JSON values."""
        samples = self.ranks * self.per_rank_batch_size * self.epoch_steps
        held_out = max(8, samples // 8)
        return {
            "data": "synthetic",
            "data_option": {"count": samples + held_out},
            "validation_part": held_out / (samples + held_out),
            "image_size": [16, 16],
            "model": "unet",
            "model_option": {"width": 4, "depth": 1, "norm": "group"},
            "optimizer": "adam",
            "learning_rate": 0.003,
            "learning_rate_scaling": "none",
            "per_rank_batch_size": self.per_rank_batch_size,
            "epochs": self.epochs,
            "jit": "false",
            "tensorboard": False,
            "checkpoint_every_epochs": 0,
            "checkpoint_every_min": 0,
            "parallel": mode,
            **MODES[mode],
            **({"workers": self.ranks, "min_workers": self.ranks} if mode == "async" else {}),
        }

    def _train(self, mode: str) -> list[dict[str, float]]:
        """Return the epochs of a mode.

        Raises:
            TrialError: it failed.
        """
        straggler = {"which": self.slow} | {
            name: getattr(self, name) for name in ("sample_ms", "times", "from_step")
        }
        given = json.dumps({"plan": self.plan(mode), "straggler": straggler})
        command = [sys.executable, "-m", "ddl.benchmark.modes.trial", given]
        if mode not in WITHOUT_LAUNCHER:
            crowded = ["--oversubscribe"] if self.ranks > usable_cores() else []
            launcher = [str(find_mpirun()), "-np", str(self.ranks), "--bind-to", "none", *crowded]
            command = launcher + command
        status, output = run_bounded(command, environment(), TIMEOUT_S)
        lines = [line.split(RESULT)[1] for line in output.splitlines() if RESULT in line]
        if status != 0 or not lines:
            told = f"The run in mode {mode} ended with status {status}. Its output ends with:\n{output[-3000:]}"
            raise TrialError(told, status, output)
        epochs: list[dict[str, float]] = json.loads(lines[-1])
        return epochs


def table_of(result: Result) -> str:
    """Return a table with a row for each mode: how long an epoch takes, and the loss that it reaches."""
    epochs: Mapping[str, list[dict[str, float]]] = result["epochs"]
    base = _epoch_s(next(iter(epochs.values())))
    rows = [
        [
            mode,
            rounded(_epoch_s(of_mode)),
            rounded(base / _epoch_s(of_mode)),
            f"{of_mode[-1]['val_loss']:.4f}",
        ]
        for mode, of_mode in epochs.items()
    ]
    columns = ("mode", "s an epoch", f"times {next(iter(epochs))}'s speed", "last validation loss")
    return markdown(columns, rows)


def _epoch_s(epochs: list[dict[str, float]]) -> float:
    """Return the median of the epochs after the first one."""
    return statistics.median(epoch["seconds"] for epoch in epochs[1:])


def _has_ray() -> bool:
    return importlib.util.find_spec("ray") is not None


def environment() -> dict[str, str]:
    """Return the environment of a trial: this package on the path, quiet, one thread a rank."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    if os.geteuid() == 0:  # in a container
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    root = str(Path(__file__).resolve().parents[3])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH", "")]))
    return env
