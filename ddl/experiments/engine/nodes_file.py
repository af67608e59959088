"""The nodes of a store: those of its spec, kept in the store so that a sync works where the spec is not."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.spec.node import HERE, Node, Nodes
from ddl.experiments.store.folder import StoreFolder

NODES_NAME = "nodes.json"
HERE_VARIABLE = "DDL_MANAGER_NODE"
"""Environment variable with the name of the node that this manager was sent to."""
_FORMAT = 1
_SPECS = (".yaml", ".yml", ".json", ".csv", ".tsv")


def keep_nodes(store: StoreFolder, nodes: Nodes, spec: Path) -> None:
    """Write down the nodes that a spec names, and where the spec is: changes there count later, too."""
    value = {**to_json(nodes), "format": _FORMAT, "spec": str(spec.absolute())}
    if read_json(store.path / NODES_NAME) != json.loads(json.dumps(value)):
        write_json(store.path / NODES_NAME, value)


def nodes_of(store: StoreFolder) -> tuple[Nodes, str]:
    """Return the nodes of a store, and a line about why those of an earlier time count, "" if they do not.

    The list beside the spec counts as it is now. Where it is damaged or away, the copy in the store counts.
    """
    nodes, note = _all_nodes(store)
    here = os.environ.get(HERE_VARIABLE)
    return (seen_from(nodes, here), note) if here else (nodes, note)


def seen_from(nodes: Nodes, name: str) -> Nodes:
    """Return the nodes as a manager on one of them sees them: that one is here, and the user's machine is not."""
    kept = {
        each.name: dataclasses.replace(each, ssh=None, shared=True) if each.name == name else each
        for each in nodes.nodes.values()
        if each.name == name or each.ssh is not None
    }
    return dataclasses.replace(nodes, nodes=kept)


def _all_nodes(store: StoreFolder) -> tuple[Nodes, str]:
    kept = read_json(store.path / NODES_NAME)
    spec = Path(str(kept.get("spec") or ""))
    if not kept:
        spec = next((path for path in _guesses(store) if path.is_file()), Path())
    if not spec.is_file():
        return from_json(kept), ""
    try:
        from ddl.experiments.spec.read_nodes import read_nodes

        nodes = read_nodes(spec)
    except ImportError:  # a manager elsewhere, without YAML
        return from_json(kept), ""
    except (ValueError, OSError) as error:
        return from_json(
            kept
        ), f"The nodes of {spec} cannot be read, so those read before count. {error}"
    if not os.environ.get(HERE_VARIABLE):
        keep_nodes(store, nodes, spec)
    return nodes, ""


def to_json(nodes: Nodes) -> dict[str, Any]:
    """Return nodes as JSON values."""
    return {
        "nodes": {name: node.to_json() for name, node in nodes.nodes.items()},
        "groups": {name: list(members) for name, members in nodes.groups.items()},
        "default": nodes.default,
        "path": str(nodes.path) if nodes.path else None,
    }


def from_json(value: Mapping[str, Any]) -> Nodes:
    """Return nodes from JSON values; this machine where there are none."""
    found = {str(name): Node.from_json(node) for name, node in (value.get("nodes") or {}).items()}
    path = value.get("path")
    return Nodes(
        nodes=found or {HERE.name: HERE},
        groups={name: tuple(members) for name, members in (value.get("groups") or {}).items()},
        default=str(value.get("default") or HERE.name),
        path=Path(path) if path else None,
    )


def _guesses(store: StoreFolder) -> list[Path]:
    """Return where the spec of a store without a list may be: beside the store, else the copy in it."""
    copies = [store.path / f"spec{ending}" for ending in _SPECS]
    beside = [
        path
        for ending in _SPECS
        for path in (store.path.parent.parent / f"{store.name}{ending}",)
        if any(copy.is_file() for copy in copies)
    ]
    return [*beside, *copies]
