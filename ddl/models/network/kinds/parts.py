"""Initializers, regularizers and constraints: by class name and settings, as files write them. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddl.models.network.kinds import settings as to


@dataclass(frozen=True)
class Part:
    """An initializer, a regularizer or a constraint: its class in `keras.<family>`, and the class's arguments."""

    family: str
    name: str
    config: Mapping[str, Any]


_SEED = {"seed": to.optional(to.whole(0))}
_BETWEEN = {"minval": to.number(), "maxval": to.number(), **_SEED}
_NORMAL = {"mean": to.number(), "stddev": to.number(0), **_SEED}
_SCALED = {
    "scale": to.number(0),
    "mode": to.one_of("fan_in", "fan_out", "fan_avg"),
    "distribution": to.one_of("normal", "uniform", "truncated_normal", "untruncated_normal"),
    **_SEED,
}
_STRENGTH = to.number(0)

_CLASSES: dict[str, dict[str, dict[str, to.Converter]]] = {
    "initializers": {
        "Zeros": {},
        "Ones": {},
        "Constant": {"value": to.numbers},
        "RandomNormal": _NORMAL,
        "TruncatedNormal": _NORMAL,
        "RandomUniform": _BETWEEN,
        "VarianceScaling": _SCALED,
        "Orthogonal": {"gain": to.number(), **_SEED},
        "Identity": {"gain": to.number()},
        **dict.fromkeys(("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal"), _SEED),
        **dict.fromkeys(("LecunUniform", "LecunNormal"), _SEED),
    },
    "regularizers": {
        "L1": {"l1": _STRENGTH},
        "L2": {"l2": _STRENGTH},
        "L1L2": {"l1": _STRENGTH, "l2": _STRENGTH},
        "OrthogonalRegularizer": {"factor": _STRENGTH, "mode": to.one_of("rows", "columns")},
    },
    "constraints": {
        "MaxNorm": {"max_value": to.number(0), "axis": to.axes},
        "MinMaxNorm": {
            "min_value": to.number(0),
            "max_value": to.number(0),
            "rate": to.number(0, 1),
            "axis": to.axes,
        },
        "NonNeg": {},
        "UnitNorm": {"axis": to.axes},
    },
}
_CLASS_ALIASES = {
    "zero": "Zeros",
    "one": "Ones",
    "normal": "RandomNormal",
    "uniform": "RandomUniform",
    "orthogonalinitializer": "Orthogonal",
    "identityinitializer": "Identity",
}
_STRENGTH_OF_KERAS_2 = 0.01
"""Of "l2" written as a name alone. Keras 3 takes 0 for "l1_l2"."""


def initializer(value: Any) -> Part:
    """Return an initializer."""
    return _part("initializers", value)


def constraint(value: Any) -> Part | None:
    """Return a constraint of weights, None for none."""
    return None if value is None else _part("constraints", value)


def regularizer(value: Any) -> Part | None:
    """Return a regularizer, None for none, or where all its strengths are 0."""
    if value is None:
        return None
    found = _part("regularizers", value)
    names = [name for name in ("l1", "l2") if name in _CLASSES["regularizers"][found.name]]
    if isinstance(value, str) and names:
        found = Part(found.family, found.name, dict.fromkeys(names, _STRENGTH_OF_KERAS_2))
    strengths = [found.config.get(name, 0.0) for name in names]
    return None if names and not any(strengths) else found


def _part(family: str, value: Any) -> Part:
    classes = _CLASSES[family]
    given: Any = {}
    if isinstance(value, dict):
        given, value = value.get("config", {}), value.get("class_name")
    plain = {name.lower(): name for name in classes} | (
        _CLASS_ALIASES if family == "initializers" else {}
    )
    name = plain.get(value.lower().replace("_", "")) if isinstance(value, str) else None
    if name is None or not isinstance(given, dict):
        raise to.Wrong(f"one of Keras's {family}: {', '.join(classes)}")
    config = {}
    for key, item in given.items():
        if key not in classes[name]:
            if item in (None, "float32"):  # dtype
                continue
            known = ", ".join(classes[name]) or "no settings"
            raise to.Wrong(f"{name} with {known}, not {key}")
        try:
            config[key] = classes[name][key](item)
        except to.Wrong as error:
            raise to.Wrong(f"{name} with {key} as {error}") from None
    return Part(family, name, config)


def is_initializer(value: Any) -> bool:
    """Return whether this is an initializer."""
    try:
        initializer(value)
    except to.Wrong:
        return False
    return True


def is_default_initializer(value: Any) -> bool:
    """Return whether this is Keras's own choice for kernels, as old files write it for layers that do not use it."""
    part = initializer(value)
    scaling = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}
    config = {key: item for key, item in part.config.items() if key != "seed"}
    return part.name == "GlorotUniform" or (part.name == "VarianceScaling" and config == scaling)
