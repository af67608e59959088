"""Convert command-line flags to a plan and back. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ddl.data.sources import parse_source_options
from ddl.flags import default_of, given_flags
from ddl.models.adversarial.table import DISCRIMINATORS, GENERATORS
from ddl.models.aliases import ALIASES, Alias
from ddl.models.detectors.layouts import is_detector
from ddl.models.from_file import FROM_FILE, told_options
from ddl.models.zoo import MODELS
from ddl.options import parse_options, read_options
from ddl.training.objectives.losses import needs_input
from ddl.training.objectives.metrics import METRICS
from ddl.training.optimization.schedules import SCHEDULES
from ddl.training.plan.boxes import METRICS_OF_BOXES, loss_of_boxes
from ddl.training.plan.fields import SECTIONS
from ddl.training.plan.gan.fields import DEFAULTS as DEFAULTS_OF_GANS
from ddl.training.plan.gan.fields import IMPLIED, AdversarialPlan
from ddl.training.plan.plan import AUGMENTATION, MIXING, TABLES, Plan
from ddl.training.plan.targets import DEFAULTS_OF_VALUES

TABLES_OF_GANS = {"generator": GENERATORS, "discriminator": DISCRIMINATORS}
_LISTS = (
    *("metric", "freeze", "no_decay_on"),
    *("transform", "input_transform", "target_transform", "slicer", "partition_at"),
)
_OPTIONS = (
    *("augment", "mix", "plateau", "target_data_option"),
    *("generator_option", "discriminator_option"),
    *(f"{field}_option" for field in ("data", "metric", *TABLES)),
)
_ALWAYS_GIVEN = ("data", "model", "loss", "metric")  # the training scripts have different defaults
GAN_SCRIPT = "scripts/train_gan.py"
_SCRIPTS = dict.fromkeys(("mask", "values"), "scripts/train_unet.py") | {
    "label": "scripts/train_cnn.py",
    "boxes": "scripts/train_detector.py",
}


def plan_from_flags(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> Plan:
    """Return the plan that parsed flags describe.

    Raises:
        ValueError: an invalid value; the message says in one line what was received, what is expected and what to do.
    """
    flags = given_flags(arguments)
    if flags.get("global_batch_size") and "per_rank_batch_size" in flags:
        raise ValueError(
            f"Received: --global-batch-size {flags['global_batch_size']} with --per-rank-batch-size "
            f"{flags['per_rank_batch_size']}. Expected: one of them."
        )
    if flags.get("global_batch_size"):
        defaults = {name: defaults[name] for name in defaults if name != "per_rank_batch_size"}
    _check_monitor(flags)
    # A run that resumes has its own loss and metrics.
    is_new = flags.get("targets") == "values" != defaults.get("targets")
    values = DEFAULTS_OF_VALUES if is_new else {}
    model = flags.get("model", defaults.get("model", ""))
    if is_detector(model) or _asks_for_boxes(flags):
        values = {**values, **_values_of_boxes(model, flags, defaults)}
    if "metric" not in flags and needs_input(flags.get("loss", "")):
        values = {**values, "metric": ()}  # the scripts' default is for targets
    given = dict(defaults) | values | flags
    alias = _alias_of(given.get("model"))
    if alias is not None:
        given["model"] = alias.model
    for name in _OPTIONS:
        if name in flags:
            given[name] = _parse_options(name, flags[name], given)
    if alias is not None:
        own = given["model_option"] if "model_option" in flags else {}
        given["model_option"] = {**alias.options, **own}
    return Plan(**given)


def _asks_for_boxes(flags: Mapping[str, Any]) -> bool:
    """Return whether flags make the network of a file find boxes."""
    has_anchors = any(text.startswith("anchors=") for text in flags.get("model_option", ()))
    return flags.get("targets") == "boxes" or (flags.get("model") == FROM_FILE and has_anchors)


def _values_of_boxes(
    model: str, flags: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a detector has in place of defaults that are for other models; a run that resumes has its own."""
    values: dict[str, Any] = {}
    if defaults.get("loss") != loss_of_boxes(model):
        values = {"loss": loss_of_boxes(model), "metric": METRICS_OF_BOXES}
    given = {**defaults, **values, **flags}
    validates = given.get("validation_part") != 0 or "validation_data" in given or "fold" in given
    if "metric" not in flags and not validates:
        values["metric"] = given["metric"] = ()
    if validates and "monitor" not in given and "ap50" in given["metric"]:
        values["monitor"] = "val_ap50"
    return values


def alias_note(model: str | None) -> str:
    """Return a line on what a name of the PyDTNN launcher's zoo stands for; "" for a model's own name."""
    alias = _alias_of(model)
    if alias is None:
        return ""
    options = " ".join(f"{name}={_as_text(value)}" for name, value in alias.options.items())
    with_options = f" with {options}" if options else ""
    return f"Model {model} is {alias.model}{with_options}. {alias.note}".rstrip()


