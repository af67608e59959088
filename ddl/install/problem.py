"""Errors that end an installation, each with its exit status."""

from __future__ import annotations

from pathlib import Path

_TAIL_LINES = 30


class Failure(Exception):
    """The installation cannot continue; the message gives the reason."""

    exit_status = 1


class Problem(Failure):
    """An error that the user can fix: one line with what was found, what was expected, and what to do."""

    exit_status = 2


class CommandFailure(Failure):
    """A command failed for a reason that setup cannot name; the message ends with the last lines of its log."""

    def __init__(self, what: str, log: Path) -> None:
        text = log.read_text(errors="replace")
        tail = "\n".join(f"  | {line}" for line in text.splitlines()[-_TAIL_LINES:])
        super().__init__(f"{what} failed; the last lines of {log}:\n{tail}")


def disk_full(where: Path) -> Problem:
    """Return the error for a failed write to `where`."""
    return Problem(
        f"no space left on the disk of {where}: free some space, or set DDL_CACHE_DIR and TMPDIR to a larger disk."
    )
