"""Start trials in turn (A B A B), each on N ranks in processes of their own."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.benchmark.trial import RESULT, STARTED, Trial
from ddl.distributed.job.launcher import usable_cores
from ddl.doctor.allreduce import run_bounded
from ddl.doctor.facts import find_mpirun

TIMEOUT_S = 900.0


class TrialError(RuntimeError):
    """A trial failed; the message has the end of its output.

    Attributes:
        status: exit status; negative for a signal, None after the time-out.
        output: what it printed.
    """

    def __init__(self, message: str, status: int | None = None, output: str = "") -> None:
        super().__init__(message)
        self.status, self.output = status, output


@dataclass(frozen=True)
class Setup:
    """A trial and how it is started."""

    trial: Trial
    ranks: int = 1
    threads: int = 1  # per rank (OMP_NUM_THREADS); 0 leaves it to the libraries
    env: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ("--bind-to", "none")  # of mpirun


def run_trial(setup: Setup) -> dict[str, Any]:
    """Run a trial, and return the result of rank 0.

    Raises:
        ValueError: mpirun is missing.
        TrialError: the trial failed or printed no result.
    """
    command = [sys.executable, "-m", "ddl.benchmark.trial", setup.trial.to_json()]
    if setup.ranks > 1:
        crowded = ["--oversubscribe"] if setup.ranks > usable_cores() else []
        mpirun = find_mpirun()
        if mpirun is None:
            raise ValueError("Received: no mpirun on PATH. Expected: one; ./setup.sh installs it.")
        command = [mpirun, "-np", str(setup.ranks), *setup.flags, *crowded, *command]
    status, output = run_bounded(command, _environment(setup), TIMEOUT_S)
    lines = [line.split(RESULT)[1] for line in output.splitlines() if RESULT in line]
    if status != 0 or not lines:
        raise TrialError(
            f"The trial {setup} ended with status {status}. Its output ends with:\n{output[-3000:]}",
            status,
            output,
        )
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def run_in_turn(setups: Mapping[str, Setup], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Run every setup once per round, and return the results by name, in order."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in setups}
    for number in range(rounds):
        for name, setup in setups.items():
            results[name].append(run_trial(setup))
            rate = results[name][-1].get("samples_per_s")
            text = f"round {number + 1} of {rounds}: {name}"
            print(text + (f": {rate:.1f}/s" if rate else ""), flush=True)
    return results


def _environment(setup: Setup) -> dict[str, str]:
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", STARTED: str(time.time())}
    env.pop("OMP_NUM_THREADS", None)
    if setup.threads:
        env["OMP_NUM_THREADS"] = str(setup.threads)
    if os.geteuid() == 0:  # in a container
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    root = str(Path(__file__).resolve().parents[2])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH", "")]))
    return env | dict(setup.env)
