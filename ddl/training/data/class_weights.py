"""Weights of classes in the training loss, as Keras's `class_weight` has them. No TensorFlow here.

A sample's loss is multiplied by the weight of its class, and the mean over samples stays a mean over samples: N ranks
give what one process gives. Validation, test data and metrics are not weighted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ddl.data.source import Source

NONE, BALANCED = "none", "balanced"
_EXPECTED = "none, balanced, or a weight per class such as 0=1,1=3.5"
_READ_AT_ONCE = 64


def class_weight_text(given: Any) -> Any:
    """Return Keras's mapping {0: 1.0, 1: 3.5} as the text "0=1,1=3.5"; anything else as it is."""
    if not isinstance(given, Mapping):
        return given
    return ",".join(f"{label}={_number(weight)}" for label, weight in given.items())


def parse_class_weight(text: str) -> dict[int, float]:
    """Return {0: 1.0, 1: 3.5} from "0=1,1=3.5"; {} for "none" and "balanced".

    Raises:
        ValueError: it is none of them, or a weight is negative or not a number.
    """
    if text in (NONE, BALANCED):
        return {}
    weights: dict[int, float] = {}
    for part in text.split(","):
        label, _, value = (piece.strip() for piece in part.partition("="))
        try:
            number, weight = int(label), float(value)
        except ValueError:
            raise ValueError(f"Received: class_weight={text!r}. Expected: {_EXPECTED}.") from None
        if number < 0 or number in weights or not 0 <= weight < math.inf:
            raise ValueError(
                f"Received: class_weight={text!r}. Expected: {_EXPECTED}; every class once, counted from 0, and "
                "finite weights of at least 0."
            )
        weights[number] = weight
    if not any(weights.values()):
        raise ValueError(
            f"Received: class_weight={text!r}, which leaves nothing to learn. Expected: a weight above 0."
        )
    return weights


def check_class_weight(text: str, classes: int) -> None:
    """Refuse a weight of a class that the data do not have."""
    most = max(parse_class_weight(text), default=0)
    if most >= classes:
        raise ValueError(
            f"Received: class_weight of class {most} for {classes} classes. Expected: 0 to {classes - 1}."
        )


def class_weights(text: str, counts: np.ndarray) -> np.ndarray | None:
    """Return the weight of each class, (classes,) float64; None for "none".

    "balanced" gives every class the same share of the loss: count of samples / (count of classes that occur x count of
    the class). The mean weight of a sample is then 1. A class without samples or without a given weight has the weight
    1.

    Args:
        text: the plan's `class_weight`.
        counts: number of training samples of each class; only "balanced" reads their values.
    """
    if text == NONE:
        return None
    weights = np.ones(len(counts))
    if text == BALANCED:
        seen = counts > 0
        weights[seen] = counts.sum() / (seen.sum() * counts[seen])
    for label, weight in parse_class_weight(text).items():
        weights[label] = weight
    return weights


def count_labels(samples: Source, classes: int, start: int, end: int) -> np.ndarray:
    """Return how many of the samples from `start` to `end` have each label, (classes,) int64.

    A number outside the classes, such as one that the loss leaves out, is not counted.
    """
    name = list(samples.fields)[1]
    counts = np.zeros(classes, np.int64)
    column = samples.read_column(name)
    parts = [] if column is None else [column[start:end]]
    if column is None:
        parts = [
            samples.read(np.arange(first, min(first + _READ_AT_ONCE, end)))[name]
            for first in range(start, end, _READ_AT_ONCE)
        ]
    for labels in parts:
        known = labels[(labels >= 0) & (labels < classes)]
        counts += np.bincount(known.astype(np.int64), minlength=classes)
    return counts


def _number(weight: Any) -> str:
    return (
        f"{weight:g}" if isinstance(weight, int) or float(f"{weight:g}") == weight else repr(weight)
    )
