"""A plan from the flags of a command line. No TensorFlow here."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ddl.data.sources.source_options import parse_source_options
from ddl.flags import default_of, given_flags
from ddl.models.zoo import parse_model_options
from ddl.training.losses import parse_loss_options
from ddl.training.metrics import parse_metric_options
from ddl.training.optimizers import parse_optimizer_options
from ddl.training.plan import Plan
from ddl.training.plan_parts import PARTS
from ddl.training.schedules import parse_schedule_options

_LISTS = ("metric", "freeze")
_SAID_ALWAYS = ("data", "model", "loss", "metric")  # in which the training scripts differ
_SCRIPTS = {"mask": "scripts/train_unet.py", "label": "scripts/train_resnet.py"}


def plan_from_flags(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> Plan:
    """Return the plan that parsed flags stand for.

    Raises:
        ValueError: what was received, what is expected, and what to do, in one line.
    """
    flags = given_flags(arguments)
    given = dict(defaults) | flags
    for name, parse in _option_parsers(given).items():
        if name in flags:
            given[name] = parse(flags[name])
    return Plan(**given)


def plan_to_flags(plan: Plan) -> list[str]:
    """Return the flags of a training script that stand for the plan: what differs from the defaults."""
    flags: list[str] = []
    for part in PARTS:
        for field in dataclasses.fields(part):
            value = getattr(plan, field.name)
            if field.name in _SAID_ALWAYS or value != default_of(field):
                flags += _flag_words(field.name, value)
    return flags


def command_line(plan: Plan, ranks: int = 8) -> str:
    """Return the command that trains the plan on `ranks` ranks, to be given to a shell in the repository."""
    start = ["horovodrun", "-np", str(ranks), "python", _SCRIPTS[plan.target]]
    return shlex.join([*start, *plan_to_flags(plan)])


def _flag_words(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    texts = [_as_text(value)]
    if name == "image_size":
        texts = ["x".join(map(str, value))]
    elif name in _LISTS:
        texts = list(value)
    elif name == "metric_option":
        options = (
            (f"{metric}.{k}", v) for metric, given in value.items() for k, v in given.items()
        )
        texts = [f"{option}={_as_text(one)}" for option, one in options]
    elif isinstance(value, Mapping):
        texts = [f"{option}={_as_text(one, option)}" for option, one in value.items()]
    if any(text.startswith("-") for text in texts):  # which would look like a flag
        return [f"{flag}={text}" for text in texts]
    return [flag, *texts]


def _as_text(value: Any, name: str = "") -> str:
    """Return a value as the parsers of flags and options read it."""
    if isinstance(value, tuple | list):
        return ("x" if name == "crop_size" else ",").join(_as_text(one) for one in value)
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _option_parsers(given: Mapping[str, Any]) -> dict[str, Callable[[Iterable[str]], Any]]:
    plan = {field.name: default_of(field) for field in dataclasses.fields(Plan)} | dict(given)
    return {
        "data_option": lambda texts: parse_source_options(plan["data"], texts),
        "augment": parse_augment,
        "model_option": lambda texts: parse_model_options(plan["model"], texts),
        "loss_option": lambda texts: parse_loss_options(plan["loss"], texts),
        "metric_option": _parse_metric_options,
        "optimizer_option": lambda texts: parse_optimizer_options(plan["optimizer"], texts),
        "schedule_option": lambda texts: parse_schedule_options(plan["schedule"], texts),
    }


def parse_augment(texts: Iterable[str]) -> dict[str, Any]:
    """Return the augmentation that texts such as "flip=true" stand for, as a plan has it."""
    from ddl.data.augmentation_options import parse_augmentation  # with SciPy

    parsed = parse_augmentation(texts)
    if parsed is None:
        return {}
    fields = dataclasses.fields(parsed)
    return {f.name: getattr(parsed, f.name) for f in fields if getattr(parsed, f.name) != f.default}


def _parse_metric_options(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return {"hausdorff_95": {"spacing": (1.0, 0.5)}} of "hausdorff_95.spacing=1,0.5"."""
    by_metric: dict[str, list[str]] = {}
    for text in texts:
        metric, dot, rest = text.partition(".")
        if not dot:
            raise ValueError(f"Received: metric_option {text!r}. Expected: METRIC.NAME=VALUE.")
        by_metric.setdefault(metric, []).append(rest)
    return {metric: parse_metric_options(metric, rest) for metric, rest in by_metric.items()}
