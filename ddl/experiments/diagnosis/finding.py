"""What a check says: what is wrong, since when, the numbers, how sure it is, and one thing to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a training run.

    Attributes:
        check: the name of the check, one of `diagnose.CHECKS`.
        since: the epoch from which it is so; None where it is not tied to one.
        numbers: what the check has compared, by name.
        sureness: "certain" (seen as such), "likely" (it rarely means something else) or "possible".
        text: what it is, in a sentence.
        remedy: one thing to do: a flag of the training scripts with its value, or general advice for other programs.
    """

    check: str
    since: int | None
    sureness: str
    text: str
    remedy: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "check": self.check,
            "since_epoch": self.since,
            "sureness": self.sureness,
            "text": self.text,
            "remedy": self.remedy,
            "numbers": {name: _plain(value) for name, value in self.numbers.items()},
        }


def _plain(value: float) -> Any:
    if isinstance(value, int):
        return value
    return float(f"{value:.4g}") if abs(value) < float("inf") else str(value)
