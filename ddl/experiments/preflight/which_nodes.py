"""Which nodes a verb is about: those of a spec, of a store, or of the user's own list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddl.experiments.engine.nodes_file import nodes_of
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.spec.read_nodes import FILE, read_nodes, user_file
from ddl.experiments.spec.text.item import Item, Place, Problems
from ddl.experiments.store.folder import StoreFolder


def known_nodes(store: StoreFolder | None, spec: Path | None) -> Nodes:
    """Return the nodes of a spec, else of a store, else of nodes.yaml in this folder or of the user.

    Raises:
        ValueError: The list cannot be read.
    """
    if spec is not None:
        return read_nodes(spec)
    if store is not None:
        return nodes_of(store)[0]
    return _of_folder(Path.cwd())


def chosen_nodes(nodes: Nodes, words: Sequence[str]) -> tuple[Node, ...]:
    """Return the nodes and groups that words name; all without words.

    Raises:
        ValueError: A word names none.
    """
    if not words:
        return tuple(nodes.nodes.values())
    found: dict[str, Node] = {}
    for word in words:
        named = nodes.of(word)
        if not named:
            known = ", ".join([*nodes.nodes, *nodes.groups])
            raise ValueError(f"Received: node {word}. Expected: some of {known}.")
        found |= {node.name: node for node in named}
    return tuple(found.values())


def _of_folder(folder: Path) -> Nodes:
    from ddl.experiments.spec.read_nodes import nodes_of as nodes_of_document

    if not any(path.is_file() for path in (folder / FILE, user_file())):
        return Nodes()
    problems = Problems()
    document = Item({}, Place(str(folder / FILE), 1, 1))
    nodes = nodes_of_document(document, folder, problems)
    problems.raise_any()
    return nodes
