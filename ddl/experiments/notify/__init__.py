"""Events become mails or calls of a command, each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["after_sync", "problems"]


def after_sync(store_path: Path, view: Any) -> tuple[str, ...]:
    """Tell what is new in a store. Return lines for the user: what was sent, and what could not be.

    Args:
        store_path: The store's folder.
        view: What `read_view` returned after the changes of this sync.
    """
    # Verbs that send nothing do not wait for the modules of mail.
    from ddl.experiments.notify import rounds

    return rounds.after_sync(store_path, view)


def problems(store_path: Path) -> list[str]:
    """Return what the user must see to, a line each: refused mails, settings that do not work. Reads only."""
    if not (store_path / "mail").is_dir():
        return []
    from ddl.experiments.notify import rounds

    return rounds.problems(store_path)
