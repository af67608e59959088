"""`started`, `record` and `finished` of a script without an agent: these keep its history and its status."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Mapping

from ddl.experiments.agent.attempt import closing, ending
from ddl.experiments.agent.attempt.claim import newest_identity
from ddl.experiments.agent.hand import made
from ddl.experiments.agent.layout import EXPERIMENT_NAME, AttemptFolder, ExperimentFolder
from ddl.experiments.agent.node.processes import is_gone
from ddl.experiments.agent.outcome import Outcome, outcome_of
from ddl.experiments.agent.reports import is_beside_agent, line_of, pair_of, write
from ddl.experiments.agent.whole import read_json
from ddl.experiments.watching.history import History
from ddl.experiments.watching.values import number_of
from ddl.experiments.watching.variables import Reader
from ddl.plain_text import tell

_AGAIN_S = 2.0  # a script that records every step has its history written this often


def started(words: list[str], flags: Mapping[str, str]) -> int:
    """Begin an attempt of a script that runs by itself; print the folder of its experiment."""
    if is_beside_agent():
        sys.stdout.write(f"{os.environ.get('DDL_EXPERIMENT_DIR', '')}\n")
        return 0
    parameters = {name: _parameter(value) for name, value in map(pair_of, words)}
    if "store" in flags and "name" in flags:
        store = Path(flags["store"]).absolute()
        experiment = made.make_experiment(store, flags["name"], parameters)
    else:
        experiment = _experiment(flags)
    newest = _newest(experiment)
    if newest is not None and not newest.status.exists():
        identity = newest_identity(newest) or {}
        if not identity or not is_gone(identity):
            name = read_json(newest.intent).get("name")
            raise ValueError(
                f"Received: started, but {name} has not ended. Expected: `finished` first."
            )
        _close(newest, Outcome("crashed", "its script ended without `finished`"))
    attempt = made.begin(experiment, _pid(flags))
    name = str(read_json(attempt.intent)["name"])
    ending.append_event(attempt, name, "started", "started", {"pid": _pid(flags)})
    sys.stdout.write(f"{experiment.path}\n")
    return 0


def record(words: list[str], flags: Mapping[str, str]) -> int:
    """Add values to the history of an experiment whose script runs by itself."""
    line, attempt = line_of(words), _attempt(flags)
    if write(attempt, line) and _is_by_hand(attempt):
        _keep_history(attempt, at_once=False)
    return 0


def finished(words: list[str], flags: Mapping[str, str]) -> int:
    """End the attempt of a script that runs by itself."""
    if words:
        raise ValueError(f"Received: {words[0]}. Expected: finished [--status N].")
    if is_beside_agent():
        return 0
    text = flags.get("status", "0")
    if not re.fullmatch(r"-?[0-9]{1,3}", text):
        raise ValueError(f"Received: --status {text}. Expected: a whole number.")
    attempt = _attempt(flags)
    if attempt.status.exists():
        return 0
    if not _is_by_hand(attempt):
        raise ValueError(
            f"Received: finished for {attempt.path}. Expected: one that `started` has begun."
        )
    outcome = outcome_of(int(text), _asked(attempt))
    return 0 if _close(attempt, outcome, int(text)) else 1


def _asked(attempt: AttemptFolder) -> str | None:
    """Return what an attempt was asked to do, None if nothing."""
    return str(read_json(attempt.stop).get("how") or "") or None


def _close(attempt: AttemptFolder, outcome: Outcome, status: int | None = None) -> bool:
    rows = _keep_history(attempt, at_once=True)
    own = [row for row in rows if row.get("attempt") == attempt.number]
    began = (newest_identity(attempt) or {}).get("started")
    return closing.close(
        attempt,
        outcome,
        "script",
        0,
        returncode=status,
        epochs=max((int(row.get("epoch", 0)) for row in own), default=0),
        progressed=bool(own),
        started=began,
        seconds=time.time() - began if began else None,
    )


def _keep_history(attempt: AttemptFolder, at_once: bool) -> list[Any]:
    """Bring history.json up to date with what was recorded. Return its rows."""
    path = attempt.experiment.history
    if not at_once and _age_s(path) < _AGAIN_S:
        return []
    history = History(path)
    reader = Reader(
        [],
        [attempt.experiment.run_dir],
        record=attempt.record,
        rows_before=history.counted(attempt.number),
    )
    if history.merge(reader.poll(ended=True), attempt.number):
        try:
            history.write()
        except OSError:
            tell(f"agent: could not write {path}; the training continues.")
    return list(history.rows)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return math.inf


def _parameter(text: str) -> Any:
    number = number_of(text)
    return text if number is None or not math.isfinite(number) else number


def _pid(flags: Mapping[str, str]) -> int:
    """Return the process of the script: the one that called, unless it says another."""
    text = flags.get("pid", str(os.getppid()))
    if not text.isdigit():
        raise ValueError(f"Received: --pid {text}. Expected: the number of a process.")
    return int(text)


def _is_by_hand(attempt: AttemptFolder) -> bool:
    return read_json(attempt.intent).get("chain") == made.CHAIN


def _attempt(flags: Mapping[str, str]) -> AttemptFolder:
    """Return the attempt that a script means."""
    given = os.environ.get("DDL_ATTEMPT_DIR")
    if given and "store" not in flags and Path(given).is_dir():
        return AttemptFolder(Path(given))
    experiment = _experiment(flags)
    newest = _newest(experiment)
    if newest is None:
        raise ValueError(
            f"Received: {experiment.path.name}, of which no attempt has begun. Expected: `started` first."
        )
    return newest


def _newest(experiment: ExperimentFolder) -> AttemptFolder | None:
    numbers = experiment.attempt_numbers()
    return experiment.attempt(numbers[-1]) if numbers else None


def _experiment(flags: Mapping[str, str]) -> ExperimentFolder:
    if "store" in flags or "name" in flags:
        if not ("store" in flags and "name" in flags):
            raise ValueError("Received: one of --store and --name. Expected: both.")
        experiment = made.experiment_of(Path(flags["store"]).absolute(), flags["name"])
        if experiment is None:
            raise ValueError(
                f"Received: --name {flags['name']}. Expected: an experiment of {flags['store']}; `started` makes it."
            )
        return experiment
    given = os.environ.get("DDL_EXPERIMENT_DIR")
    if not given:
        raise ValueError(
            "Received: no experiment. Expected: --store STORE --name NAME, or DDL_EXPERIMENT_DIR."
        )
    folder = Path(given)
    if not (folder / EXPERIMENT_NAME).exists():
        raise ValueError(
            f"Received: DDL_EXPERIMENT_DIR={given}. Expected: the folder of an experiment."
        )
    return ExperimentFolder(folder)
