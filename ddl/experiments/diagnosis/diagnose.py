"""The diagnosis: all checks over one run, without findings that another one explains. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ddl.experiments.diagnosis.checks import falling, generalizing, inside, machine
from ddl.experiments.diagnosis.finding import Finding
from ddl.experiments.diagnosis.view import Row, View

CHECKS: dict[str, Callable[[View], Finding | None]] = {
    "loss not finite": falling.not_finite,
    "diverging": falling.diverging,
    "rate too high": falling.rate_too_high,
    "exploding gradients": inside.exploding,
    "dead units": inside.dead_units,
    "vanishing gradients": inside.vanishing,
    "rate too low": falling.rate_too_low,
    "stuck at the trivial answer": generalizing.stuck,
    "overfitting": generalizing.overfitting,
    "validation odd": generalizing.validation_odd,
    "plateau": falling.plateau,
    "input-bound": machine.input_bound,
    "slow rank": machine.slow_rank,
    "idle cores": machine.idle_cores,
    "memory full": machine.memory_full,
    "disk full": machine.disk_full,
}
"""Name -> check, the gravest first: findings come in this order."""

EXPLAINS: dict[str, tuple[str, ...]] = {
    "loss not finite": ("diverging", "plateau", "overfitting", "validation odd", "rate too low"),
    "diverging": ("overfitting", "plateau", "validation odd", "stuck at the trivial answer"),
    "exploding gradients": (
        "plateau",
        "overfitting",
        "stuck at the trivial answer",
        "rate too low",
    ),
    "dead units": ("vanishing gradients", "plateau", "rate too low", "stuck at the trivial answer"),
    "vanishing gradients": ("stuck at the trivial answer", "plateau"),
    "rate too high": ("rate too low", "plateau", "stuck at the trivial answer", "validation odd"),
    "rate too low": ("plateau", "stuck at the trivial answer", "validation odd"),
    "stuck at the trivial answer": ("plateau", "validation odd"),
    "overfitting": ("plateau",),
    "validation odd": ("overfitting", "plateau"),
    "input-bound": ("idle cores",),
}
"""Finding -> findings that follow from it, and are left out beside it."""


def diagnose(
    rows: Sequence[Row],
    probe_rows: Sequence[Row],
    resource_rows: Sequence[Row],
    facts: Mapping[str, Any],
) -> list[Finding]:
    """Return what is wrong with a run, the gravest first; nothing of a run that looks well.

    Args:
        rows: its history, a mapping an epoch.
        probe_rows: the lines of its `probe.jsonl`.
        resource_rows: samples of its agent.
        facts: as in `ddl.experiments.diagnosis.evidence.Evidence`.
    """
    view = View(rows, probe_rows, resource_rows, facts)
    found = {name: finding for name, check in CHECKS.items() if (finding := check(view))}
    explained = {other for name in found for other in EXPLAINS.get(name, ())}
    return [finding for name, finding in found.items() if name not in explained]
