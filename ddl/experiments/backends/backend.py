"""What every kind of node offers to the engine, and the table of kinds.

    backend = open_backend(node)
    backend.observe(attempts)        # name -> jobs seen; [] where the node answered and knows none
    backend.hand_over(attempt)       # raises Unreachable when nobody knows whether it happened

All calls may raise `Unreachable`: nothing is known then, and nothing may be concluded.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.whole import read_json
from ddl.experiments.backends.transport import Transport, open_transport
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment

WAITING = "waiting"
RUNNING = "running"
ENDED = "ended"
UNKNOWN = "unknown"

BACKENDS = {
    "local": "ddl.experiments.backends.queue:QueueBackend",
    "ssh": "ddl.experiments.backends.queue:QueueBackend",
    "slurm": "ddl.experiments.backends.slurm:SlurmBackend",
}
"""Type of a node -> module:Class(node, transport)."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One job that a node has or had under the name of an attempt. Slurm may have several of one name.

    Attributes:
        id: Slurm's job id; for local and ssh nodes "".
        state: "waiting", "running", "ended", or "unknown" where the node cannot tell.
        reason: Why, in words of the scheduler or of the agent: "TIMEOUT", "process gone", "PartitionConfig".
        raw: The scheduler's own state.
        restarts: How often the scheduler started it anew.
        start: When it started, seconds since the epoch.
        elapsed_s: For how long it has run.
        node: The machine it is on.
        exit: Exit status as the scheduler tells it ("1:0"), "" where it does not.
        never: Why a waiting job will never start as it is, "" if it may.
    """

    id: str = ""
    state: str
    reason: str = ""
    raw: str = ""
    restarts: int = 0
    start: float | None = None
    elapsed_s: float | None = None
    node: str = ""
    exit: str = ""
    never: str = ""


@dataclass(frozen=True)
class Submitted:
    """An acknowledged hand-over.

    Attributes:
        id: Slurm's job id; "" elsewhere.
        where: The host that took it.
    """

    id: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt as the manager's side has it.

    Attributes:
        folder: Its folder in the store on this machine.
        intent: intent.json.
        submitted: submitted.json, {} before the acknowledgement.
        claimed: Whether a claim was seen in its folder here.
    """

    folder: AttemptFolder
    intent: Mapping[str, Any] = field(default_factory=dict)
    submitted: Mapping[str, Any] = field(default_factory=dict)
    claimed: bool = False

    @classmethod
    def read(cls, folder: AttemptFolder) -> Attempt:
        """Read an attempt's files."""
        return cls(
            folder=folder,
            intent=read_json(folder.intent),
            submitted=read_json(folder.submitted),
            claimed=bool(folder.claim_numbers()),
        )

    @property
    def name(self) -> str:
        """Return the name that is unique for ever: job name, queue entry, DDL_ATTEMPT."""
        return str(self.intent["name"])

    @property
    def id(self) -> str:
        """Return the job id that was acknowledged, "" without one."""
        return str(self.submitted.get("id") or "")

    @property
    def created(self) -> float:
        """Return when its intent was written."""
        return float(self.intent.get("created") or 0.0)

    @property
    def there(self) -> str:
        """Return its folder on the node."""
        return folder_there(str(self.intent["root"]), self.folder)


class Backend(Protocol):
    """A node, as the engine uses it. Every call has a time limit."""

    node: Node
    transport: Transport

    def observe(self, attempts: Sequence[Attempt]) -> dict[str, list[Seen]]:
        """Return what the node has of these attempts; [] for one that it certainly does not have now.

        Raises:
            Unreachable: The node or its scheduler did not answer, or not completely.
        """

    def hand_over(self, attempt: Attempt) -> Submitted:
        """Give an attempt, whose intent is on disk, to the node.

        Raises:
            Unreachable: Nobody knows whether it happened.
            ValueError: The node refused it for certain: it never starts there as it is.
        """

    def hand_over_all(self, attempts: Sequence[Attempt]) -> list[Submitted] | None:
        """Give several attempts to the node in one call; None where it takes them one by one only.

        Raises:
            Unreachable: Nobody knows which it has taken.
            ValueError: It refused one of them; it may have taken others. Hand them over one by one.
        """

    def stop(self, attempt: Attempt, how: str, by: str, why: str) -> None:
        """Ask an attempt to end: `how` is "stop" or "pause" (both with a checkpoint) or "kill". Twice is no error."""

    def stop_all(self, attempts: Sequence[Attempt], how: str, by: str, why: str) -> None:
        """Ask several attempts to end, in one call.

        Raises:
            ValueError: One of them cannot be asked; others may have been. Ask them one by one.
        """

    def cancel(self, job_id: str) -> None:
        """Take one job of a double pair out of the scheduler."""

    def facts(self) -> dict[str, Any]:
        """Return what the agent's `node` tells, with `runner` {queued, running, slots}, whatever the scheduler is."""

    def intent_parts(self, record: Experiment, attempt_dir: str) -> dict[str, Any]:
        """Return the parts of an intent that depend on the kind of node: hand_over, successor, time_limit_s, chain.

        Args:
            record: The experiment.
            attempt_dir: The attempt's folder on the node. A successor's text holds {name}, {attempt_dir}, {after}.
        """


def folder_there(root: str, folder: AttemptFolder) -> str:
    """Return an attempt's folder on a node where the store stands in `root`."""
    return posixpath.join(root, folder.experiment.path.name, "attempts", str(folder.number))


def open_backend(node: Node, transport: Transport | None = None) -> Backend:
    """Return the backend of a node.

    Raises:
        ValueError: Its type is unknown, or its ssh destination may not be given to ssh.
    """
    if node.type not in BACKENDS:
        raise ValueError(
            f"Received: type: {node.type} of node {node.name}. Expected one of: {', '.join(BACKENDS)}."
        )
    module, _, name = BACKENDS[node.type].partition(":")
    backend: Backend = getattr(import_module(module), name)(
        node, transport or open_transport(node.ssh)
    )
    return backend
