"""Checks the facts of a checkpoint: JSON values that may come from a stranger, and that a run resumes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ddl.plain_text import encodable

_MOST = 1 << 53  # larger numbers are not exact in JSON


def checked_facts(facts: Any) -> dict[str, Any]:
    """Return the facts; refuse those whose types or ranges differ from what `Run.facts` stores.

    A fact may be missing here: `check_complete` is for whoever resumes.

    Raises:
        ValueError: names the first fact that is wrong.
    """
    if not isinstance(facts, dict):
        raise ValueError(f"facts of type {type(facts).__name__}")
    for name, fits in (_FACTS | _OPTIONAL).items():
        if name in facts and not fits(facts[name]):
            raise ValueError(f"{name}={str(facts[name])[:60]!r} in its facts")
    return facts


def check_complete(facts: Mapping[str, Any], source: object) -> None:
    """Refuse facts from which no run can resume.

    Raises:
        ValueError: one is missing, or two contradict each other.
    """
    missing = [name for name in _FACTS if name not in facts]
    problem = f"without {missing[0]}" if missing else ""
    if not missing:
        position = facts["position"]
        if any(facts["order"][name] != position[name] for name in ("epoch", "step")):
            problem = "with two different positions"
        elif len(facts["history"]) != position["epoch"]:
            problem = f"with {len(facts['history'])} epochs at epoch {position['epoch']}"
    if problem:
        raise ValueError(
            f"Received: {source}, a checkpoint {problem}. Expected: a file from a run's checkpoints folder."
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _is_duration(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= _MOST and math.isfinite(value)


def _is_sum_and_count(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and _is_duration(value[0])
        and _is_count(value[1])
    )


def _is_position(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_count(value.get(name)) for name in ("epoch", "step"))


def _is_order(value: Any) -> bool:
    counts = ("count", "per_rank_batch_size", "size", "seed")
    return (
        _is_position(value)
        and isinstance(value.get("kind"), str)
        and all(_is_count(value.get(name)) for name in counts)
        and all(_is_count(value.get(name, 0)) for name in ("batch_size", "cut_steps"))
    )


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(epoch, dict)
        and _is_count(epoch.get("epoch"))
        and all(map(_is_text, epoch))
        and all(map(_is_result, epoch.values()))
        for epoch in value
    )


def _is_of_a_server(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_count(value.get(name)) for name in ("version", "updates")
    )


def _is_results(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_text(name) and isinstance(number, int | float) for name, number in value.items()
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and encodable(value) == value


def _is_result(value: Any) -> bool:
    """Return whether it is a number, the text for one that JSON lacks, or a matrix of numbers."""
    if not isinstance(value, list):
        return isinstance(value, int | float) or _is_text(value)
    try:
        np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return False
    return True


_FACTS: dict[str, Callable[[Any], bool]] = {
    "plan": lambda value: isinstance(value, dict),
    "order": _is_order,
    "position": _is_position,
    "reference_batch_size": lambda value: _is_count(value) and value > 0,
    "data_fingerprint": lambda value: isinstance(value, str),
    "preprocessing": lambda value: isinstance(value, dict),
    "seconds_before": _is_duration,
    "history": _is_history,
}
_OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "test_before": _is_results,
    "compiled": lambda value: value is None or isinstance(value, bool),
    "gradient_norms": _is_sum_and_count,
    "asynchronous": _is_of_a_server,
}
