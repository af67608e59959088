"""Histories, probes and resources that a test writes down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ddl.experiments.diagnosis.diagnose import diagnose
from ddl.experiments.diagnosis.finding import Finding

PLAN = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "epochs": 40,
    "loss": "categorical_crossentropy",
}


def history(**series: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a row an epoch; None leaves a value out."""
    count = max(map(len, series.values()))
    return [
        {"epoch": number + 1}
        | {name: values[number] for name, values in series.items() if values[number] is not None}
        for number in range(count)
    ]


def probe(
    gradients: Sequence[float],
    ratio: float = 1e-3,
    dead: float = 0.0,
    epochs: int = 5,
    units: int = 32,
) -> list[dict[str, Any]]:
    """Return a probe of dense layers with these gradient norms, from input to output."""
    layers = [
        {
            "name": f"dense_{number}", "kind": "Dense", "parameters": 100, "weight_norm": 5.0, "units": units,
            "gradient_norm": norm, "update_ratio": ratio, "dead_share": dead if number == 1 else None,
        }
        for number, norm in enumerate(gradients)
    ]  # fmt: skip
    total = math.hypot(*gradients)
    return [{"epoch": e + 1, "gradient_norm": total, "layers": layers} for e in range(epochs)]


def samples(count: int = 20, **series: Any) -> list[dict[str, Any]]:
    """Return samples of an agent, one in half a minute: each value is a number or a function of its number."""
    return [
        {"time": 1e9 + 30 * n}
        | {name: value(n) if callable(value) else value for name, value in series.items()}
        for n in range(count)
    ]


def found(
    rows: Sequence[Mapping[str, Any]],
    probe_rows: Sequence[Mapping[str, Any]] = (),
    resources: Sequence[Mapping[str, Any]] = (),
    plan: Mapping[str, Any] | None = PLAN,
    **facts: Any,
) -> dict[str, Finding]:
    """Return the findings by their names; `plan` None is a foreign program."""
    all_facts = {"plan": dict(plan or {}), **facts}
    return {f.check: f for f in diagnose(rows, probe_rows, resources, all_facts)}
