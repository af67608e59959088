"""Machines that experiments may run on: the records behind nodes.yaml."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.experiments.spec.records import known_fields

LOCAL = "local"
SSH = "ssh"
SLURM = "slurm"
NODE_TYPES = (LOCAL, SSH, SLURM)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine, or a cluster's front end: an entry of nodes.yaml.

    Attributes:
        name: Its name.
        type: "local", "ssh" or "slurm".
        ssh: Destination for `ssh` (a host of the user's configuration); None: this machine.
        folder: Folder on the node that stores stand in; None: the store's own path.
        slots: Experiments that run at once on it (local, ssh).
        shared: Whether the node sees the store's own folder under the same path.
        python: Python 3.8 or newer on the node, for the agent.
        setup: Shell text run before each command: `module load ...`, `. venv/bin/activate`.
        env: Environment variables of each command.
        gpus: GPUs that may be used; None: all that the node shows.
        partition: Slurm's partition; None: its default.
        max_queued: Jobs in Slurm's queue at once, waiting or running; None: no limit.
        sbatch: Further words for `sbatch`.
        signal_before_s: Seconds before the time limit at which an attempt is asked to end with a checkpoint.
        submits: Whether a job may submit its own successor.
    """

    name: str
    type: str = LOCAL
    ssh: str | None = None
    folder: str | None = None
    slots: int = 1
    shared: bool = False
    python: str = "python3"
    setup: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    gpus: int | None = None
    partition: str | None = None
    max_queued: int | None = None
    sbatch: tuple[str, ...] = ()
    signal_before_s: float = 120.0
    submits: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**dataclasses.asdict(self), "env": dict(self.env), "sbatch": list(self.sbatch)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Node:
        """Return the record that `to_json` gave."""
        known = known_fields(cls, value)
        return cls(
            **{
                **known,
                "sbatch": tuple(known.get("sbatch") or ()),
                "env": dict(known.get("env") or {}),
            }
        )


HERE = Node(name="here", shared=True)
"""This machine, the node of a user who has described none."""


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """All nodes that an experiment may name.

    Attributes:
        nodes: Name -> node.
        groups: Name of a group -> names of its nodes.
        default: Node or group of an experiment that names none.
        path: The file that they were read from, None without one.
    """

    nodes: Mapping[str, Node] = field(default_factory=lambda: {HERE.name: HERE})
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = HERE.name
    path: Path | None = None

    def of(self, name: str) -> tuple[Node, ...]:
        """Return the node with this name, or the nodes of the group; () for an unknown name."""
        return tuple(
            self.nodes[part] for part in self.groups.get(name, (name,)) if part in self.nodes
        )
