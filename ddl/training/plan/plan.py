"""The configuration of a training run, as one frozen value. Flags, JSON files and Python calls all produce a `Plan`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.models.adversarial.table import DISCRIMINATORS, GENERATORS
from ddl.models.from_file import complete_options, plan_options
from ddl.models.sides import Sides
from ddl.models.zoo import MODELS, needed_sides
from ddl.options import convert_fields, convert_values, read_options
from ddl.ranges import check_choice, check_choices, check_ranges
from ddl.training.data.class_weights import class_weight_text, parse_class_weight
from ddl.training.objectives.losses import LOSSES
from ddl.training.objectives.metrics import METRICS, check_metric_names
from ddl.training.optimization.monitor import Plateau, better_is
from ddl.training.optimization.optimizers import OPTIMIZERS
from ddl.training.optimization.schedules import SCHEDULES
from ddl.training.optimization.target import Target, parse_target
from ddl.training.plan.augmenting import check_augmenting
from ddl.training.plan.contradictions import check_together
from ddl.training.plan.field_limits import CHOICES, RANGES
from ddl.training.plan.fields import PlanFields, has_validation
from ddl.training.plan.gan.fields import LOSSES as LOSSES_OF_GANS
from ddl.training.plan.gan.fields import RANGES_OF_GANS, SCORES
from ddl.training.plan.gan.rules import implied
from ddl.training.plan.slicing import check_slicing
from ddl.training.plan.targets import (
    check_targets,
    predicted,
    settled_monitor,
)
from ddl.training.plan.transforms import check_transforms

if TYPE_CHECKING:
    from ddl.data.batches.augmentation import Augmentation
    from ddl.data.batches.mixing import Mixing


@dataclass(frozen=True, kw_only=True)
class Plan(PlanFields):
    """The configuration of a training run. Equal plans on the same number of ranks give bit-identical weights.

        plan = Plan(run_dir="runs/cells", data="cells.h5", epochs=50, model_option={"width": 32})
        history = train(plan)  # ddl.training.loop.train, on every rank after ddl.distributed.init()

    Unknown options, values out of range and contradictions raise a ValueError when the plan is built.
    """

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse invalid plans before anything starts."""
        jit: Any = self.jit
        if isinstance(jit, bool):  # as JSON and Python write it
            object.__setattr__(self, "jit", str(jit).lower())
        object.__setattr__(self, "class_weight", class_weight_text(self.class_weight))
        for name, value in implied(self).items():
            object.__setattr__(self, name, value)
        convert_fields(self)
        check_ranges(vars(self), {**RANGES, **RANGES_OF_GANS}, "training")
        check_choices(vars(self), CHOICES)
        parse_class_weight(self.class_weight)
        if self.image_size is not None and len(self.image_size) not in (2, 3):
            raise ValueError(
                f"Received: image_size={self.image_size}. Expected: a height and a width in pixels."
            )
        self._convert_options()
        object.__setattr__(self, "monitor", settled_monitor(self))
        self._check_metrics()
        self._check_targets()
        check_together(self)
        self._check_slicing()

    @property
    def predicts(self) -> str:
        """What the model predicts: "mask", "label" or "values"."""
        return predicted(self)

    @property
    def sides(self) -> Sides:
        """The input sizes that the model accepts; a GAN's discriminator is built for those of the data."""
        if self.is_adversarial:
            return Sides(is_fixed=True)
        return needed_sides(self.model, self.model_option)

    @property
    def has_validation(self) -> bool:
        """Whether samples are held out of training."""
        return has_validation(self)

    @property
    def notes_batches(self) -> bool:
        """Whether the results of each batch are noted: its loss, the norm of its gradient, the accuracy so far."""
        return self.gradient_norm or self.epoch_log is not None

    @property
    def ignore_index(self) -> int | None:
        """The class number that the loss and all metrics leave out; None for none."""
        return self.loss_option.get("ignore_index")

    def options_of_metric(self, name: str) -> dict[str, Any]:
        """Return the options of a metric, which leaves out the same class as the loss."""
        options = dict(self.metric_option.get(name, {}))
        if self.ignore_index is not None and "ignore_index" in METRICS.options(name):
            options["ignore_index"] = self.ignore_index
        return options

    @property
    def schedule_length(self) -> int:
        """The length of the schedule in epochs."""
        return self.schedule_epochs or self.epochs or 1

    @property
    def mode(self) -> str:
        """Whether a lower ("min") or higher ("max") monitored value is better."""
        return better_is(self.monitor, self.monitor_mode)

    @property
    def goal(self) -> Target | None:
        """The value at which the run ends, or None."""
        if self.target is None:
            return None
        return parse_target(self.target, self.monitor, self.monitor_mode)

    @property
    def plateau_rule(self) -> Plateau | None:
        """When the learning rate drops because a value does not improve; None for never."""
        if self.schedule == "plateau":
            return Plateau(**self.schedule_option)
        return Plateau(**self.plateau) if self.plateau else None

    def mode_of(self, rule: Plateau) -> str:
        """Return whether a lower ("min") or higher ("max") value of what a plateau watches is better."""
        return better_is(rule.monitor, rule.monitor_mode) if rule.monitor else self.mode

    def augmentation(self) -> Augmentation | None:
        """Return the augmentation of training samples, or None."""
        if not self.augment:
            return None
        # It imports SciPy, which --help does not need.
        from ddl.data.batches.augmentation import Augmentation

        return Augmentation(**self.augment)

    def mixing(self) -> Mixing | None:
        """Return the mixing of pictures and labels in each batch, or None."""
        if not self.mix:
            return None
        from ddl.data.batches.mixing import Mixing

        return Mixing(**self.mix)

    @property
    def evaluation_crop(self) -> float:
        """The fraction of each side of a picture that evaluation and prediction keep."""
        return float(self.augment.get("central_crop", 1))

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=str))
        return values

    def to_json(self) -> str:
        """Return the plan as a JSON object; a network's text is a file of its own in the run directory."""
        values = self.to_dict()
        values["model_option"] = plan_options(self.model, values["model_option"])
        return json.dumps(values, indent=2) + "\n"

    def _convert_options(self) -> None:
        """Convert every option to its type, and refuse unknown ones."""
        converted: dict[str, Any] = {
            "metric_option": {
                name: self._check_options(METRICS, name, given)
                for name, given in self.metric_option.items()
            },
            "plateau": self._check_options(SCHEDULES, "plateau", self.plateau),
            "augment": convert_values(self.augment, read_options(AUGMENTATION), "augmentation"),
            "mix": convert_values(self.mix, read_options(MIXING), "mix"),
        }
        for field, table in TABLES.items():
            given = getattr(self, f"{field}_option")
            name = getattr(self, field)
            converted[f"{field}_option"] = self._check_options(table, name, given)
        if self.model in MODELS:
            given = converted["model_option"]
            converted["model_option"] = complete_options(self.model, given)
        for field, table in (("generator", GENERATORS), ("discriminator", DISCRIMINATORS)):
            given = getattr(self, f"{field}_option")
            name = getattr(self, field)
            converted[f"{field}_option"] = complete_options(name, table.check(name, **given))
        for name, options in converted.items():
            object.__setattr__(self, name, options)
        self._check_augmenting()

    def _check_slicing(self) -> None:
        """Refuse slicers that fit neither each other nor the model."""
        check_slicing(self, self.predicts)

    def _check_targets(self) -> None:
        """Refuse targets, paths and transforms that do not fit the model and each other."""
        check_targets(self)
        check_transforms(self, self.predicts)

    def _check_augmenting(self) -> None:
        """Refuse `augment` and `mix` that are out of range, or do not fit the model."""
        check_augmenting(
            self.augmentation(),  # the constructors refuse options out of range
            self.mixing(),
            model=self.model,
            predicts=self.predicts,
            ignore_index=self.ignore_index,
            epochs=self.epochs,
        )

    def _check_options(
        self, table: BuilderTable, name: str, given: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the options converted to their types."""
        return table.check(name, **given)

    def _check_metrics(self) -> None:
        check_metric_names(self.metric)
        if "confusion_matrix" in self.metric:
            raise ValueError(
                "Received: metric=confusion_matrix, which is not a single number. Expected: another metric; "
                "use scripts/evaluate.py for the confusion matrix of a trained model."
            )
        for name in self.metric_option:
            if name not in self.metric:
                raise ValueError(
                    f"Received: metric_option for {name!r}. Expected: one of the plan's metrics, "
                    f"{', '.join(self.metric)}."
                )
            ignored = self.metric_option[name].get("ignore_index", self.ignore_index)
            if ignored != self.ignore_index:
                raise ValueError(
                    f"Received: metric_option {name}.ignore_index={ignored} for a loss with "
                    f"ignore_index={self.ignore_index}. Expected: the same; the metrics take it from loss_option."
                )
        scores = (*LOSSES_OF_GANS, *SCORES) if self.is_adversarial else ()
        quantities = ("loss", *self.metric, *scores)
        known = [*(f"val_{name}" for name in quantities), *quantities]
        check_choice("monitor", self.monitor, known)
        if self.goal is not None:
            check_choice("target", self.goal.monitor, known)
        rule = self.plateau_rule
        if rule is not None and rule.monitor is not None:
            check_choice("monitor", rule.monitor, known, "schedule plateau")


def plan_from_dict(values: Mapping[str, Any], kind: type[Plan] = Plan) -> Plan:
    """Return the plan, of a class of plans, from the values of `Plan.to_dict`.

    Raises:
        ValueError: an unknown or missing key, which the message names, or an invalid plan.
    """
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    if not isinstance(values, Mapping):
        raise ValueError(
            f"Received: {type(values).__name__} as a plan. Expected: an object with the plan's fields."
        )
    for name in values:
        if name not in known:
            raise ValueError(
                f"Unknown field of a plan. Received: {name!r}. Expected: {', '.join(known)}."
            )
    if "run_dir" not in values:
        raise ValueError(
            "Received: a plan without run_dir. Expected: run_dir, the directory for the results."
        )
    return kind(**values)


TABLES = {"model": MODELS, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}
"""Field -> its table. The field `model_option` holds the options of `model`, and so on."""

AUGMENTATION = "ddl.data.batches.augmentation:Augmentation"
"""The class whose options `augment` holds, by name: importing it loads SciPy, which --help does not need."""

MIXING = "ddl.data.batches.mixing:Mixing"
"""The class whose options `mix` holds."""

NAMES: dict[str, Iterable[str]] = {
    **TABLES,
    "metric": [name for name in METRICS if name != "confusion_matrix"],
}
"""Field -> the names in its table."""
