"""Says what the doctor waits for, on standard error, so that standard output keeps the report alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ddl.progress import StatusLine

_LOOK_EVERY_S = 0.2


@contextmanager
def waiting_for(what: str, limit_s: float) -> Iterator[None]:
    """Show what the block waits for, how long it has waited, and the limit that the block itself keeps."""
    line, start_s, done = StatusLine(), time.monotonic(), threading.Event()

    def text() -> str:
        return f"doctor: {what}: {time.monotonic() - start_s:.0f} s of at most {limit_s:.0f} s"

    def keep_showing() -> None:
        while not done.wait(_LOOK_EVERY_S):
            if line.is_due():
                line.show(text())

    thread = threading.Thread(target=keep_showing, daemon=True)
    line.show(text())
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        line.clear()
