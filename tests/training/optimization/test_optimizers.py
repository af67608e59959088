"""Every optimizer by name: its options are those of its constructor, and what cannot be right is refused."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest

from ddl.options import Option, parse_value
from ddl.ranges import Range
from ddl.training.optimization.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    is_full_batch,
)

# What an option has no effect without, and is refused without.
NEEDS = {
    "ema_momentum": {"use_ema": True},
    "ema_overwrite_frequency": {"use_ema": True},
    "nesterov": {"momentum": 0.5},
    "dampening": {"momentum": 0.5},
}
KERAS = {name for name, builder in OPTIMIZERS.builders.items() if builder.startswith("keras.")}
SHARED = (
    *("clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum"),
    *("ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"),
)
"""What a rule of ours leaves to the base class of all optimizers."""


STEPWISE = [name for name in OPTIMIZERS if not is_full_batch(name)]
"""Those that Keras's steps use."""


def constructor(name: str) -> dict[str, Any]:
    """Return the arguments of the real constructor that have a default: name -> default."""
    parameters = dict(inspect.signature(OPTIMIZERS.load(name)).parameters)
    if name not in KERAS:
        base = inspect.signature(keras.optimizers.SGD).parameters
        parameters |= {key: base[key] for key in SHARED}
    return {
        key: parameter.default
        for key, parameter in parameters.items()
        if parameter.default is not parameter.empty and key not in ("learning_rate", "name")
    }


def another(option: Option) -> Any:
    """Return a value that is right for the option and not its default."""
    if option.type == "bool":
        return not option.default
    if option.name == "exclude_layers":
        return ("head", "stem")
    if option.type.startswith("int"):
        return (option.default or 0) + 2
    return -0.25 if (option.default or 0) < 0 else 0.25


def test_every_optimizer_of_keras_is_there() -> None:
    classes = {
        name
        for name, found in vars(keras.optimizers).items()
        if inspect.isclass(found) and issubclass(found, keras.optimizers.Optimizer)
    }
    inside_others = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}
    assert {
        OPTIMIZERS.builders[name].partition(":")[2] for name in KERAS
    } == classes - inside_others


@pytest.mark.parametrize("name", STEPWISE)
def test_the_options_are_those_of_the_constructor(name: str) -> None:
    options = OPTIMIZERS.options(name)
    assert {key: option.default for key, option in options.items()} == constructor(name)
    for option in options.values():
        assert parse_value(str(option.default), option) == option.default
        OPTIMIZERS.check(name, **{option.name: option.default})


@pytest.mark.parametrize("name", STEPWISE)
def test_every_option_has_a_help_without_its_type_and_default(name: str) -> None:
    for option in OPTIMIZERS.options(name).values():
        assert len(option.help) > 10, option
        assert option.help[0].isupper(), option
        for word in ("Defaults to", "callable", "name: String", "{{"):
            assert word not in option.help, option


@pytest.mark.parametrize("name", STEPWISE)
def test_every_option_reaches_the_optimizer(name: str) -> None:
    for option in OPTIMIZERS.options(name).values():
        value = another(option)
        optimizer = build_optimizer(name, 0.5, **{option.name: value}, **NEEDS.get(option.name, {}))
        assert type(optimizer) is OPTIMIZERS.load(name)
        shown = optimizer.get_config()[option.name]
        assert shown == (list(value) if isinstance(value, tuple) else value), option
        assert float(optimizer.learning_rate) == 0.5


@pytest.mark.parametrize("name", STEPWISE)
def test_it_moves_weights_and_names_its_variables(name: str) -> None:
    for _ in range(2):  # Keras itself would name those of the second "adam_1/..."
        weights = keras.Variable(np.ones((3, 2), "float32"))
        optimizer = build_optimizer(name, 1)
        optimizer.build([weights])
        optimizer.apply([keras.ops.ones((3, 2))])
        assert float(keras.ops.min(keras.ops.abs(weights - 1))) > 1e-5
        paths = [variable.path for variable in optimizer.variables if "/" in variable.path]
        assert {path.split("/")[0] for path in paths} == {name}


