"""Several configs and --set become one document. Later ones win key by key; lists are replaced whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ddl.config.json_run.document import Document, parse_document
from ddl.config.json_run.grammar import NETWORK
from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.run import ROOT
from ddl.config.json_run.place import Node, Place, Problem
from ddl.plain_text import escaped

_TEXTS = ("text", "path", "name", "layers")


@dataclass
class Merged:
    """The document of a command, and what is wrong with its parts."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    is_whole: bool = True  # each document has a run


def merge(documents: Sequence[Document], settings: Sequence[str] = ()) -> Merged:
    """Return the run that documents and --set describe together.

    Args:
        documents: at least one, all with a root.
        settings: texts of --set, such as "data.batch_size=16".
    """
    merged = Merged(Node({}, Place(documents[0].file, 1, 1)))
    for document in documents:
        network = _network_of(document, merged.problems)
        if network is not None:
            renamed = _canonical(network, ROOT, merged.problems)
            merged.root = _together(merged.root, renamed, has_keys=bool(merged.root.value))
        merged.is_whole &= network is not None
    for text in settings:
        _set(merged, text)
    return merged


def _network_of(document: Document, problems: list[Problem]) -> Node | None:
    """Return what stands under the only top-level key."""
    root = document.root
    if root is None or not isinstance(root.value, dict):
        place = root.place if root is not None else Place(document.file, 1, 1)
        problems.append(
            Problem(place, "", f'Received: no object. Expected: {{"{NETWORK}": {{...}}}}.')
        )
        return None
    for name, node in root.value.items():
        if name != NETWORK:
            remedy = "It belongs into" if ROOT.find(name) else "Expected only:"
            problems.append(Problem(node.place, escaped(name), f"no such key. {remedy} {NETWORK}."))
    network: Node | None = root.value.get(NETWORK)
    if network is None:
        problems.append(
            Problem(root.place, NETWORK, "is missing. Expected: the object with the run.")
        )
    elif not isinstance(network.value, dict):
        problems.append(Problem(network.place, NETWORK, "Expected: an object, from { to }."))
        return None
    return network


def _canonical(node: Node, section: Section, problems: list[Problem]) -> Node:
    """Return an object whose keys have their first spelling."""
    named: dict[str, Node] = {}
    spelled: dict[str, str] = {}
    for name, value in node.value.items():
        key = section.find(name)
        first = name if key is None else key.name
        if first in named:
            path = section.path_of(name)
            problems.append(
                Problem(value.place, path, f"the same as {spelled[first]}. Expected: one of them.")
            )
        spelled[first] = name
        named[first] = value if key is None else _canonical_value(value, key, problems)
    return Node(named, node.place)


def _canonical_value(node: Node, key: Key, problems: list[Problem]) -> Node:
    if key.section is None:
        return node
    if isinstance(node.value, dict):
        return _canonical(node, key.section, problems)
    if isinstance(node.value, list) and key.kind == "objects":
        items = [
            _canonical(item, key.section, problems) if isinstance(item.value, dict) else item
            for item in node.value
        ]
        return Node(items, node.place)
    return node


def _together(base: Node, later: Node, *, has_keys: bool = True) -> Node:
    """Return both objects as one, at the place of the first one that has keys."""
    values = dict(base.value)
    for name, node in later.value.items():
        before = values.get(name)
        if before is not None and _merge_by_key(before.value, node.value):
            values[name] = _together(before, node)
        else:
            values[name] = node
    return Node(values, base.place if has_keys else later.place)


def _merge_by_key(before: object, later: object) -> bool:
    """Return whether both are objects, and no network, which is replaced whole."""
    both = isinstance(before, dict) and isinstance(later, dict)
    return both and not any(
        isinstance(one, dict) and "class_name" in one for one in (before, later)
    )


def _set(merged: Merged, text: str) -> None:
    """Apply one --set."""
    path, equals, value = text.partition("=")
    place = Place(f"--set {escaped(text)}")
    names = path.strip().split(".")
    if names[0] == NETWORK:
        names = names[1:]
    if not equals or not all(names) or not names:
        merged.problems.append(
            Problem(place, "", "Received: no path and value. Expected: such as data.batch_size=16.")
        )
        return
    names, key = _spelled(names)
    node = _value_of(value.strip(), key, place, merged.problems)
    if node is not None:
        merged.root = _with(merged.root, names, node, merged.problems, ".".join(names))


def _spelled(names: list[str]) -> tuple[list[str], Key | None]:
    """Return the names of a path in their first spelling, and the last one's key; None for an unknown one."""
    section: Section | None = ROOT
    key: Key | None = None
    result = []
    for name in names:
        if (
            name.isdecimal()
            and key is not None
            and key.kind in ("objects", "ints", "floats", "texts")
        ):
            result.append(name)
            continue
        key = section.find(name) if section is not None else None
        section = key.section if key is not None else None
        result.append(name if key is None else key.name)
    return result, key


def _value_of(text: str, key: Key | None, place: Place, problems: list[Problem]) -> Node | None:
    """Return the value in a --set: JSON, or a text without quotes, or numbers with commas without brackets."""
    if (
        key is not None
        and key.kind in _TEXTS
        and text[:1] not in ('"', "[", "{")
        and text != "null"
    ):
        return Node(text, place)
    is_list = key is not None and key.kind in ("ints", "floats", "texts")
    if is_list and "," in text and not text.startswith("["):
        text = f"[{text}]"
    document = parse_document(text, Document("value"))
    if document.root is None or document.problems:
        if text[:1] in ('"', "[", "{"):
            problems += [
                Problem(place, "", re.sub(r"^value:1:", "column ", line))
                for line in document.problems
            ]
            return None
        return Node(text, place)
    return _at(document.root, place)


def _at(node: Node, place: Place) -> Node:
    """Return a value with one place for all that is in it."""
    value = node.value
    if isinstance(value, dict):
        value = {name: _at(each, place) for name, each in value.items()}
    elif isinstance(value, list):
        value = [_at(each, place) for each in value]
    return Node(value, place)


def _is_network(value: object) -> bool:
    """Return whether a value of `layers` is a network without settings of ours."""
    return isinstance(value, str | list) or (isinstance(value, dict) and "class_name" in value)


def _with(base: Node, names: list[str], node: Node, problems: list[Problem], whole: str) -> Node:
    """Return a value in which the one at a path is another; null takes a key away."""
    first, *rest = names
    if whole == f"layers.{first}" and _is_network(base.value):
        kind = "file" if isinstance(base.value, str) else "layers"
        return _with(Node({kind: base}, base.place), names, node, problems, whole)
    if isinstance(base.value, list):
        place = int(first) if first.isdecimal() else -1
        if not 0 <= place < len(base.value):
            count = len(base.value)
            problems.append(
                Problem(node.place, whole, f"no such item. Expected: 0 to {count - 1}.")
            )
            return base
        items = list(base.value)
        items[place] = _with(items[place], rest, node, problems, whole) if rest else node
        return Node(items, base.place)
    if not isinstance(base.value, dict):
        problems.append(
            Problem(node.place, whole, "no such key, because what it stands in is no object.")
        )
        return base
    values = dict(base.value)
    if rest:
        inner = values.get(first, Node({}, node.place))
        values[first] = _with(inner, rest, node, problems, whole)
    elif node.value is None:
        values.pop(first, None)
    else:
        values[first] = node
    return Node(values, base.place)
