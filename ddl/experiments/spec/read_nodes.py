"""Reads the machines: nodes.yaml beside the spec, `nodes:` in the spec, or the user's own list."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddl.experiments.spec.context import NAME
from ddl.experiments.spec.node import HERE, LOCAL, NODE_TYPES, SLURM, SSH, Node, Nodes
from ddl.experiments.spec.text.csv_rows import read_head
from ddl.experiments.spec.text.item import Item, MisfitError, Problems
from ddl.experiments.spec.text.reading import CSV_ENDINGS, read_document
from ddl.experiments.spec.text.shape import (
    choice_of,
    duration_of,
    mapping_of,
    misfit,
    read_members,
    text_of,
    texts_of,
    truth_of,
    whole_of,
)
from ddl.ranges import did_you_mean

FILE = "nodes.yaml"
_MOST = 1_000_000

NODE_KEYS = {
    "type": "`local`, `ssh` or `slurm`",
    "ssh": "host of your `~/.ssh/config` or user@host; a front end for `slurm`; without it, this machine",
    "folder": "folder on the node for stores; your home's `ddl-experiments` by default",
    "slots": "experiments that run at once (`local`, `ssh`), 1 by default",
    "shared": "whether the node sees the store under the same path",
    "python": "Python 3.8 or newer on the node, `python3` by default",
    "setup": "shell text before each command, such as `module load cuda`",
    "env": "environment variables of each command",
    "gpus": "number of GPUs that may be used; all by default",
    "partition": "Slurm's partition",
    "max_queued": "jobs in Slurm's queue at once, waiting or running",
    "sbatch": "further words for `sbatch`",
    "signal_before": "time before the limit at which an attempt is asked to end, 2 min by default",
    "submits": "whether a job may submit its own successor, true by default",
}
"""Keys of a node."""

FILE_KEYS = {
    "nodes": "a mapping of a name to a node's keys",
    "groups": "a mapping of a name to a list of nodes",
    "default": "node or group of an experiment that names none",
}
"""Keys of nodes.yaml."""


def read_nodes(spec_path: Path) -> Nodes:
    """Return the nodes that the experiments of a spec may name.

    Raises:
        SpecError: all that is wrong with them.
    """
    is_table = spec_path.suffix.lower() in CSV_ENDINGS
    document = read_head(spec_path) if is_table else read_document(spec_path)
    problems = Problems()
    nodes = nodes_of(document, spec_path.parent, problems)
    problems.raise_any()
    return nodes


def nodes_of(document: Item, folder: Path, problems: Problems) -> Nodes:
    """Return the nodes for a spec's document in a folder. Problems are added."""
    members = document.value if isinstance(document.value, dict) else {}
    given, groups = members.get("nodes"), members.get("groups")
    own = members.get("node")
    if own is not None and isinstance(own.value, dict):
        if given is not None:
            problems.add(
                f"{own.place}: Received: node: a mapping, and nodes. Expected: one of them; node: NAME."
            )
        given = Item({_name_of(own): own}, own.place, {_name_of(own): own.place})
    if given is not None and isinstance(given.value, dict):
        return _nodes(_as_file(given, groups), None, problems)
    if groups is not None:
        problems.add(
            f"{groups.place}: Received: groups without nodes. Expected: nodes: a mapping beside them."
        )
        return Nodes()
    path = _file_of(given, folder, problems)
    if path is None:
        return Nodes()
    return _nodes(read_document(path), path, problems)


def _as_file(given: Item, groups: Item | None) -> Item:
    """Return what nodes.yaml would hold: `nodes` of a spec may be all of it, or the nodes and their `default`."""
    beside = {} if groups is None else {"groups": groups}
    if "nodes" in given.value:
        return Item({**given.value, **beside}, given.place, given.keys)
    members = dict(given.value)
    default = members.get("default")
    if default is not None and isinstance(default.value, str):
        beside["default"] = members.pop("default")
    inner = Item(members, given.place, given.keys)
    return Item({"nodes": inner, **beside}, given.place, given.keys)


def _name_of(item: Item) -> str:
    """Return the name of a machine that the spec describes in place of naming it."""
    kind = item.value.get("type")
    if kind is not None and kind.value == SLURM:
        return SLURM
    return "server" if "ssh" in item.value else HERE.name


