"""Errors that end an installation, each with its exit status."""

from __future__ import annotations

from pathlib import Path


class Failure(Exception):
    """The installation cannot continue; the message gives the reason."""

    exit_status = 1


class Problem(Failure):
    """An error that the user can fix: one line with what was found, what was expected, and what to do."""

    exit_status = 2


def disk_full(where: Path) -> Problem:
    """Return the error for a failed write to `where`."""
    return Problem(
        f"no space left on the disk of {where}: free some space, or set DDL_CACHE_DIR and TMPDIR to a larger disk."
    )
