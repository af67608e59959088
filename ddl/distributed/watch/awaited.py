"""Work in other threads that a job's end by the watch waits for, such as a checkpoint that is being written.

It is a matter of a moment: launchers kill ranks soon after one has died (mpirun after 2 s), whatever they do.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

LONGEST_S = 10.0

_threads: set[threading.Thread] = set()


@contextlib.contextmanager
def awaited() -> Iterator[None]:
    """Have the end of the job wait for this thread, until the block is left."""
    thread = threading.current_thread()
    _threads.add(thread)
    try:
        yield
    finally:
        _threads.discard(thread)


def wait(longest_s: float = LONGEST_S) -> None:
    """Wait until no thread is in such a block, at most for a time."""
    deadline = time.monotonic() + longest_s
    while _threads and time.monotonic() < deadline:
        time.sleep(0.01)
