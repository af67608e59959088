"""The one table of optimizers: a name and its options -> a Keras optimizer. Listing and checking load no framework.

The options are those of Keras's own constructors, all of them, with Keras's defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ddl import options as opts
from ddl.ranges import Range, check_ranges
from ddl.training.keras_source import read_optimizer

if TYPE_CHECKING:
    import keras

OPTIMIZERS = {
    "sgd": "keras.optimizers:SGD",
    "adam": "keras.optimizers:Adam",
    "adamw": "keras.optimizers:AdamW",
    "adamax": "keras.optimizers:Adamax",
    "nadam": "keras.optimizers:Nadam",
    "rmsprop": "keras.optimizers:RMSprop",
    "adagrad": "keras.optimizers:Adagrad",
    "adadelta": "keras.optimizers:Adadelta",
    "adafactor": "keras.optimizers:Adafactor",
    "ftrl": "keras.optimizers:Ftrl",
    "lamb": "keras.optimizers:Lamb",
    "lion": "keras.optimizers:Lion",
    "muon": "keras.optimizers:Muon",
    "schedule_free_adamw": "keras.optimizers:ScheduleFreeAdamW",
}
"""Name -> class. The name is also that of the module in which Keras defines it."""

_SHARE = Range(0, 1, below=True)
_SHARE_ABOVE_0 = Range(0, 1, above=True, below=True)
_POSITIVE = Range(0, above=True)
_NOT_NEGATIVE = Range(0)

_RANGES = {
    **dict.fromkeys(("momentum", "rho", "ema_momentum"), _SHARE),
    **dict.fromkeys(("beta_1", "beta_2", "adam_beta_1", "adam_beta_2"), _SHARE),
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm", "clip_threshold"), _POSITIVE),
    **dict.fromkeys(("epsilon", "epsilon_1", "epsilon_2"), _POSITIVE),
    **dict.fromkeys(("loss_scale_factor", "adam_lr_ratio", "rms_rate"), _POSITIVE),
    **dict.fromkeys(("weight_decay", "adam_weight_decay"), _NOT_NEGATIVE),
    **dict.fromkeys(("initial_accumulator_value", "beta", "warmup_steps"), _NOT_NEGATIVE),
    "l1_regularization_strength": _NOT_NEGATIVE,
    "l2_regularization_strength": _NOT_NEGATIVE,
    "l2_shrinkage_regularization_strength": _NOT_NEGATIVE,
    "learning_rate_power": Range(high=0),
    "beta_2_decay": Range(high=0, below=True),
    **dict.fromkeys(("muon_a", "muon_b", "muon_c"), Range()),
    **dict.fromkeys(("ns_steps", "ema_overwrite_frequency"), Range(1)),
    "gradient_accumulation_steps": Range(2),
}
_RANGES_OF = {
    "lion": {"beta_1": _SHARE_ABOVE_0},  # Keras refuses 0: that would be another method
    "schedule_free_adamw": {"beta_1": _SHARE_ABOVE_0},  # it divides by it
}
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


def build_optimizer(
    name: str,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    **options: Any,
) -> keras.optimizers.Optimizer:
    """Return the Keras optimizer of this name; for several ranks, `DistributedOptimizer` goes around it.

    It is called by its name, and not as Keras would "adam_1" or "adam_2" after what was built before.

    Args:
        name: one of `OPTIMIZERS`.
        learning_rate: a number, or what `ddl.training.schedules.build_schedule` returns.
        **options: those of `optimizer_options(name)`.
    """
    values = _converted(name, options)
    if values.get("exclude_layers") is not None:
        values["exclude_layers"] = list(values["exclude_layers"])  # as Keras has it, and JSON
    if isinstance(learning_rate, int):
        learning_rate = float(learning_rate)  # which Keras asks for
    return opts.load(OPTIMIZERS[name])(learning_rate=learning_rate, name=name, **values)


def check_optimizer(name: str, /, **options: Any) -> dict[str, Any]:
    """Return the options, each of its type; refuse unknown ones, what cannot be right, and what would do nothing."""
    return _converted(name, options)


def optimizer_options(name: str) -> dict[str, opts.Option]:
    """Return the options of an optimizer: name -> type, default and help."""
    if name not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"Unknown optimizer. Received: {name!r}. Expected one of: {known}.")
    return read_optimizer(name, OPTIMIZERS[name].partition(":")[2])


def parse_optimizer_options(name: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options that texts such as "beta_1=0.8" give an optimizer, as `build_optimizer` takes them."""
    options = opts.parse_options(texts, optimizer_options(name), f"optimizer {name}")
    return check_optimizer(name, **options)


def _converted(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options, checked, each of its type."""
    known, owner = optimizer_options(name), f"optimizer {name}"
    values = opts.convert_values(options, known, owner)
    check_ranges(values, _RANGES | _RANGES_OF.get(name, {}), owner)
    _check_together({key: known[key].default for key in known} | values, known, owner)
    return values


def _check_together(
    values: Mapping[str, Any], known: Mapping[str, opts.Option], owner: str
) -> None:
    """Refuse options that contradict each other, or that the others leave without effect."""
    clips = [f"{name}={values[name]}" for name in _CLIPS if values[name] is not None]
    if len(clips) > 1:
        raise ValueError(f"Received: {', '.join(clips)} for {owner}. Expected: one of them.")
    for name in ("ema_momentum", "ema_overwrite_frequency"):
        if values[name] != known[name].default and not values["use_ema"]:
            raise ValueError(
                f"Received: {name}={values[name]} for {owner}, without use_ema. Expected: use_ema=true with it."
            )
    if values.get("nesterov") and values["momentum"] == 0:
        raise ValueError(
            f"Received: nesterov=true with momentum=0 for {owner}. Expected: a momentum, such as 0.9."
        )
    for pattern in values.get("exclude_layers") or ():
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"Received: {pattern!r} in exclude_layers for {owner}: {error}. Expected: a part of layer names."
            ) from None
