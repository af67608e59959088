"""Checks a document against the table: all problems at once, in the order in which they stand."""

from __future__ import annotations

import difflib
import json
import math
from typing import Any

from ddl.config.json_run.checking.own_fields import check_own, plain
from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.grammar import sections
from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.run import ROOT
from ddl.config.json_run.place import UNREAD, Node, Problem
from ddl.plain_text import escaped

_BAD = object()


def check(root: Node) -> tuple[Settings, list[Problem]]:
    """Return the values of a run, and what is wrong with them, key by key."""
    checker = _Checker()
    checker.settings.source = root.place
    checker.object(root, ROOT, "")
    return checker.settings, checker.problems


class _Checker:
    def __init__(self) -> None:
        self.settings, self.problems = Settings(), list[Problem]()

    def object(self, node: Node, section: Section, path: str) -> dict[str, Any]:
        """Check an object, note its values, and return them by key, None for what is not given."""
        values: dict[str, Any] = dict.fromkeys(key.name for key in section.keys)
        if section.path == "ddl":
            for name, value in check_own(node, self.problems).items():
                self._note(f"ddl.{name}", node.value[name], value)
            return values
        deciding = self._deciding(node, section)
        for name, member in node.value.items():
            key, inner = section.find(name), f"{path}.{name}" if path else name
            if key is None:
                self._tell(member, inner, _unknown(name, section))
            elif not key.has_meaning(deciding):
                what = f"has no meaning for {deciding}. It is for {', '.join(key.only)}."
                self._tell(member, inner, what)
            else:
                values[name] = self._value(member, key, inner)
        self._check_needed(node, section, path, deciding)
        if section.is_single and len(node.value) != 1:
            self._tell(node, path, f"{len(node.value)} keys. Expected: exactly one in each object.")
        return values

    def _deciding(self, node: Node, section: Section) -> str | None:
        """Return the value that decides which keys have a meaning; None where it is missing or wrong."""
        names = ("input_type", "type") if section.path == "data" else (section.decides,)
        for name in names:
            key = section.find(name) if name else None
            if key is not None and name in node.value:
                found = _choice(node.value[name].value, key)
                return None if found is _BAD else str(found)
        return None

    def _check_needed(self, node: Node, section: Section, path: str, deciding: str | None) -> None:
        for key in section.keys:
            decided = deciding is not None or not key.only
            if key.needed and key.name not in node.value and decided and key.has_meaning(deciding):
                inner = f"{path}.{key.name}" if path else key.name
                self._tell(node, inner, f"is missing. Expected: {key.expected}.")

    def _value(self, node: Node, key: Key, path: str) -> Any:
        """Check a value, note it, and return it; None where it is wrong."""
        if node.value is UNREAD:  # reported by whoever has read it
            return None
        self.settings.places[path] = node.place
        if key.kind == "object" and isinstance(node.value, dict) and key.section is not None:
            return self.object(node, key.section, path)
        if key.kind == "objects" and isinstance(node.value, list):
            return self._objects(node, key, path)
        if key.kind == "layers":
            return self._layers(node, key, path)
        if key.kind == "options" and isinstance(node.value, dict):
            self._note(path, node, plain(node))
            return self.settings.given[path]
        value = _converted(node, key)
        if value is _BAD:
            self._tell(node, path, f"Received: {shown(node)}. Expected: {_expected(node, key)}")
            return None
        self.settings.given[path] = value
        return value

    def _objects(self, node: Node, key: Key, path: str) -> tuple[Any, ...]:
        items = []
        assert key.section is not None  # noqa: S101 (the table gives one to each list of objects)
        for number, item in enumerate(node.value):
            inner = f"{path}.{number}"
            if not isinstance(item.value, dict):
                self._tell(
                    item, inner, f"Received: {shown(item)}. Expected: an object, from {{ to }}."
                )
                continue
            self.settings.places[inner] = item.place
            items.append(self.object(item, key.section, inner))
        for inner in [one for one in self.settings.given if one.startswith(f"{path}.")]:
            del self.settings.given[inner]
        self.settings.given[path] = tuple(items)
        return tuple(items)

    def _layers(self, node: Node, key: Key, path: str) -> Any:
        """Note the network: its path as "layers.file", or its layers, a JSON value, as "layers.layers"."""
        value = node.value
        if isinstance(value, dict) and "class_name" not in value and key.section is not None:
            if len({"file", "layers"} & {*value}) != 1:
                self._tell(node, path, "Received: no network. Expected: one of file, layers.")
            return self.object(node, key.section, path)
        inline = isinstance(value, list | dict)
        if value == []:
            self._tell(node, path, "Received: no layers. Expected: at least one.")
        elif inline:
            self._note("layers.layers", node, plain(node))
        elif isinstance(value, str) and value:
            self._note("layers.file", node, value)
        else:
            self._tell(node, path, f"Received: {shown(node)}. Expected: {key.expected}.")
        return None

    def _note(self, path: str, node: Node, value: Any) -> None:
        self.settings.given[path] = value
        self.settings.places[path] = node.place

    def _tell(self, node: Node, path: str, text: str) -> None:
        self.problems.append(Problem(node.place, escaped(path), text))


