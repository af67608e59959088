"""Reads the plan of a finished run, also where its model, loss or metrics exist only in the run's own script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddl.builder_table import BuilderTable
from ddl.models.zoo import MODELS
from ddl.training.objectives.losses import needs_input
from ddl.training.objectives.metrics import METRICS
from ddl.training.plan.plan import TABLES, Plan, plan_from_dict
from ddl.training.plan.targets import predicted


@dataclass(frozen=True, kw_only=True)
class StoredPlan(Plan):
    """A plan with names that only the run's own script knows. Their options stay as they were stored.

    It is enough to use the trained model, which holds its architecture. A new run needs a `Plan`.
    """

    stored_target: str = ""

    @property
    def predicts(self) -> str:
        """What the model predicts: "mask", "label" or "values".

        Raises:
            ValueError: neither the plan, the name of the model nor the run's preprocessing says it.
        """
        if self.targets != "auto" or self.model in MODELS or needs_input(self.loss):
            return predicted(self)
        if self.stored_target:
            return self.stored_target
        raise ValueError(
            f"Received: model {self.model!r}, which only its own script knows, without preprocessing.json. Expected: "
            "that file of the training run, which says what the model predicts."
        )

    def _check_options(
        self, table: BuilderTable, name: str, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return super()._check_options(table, name, given) if name in table else given

    def _check_augmenting(self) -> None:
        """The run has checked them; its target may be unknown."""

    def _check_slicing(self) -> None:
        """The run has checked them; its target may be unknown."""

    def _check_targets(self) -> None:
        """The run has checked them."""

    def _check_metrics(self) -> None:
        """The run's script has checked them."""


def plan_from_stored(values: Any, target: str) -> Plan:
    """Return the plan from the values of plan.json; a `StoredPlan` if a name in it is unknown here.

    Args:
        values: JSON values of `Plan.to_dict`.
        target: what the run's preprocessing says that the model predicts, "" if unknown.

    Raises:
        ValueError: it is not a plan.
    """
    if not isinstance(values, Mapping) or not _unknown_names(values):
        return plan_from_dict(values)
    return plan_from_dict({**values, "stored_target": target}, StoredPlan)


def _unknown_names(values: Mapping[str, Any]) -> list[str]:
    """Return the names of models, losses, metrics, ... that this process does not know."""
    tables = [(table, [values.get(field)]) for field, table in TABLES.items()]
    metrics = values.get("metric")
    tables.append((METRICS, list(metrics) if isinstance(metrics, list | tuple) else []))
    return [
        name
        for table, names in tables
        for name in names
        if isinstance(name, str) and name not in table
    ]
