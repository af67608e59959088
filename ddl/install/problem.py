"""The ways in which an installation ends early, each with its exit status."""

from __future__ import annotations

from pathlib import Path

_TAIL_LINES = 30


class Failure(Exception):
    """An installation that cannot go on, for a reason that its message gives in full."""

    exit_status = 1


class Problem(Failure):
    """Something that the user can mend: one line that says what was found, expected, and what to do."""

    exit_status = 2


class CommandFailure(Failure):
    """A command that failed although all that it needs was there. Its message holds the log's end."""

    def __init__(self, what: str, log: Path) -> None:
        text = log.read_text(errors="replace")
        tail = "\n".join(f"  | {line}" for line in text.splitlines()[-_TAIL_LINES:])
        super().__init__(f"{what} failed; the last lines of {log}:\n{tail}")


def disk_full(where: Path) -> Problem:
    """Return the problem that a write to `where` met."""
    return Problem(
        f"no space left on the disk of {where}: free some, or set DDL_CACHE_DIR and TMPDIR to a larger disk."
    )
