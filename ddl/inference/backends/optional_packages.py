"""Optional packages, which only some formats and backends need: checked without importing them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

INSTALL = "./setup.sh --extras, or pip install -r requirements-export.txt"


def check_packages(names: Iterable[str], what: str) -> None:
    """Check that optional packages are installed.

    Args:
        names: module names.
        what: the feature that needs them, for the error.

    Raises:
        ValueError: a package is missing; the message has the command that installs it.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"Received: {what}, which needs the package {name}. Expected: {name} installed; run {INSTALL}."
            )
