"""What one sync saw of the nodes, and the limits by which it judges. Plain data, so that decisions can be tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.experiments.backends.backend import Seen

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class NodeSeen:
    """What a node answered in this sync, not in an earlier one.

    Attributes:
        reachable: Whether it answered completely.
        error: What went wrong, in one line.
        jobs: Name of an attempt -> jobs under this name, [] where it certainly has none.
        gone_since: Name -> since when the node has answered every time and shown no waiting or running job of it, by
            the clock of the manager. An observation without an answer starts it anew.
        facts: What the agent's `node` tells, {} if unknown.
    """

    reachable: bool = True
    error: str = ""
    jobs: Mapping[str, list[Seen]] = field(default_factory=dict)
    gone_since: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, name: str) -> bool:
        """Return whether the node told what it has under this name."""
        return self.reachable and name in self.jobs

    def gone_for_s(self, name: str, now: float) -> float:
        """Return for how long the node has had no live job of this name; 0 if it has one, or if this is not known."""
        return max(0.0, now - self.gone_since.get(name, now))


@dataclass(frozen=True)
class Patience:
    """How long to wait before something is taken for certain, in seconds by the manager's clock.

    Attributes:
        again_s: From the first answer without the job until an attempt is handed over again.
        over_s: From there until an attempt that has begun is taken for ended without a status: a network file system
            shows a file up to 60 s late.
        chain_s: Until the manager makes the next attempt itself, where an agent or a runner should have.
    """

    again_s: float
    over_s: float
    chain_s: float


@dataclass(frozen=True)
class Limits:
    """Times of the manager.

    Attributes:
        scheduler: For nodes with a scheduler: three times Slurm's MessageTimeout, since a hung controller starts late
            what it was told (measured).
        queue: For local and ssh nodes: their queue takes a name once, so nothing has to be waited for.
        fresh_s: An agent wrote so lately that it can still write the status itself.
        lease_s: After this time without contact, an agent that was superseded has ended its command.
        again_stop_s: Between two requests to end the same attempt.
    """

    scheduler: Patience = Patience(again_s=30.0, over_s=90.0, chain_s=20.0)
    queue: Patience = Patience(again_s=0.0, over_s=0.0, chain_s=10.0)
    fresh_s: float = 30.0
    lease_s: float = 120.0
    again_stop_s: float = 30.0

    def of(self, node_type: str) -> Patience:
        """Return the times for a type of node."""
        return self.scheduler if node_type == "slurm" else self.queue
