"""The fields of the four dialects: which message has which, of what type, and where they must stand.

A: dolphin until 2015-11-15. B: until 2015-12-22. C: dolphin's last. D: Cay, 2016-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddl.ranges import Range

DIALECTS = "ABCD"
REQUIRED = object()
"""Default of a field that must stand there."""

FUNCTIONS = ("sigmoid", "relu", "tanh", "pow", "abs", "softmax", "identity")
"""Activation functions; their names are compared in lower case."""


@dataclass(frozen=True)
class Rule:
    """What is known of a field.

    Attributes:
        type: "uint32", "float", "string", "enum", or the name of a message.
        dialects: those that have it.
        default: its value where it is left out; `REQUIRED` for none.
        repeated: whether it may stand several times.
        tolerated: dialects that are read with it although their code refused it, or had it for a while only.
    """

    type: str
    dialects: str = DIALECTS
    default: Any = None
    repeated: bool = False
    tolerated: str = ""

    @property
    def known_in(self) -> str:
        """The dialects that may have it."""
        return self.dialects + self.tolerated

    @property
    def is_message(self) -> bool:
        """Whether its value stands in braces."""
        return self.type in MESSAGES


_WEIGHTS = {
    "init_weight": Rule("float", default=REQUIRED),
    "init_bias": Rule("float", default=REQUIRED),
    "random_seed": Rule("uint32", "ABC", tolerated="D"),
}


def _window(dialects: str) -> dict[str, Rule]:
    return {
        "kernel_height": Rule("uint32", dialects, REQUIRED),
        "kernel_width": Rule("uint32", dialects, REQUIRED),
        "padding_height": Rule("uint32", dialects, 0),
        "padding_width": Rule("uint32", dialects, 0),
        "stride_height": Rule("uint32", dialects, 1),
        "stride_width": Rule("uint32", dialects, 1),
    }


ROOT = ""
MESSAGES: Mapping[str, Mapping[str, Rule]] = {
    ROOT: {
        "batch_size": Rule("uint32", default=0),
        "stepsize": Rule("float", "ABC", 0.0),
        "step_size": Rule("float", "D", 0.0),
        "input_shape": Rule("input_shape", default=REQUIRED),
        "parameter_provider": Rule("parameter_provider", "ABC", REQUIRED, tolerated="D"),
        "random_seed": Rule("uint32", "D"),
        "device_mode": Rule("enum", "D"),
        "layer": Rule("layer", repeated=True),
    },
    "input_shape": {"dim": Rule("uint32", default=REQUIRED, repeated=True)},
    "parameter_provider": {"type": Rule("string", default=REQUIRED)},
    "layer": {
        "type": Rule("string", default=REQUIRED),
        "num_input": Rule("uint32", "AB", REQUIRED),
        "num_output": Rule("uint32", "AB", REQUIRED),
        "fully_connected_param": Rule("fully_connected_param"),
        "activation_param": Rule("activation_param", "BCD"),
        "activation_with_loss_param": Rule("activation_with_loss_param", "BCD"),
        "pooling_param": Rule("pooling_param", "CD"),
        "convolutional_param": Rule("convolutional_param", "CD"),
        "dropout_param": Rule("dropout_param", "D"),
        "lrn_param": Rule("lrn_param", "D"),
    },
    "fully_connected_param": {
        **_WEIGHTS,
        "num_output": Rule("uint32", "CD", REQUIRED),
        "activation_function": Rule("string", "A", REQUIRED),
    },
    "activation_param": {"activation_function": Rule("string", "BCD", REQUIRED)},
    "activation_with_loss_param": {
        "activation_function": Rule("string", "BCD", REQUIRED),
        "loss_function": Rule("string", "BCD", REQUIRED),
    },
    "pooling_param": {"pooling_type": Rule("string", "CD", "MAX"), **_window("CD")},
    "convolutional_param": {
        **_window("CD"),
        **_WEIGHTS,
        "num_output": Rule("uint32", "CD", REQUIRED),
    },
    "dropout_param": {"dropout_ratio": Rule("float", "D", 0.5)},
    "lrn_param": {
        "local_size": Rule("uint32", "D", 5),
        "alpha": Rule("float", "D", 1.0),
        "beta": Rule("float", "D", 0.75),
        "k": Rule("float", "D", 1.0),
    },
}

ENUMS = {"device_mode": ("CPU", "GPU")}
"""Field -> its words; a number stands for the word at that place."""


@dataclass(frozen=True)
class LayerType:
    """A type of layers: its name in files, the message with its settings, and the dialects that have it."""

    name: str
    parameters: str
    dialects: str


_TYPES = (
    LayerType("FullyConnected", "fully_connected_param", "ABCD"),
    LayerType("Activation", "activation_param", "BCD"),
    LayerType("ActivationWithLoss", "activation_with_loss_param", "BCD"),
    LayerType("Pooling", "pooling_param", "CD"),
    LayerType("Convolutional", "convolutional_param", "CD"),
    LayerType("Dropout", "dropout_param", "D"),
    LayerType("LRN", "lrn_param", "D"),
)
LAYER_TYPES = {one.name.lower(): one for one in _TYPES}
"""Type of a layer in lower case, in which it is compared -> what it is."""

PROVIDERS = ("local", "groupcomm", "parameterserver")
PROVIDER_ALIASES = {"paramserver": "parameterserver"}

CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("layer", "type"): tuple(one.name for one in _TYPES),
    ("parameter_provider", "type"): (*PROVIDERS, *PROVIDER_ALIASES),
    ("fully_connected_param", "activation_function"): FUNCTIONS,
    ("activation_param", "activation_function"): FUNCTIONS,
    ("activation_with_loss_param", "activation_function"): FUNCTIONS,
    ("activation_with_loss_param", "loss_function"): ("crossentropy",),
    ("pooling_param", "pooling_type"): ("MAX", "AVERAGE"),
}
"""(message, field) -> its words, which may be written in any case."""

_POSITIVE = Range(1)
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("batch_size", "dim", "num_input", "num_output", "local_size"), _POSITIVE),
    **dict.fromkeys(("kernel_height", "kernel_width", "stride_height", "stride_width"), _POSITIVE),
    **dict.fromkeys(("stepsize", "step_size", "k"), Range(0, above=True)),
    **dict.fromkeys(("init_weight", "alpha"), Range(0)),
    "dropout_ratio": Range(0, 1, below=True),
}
"""Field -> the values that have a meaning. Fields of other names take any finite number."""
