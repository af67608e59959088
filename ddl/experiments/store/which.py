"""WHICH experiments a verb is about: by name, number, glob, state, or by a parameter's value.

    003-lr0.001-w32   3   3-7   '*w32*'   state=failed,lost   lr=0.001   group=cells

Several names add up; conditions narrow them down: `'*w32*' state=failed` are the failed ones among those.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from ddl.experiments.states import STATES
from ddl.experiments.store.folder import number_of
from ddl.experiments.store.view import ExperimentView, StoreView

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_FIELDS = ("group", "node", "author", "subject", "spec")
_SHOWN = 5

_Test = Callable[[ExperimentView], bool]


def select(view: StoreView, words: Sequence[str]) -> list[ExperimentView]:
    """Return the experiments that words name, by number; all of them without a word.

    Raises:
        ValueError: A word names none. A state that none is in right now is no error: it selects none.
    """
    names: list[_Test] = []
    conditions: dict[str, list[_Test]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals and not any(item.name == word for item in view.experiments):
            full, test = _condition(view, key, value)
            conditions.setdefault(full, []).append(test)
        else:
            names.append(_named(view, word))
    return [
        item
        for item in view.experiments
        if (not names or any(test(item) for test in names))
        and all(any(test(item) for test in tests) for tests in conditions.values())
    ]


def select_one(view: StoreView, words: Sequence[str]) -> ExperimentView:
    """Return the one experiment that words name.

    Raises:
        ValueError: They name none, or several.
    """
    found = select(view, words)
    if len(found) == 1:
        return found[0]
    names = ", ".join(item.name for item in found[:_SHOWN])
    more = ", ..." if len(found) > _SHOWN else ""
    received = " ".join(words) or "no name"
    expected = f"one of {names}{more}" if found else "one experiment; `status` lists them"
    raise ValueError(
        f"Received: {received}, which is {len(found)} experiments. Expected: {expected}."
    )


def parameter_of(names: Sequence[str], word: str) -> str | None:
    """Return the parameter that a word means: its name, its last part, or the start of one; None if none or several.

    `lr` means learning_rate, too: the first letters of its parts.
    """
    if word in names:
        return word
    wanted = _folded(word)
    ways: tuple[Callable[[str], bool], ...] = (
        lambda name: _folded(name) == wanted,
        lambda name: _folded(name.rpartition(".")[2]) == wanted,
        lambda name: _initials(name) == wanted,
        lambda name: _folded(name).startswith(wanted),
    )
    for is_meant in ways:
        found = [name for name in names if is_meant(name)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def parameters_of(view: StoreView) -> list[str]:
    """Return the names of all parameters of a store's experiments, in the order in which they appear."""
    return list(dict.fromkeys(name for item in view.experiments for name in item.record.parameters))


def is_value(value: Any, text: str) -> bool:
    """Return whether a parameter's value is what a text says: as a number where both are, else as text or glob."""
    if value is None:
        return text.lower() in ("null", "none", "")
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == value
        except (ValueError, OverflowError):
            return False
    shown = value if isinstance(value, str) else json.dumps(value)
    return shown == text or fnmatch.fnmatchcase(shown, text)


def _named(view: StoreView, word: str) -> _Test:
    names = [item.name for item in view.experiments]
    if word in names:
        return lambda item: item.name == word
    numbers = _RANGE.fullmatch(word)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        test: _Test = lambda item: first <= item.number <= last  # noqa: E731
    else:
        test = lambda item: any(  # noqa: E731
            fnmatch.fnmatchcase(name, word) for name in (item.name, item.record.label)
        )
    if not any(test(item) for item in view.experiments):
        for name, reason in view.damaged.items():
            if word == name or (numbers and first <= number_of(name) <= last):
                raise ValueError(f"{name} cannot be read. {reason}")
        raise ValueError(
            f"Received: {word}, which names no experiment. Expected: {_near(word, names)}."
        )
    return test


def _condition(view: StoreView, key: str, value: str) -> tuple[str, _Test]:
    """Return a condition's full name, and the test of it."""
    values = value.split(",")
    if key == "state":
        unknown = [text for text in values if text not in STATES]
        if unknown:
            raise ValueError(
                f"Received: state={unknown[0]}. Expected: {_near(unknown[0], list(STATES), most=len(STATES))}."
            )
        return key, lambda item: item.state in values
    names = parameters_of(view)
    full = key if key in _FIELDS and key not in names else parameter_of(names, key)
    if full is None:
        known = ["state", *_FIELDS, *names]
        raise ValueError(f"Received: {key}={value}. Expected: {_near(key, known, most=12)}.")

    def test(item: ExperimentView) -> bool:
        found = _field(item, full) if full not in names else item.record.parameters.get(full, ...)
        return (
            any(is_value(found, text) for text in (value, *values)) if found is not ... else False
        )

    if not any(test(item) for item in view.experiments):
        had = {
            _shown(item.record.parameters.get(full) if full in names else _field(item, full)): None
            for item in view.experiments
        }
        raise ValueError(
            f"Received: {key}={value}, which no experiment has. Expected: {_listed(list(had))}."
        )
    return full, test


def _field(item: ExperimentView, name: str) -> str:
    record = item.record
    return {
        "group": record.group,
        "node": item.node,
        "author": record.author,
        "subject": record.subject,
        "spec": record.spec_name,
    }[name]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _near(word: str, names: Sequence[str], most: int = _SHOWN) -> str:
    if not names:
        return "a store with experiments; this one has none yet"
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), folded, 3, 0.5)
    parts = [name for name in names if word.lower() in name.lower()][:3] if word else []
    found = list(dict.fromkeys([*(folded[name] for name in near), *parts]))[:3]
    return " or ".join(found) if found else _listed(names, most)


def _listed(names: Sequence[str], most: int = _SHOWN) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return f"one of {', '.join(names[:most])}{more}" if names else "none are there"


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _initials(name: str) -> str:
    return "".join(part[:1] for part in re.split(r"[_.\-]", name.lower()))
