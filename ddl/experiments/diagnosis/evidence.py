"""What is known of a training run, read from its run directory or from an experiment of a store. No TensorFlow here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import read_json
from ddl.training.probing.probe_file import read_probe
from ddl.training.record.history import JSONL_NAME, read_history
from ddl.training.record.run_dir import LOG_NAME

Row = Mapping[str, Any]

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_OURS = re.compile(r"scripts/(train_\w+|run)\.py")
_LOG_BYTES = 64 << 10
_LAYER_KEYS = ("gradient_norm", "weight_norm", "update_ratio", "dead_share")
_PLAN_KEYS = (
    *("optimizer", "optimizer_option", "learning_rate", "epochs", "loss", "metric", "model_option"),
    *(
        "augment",
        "mix",
        "class_weight",
        "init_weights",
        "schedule",
        "monitor",
        "per_rank_batch_size",
    ),
    *("warmup_epochs", "validation_data", "model"),
)


class Evidence(NamedTuple):
    """What is known of a run.

    Attributes:
        rows: of its history, a mapping an epoch.
        probe_rows: of its `probe.jsonl`.
        resources: samples of the agent, oldest first.
        facts: "plan" (its fields, {} of a foreign program), "status" (exit status or None), "log" (its last lines),
            "profile" (steps.json), "cores", "ranks", "classes", "drops" (the network has dropout), "ended".
    """

    rows: Sequence[Row]
    probe_rows: Sequence[Row]
    resources: Sequence[Row]
    facts: Mapping[str, Any]


def is_run(path: Path) -> bool:
    """Return whether a folder is the run directory of a training."""
    return any((path / name).exists() for name in (JSONL_NAME, LOG_NAME, "plan.json"))


def evidence_of_run(run_dir: Path) -> Evidence:
    """Return what a run directory holds.

    Raises:
        ValueError: it holds no run, or a file of it is damaged.
    """
    if not is_run(run_dir):
        raise ValueError(
            f"Received: {run_dir}, which holds no training run. Expected: a run directory, with {JSONL_NAME}."
        )
    return Evidence(read_history(run_dir), read_probe(run_dir), [], facts_of_run(run_dir))


def evidence_of_experiment(folder: ExperimentFolder) -> Evidence:
    """Return what is known of an experiment of a store: of its run directory, where it is one of ours, and its agent.

    Raises:
        ValueError: a file is damaged.
    """
    run_dir = folder.run_dir
    rows, probe = read_history(run_dir), read_probe(run_dir)
    foreign = not (run_dir / "plan.json").exists()
    if not rows:
        stored = read_json(folder.history).get("rows")
        rows = (
            [_numbers(row) for row in stored if isinstance(row, dict)]
            if isinstance(stored, list)
            else []
        )
    record = read_json(folder.experiment)
    facts: dict[str, Any] = facts_of_run(run_dir)
    if foreign:
        facts = {"plan": _told_plan(record)}
    numbers = folder.attempt_numbers()
    resources: list[Row] = []
    for number in numbers:
        resources += read_lines(folder.attempt(number).resources)
    if numbers:
        status = read_json(folder.attempt(numbers[-1]).status)
        facts["status"] = status.get("returncode")
        facts["ended"] = bool(status)
        if not facts.get("log") and isinstance(status.get("tail"), list):
            facts["log"] = [str(line) for line in status["tail"]]
    needs = record.get("needs") or {}
    if isinstance(needs, dict) and needs.get("cores") and not facts.get("cores"):
        facts["cores"] = needs["cores"]
    return Evidence(rows, probe, resources, facts)


def _told_plan(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an experiment's parameters tell of the plan of a script of ours that ran elsewhere, else {}."""
    run, parameters = record.get("run"), record.get("parameters")
    argv = run.get("argv") if isinstance(run, dict) else None
    words = " ".join(map(str, argv)) if isinstance(argv, list) else ""
    if not _OURS.search(words) or not isinstance(parameters, dict):
        return {}
    return {
        "optimizer": "adam",
        **{name: parameters[name] for name in _PLAN_KEYS if name in parameters},
    }


def facts_of_run(run_dir: Path) -> dict[str, Any]:
    """Return the facts of a run directory that checks use."""
    starts = read_json(run_dir / "facts.json").get("starts")
    start = starts[-1] if isinstance(starts, list) and starts else {}
    start = start if isinstance(start, dict) else {}
    plan = read_json(run_dir / "plan.json")
    return {
        "plan": plan.get("plan", plan) if isinstance(plan.get("plan", plan), dict) else {},
        "status": None,
        "log": last_lines(run_dir / LOG_NAME),
        "profile": read_json(run_dir / "profile" / "steps.json"),
        "cores": start.get("cores"),
        "ranks": start.get("ranks"),
        "classes": read_json(run_dir / "preprocessing.json").get("classes"),
        "drops": any("Dropout" in line for line in last_lines(run_dir / "model.txt", 10_000)),
        "ended": (run_dir / "report.json").exists(),
    }


def read_lines(path: Path) -> list[Row]:
    """Return the objects in a file of JSON lines; what is no object is skipped, as a torn last line."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    found: list[Row] = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(_numbers(value))
    return found


def last_lines(path: Path, count: int = 40) -> list[str]:
    """Return the last lines of a text file, [] without it."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def compact(evidence: Evidence) -> dict[str, Any]:
    """Return what the checks use of a run as small JSON values, which `expanded` reads."""
    layers = evidence.probe_rows[0]["layers"] if evidence.probe_rows else []
    plan = evidence.facts.get("plan", {})
    return {
        "rows": [{k: _short(v) for k, v in row.items() if k != "seconds"} for row in evidence.rows],
        "layers": [
            {k: layer.get(k) for k in ("name", "kind", "parameters", "units")} for layer in layers
        ],
        "probe": [
            [[_short(layer.get(key)) for key in _LAYER_KEYS] for layer in row["layers"]]
            for row in evidence.probe_rows
        ],
        "facts": {
            **evidence.facts,
            "plan": {k: plan[k] for k in _PLAN_KEYS if k in plan},
            "log": evidence.facts["log"][-3:],
        },
    }


def expanded(values: Mapping[str, Any]) -> Evidence:
    """Return the evidence that `compact` has made small."""
    probe = []
    for epoch, layers in enumerate(values["probe"], 1):
        named = zip(values["layers"], layers, strict=True)
        each = [
            {**layer, **dict(zip(_LAYER_KEYS, map(_number, numbers), strict=True))}
            for layer, numbers in named
        ]
        norms = [layer["gradient_norm"] for layer in each if layer["gradient_norm"] is not None]
        probe.append({"epoch": epoch, "gradient_norm": math.hypot(*norms), "layers": each})
    return Evidence([_numbers(row) for row in values["rows"]], probe, [], values["facts"])


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return (
        float(f"{value:.4g}")
        if math.isfinite(value)
        else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
    )