def test_listing_and_checking_load_no_framework() -> None:
    code = (
        "import sys; from ddl.training.optimization.optimizers import *;"
        "[OPTIMIZERS.options(n) for n in OPTIMIZERS]; OPTIMIZERS.check('sgd', momentum=0.9);"
        "from ddl.training.optimization.schedules import *; import ddl.training.optimization.monitor;"
        "[SCHEDULES.options(n) for n in SCHEDULES]; learning_rate_at(3, Course('cosine', 0.1, 10, 10));"
        "sys.exit(bool({'keras', 'tensorflow', 'horovod'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_texts_become_options() -> None:
    texts = ["exclude-layers=head, stem", "rms_rate=none", "ns_steps=3", "weight_decay=1e-2"]
    assert OPTIMIZERS.parse("muon", texts) == {
        "exclude_layers": ("head", "stem"),
        "rms_rate": None,
        "ns_steps": 3,
        "weight_decay": 0.01,
    }
    assert build_optimizer("sgd", 0.1, momentum=0).momentum == 0.0  # Keras refuses a whole number


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sdg", {}, r"Unknown optimizer. Received: 'sdg'. Expected one of: sgd, adam, adamw"),
        ("sgd", {"beta_1": 0.9}, r"Received: 'beta_1'. Expected: momentum, nesterov"),
        ("adam", {"learning_rate": 0.1}, r"Unknown option of optimizer adam"),
        ("adam", {"beta_1": "0.9"}, r"beta_1='0.9'. Expected: a number."),
        ("adam", {"amsgrad": 1}, r"amsgrad=1. Expected: true or false."),
        ("adamw", {"weight_decay": None}, r"weight_decay=None. Expected: a number."),
        ("adam", {"clipnorm": True}, r"clipnorm=True. Expected: a number, or none."),
        ("muon", {"exclude_layers": "head"}, r"Expected: a list of texts, or none."),
        ("muon", {"exclude_layers": ["a("]}, r"'a\(' in exclude_layers for optimizer muon"),
        (
            "sgd",
            {"momentum": 1.0},
            r"momentum=1.0 for optimizer sgd. Expected: at least 0, below 1",
        ),
        ("lion", {"beta_1": 0}, r"beta_1=0.0 for optimizer lion. Expected: above 0, below 1."),
        ("adam", {"clipvalue": 0.0}, r"clipvalue=0.0 for optimizer adam. Expected: above 0."),
        ("adam", {"epsilon": float("nan")}, r"epsilon=nan for optimizer adam. Expected: above 0."),
        (
            "adam",
            {"weight_decay": -1},
            r"weight_decay=-1.0 for optimizer adam. Expected: at least 0",
        ),
        ("adam", {"clipnorm": float("inf")}, r"clipnorm=inf .* Expected: finite, above 0."),
        ("adafactor", {"beta_2_decay": 0}, r"Expected: below 0."),
        ("ftrl", {"learning_rate_power": 0.5}, r"Expected: at most 0."),
        (
            "muon",
            {"muon_a": float("nan")},
            r"muon_a=nan for optimizer muon. Expected: a finite number.",
        ),
        ("sgd", {"gradient_accumulation_steps": 1}, r"Expected: at least 2."),
        ("sgd", {"gradient_accumulation_steps": 2.5}, r"Expected: a whole number, or none."),
        ("sgd", {"ema_overwrite_frequency": 0, "use_ema": True}, r"Expected: at least 1."),
        (
            "adam",
            {"clipnorm": 1, "global_clipnorm": 2},
            r"clipnorm=1.0, global_clipnorm=2.0 for optimizer adam. Expected: one of them.",
        ),
        (
            "adam",
            {"ema_momentum": 0.9},
            r"ema_momentum=0.9 .* without use_ema. Expected: use_ema=true",
        ),
        ("sgd", {"nesterov": True}, r"nesterov=true with momentum=0 for optimizer sgd"),
    ],
)
def test_what_cannot_be_right_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OPTIMIZERS.check(name, **options)


def test_a_range_says_what_is_in_it() -> None:
    assert [value in Range(0, 1, above=True) for value in (0, 0.1, 1, 1.1)] == [0, 1, 1, 0]
    assert float("nan") not in Range()
    assert str(Range(1, 2, below=True)) == "at least 1, below 2"
