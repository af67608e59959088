"""What the agent does beside a command: read its variables, evaluate the rules, write history, findings and events."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ddl.experiments.agent.layout import AttemptFolder


class Order(NamedTuple):
    """What a rule asks of the agent: "stop", "pause" or "kill"."""

    how: str
    by: str
    why: str


class Beside:
    """Reads what a command writes, as long as it runs."""

    def __init__(self, attempt: AttemptFolder, record: Mapping[str, Any], name: str) -> None:
        """Start with the history of earlier attempts."""
        self.epochs = 0
        self.new_rows = 0

    def poll(self) -> list[Order]:
        """Read what is new. Return what rules ask for."""
        return []