def user_file() -> Path:
    """Return the user's own list of nodes."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "ddl" / FILE


def _file_of(given: Item | None, folder: Path, problems: Problems) -> Path | None:
    if given is not None and given.value is not None:
        try:
            path = folder / Path(text_of(given, "nodes: a mapping, or a file's name")).expanduser()
        except MisfitError as error:
            problems.add(error)
            return None
        if not path.is_file():
            problems.add(
                f"{given.place}: Received: nodes: {path}, which is no file. Expected: such as nodes.yaml."
            )
            return None
        return path
    return next((path for path in (folder / FILE, user_file()) if path.is_file()), None)


def _nodes(document: Item, path: Path | None, problems: Problems) -> Nodes:
    readers: dict[str, Callable[[Item], Any]] = {
        "nodes": lambda item: _read_all(item, problems),
        "groups": _read_groups,
        "default": text_of,
    }
    if not isinstance(document.value, dict):
        problems.add(misfit(document, "nodes: a mapping of names to nodes"))
        return Nodes()
    given = read_members(document, readers, FILE, problems)
    nodes = {HERE.name: HERE, **given.get("nodes", {})}
    groups = given.get("groups", {})
    _check_groups(document, nodes, groups, problems)
    default = given.get("default", HERE.name if len(given.get("nodes", {})) != 1 else [*nodes][-1])
    if default not in nodes and default not in groups:
        place = document.value["default"].place
        near = did_you_mean(default, [*nodes, *groups])
        problems.add(f"{place}: Received: default {default!r}. Expected: a node or a group.{near}")
    return Nodes(nodes=nodes, groups=groups, default=default, path=path)


def _read_all(item: Item, problems: Problems) -> dict[str, Node]:
    nodes = {}
    for name, member in mapping_of(item, "nodes: a mapping of names to nodes").items():
        if not NAME.fullmatch(name):
            problems.add(
                f"{item.keys[name]}: Received: a node called {name!r}. Expected: letters, digits, . _ -."
            )
            continue
        try:
            nodes[name] = _read_node(name, member, problems)
        except MisfitError as error:
            problems.add(error)
    return nodes


def _read_node(name: str, item: Item, problems: Problems) -> Node:
    readers: dict[str, Callable[[Item], Any]] = {
        "type": lambda each: choice_of(each, NODE_TYPES),
        "ssh": _ssh_of,
        "folder": text_of,
        "slots": lambda each: whole_of(each, 1, _MOST),
        "shared": truth_of,
        "python": text_of,
        "setup": text_of,
        "env": _env_of,
        "gpus": lambda each: whole_of(each, 0, _MOST),
        "partition": text_of,
        "max_queued": lambda each: whole_of(each, 1, _MOST),
        "sbatch": _sbatch_of,
        "signal_before": duration_of,
        "submits": truth_of,
    }
    given = read_members(item, readers, f"nodes.{name}", problems)
    if "signal_before" in given:
        given["signal_before_s"] = given.pop("signal_before")
    kind = given.setdefault("type", SSH if "ssh" in given else LOCAL)
    if (kind == SSH) != ("ssh" in given) and kind != SLURM:
        wanted = "ssh: HOST" if kind == SSH else "no ssh"
        problems.add(
            f"{item.place}: Received: nodes.{name} of type {kind}. Expected: {wanted} with it."
        )
    for key in ("partition", "max_queued", "sbatch") if kind != SLURM else ("slots", "gpus"):
        if key in given:
            problems.add(
                f"{item.keys[key]}: Received: {key} of nodes.{name}, a node of type {kind}. "
                f"Expected: {'type: slurm' if kind != SLURM else 'none; Slurm counts'}."
            )
    given.setdefault("shared", "ssh" not in given)
    return Node(name=name, **given)


def _ssh_of(item: Item) -> str:
    text = text_of(item, "a host")
    if text.startswith("-") or any(character.isspace() for character in text):
        raise misfit(item, "a host of your ~/.ssh/config, or user@host")
    return text


def _sbatch_of(item: Item) -> tuple[str, ...]:
    if isinstance(item.value, list):
        return texts_of(item)
    try:
        return tuple(shlex.split(text_of(item)))
    except ValueError:
        raise misfit(item, "words for sbatch, with quotes in pairs") from None


def _env_of(item: Item) -> dict[str, str]:
    return {name: text_of(member) for name, member in mapping_of(item).items()}


def _read_groups(item: Item) -> dict[str, tuple[str, ...]]:
    return {name: texts_of(member) for name, member in mapping_of(item).items()}


def _check_groups(
    document: Item, nodes: dict[str, Node], groups: dict[str, tuple[str, ...]], problems: Problems
) -> None:
    for group, names in groups.items():
        place = document.value["groups"].keys[group]
        if group in nodes:
            problems.add(
                f"{place}: Received: group {group!r}, also a node. Expected: another name."
            )
        for name in names:
            if name not in nodes:
                problems.add(
                    f"{place}: Received: {name!r} in group {group}. Expected: a node.{did_you_mean(name, nodes)}"
                )
