"""Packages that only some formats and backends need: asked for without loading them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

INSTALL = "./setup.sh --extras, or pip install -r requirements-export.txt"


def check_packages(names: Iterable[str], what: str) -> None:
    """Refuse what needs a package that is not installed.

    Args:
        names: of modules.
        what: needs them.

    Raises:
        ValueError: with the command that installs it.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"Received: {what}, which needs the package {name}. Expected: it is installed; {INSTALL}."
            )
