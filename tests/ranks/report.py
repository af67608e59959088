"""How a call that failed is told: every rank's traceback or stack, with what it printed, in one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MOST_CHARACTERS = 6000  # of what one rank printed; its end says most
_HOROVOD_BROKE = ("HorovodInternalError", "Horovod has been shut down")


@dataclass
class RankReport:
    """What is known of a rank's part in a call.

    Attributes:
        rank: whose.
        state: "silent" as long as it has not answered, "returned", "raised" or "died".
        text: its traceback, or where it was last seen.
        result: what the function returned.
        printed: while it ran.
    """

    rank: int
    state: str = "silent"
    text: str = ""
    result: Any = None
    printed: str = ""

    def failed_in_order(self) -> bool:
        """Return whether the rank can take the next call, if all others can."""
        return self.state == "raised" and not any(sign in self.text for sign in _HOROVOD_BROKE)


def describe(
    target: str,
    launcher: str,
    timeout_s: float,
    reports: dict[int, RankReport],
    launcher_output: str,
) -> str:
    """Return the message of a failed call."""
    states = ", ".join(f"rank {rank} {_words(report)}" for rank, report in reports.items())
    parts = [f"{target} failed ({launcher}, {len(reports)} ranks, {timeout_s:g} s): {states}."]
    for rank, report in reports.items():
        if report.text:
            title = "was here" if report.state == "silent" else report.state
            parts.append(f"---- rank {rank} {title}:\n{report.text.strip()}")
        if report.printed.strip():
            parts.append(f"---- rank {rank} printed:\n{_end_of(report.printed)}")
    if launcher_output.strip():
        parts.append(f"---- the job printed:\n{_end_of(launcher_output)}")
    return "\n".join(parts)


def _words(report: RankReport) -> str:
    return "did not answer in time" if report.state == "silent" else report.state


def _end_of(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _MOST_CHARACTERS else f"[...]{text[-_MOST_CHARACTERS:]}"
