"""Keeps tests marked `alone` free of company: with xdist, the other worker waits between two tests until they end.

A test that measures time would measure the other worker's test as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    told = "alone: measures time; with xdist, no other test runs beside it"
    config.addinivalue_line("markers", told)


@contextlib.contextmanager
def turn(folder: Path, alone: bool) -> Iterator[None]:
    """Hold a turn, shared with other tests or alone.

    Whoever wants a turn goes through the door. A test that wants to be alone keeps the door closed while it waits
    and runs, so that a steady stream of other tests cannot keep it waiting.
    """
    with (folder / "door").open("ab") as door, (folder / "room").open("ab") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:  # closing is not enough: a child that the test has forked and left behind holds the same locks
            fcntl.flock(room, fcntl.LOCK_UN)
            fcntl.flock(door, fcntl.LOCK_UN)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """Wait for a turn before a test's time-out begins to run. Without xdist there is nobody to wait for."""
    run = getattr(item.config, "workerinput", {}).get("testrunuid")
    if run is None:
        return (yield)
    folder = Path(tempfile.gettempdir()) / f"ddl-tests-{run}"
    folder.mkdir(exist_ok=True)
    with turn(folder, item.get_closest_marker("alone") is not None):
        return (yield)
