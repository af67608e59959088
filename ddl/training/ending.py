"""Why a run is over, decided from its plan and history alone: so all ranks, and a resumed run, decide the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddl.training.optimization.monitor import should_stop
from ddl.training.plan.plan import Plan

ALL_EPOCHS = "all epochs are complete"


def why_over(plan: Plan, history: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why no epoch follows those of the history; None if one does."""
    if len(history) >= (plan.epochs or 1):  # without epochs, one validation
        return ALL_EPOCHS
    if plan.goal is not None and (epoch := plan.goal.reached_in(history)) is not None:
        return f"the target {plan.goal} was reached in epoch {epoch}"
    values = [epoch[plan.monitor] for epoch in history if plan.monitor in epoch]
    patience = plan.early_stopping_patience
    if patience and should_stop(
        values, mode=plan.mode, patience=patience, min_delta=plan.early_stopping_min_delta
    ):
        every = plan.validate_every_epochs if plan.monitor.startswith("val_") else 1
        epochs = "epochs" if every == 1 else "validations"
        return f"{plan.monitor} has not improved for {patience} {epochs}"
    return None


def how_to_train_on(plan: Plan, history: Sequence[Mapping[str, Any]]) -> str:
    """Return what to change so that a run that is over trains on."""
    done, why = len(history), why_over(plan, history)
    if why == ALL_EPOCHS:
        return f"use --resume {done}, which trains ten more, or raise --epochs"
    if plan.goal is not None and plan.goal.reached_in(history) is not None:
        return "set another --target"
    return "raise --early-stopping-patience"
