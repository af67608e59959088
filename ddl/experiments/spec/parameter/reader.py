"""Reads the key `parameters` of a spec."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddl.experiments.spec.parameter.draws import EXPECTED, Draw, choice, parse_draw
from ddl.experiments.spec.parameter.settings import MOST_EXPERIMENTS, Parameters, Setting
from ddl.experiments.spec.text.csv_rows import read_table
from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems, SpecError
from ddl.experiments.spec.text.shape import (
    checked_text,
    mapping_of,
    misfit,
    text_of,
    whole_of,
)
from ddl.ranges import did_you_mean

RUNTIME = ("run_dir", "experiment_dir", "store_dir", "attempt", "agent", "number", "name")
"""Placeholders that the agent fills in on the node."""

FILLED = ("flags", "ranks", "parameters")
"""Placeholders that are no parameters, filled in when the spec is read."""

SETS = {
    "grid": "lists of values; all their combinations",
    "zip": "lists side by side: the first of each, the second of each, ...",
    "list": "whole settings",
    "random": "n settings drawn at random",
    "csv": "a table with a column a parameter",
    "values": "plain values, also of parameters called grid, zip, list, ...",
    "exclude": "settings to leave out",
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_OF_ONE = ("grid", "zip", "search")
_MEANT_AS_GRID = ("list", "values", "choices", "choice", "range")
"""What other tools, or other places of a spec, call the values of a parameter. A mapping would reach the command."""


class ParameterReader:
    """Collects the lists of settings of one `parameters` mapping."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        """Look for tables below `folder`, the spec's."""
        self._folder, self._problems = folder, problems
        self._lists: list[tuple[Setting, ...]] = []
        self._zip: dict[str, list[Any]] = {}
        self._zip_at: int | None = None
        self._draws: dict[str, Draw] = {}
        self._search: dict[str, Draw] = {}
        self._count = 0
        self._exclude: list[dict[str, tuple[Any, ...]]] = []
        self._places: dict[str, Place] = {}

    def read(self, item: Item) -> Parameters:
        """Return what the mapping says. Problems are added to those of the spec."""
        sets: dict[str, Callable[[Item], None]] = {
            "grid": self._read_grids,
            "zip": self._read_zips,
            "list": self._read_list,
            "random": self._read_random,
            "csv": self._read_csv,
            "values": self._read_values,
            "exclude": self._read_exclude,
        }
        for name, member in mapping_of(item).items():
            try:
                if name in sets:
                    sets[name](member)
                else:
                    self._read_one(name, member, item.keys.get(name, member.place))
            except MisfitError as error:
                self._problems.add(error)
        self._end_zip(item)
        self._check_excluded(item)
        return self._parameters()

    def _parameters(self) -> Parameters:
        return Parameters(
            lists=tuple(self._lists),
            draws=self._draws,
            count=self._count,
            search=self._search,
            exclude=tuple(self._exclude),
            places=self._places,
        )

    def _read_one(self, name: str, item: Item, place: Place) -> None:
        """Read `name: value`, `name: {grid: [...]}`, `name: {zip: [...]}` or `name: {search: ...}`."""
        self._name(name, place)
        if not isinstance(item.value, dict) or len(item.value) != 1:
            self._lists.append(({name: value_of(item)},))
            return
        kind, inner = next(iter(item.value.items()))
        if kind == "grid":
            self._lists.append(tuple({name: value} for value in _values(inner)))
        elif kind == "zip":
            self._zipped(name, _values(inner))
        elif kind == "search":
            self._search[name] = draw_of(inner)
        elif kind in _MEANT_AS_GRID:
            raise MisfitError(
                item.keys[kind],
                f"Received: {kind!r} of {name}. Expected: {name}: {{grid: [...]}}, an experiment for each value; where "
                f"{kind!r} is an option of {name} itself, values: {{{name}: {{{kind}: ...}}}}.",
            )
        elif isinstance(inner.value, list) and did_you_mean(kind, _OF_ONE):
            raise MisfitError(
                item.keys[kind],
                f"Received: {kind!r} of {name}. Expected: grid, zip or search.{did_you_mean(kind, _OF_ONE)}",
            )
        else:
            self._lists.append(({name: value_of(item)},))

    def _read_grids(self, item: Item) -> None:
        for name, inner in _named(item, "grid"):
            self._name(name, item.keys[name])
            self._lists.append(tuple({name: value} for value in _values(inner)))

    def _read_zips(self, item: Item) -> None:
        """Read one mapping of lists side by side, or a list of such mappings."""
        for each in item.value if isinstance(item.value, list) else [item]:
            columns: dict[str, list[Any]] = {}
            for name, inner in _named(each, "zip"):
                self._name(name, each.keys[name])
                columns[name] = _values(inner)
            self._lists.append(_side_by_side(columns, each.place))

    def _zipped(self, name: str, values: list[Any]) -> None:
        if self._zip_at is None:
            self._zip_at = len(self._lists)
        self._zip[name] = values

    def _end_zip(self, item: Item) -> None:
        if self._zip_at is None:
            return
        try:
            place = self._places[next(reversed(self._zip))]
            self._lists.insert(self._zip_at, _side_by_side(self._zip, place))
        except MisfitError as error:
            self._problems.add(error)

    def _read_list(self, item: Item) -> None:
        if not isinstance(item.value, list) or not item.value:
            raise misfit(item, "list: [{learning_rate: 1e-3, width: 16}, ...]")
        self._add_settings(item.value)

    def _add_settings(self, items: list[Item]) -> None:
        settings, names = [], set()
        for each in items:
            members = mapping_of(each, "a mapping of parameters to values")
            for name, member in members.items():
                if name not in names:
                    self._name(name, each.keys.get(name, member.place))
                    names.add(name)
            settings.append({name: value_of(member) for name, member in members.items()})
        self._lists.append(tuple(settings))

    def _read_random(self, item: Item) -> None:
        members = mapping_of(item, "random: {n: 20, learning_rate: log 1e-5..1e-2}")
        if "n" not in members or len(members) < 2:
            raise misfit(
                item, "random: {n: 20, learning_rate: log 1e-5..1e-2}, with n and a parameter"
            )
        self._count = whole_of(members["n"], 1, MOST_EXPERIMENTS)
        for name, member in members.items():
            if name != "n":
                self._name(name, item.keys[name])
                self._draws[name] = draw_of(member)

    def _read_csv(self, item: Item) -> None:
        path = self._folder / text_of(item, "the name of a CSV file")
        try:
            keys, rows = read_table(path)
        except SpecError as error:
            raise MisfitError(item.place, error.problems[0]) from None
        if keys.value:
            raise MisfitError(
                next(iter(keys.keys.values())),
                "Received: keys of a spec above a table that a spec names. Expected: them in the spec.",
            )
        self._add_settings(rows.value)

    def _read_values(self, item: Item) -> None:
        for name, inner in _named(item, "values"):
            self._name(name, item.keys[name])
            self._lists.append(({name: value_of(inner)},))

    def _read_exclude(self, item: Item) -> None:
        for each in item.value if isinstance(item.value, list) else [item]:
            pattern = {}
            for name, member in _named(each, "exclude"):
                many = isinstance(member.value, list)
                pattern[name] = tuple(_values(member)) if many else (value_of(member),)
            self._exclude.append(pattern)

    def _check_excluded(self, item: Item) -> None:
        for pattern in self._exclude:
            for name in pattern:
                if name not in self._places:
                    self._problems.add(
                        f"{item.keys['exclude']}: Received: {name!r} in exclude. Expected: one of the parameters."
                        f"{did_you_mean(name, self._places)}"
                    )

    def _name(self, name: str, place: Place) -> None:
        """Keep the place of a parameter; refuse a name that is used already or cannot be one."""
        check_name(name, place)
        for known, before in self._places.items():
            if known.replace("-", "_") == name.replace("-", "_"):
                raise MisfitError(
                    place,
                    f"Received: parameter {name!r} twice, first in line {before.line}. Expected: once.",
                )
        self._places[name] = place