def _converted(node: Node, key: Key) -> Any:
    """Return the value as the key's type, or `_BAD`."""
    value = node.value
    if key.choices:
        return _choice(value, key)
    if key.kind in ("text", "path", "name"):
        return value if isinstance(value, str) and value and "\0" not in value else _BAD
    if key.kind == "bool":
        return value if isinstance(value, bool) else _BAD
    if key.kind == "int":
        return value if _is_int(value) and _is_in(value, key) else _BAD
    if key.kind == "float":
        return _number(value, key)
    if key.kind == "texts" and isinstance(value, list) and value:
        texts = [item.value for item in value]
        return tuple(texts) if all(isinstance(t, str) and t for t in texts) else _BAD
    if key.kind in ("ints", "floats") and isinstance(value, list):
        return _numbers(value, key)
    return _BAD


def _choice(value: Any, key: Key) -> Any:
    named = {choice.lower(): choice for choice in key.choices}
    return named.get(value.lower(), _BAD) if isinstance(value, str) else _BAD


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53


def _number(value: Any, key: Key) -> Any:
    if not _is_int(value) and not isinstance(value, float):
        return _BAD
    return float(value) if math.isfinite(value) and _is_in(value, key) else _BAD


def _numbers(items: list[Node], key: Key) -> Any:
    if not items or (key.length is not None and len(items) != key.length):
        return _BAD
    values = [item.value for item in items]
    if key.kind == "ints":
        return tuple(values) if all(_is_int(v) and _is_in(v, key) for v in values) else _BAD
    numbers = [_number(value, key) for value in values]
    return _BAD if _BAD in numbers else tuple(numbers)


def _is_in(value: float, key: Key) -> bool:
    return key.range is None or value in key.range


def _expected(node: Node, key: Key) -> str:
    """Return what a key takes, with the choice that is probably meant."""
    near = difflib.get_close_matches(str(node.value).lower(), [c.lower() for c in key.choices], 1)
    meant = next((c for c in key.choices if near and c.lower() == near[0]), None)
    return f"{key.expected}. Did you mean {meant}?" if meant else f"{key.expected}."


def _unknown(name: str, section: Section) -> str:
    """Return what to do about an unknown key: a nearby name, the section where it belongs, or the keys there are."""
    for other in sections():
        key = other.find(name.lower())
        if key is not None and other is not section and section.find(name.lower()) is None:
            return f"no such key. It belongs into {_named(other)}."
    known = [spelling for key in section.keys for spelling in (key.name, *key.also)]
    near = difflib.get_close_matches(name.lower(), known, 1)
    if near:
        return f"no such key. Did you mean {near[0]}?"
    everywhere = {key.name: other for other in sections() for key in other.keys}
    far = difflib.get_close_matches(name.lower(), everywhere, 1, 0.85)
    if far:
        return f"no such key. Did you mean {far[0]}, in {_named(everywhere[far[0]])}?"
    return f"no such key. Expected: {', '.join(known)}."


def _named(section: Section) -> str:
    return section.path or "neural_network"


def shown(node: Node) -> str:
    """Return a value as the config has it, shortened."""
    text = escaped(json.dumps(plain(node), ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:57]}..."