def _alias_of(model: str | None) -> Alias | None:
    """Return what a name of the PyDTNN launcher's zoo stands for, unless a model of ours has the name."""
    return None if model is None or model in MODELS else ALIASES.get(model)


def _check_monitor(flags: Mapping[str, Any]) -> None:
    """Refuse a given --monitor of a validation that there is not; the default becomes the loss."""
    monitor = flags.get("monitor", "")
    if flags.get("validation_part") == 0 and monitor.startswith("val_"):
        raise ValueError(
            f"Received: monitor={monitor} with validation_part=0, which trains without validation. Expected: "
            f"monitor={monitor.removeprefix('val_')}, or none of them."
        )


def plan_to_flags(plan: Plan) -> list[str]:
    """Return the flags of a training script for this plan, without those at their defaults."""
    flags: list[str] = []
    for section in (*SECTIONS, *((AdversarialPlan,) if plan.is_adversarial else ())):
        for field in dataclasses.fields(section):
            value = getattr(plan, field.name)
            if field.name in ("model_option", "generator_option", "discriminator_option"):
                value = told_options(getattr(plan, field.name.removesuffix("_option")), value)
            if _is_told(plan, field.name, value != default_of(field)):
                flags += _flag_words(field.name, value)
    return flags


def _is_told(plan: Plan, name: str, is_other: bool) -> bool:
    """Return whether a command has a flag for a field, which has another value than its default or not."""
    if not plan.is_adversarial:
        return name in _ALWAYS_GIVEN or is_other
    if name in IMPLIED or (name == "per_rank_batch_size" and plan.global_batch_size):
        return False
    return name == "data" or name in DEFAULTS_OF_GANS or is_other


def command_line(plan: Plan, ranks: int = 8) -> str:
    """Return the shell command, to run in the repository, that trains the plan on `ranks` ranks."""
    launcher = ["horovodrun", "-np", str(ranks)] if ranks > 1 else []
    script = GAN_SCRIPT if plan.is_adversarial else _SCRIPTS[plan.predicts]
    return shlex.join([*launcher, "python", script, *plan_to_flags(plan)])


def _flag_words(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    texts = [_as_text(value)]
    if name == "image_size":
        texts = ["x".join(map(str, value))]
    elif name in _LISTS:
        texts = list(value)
    elif name == "metric_option":
        texts = [
            f"{metric}.{option}={_as_text(setting)}"
            for metric, options in value.items()
            for option, setting in options.items()
        ]
    elif isinstance(value, Mapping):
        texts = [f"{option}={_as_text(setting, option)}" for option, setting in value.items()]
    if any(text.startswith("-") for text in texts):  # argparse would read the value as a flag
        return [f"{flag}={text}" for text in texts]
    return [flag, *texts]


def _as_text(value: Any, name: str = "") -> str:
    """Return a value in the notation that flags and options are parsed from."""
    if isinstance(value, tuple | list):
        return ("x" if name == "crop_size" else ",").join(map(_as_text, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _parse_options(field: str, texts: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parsed options of a field such as `model_option`; `given` holds the model that they belong to.

    `Plan` checks their values.
    """
    owner = field.removesuffix("_option")
    if field == "augment":
        return parse_augment(texts)
    if field == "mix":
        return _without_defaults(texts, MIXING, "mix")
    if field == "plateau":
        return SCHEDULES.parse(field, texts)
    if field == "metric_option":
        return _parse_metric_options(texts)
    name = given.get(owner, default_of(Plan.__dataclass_fields__[owner]))
    if field in ("data_option", "target_data_option"):
        if name is None:
            raise ValueError(f"Received: {field} without {owner}. Expected: both.")
        return parse_source_options(name, texts)
    table = {**TABLES, **TABLES_OF_GANS}[owner]
    return parse_options(texts, table.options(name), f"{owner} {name}")


def parse_augment(texts: Iterable[str]) -> dict[str, Any]:
    """Return the augmentation options in texts such as "flip=true", without those at their defaults."""
    return _without_defaults(texts, AUGMENTATION, "augmentation")


def _without_defaults(texts: Iterable[str], builder: str, owner: str) -> dict[str, Any]:
    known = read_options(builder)
    given = parse_options(texts, known, owner)
    return {name: value for name, value in given.items() if value != known[name].default}


def _parse_metric_options(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return {"hausdorff_95": {"spacing": (1.0, 0.5)}} from "hausdorff_95.spacing=1,0.5"."""
    by_metric: dict[str, list[str]] = {}
    for text in texts:
        metric, dot, rest = text.partition(".")
        if not dot:
            raise ValueError(f"Received: metric_option {text!r}. Expected: METRIC.NAME=VALUE.")
        by_metric.setdefault(metric, []).append(rest)
    return {metric: METRICS.parse(metric, rest) for metric, rest in by_metric.items()}