def check_name(name: str, place: Place) -> None:
    """Refuse a text that cannot be a parameter's name."""
    if name in RUNTIME + FILLED:
        raise MisfitError(
            place,
            f"Received: a parameter called {name!r}, a placeholder of ours. Expected: another name.",
        )
    if not _NAME.fullmatch(name):
        raise MisfitError(
            place,
            f"Received: a parameter called {name!r}. Expected: a name of letters, digits and _, such as learning_rate.",
        )


def value_of(item: Item) -> Any:
    """Return a parameter's value: a scalar, a list of scalars, or a mapping of names to those."""
    if isinstance(item.value, dict):
        if not item.value:
            raise misfit(item, "a value")
        return {name: _scalars_of(member) for name, member in item.value.items()}
    return _scalars_of(item)


def draw_of(item: Item) -> Draw:
    """Return the distribution of a parameter."""
    try:
        if isinstance(item.value, list):
            return choice([value_of(each) for each in item.value])
        return parse_draw(text_of(item, EXPECTED))
    except ValueError as error:
        raise MisfitError(item.place, str(error)) from None


def _scalars_of(item: Item) -> Any:
    if isinstance(item.value, list):
        return [_scalar_of(each) for each in item.value]
    return _scalar_of(item)


def _scalar_of(item: Item) -> Any:
    if isinstance(item.value, (dict, list)):
        raise misfit(item, "a text, a number, true or false; lists and mappings have one level")
    return checked_text(item, item.value) if isinstance(item.value, str) else item.value


def _values(item: Item) -> list[Any]:
    if not isinstance(item.value, list) or not item.value:
        raise misfit(item, "a list of values, such as [1e-3, 1e-4]")
    return [value_of(each) for each in item.value]


def _named(item: Item, owner: str) -> list[tuple[str, Item]]:
    members = mapping_of(item, f"{owner}: a mapping of parameters")
    if not members:
        raise misfit(item, f"{owner} with a parameter")
    return list(members.items())


def _side_by_side(columns: dict[str, list[Any]], place: Place) -> tuple[Setting, ...]:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{name} has {len(values)}" for name, values in columns.items())
        raise MisfitError(
            place, f"Received: lists of different lengths in zip: {told}. Expected: equal ones."
        )
    return tuple(
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    )
