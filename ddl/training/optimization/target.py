"""A value of the history that ends a run when it is reached, such as val_top_1=0.9. No Keras here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.training.optimization.monitor import better_is

History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Target:
    """A monitored quantity, its value to reach, and whether lower ("min") or higher ("max") values are better."""

    monitor: str
    value: float
    mode: str

    def __str__(self) -> str:
        return f"{self.monitor}={self.value:g}"

    def reached_in(self, history: History) -> int | None:
        """Return the number (from 1) of the first epoch that reaches the value; None if none does."""
        for number, epoch in enumerate(history, 1):
            found = epoch.get(self.monitor, math.nan)
            if found <= self.value if self.mode == "min" else found >= self.value:
                return number
        return None

    def seconds(self, history: History) -> float | None:
        """Return the time to target: the seconds of all epochs up to it, of all starts of the run."""
        number = self.reached_in(history)
        return None if number is None else sum(epoch["seconds"] for epoch in history[:number])


def parse_target(text: str, monitor: str = "", mode: str = "auto") -> Target:
    """Return the target of a text such as "val_top_1=0.9". Its direction is that of the name.

    Args:
        text: name and value.
        monitor: the run's monitored quantity, for which the next argument holds.
        mode: "min", "max" or "auto".

    Raises:
        ValueError: it is not NAME=VALUE, or the value is no finite number.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (name and equals and math.isfinite(number)):
        raise ValueError(f"Received: target={text!r}. Expected: NAME=VALUE, such as val_loss=0.5.")
    return Target(name, number, better_is(name, mode if name == monitor else "auto"))
