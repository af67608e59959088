"""What happened in elastic training: a line of JSON an event in RUN_DIR/elastic.jsonl, and a summary at the end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.files import open_to_append
from ddl.plain_text import encodable, tell
from ddl.progress import duration

NAME = "elastic"
LOG_NAME = "elastic.jsonl"


@dataclass
class Journal:
    """Tells users a line, and the file an event.

    Attributes:
        path: the file; it is appended to.
        starts: starts of the job.
        failures: jobs that failed.
        stops: stops that were asked for, to take other ranks.
        sizes: numbers of ranks that have trained.
        repeated_s: seconds of work that was lost with a job and done again.
        restart_s: seconds from the end of a job until the next one trained.
    """

    path: Path
    starts: int = 0
    failures: int = 0
    stops: int = 0
    sizes: list[int] = field(default_factory=list)
    repeated_s: float = 0.0
    restart_s: float = 0.0
    _is_lost: bool = False
    _began_s: float = field(default_factory=time.monotonic)

    def note(self, event: str, told: str = "", **values: Any) -> None:
        """Add an event to the file, and tell a line if one is given."""
        if told:
            tell(f"{NAME}: {told}")
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "event": event, **values}
        try:
            with open_to_append(self.path) as file:
                file.write(encodable(json.dumps(line)) + "\n")
        except OSError as error:
            if not self._is_lost:
                tell(
                    f"{NAME}: Could not write {self.path}: {error.strerror}. The training continues."
                )
            self._is_lost = True

    def summary(self) -> str:
        """Return the line about the whole training."""
        few, many = min(self.sizes, default=0), max(self.sizes, default=0)
        ranks = f"{few} rank{'s' * (few != 1)}" if few == many else f"{few} to {many} ranks"
        text = (
            f"{_count(self.starts, 'start')} on {ranks} in "
            f"{duration(time.monotonic() - self._began_s)}; {_count(self.failures, 'failure')}, "
            f"{_count(self.stops, 'change')} of ranks without one"
        )
        lost_s = self.repeated_s + self.restart_s
        if self.starts > 1:
            text += (
                f"; {lost_s:.0f} s lost ({self.restart_s:.0f} s between jobs, "
                f"{self.repeated_s:.0f} s of work done again)"
            )
        return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
