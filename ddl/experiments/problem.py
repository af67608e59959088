"""Errors that a verb of `scripts/experiments.py` ends with, each in one line."""

from __future__ import annotations


class Unreachable(Exception):
    """A node or its scheduler did not answer, or answered with an error: nothing is known, so nothing is done.

    A refusal by the user's own settings is a `ValueError` with received, expected and remedy, as everywhere.
    """
