"""The parameters of a spec: plain values, grids, lists side by side, whole settings, random draws, rows of a table.

Each makes a list of settings, and all lists together their product; the last one varies fastest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.experiments.spec.parameter.draws import Draw
from ddl.experiments.spec.text.item import Place

Setting = Mapping[str, Any]

MOST_EXPERIMENTS = 100_000
_TRIES = 200
"""Draws for each one wanted: where more than that repeat, there are too few different ones."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What the key `parameters` says.

    Attributes:
        lists: Lists of settings, whose product makes the experiments.
        draws: Parameters that are drawn at random.
        count: How often they are drawn.
        search: Parameters that a search draws.
        exclude: Settings to leave out: each names parameters with the values that must all meet.
        places: Where each parameter stands.
    """

    lists: tuple[tuple[Setting, ...], ...] = ()
    draws: Mapping[str, Draw] = field(default_factory=dict)
    count: int = 0
    search: Mapping[str, Draw] = field(default_factory=dict)
    exclude: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)

    def size(self) -> int:
        """Return how many settings there are, before any are excluded."""
        return math.prod(len(settings) for settings in self.lists) * (self.count or 1)

    def settings(self, seed: int) -> Iterator[dict[str, Any]]:
        """Return all settings in order, each with its parameters as the spec orders them.

        Raises:
            ValueError: there are fewer different draws than wanted.
        """
        lists = (
            [*self.lists, draw_settings(self.draws, self.count, seed)] if self.draws else self.lists
        )
        for parts in itertools.product(*lists):
            merged: dict[str, Any] = {}
            for part in parts:
                merged.update(part)
            if not any(_meets(merged, pattern) for pattern in self.exclude):
                yield {name: merged[name] for name in self.places if name in merged}


def draw_settings(draws: Mapping[str, Draw], count: int, seed: int) -> tuple[Setting, ...]:
    """Return `count` different settings, drawn at random; the first ones do not depend on `count`.

    Raises:
        ValueError: there are not so many.
    """
    found: dict[str, Setting] = {}
    possible = math.prod(draw.size() for draw in draws.values())
    if possible >= count:
        for number in range(count * _TRIES):
            setting = {name: draw.value(seed, name, number) for name, draw in draws.items()}
            found.setdefault(repr(setting), setting)
            if len(found) == count:
                return tuple(found.values())
    most = int(min(possible, len(found) or possible))
    raise ValueError(
        f"Received: {count} random settings, of which only {most} differ. Expected: a smaller n, or wider ranges."
    )


def _meets(setting: Setting, pattern: Mapping[str, tuple[Any, ...]]) -> bool:
    return all(
        name in setting and any(_same(setting[name], value) for value in values)
        for name, values in pattern.items()
    )


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
