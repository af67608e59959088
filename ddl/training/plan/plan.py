"""What to train, as one frozen value: whatever flags or a JSON file can say, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddl.data.batches.sample_cache import CACHES
from ddl.data.order import ORDERS
from ddl.distributed.learning_rate import RULES
from ddl.models.zoo import MODELS, target_of
from ddl.options import convert_fields, convert_values, read_options
from ddl.ranges import Range, check_choice, check_choices, check_ranges
from ddl.training.objectives.losses import LOSSES
from ddl.training.objectives.metrics import METRICS
from ddl.training.optimization.monitor import MODES, better_is
from ddl.training.optimization.optimizers import OPTIMIZERS
from ddl.training.optimization.schedules import SCHEDULES, needs_length
from ddl.training.plan.fields import CheckpointPlan, DataPlan, ModelPlan, OptimizerPlan, RunPlan

if TYPE_CHECKING:
    from ddl.data.batches.augmentation import Augmentation


@dataclass(frozen=True, kw_only=True)
class Plan(CheckpointPlan, OptimizerPlan, ModelPlan, DataPlan, RunPlan):
    """A training: every field of its parts. Two equal plans on as many ranks learn the same bits."""

    def __post_init__(self) -> None:
        """Give every field its type, and refuse what cannot be trained, before anything starts."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "training")
        check_choices(vars(self), CHOICES)
        if self.image_size is not None and (
            len(self.image_size) not in (2, 3) or min(self.image_size) < 1
        ):
            raise ValueError(
                f"Received: image_size={self.image_size}. Expected: a height and a width in pixels."
            )
        self._convert_options()
        self._check_metrics()
        self._check_together()

    @property
    def target(self) -> str:
        """What the model finds: "mask" or "label"."""
        return target_of(self.model)

    @property
    def schedule_length(self) -> int:
        """The epochs that the schedule is stretched over."""
        return self.schedule_epochs or self.epochs

    @property
    def mode(self) -> str:
        """What is good of the monitored value: "min" or "max"."""
        return better_is(self.monitor, self.monitor_mode)

    def augmentation(self) -> Augmentation | None:
        """Return what may happen to a training sample, or None."""
        if not self.augment:
            return None
        from ddl.data.batches.augmentation import (
            Augmentation,  # with SciPy, which --help does not need
        )

        return Augmentation(**self.augment)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=str))
        return values

    def to_json(self) -> str:
        """Return the plan as a JSON object."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def _convert_options(self) -> None:
        """Convert every option to its type, and refuse unknown ones."""
        converted: dict[str, Any] = {
            "metric_option": {
                name: METRICS.check(name, **given) for name, given in self.metric_option.items()
            },
            "augment": convert_values(self.augment, read_options(AUGMENTATION), "augmentation"),
        }
        for field, table in TABLES.items():
            given = getattr(self, f"{field}_option")
            converted[f"{field}_option"] = table.check(getattr(self, field), **given)
        for name, options in converted.items():
            object.__setattr__(self, name, options)
        self.augmentation()  # refuses options out of their ranges

    def _check_metrics(self) -> None:
        for name in self.metric:
            METRICS.check(name)
            if self.metric.count(name) > 1:
                raise ValueError(f"Received: metric {name!r} twice. Expected: once.")
        if "confusion_matrix" in self.metric:
            raise ValueError(
                "Received: metric=confusion_matrix, which is no number to follow. Expected: others; "
                "scripts/evaluate.py shows the matrix of a trained model."
            )
        for name in self.metric_option:
            if name not in self.metric:
                raise ValueError(
                    f"Received: metric_option of {name!r}. Expected: one of the metrics, {', '.join(self.metric)}."
                )
        found = ("loss", *self.metric)
        known = (*(f"val_{name}" for name in found), *found)
        check_choice("monitor", self.monitor, known)

    def _check_together(self) -> None:
        """Refuse what contradicts itself, or would be ignored in silence."""
        part = DataPlan.__dataclass_fields__["validation_part"].default
        for wrong, received, expected in (
            (
                self.validation_data is not None and self.fold is not None,
                f"fold={self.fold} with validation_data={self.validation_data}",
                "one of them: a fold is looked at in place of other data",
            ),
            (
                self.validation_data is not None and self.validation_part != part,
                f"validation_part={self.validation_part} with validation_data={self.validation_data}",
                "one of them: nothing is split from the data where there are others to look at",
            ),
            (
                self.schedule_epochs and not needs_length(self.schedule),
                f"schedule_epochs={self.schedule_epochs} with schedule={self.schedule!r}, which has no length",
                "no schedule_epochs; or schedule=cosine or polynomial",
            ),
            (
                self.early_stopping_min_delta and not self.early_stopping_patience,
                f"early_stopping_min_delta={self.early_stopping_min_delta} without early_stopping_patience",
                "a patience, such as 10 epochs, with it",
            ),
            (
                self.mixed_precision == "float16" and "loss_scale_factor" in self.optimizer_option,
                "optimizer_option loss_scale_factor with mixed_precision=float16",
                "one of them: with float16 Keras finds a factor by itself",
            ),
        ):
            if wrong:
                raise ValueError(f"Received: {received}. Expected: {expected}.")


def plan_from_dict(values: Mapping[str, Any]) -> Plan:
    """Return the plan that `Plan.to_dict` described.

    Raises:
        ValueError: unknown or missing keys, which it names, or a plan that cannot be trained.
    """
    known = {entry.name: entry for entry in dataclasses.fields(Plan)}
    if not isinstance(values, Mapping):
        raise ValueError(f"Received: {type(values).__name__} as a plan. Expected: values by name.")
    for name in values:
        if name not in known:
            raise ValueError(
                f"Unknown key of a plan. Received: {name!r}. Expected: {', '.join(known)}."
            )
    if "run_dir" not in values:
        raise ValueError("Received: a plan without run_dir. Expected: a folder for the results.")
    return Plan(**values)


_NOT_NEGATIVE = Range(0)
_POSITIVE = Range(0, above=True)
_RANGES = {
    "validation_part": Range(0, 1, above=True, below=True),
    **dict.fromkeys(("data_threads", "steps_per_execution", "profile"), Range(0, 1024)),
    "seed": Range(0, 2**32, below=True),
    "learning_rate": _POSITIVE,
    **dict.fromkeys(("epochs", "per_rank_batch_size", "keep_last"), Range(1)),
    **dict.fromkeys(("fold", "classes", "warmup_epochs", "schedule_epochs"), _NOT_NEGATIVE),
    **dict.fromkeys(("early_stopping_patience", "early_stopping_min_delta"), _NOT_NEGATIVE),
    **dict.fromkeys(("time_limit_min", "log_every_s", "checkpoint_every_min"), _NOT_NEGATIVE),
    **dict.fromkeys(("checkpoint_every_epochs", "keep_best", "keep_every_epochs"), _NOT_NEGATIVE),
}
CHOICES = {
    "order": ORDERS,
    "cache": CACHES,
    "learning_rate_scaling": RULES,
    "mixed_precision": ("none", "bfloat16", "float16"),
    "compression": ("none", "fp16", "bf16"),
    "monitor_mode": MODES,
}
"""Field -> its choices. Models, losses, metrics, optimizers and schedules have tables of their own."""

TABLES = {"model": MODELS, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}
"""Field -> its table; the options of the field `model` stand in `model_option`, and so on."""

AUGMENTATION = "ddl.data.batches.augmentation:Augmentation"
"""Whose options `augment` holds. Its module imports SciPy, which --help does not need."""

NAMES: dict[str, Iterable[str]] = {
    **TABLES,
    "metric": [name for name in METRICS if name != "confusion_matrix"],
}
"""Field -> the names in its table."""
