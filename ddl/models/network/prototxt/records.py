"""Fields of a file -> checked values of one dialect. All problems of a file are found in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddl.models.network.prototxt.schema import (
    CHOICES,
    ENUMS,
    LAYER_TYPES,
    MESSAGES,
    RANGES,
    REQUIRED,
    ROOT,
    Rule,
)
from ddl.models.network.prototxt.tree import Field, Message, Place, Scalar
from ddl.ranges import did_you_mean

Problems = list[tuple[Place, str]]
_MOST = 2**31 - 1
_IN_DOUBT = "CDBA"
"""Dialects in the order in which they are taken where a file fits several."""


@dataclass(frozen=True)
class Record:
    """The values of a message, with the defaults of the fields that are left out.

    Attributes:
        place: where it begins.
        values: field -> its value: a number, a text, a record, or a tuple of them for a field that may repeat.
        places: field -> where it stands, for those that do.
    """

    place: Place
    values: Mapping[str, Any]
    places: Mapping[str, Place]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def place_of(self, name: str) -> Place:
        """Return where a field stands, or the message if the field is left out."""
        return self.places.get(name, self.place)


def find_dialect(root: Message) -> str:
    """Return the dialect that a file fits best: the one with the fewest fields that are unknown in it or missing."""
    return min(_IN_DOUBT, key=lambda dialect: sum(_misfits(root, ROOT, dialect)))


def _misfits(message: Message, kind: str, dialect: str) -> Iterator[float]:
    """Yield a number for each field that does not belong into a dialect, or that it lacks."""
    rules = MESSAGES[kind]
    names = {one.name for one in message.fields}
    for one in message.fields:
        rule = rules.get(one.name)
        if rule is None:
            continue
        if dialect not in rule.dialects:
            yield 0.5 if dialect in rule.tolerated else 1
        if rule.is_message and isinstance(one.value, Message):
            yield from _misfits(one.value, rule.type, dialect)
        if kind == "layer" and one.name == "type" and isinstance(one.value, Scalar):
            known = LAYER_TYPES.get(one.value.text.lower())
            yield known is not None and dialect not in known.dialects
    for name, rule in rules.items():
        yield rule.default is REQUIRED and dialect in rule.dialects and name not in names


@dataclass
class Checker:
    """Checks the fields of a file.

    Attributes:
        dialect: that of the file.
        problems: what was found so far.
        tolerated: fields that the dialect's own code refused, or had for a while only, with where they stand.
    """

    dialect: str
    problems: Problems = field(default_factory=list)
    tolerated: dict[str, Place] = field(default_factory=dict)

    def record(self, message: Message, kind: str = ROOT) -> Record:
        """Return the values of a message; a field with a problem has its default, or None."""
        rules = {
            name: rule for name, rule in MESSAGES[kind].items() if self.dialect in rule.known_in
        }
        found: dict[str, Any] = {}
        places: dict[str, Place] = {}
        for one in message.fields:
            rule = rules.get(one.name)
            if rule is None:
                self._report_unknown(one, kind, rules)
                continue
            if self.dialect in rule.tolerated:
                self.tolerated.setdefault(one.name, one.place)
            if one.name in places and not rule.repeated:
                first = places[one.name]
                text = f"{one.name} a second time; line {first.line} has it first"
                self.report(one.place, text, "it once")
                continue
            places.setdefault(one.name, one.place)
            value = self._value(one, rule, kind)
            if rule.repeated:
                value = (*found.get(one.name, ()), *(() if value is None else (value,)))
            found[one.name] = value
        for name, rule in rules.items():
            if name not in places:
                found[name] = self._default(name, rule, kind, message.place)
        return Record(message.place, found, places)

    def report(self, place: Place, received: str, expected: str) -> None:
        """Remember a problem."""
        end = "" if expected.endswith(("?", ".")) else "."
        self.problems.append((place, f"Received: {received}. Expected: {expected}{end}"))

    def _report_unknown(self, one: Field, kind: str, rules: Mapping[str, Rule]) -> None:
        where = f" in {kind}" if kind else ""
        other = MESSAGES[kind].get(one.name)
        if other is not None:
            known = " and ".join(other.known_in)
            plural = "s" * (len(other.known_in) > 1)
            self.report(
                one.place,
                f"{one.name}{where}, a field of dialect{plural} {known}, in a file that is of dialect {self.dialect} "
                "otherwise",
                f"fields of one dialect; here {', '.join(rules)}",
            )
            return
        guess = did_you_mean(one.name, rules)
        self.report(
            one.place, f"the unknown field {one.name}{where}", f"{', '.join(rules)}.{guess}"
        )

    def _default(self, name: str, rule: Rule, kind: str, place: Place) -> Any:
        if rule.default is REQUIRED and self.dialect not in rule.tolerated:
            self.report(place, f"{kind or 'a file'} without {name}", name)
            return () if rule.repeated else None
        default = None if rule.default is REQUIRED else rule.default
        if name in RANGES and default is not None and default not in RANGES[name]:
            self.report(place, f"no {name}, which is then {default:g}", f"{name}, {RANGES[name]}")
        return () if rule.repeated else default

    def _value(self, one: Field, rule: Rule, kind: str) -> Any:
        if rule.is_message:
            if isinstance(one.value, Message):
                return self.record(one.value, rule.type)
            self.report(one.value.place, f"{one.name}: {one.value}", f"{one.name} {{ ... }}")
            return None
        if isinstance(one.value, Message):
            self.report(one.value.place, f"{one.name} {{", f"{one.name}: {_TYPES[rule.type]}")
            return None
        if rule.type in ("uint32", "float"):
            return self._number(one.name, one.value, rule.type)
        return self._word(one.name, one.value, rule.type, kind)

    def _number(self, name: str, value: Scalar, type_name: str) -> Any:
        number = as_number(value, type_name == "uint32")
        if number is None:
            self.report(value.place, f"{name}: {value}", _TYPES[type_name])
        elif name in RANGES and number not in RANGES[name]:
            self.report(value.place, f"{name}: {value}", f"{_TYPES[type_name]}, {RANGES[name]}")
            return None
        return number

    def _word(self, name: str, value: Scalar, type_name: str, kind: str) -> Any:
        if type_name == "enum":
            words: Sequence[str] = ENUMS[name]
            if value.form == "number" and value.text.isdecimal() and int(value.text) < len(words):
                return words[int(value.text)]
            if value.form == "word" and value.text in words:
                return value.text
            self.report(value.place, f"{name}: {value}", f"{' or '.join(words)}, without quotes")
            return None
        if value.form != "string":
            self.report(value.place, f"{name}: {value}", f'{name}: "{value}", in quotes')
            return None
        words = CHOICES[kind, name]
        plain = {word.lower(): word for word in words}
        if value.text.lower() in plain:
            return plain[value.text.lower()]
        guess = did_you_mean(value.text, words)
        self.report(value.place, f"{name}: {value}", f"one of {', '.join(words)}.{guess}")
        return None


_TYPES = {
    "uint32": "a whole number",
    "float": "a number",
    "string": "a string in quotes",
    "enum": "a word",
}


def as_number(value: Scalar, is_whole: bool) -> Any:
    """Return the number that is written, None if it is none, negative where it must not be, or not finite."""
    if value.form != "number":
        return None
    text = value.text
    try:
        if text.lower().startswith(("0x", "-0x")):
            number: float = int(text, 16)
        elif is_whole:
            is_octal = len(text) > 1 and text.startswith("0")
            number = int(text, 8 if is_octal else 10)  # as protobuf reads it
        else:
            number = float(text.rstrip("fF"))
    except ValueError:
        return None
    if is_whole:
        return number if 0 <= number <= _MOST else None
    return float(number) if math.isfinite(number) else None
