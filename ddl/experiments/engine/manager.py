"""A manager that goes on elsewhere: packed into one file, started on a node that stays on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ddl.experiments.states import ENDED
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.view import StoreView
from ddl.files.locks import hold_lock

_LOCK = ".manage.lock"


def is_done(view: StoreView) -> bool:
    """Return whether nothing more happens until the user says so."""
    return all(
        item.state in ENDED or item.state in ("planned", "paused") for item in view.experiments
    )


@contextmanager
def lock(store: StoreFolder) -> Iterator[bool]:
    """Hold the lock of a store's manager. Yield whether nobody else holds it: two are safe, and one suffices."""
    try:
        held = hold_lock(store.path / _LOCK)
        held.__enter__()
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        held.__exit__(None, None, None)


def send_manager(store: StoreFolder, node: str, every: str) -> str:
    """Start a manager on a node. Return what to tell."""
    raise ValueError(f"Received: on={node}. Expected: none in this version.")
