"""Reads a spec: YAML, JSON, or a CSV with a column a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ddl.experiments.spec.block import Spec
from ddl.experiments.spec.blocks import read_blocks
from ddl.experiments.spec.context import Context, name_of
from ddl.experiments.spec.names import safe_text
from ddl.experiments.spec.read_nodes import nodes_of
from ddl.experiments.spec.text.csv_rows import read_table
from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems, SpecError
from ddl.experiments.spec.text.reading import (
    CSV_ENDINGS,
    JSON_ENDING,
    YAML_ENDINGS,
    read_document,
)
from ddl.ranges import did_you_mean

COMMAND_LINE = "--command"
"""The "file" in which a command stands that was given beside a spec."""


def read_spec(path: Path, command: str = "") -> Spec:
    """Return the spec in a file.

    Args:
        path: a file that ends in .yaml, .yml, .json, .csv or .tsv.
        command: the command, in place of the spec's.

    Raises:
        SpecError: all that is wrong with it.
    """
    document = _document(path)
    if document.value is None:
        raise SpecError(
            (
                f"{document.place}: Received: an empty file. Expected: a spec: name, command, parameters.",
            )
        )
    if not isinstance(document.value, dict):
        raise SpecError(
            (
                f"{document.place}: Received: {document.words()}. Expected: a mapping: `command: ...` and more.",
            )
        )
    if command:
        place = Place(COMMAND_LINE, 1, 1)
        document = _with(document, {"command": Item(command, place)}, {"command": place})
    problems = Problems()
    name = _name(document, path, problems)
    blocks = read_blocks(document, Context(path.absolute().parent, problems))
    nodes = nodes_of(document, path.absolute().parent, problems)
    for block in blocks:
        if block.node and not nodes.of(block.node):
            known = [*nodes.nodes, *nodes.groups]
            problems.add(
                f"{block.node_place}: Received: node {block.node!r}. "
                f"Expected one of: {', '.join(known)}.{did_you_mean(block.node, known)}"
            )
    problems.raise_any()
    return Spec(name=name, path=path.absolute(), blocks=blocks, nodes=nodes)


def _document(path: Path) -> Item:
    ending = path.suffix.lower()
    if ending in CSV_ENDINGS:
        keys, rows = read_table(path)
        return _of_table(keys, rows)
    if ending in (*YAML_ENDINGS, JSON_ENDING) or not path.is_file():
        return read_document(path)
    endings = ", ".join((*YAML_ENDINGS, JSON_ENDING, *CSV_ENDINGS))
    raise SpecError((f"Received: {path}. Expected: a spec, a file that ends in {endings}.",))


def _of_table(keys: Item, rows: Item) -> Item:
    """Return the document that a table stands for: its rows are whole settings."""
    given = keys if isinstance(keys.value, dict) else Item({}, rows.place, {})
    parameters = given.value.get("parameters", Item({}, rows.place, {}))
    if not isinstance(parameters.value, dict) or "list" in parameters.value:
        raise SpecError(
            (
                f"{parameters.place}: Received: parameters above a table. Expected: a mapping without list.",
            )
        )
    joined = _with(parameters, {"list": rows}, {"list": rows.place})
    return _with(given, {"parameters": joined}, {"parameters": parameters.place})


def _with(item: Item, values: Mapping[str, Item], keys: Mapping[str, Place]) -> Item:
    return Item({**item.value, **values}, item.place, {**item.keys, **keys})


def _name(document: Item, path: Path, problems: Problems) -> str:
    item = document.value.get("name")
    if item is None or item.value is None:
        return safe_text(path.stem)[:64]
    try:
        return name_of(item)
    except MisfitError as error:
        problems.add(error)
        return ""
