"""The table of optimizers: a name and its options -> a Keras optimizer. Listing and checking import no TensorFlow.

The options are all those of Keras's constructors, with Keras's defaults. "lars" and the names with "torch" are ours and
follow PyTorch's formulas.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.options import Option, read_options
from ddl.ranges import Range
from ddl.training.optimization.keras_options import read_optimizer
from ddl.training.optimization.second_order import METHODS

if TYPE_CHECKING:
    import keras

_FRACTION = Range(0, 1, below=True)
_FRACTION_ABOVE_0 = Range(0, 1, above=True, below=True)
_POSITIVE = Range(0, above=True)
_NOT_NEGATIVE = Range(0)

_RANGES = {
    **dict.fromkeys(("momentum", "rho", "ema_momentum", "dampening"), _FRACTION),
    **dict.fromkeys(("beta_1", "beta_2", "adam_beta_1", "adam_beta_2"), _FRACTION),
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm", "clip_threshold"), _POSITIVE),
    **dict.fromkeys(("epsilon", "epsilon_1", "epsilon_2"), _POSITIVE),
    **dict.fromkeys(("loss_scale_factor", "adam_lr_ratio", "rms_rate"), _POSITIVE),
    **dict.fromkeys(("weight_decay", "adam_weight_decay", "lr_decay"), _NOT_NEGATIVE),
    "eta": _POSITIVE,
    **dict.fromkeys(("initial_accumulator_value", "beta", "warmup_steps"), _NOT_NEGATIVE),
    "l1_regularization_strength": _NOT_NEGATIVE,
    "l2_regularization_strength": _NOT_NEGATIVE,
    "l2_shrinkage_regularization_strength": _NOT_NEGATIVE,
    "learning_rate_power": Range(high=0),
    "beta_2_decay": Range(high=0, below=True),
    **dict.fromkeys(("muon_a", "muon_b", "muon_c"), Range()),
    **dict.fromkeys(("ns_steps", "ema_overwrite_frequency"), Range(1)),
    "gradient_accumulation_steps": Range(2),
    **dict.fromkeys(("max_iterations", "max_func_eval", "max_products"), Range(1)),
    **dict.fromkeys(("absolute_tolerance", "relative_tolerance"), _NOT_NEGATIVE),
    "lion.beta_1": _FRACTION_ABOVE_0,  # Keras refuses 0
    "schedule_free_adamw.beta_1": _FRACTION_ABOVE_0,  # Keras divides by it
}
_CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


def _check_together(given: Mapping[str, Any], defaults: Mapping[str, Any], owner: str) -> None:
    """Refuse options that contradict each other, or that have no effect given the others."""
    values = {**defaults, **given}
    if "use_ema" not in values:  # an optimizer without Keras's shared options
        return
    clips = [f"{name}={values[name]}" for name in _CLIPS if values[name] is not None]
    if len(clips) > 1:
        raise ValueError(f"Received: {', '.join(clips)} for {owner}. Expected: one of them.")
    for name in ("ema_momentum", "ema_overwrite_frequency"):
        if values[name] != defaults[name] and not values["use_ema"]:
            raise ValueError(
                f"Received: {name}={values[name]} for {owner}, without use_ema. Expected: use_ema=true as well."
            )
    if values.get("nesterov") and values["momentum"] == 0:
        raise ValueError(
            f"Received: nesterov=true with momentum=0 for {owner}. Expected: a momentum, such as 0.9."
        )
    if values.get("dampening") and (values["momentum"] == 0 or values["nesterov"]):
        given_with = "nesterov=true" if values["nesterov"] else "momentum=0"
        raise ValueError(
            f"Received: dampening={values['dampening']} with {given_with} for {owner}. Expected: a momentum such as "
            "0.9, and no nesterov; or no dampening."
        )
    for pattern in values.get("exclude_layers") or ():
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"Received: {pattern!r} in exclude_layers for {owner}: {error}. Expected: a regular "
                "expression that matches layer names."
            ) from None


_CLASSES = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adafactor": "Adafactor",
    "ftrl": "Ftrl",
    "lamb": "Lamb",
    "lion": "Lion",
    "muon": "Muon",
    "schedule_free_adamw": "ScheduleFreeAdamW",
}
"""Our name -> class of `keras.optimizers`. Keras defines each class in a module with our name."""

_RULES = {
    "torch_sgd": "torch_rules:TorchSGD",
    "torch_adagrad": "torch_rules:TorchAdagrad",
    "torch_adam": "torch_adam:TorchAdam",
    "torch_adamw": "torch_adam:TorchAdamW",
    "torch_rmsprop": "torch_rules:TorchRMSprop",
    "torch_lamb": "torch_adam:TorchLamb",
    "lars": "torch_rules:Lars",
}
"""Our own name -> module and class."""
_SECOND_ORDER = "ddl.training.optimization.second_order:hessian"
_SHARED = (
    *(*_CLIPS, "use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"),
    "gradient_accumulation_steps",
)
"""Options that the base class of all optimizers handles."""


def _read(builder: str) -> dict[str, Option]:
    """Return the options of an optimizer; those of ours are its own and what Keras's base class handles."""
    if builder.startswith("keras."):
        return read_optimizer(builder)
    if builder == _SECOND_ORDER:
        return read_options(builder)
    shared = read_optimizer(f"keras.src.optimizers.sgd:{_CLASSES['sgd']}")
    own = {
        name: dataclasses.replace(option, help=option.help[:1].upper() + option.help[1:])
        for name, option in read_options(builder).items()
        if name != "learning_rate"
    }
    return own | {name: shared[name] for name in _SHARED}


OPTIMIZERS = BuilderTable(
    "optimizer",
    {name: f"keras.src.optimizers.{name}:{class_name}" for name, class_name in _CLASSES.items()}
    | {name: f"ddl.training.optimization.{place}" for name, place in _RULES.items()}
    | {"hessian": _SECOND_ORDER},
    hidden=("learning_rate", "name"),
    ranges=_RANGES,
    choices={"method": METHODS},
    rule=_check_together,
    read=_read,
)


def is_full_batch(name: str) -> bool:
    """Return whether an optimizer takes each step over all samples."""
    return name == "hessian"


def build_optimizer(
    name: str,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    **options: Any,
) -> keras.optimizers.Optimizer:
    """Return one of `OPTIMIZERS` with options from `OPTIMIZERS.options(name)`.

        build_optimizer("adamw", 1e-3, weight_decay=0.01, global_clipnorm=1.0)

    For several ranks, wrap it in `DistributedOptimizer`. The optimizer is called `name`. Keras would number the
    optimizers of a process ("adam_1", "adam_2"), which makes the names in a checkpoint depend on what was built before.
    """
    values = OPTIMIZERS.check(name, **options)
    if values.get("exclude_layers") is not None:
        values["exclude_layers"] = list(values["exclude_layers"])  # Keras and JSON need a list
    if isinstance(learning_rate, int):
        learning_rate = float(learning_rate)  # Keras refuses an int
    return OPTIMIZERS.load(name)(learning_rate=learning_rate, name=name, **values)
