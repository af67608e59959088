"""Experiments that a manager on a node looks after: this side only tells it what is wanted, and fetches what is new.

A node that sees the store gets a manager for it. On another one the store's copy gets a manager of its own, and
delegated.json says which experiments are its business: two managers with two copies would start them twice.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.backends.backend import Backend, open_backend
from ddl.experiments.engine.elsewhere.manager import is_alive, start_manager
from ddl.experiments.engine.files.fetching import fetch
from ddl.experiments.engine.files.removal import take_away
from ddl.experiments.engine.files.sending import Say, Sender, root_of, send_wanted
from ddl.experiments.engine.nodes_file import nodes_of, seen_from, to_json
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.states import ENDED
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.view import ExperimentView, StoreView, read_view

_NAME = "delegated.json"

OpenBackend = Callable[[Node], Backend]


@dataclass(frozen=True, kw_only=True)
class Delegation:
    """What a manager elsewhere looks after.

    Attributes:
        node: Its node.
        root: The store's copy there.
        pid: The manager's process.
        every: Time between its syncs.
        names: The experiments.
    """

    node: str
    root: str
    pid: int
    every: str
    names: tuple[str, ...]


def read_delegation(store: StoreFolder) -> Delegation | None:
    """Return what is delegated, None if nothing is."""
    value = read_json(store.path / _NAME)
    if not value:
        return None
    given = {item.name: value[item.name] for item in dataclasses.fields(Delegation)}
    return Delegation(**{**given, "names": tuple(given["names"])})


def own_part(view: StoreView) -> StoreView:
    """Return a store's view without what a manager elsewhere looks after."""
    delegation = read_delegation(view.store)
    if delegation is None:
        return view
    kept = [item for item in view.experiments if item.name not in delegation.names]
    return dataclasses.replace(view, experiments=tuple(kept))


def delegate(
    store: StoreFolder, name: str, every: str, say: Say, open_node: OpenBackend = open_backend
) -> str:
    """Start a manager on a node. Return what to tell.

    Raises:
        ValueError: There is no such node, its Python is too old, or it has nothing to look after.
        Unreachable: The node did not answer.
    """
    nodes, _ = nodes_of(store)
    node = nodes.nodes.get(name)
    if node is None:
        raise ValueError(f"Received: on={name}. Expected one of: {', '.join(nodes.nodes)}.")
    transport = open_node(node).transport
    root = root_of(node, store, transport)
    if node.shared:
        if store.id not in transport.run(["cat", f"{root}/store.json"]).stdout:
            raise ValueError(
                f"Received: on={name}, which has no {root}. Expected: a node that sees the store, or `shared: false`."
            )
        pid = start_manager(node, transport, root, every)
        return _started(name, transport.host, pid, root)
    mine = _delegable(read_view(store.path), nodes, node)
    sender = Sender(store, transport, root, say)
    for item in mine:
        sender.send(item.folder, item.record)
    text = json.dumps({**to_json(seen_from(nodes, name)), "format": 1})
    transport.run(
        ["sh", "-c", 'cat > "$1.tmp" && mv "$1.tmp" "$1"', "sh", f"{root}/nodes.json"], stdin=text
    )
    # Written before the start: from here on this side leaves them alone, whatever becomes of this process.
    value = {"node": name, "root": root, "pid": 0, "every": every, "names": [i.name for i in mine]}
    write_json(store.path / _NAME, {**value, "since": time.time()})
    pid = start_manager(node, transport, root, every)
    write_json(store.path / _NAME, {**value, "pid": pid, "since": time.time()})
    return f"{_started(name, transport.host, pid, root)}. It looks after {len(mine)} experiments; `sync` fetches them"


def _started(name: str, host: str, pid: int, root: str) -> str:
    where = host or "this machine"
    return (
        f"A manager has started on {name} ({where}, process {pid}); it ends when all experiments have ended. "
        f"Its log: {root}/.manage.log"
    )


def _delegable(view: StoreView, nodes: Nodes, node: Node) -> list[ExperimentView]:
    """Return the experiments that only this node may run, and of which nothing runs elsewhere."""
    found = []
    for item in view.experiments:
        wanted = nodes.of(str(item.wanted.get("node") or item.record.node))
        elsewhere = [a for a in item.attempts if a.name and a.node != node.name and not a.has_ended]
        if (
            item.state not in ENDED
            and [each.name for each in wanted] == [node.name]
            and not elsewhere
        ):
            found.append(item)
    if not found:
        raise ValueError(
            f"Received: on={node.name}, which has no experiment of its own to look after. Expected: experiments that "
            "name this node, not a group."
        )
    return found


def mirror(
    store: StoreFolder, delegation: Delegation, open_node: OpenBackend = open_backend
) -> list[str]:
    """Tell a manager elsewhere what is wanted, fetch what is new, start it again if it is away. Return lines to tell.

    Raises:
        Unreachable: The node did not answer.
    """
    nodes, _ = nodes_of(store)
    node = nodes.nodes.get(delegation.node)
    if node is None:
        raise Unreachable(f"no node {delegation.node} in nodes.yaml any more")
    transport = open_node(node).transport
    view = read_view(store.path)
    mine = [item for item in view.experiments if item.name in delegation.names]
    send_wanted(transport, delegation.root, store, [item.folder.path.name for item in mine])
    extra = (f"/seen/{delegation.node}.json", f"/{store.waits.name}")
    fetch(transport, delegation.root, store, mine, extra=extra)
    lines = _removed(store, mine, transport.run(["ls", delegation.root]).stdout.split("\n"))
    view = read_view(store.path)
    open_ones = [
        item
        for item in view.experiments
        if item.name in delegation.names and item.state not in ENDED | {"paused", "planned"}
    ]
    if open_ones and not is_alive(transport, delegation.root, delegation.pid):
        pid = start_manager(node, transport, delegation.root, delegation.every)
        value = {**dataclasses.asdict(delegation), "pid": pid, "names": list(delegation.names)}
        write_json(store.path / _NAME, {**value, "since": time.time()})
        lines.append(f"The manager on {delegation.node} was away; it has started again.")
    return lines


def _removed(store: StoreFolder, mine: Sequence[ExperimentView], there: Sequence[str]) -> list[str]:
    """Take away what the manager elsewhere has removed by the user's wish."""
    return [
        f"{item.name}: {take_away(store, item.folder)}"
        for item in mine
        if item.wanted.get("want") == "remove" and item.folder.path.name not in there
    ]


def take_back(store: StoreFolder, open_node: OpenBackend = open_backend) -> str:
    """End a manager elsewhere, and look after its experiments here again. Return what to tell.

    Raises:
        ValueError: Nothing is delegated.
        Unreachable: The node did not answer, so its manager may go on.
    """
    delegation = read_delegation(store)
    if delegation is None:
        raise ValueError(
            "Received: back=true. Expected: a store that a manager on a node looks after."
        )
    mirror(store, delegation, open_node)
    again = read_delegation(store) or delegation
    nodes, _ = nodes_of(store)
    transport = open_node(nodes.nodes[again.node]).transport
    for _ in range(20):
        if not is_alive(transport, again.root, again.pid):
            break
        transport.run(["kill", str(again.pid)])
        time.sleep(0.3)
    else:
        raise Unreachable(f"{again.node}: the manager, process {again.pid}, does not end.")
    mirror_once = [item for item in read_view(store.path).experiments if item.name in again.names]
    fetch(transport, again.root, store, mirror_once)
    (store.path / _NAME).unlink()
    return f"This machine looks after {len(again.names)} experiments again."
