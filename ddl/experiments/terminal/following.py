"""A log that is followed over all attempts of an experiment, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ddl.experiments.states import ENDED
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.terminal.tail import Follower, last_lines
from ddl.plain_text import escaped

EVERY_S = 0.5


def heading(attempt: AttemptView) -> str:
    """Return the line above the output of an attempt."""
    node = f" on {attempt.node}" if attempt.node else ""
    reason = str(attempt.intent.get("reason") or "")
    after = f" (after {reason})" if reason not in ("", "first", "retry", "resume") else ""
    return escaped(f"-- attempt {attempt.number}{node}{after}")


def follow(
    look: Callable[[], ExperimentView],
    is_error: bool,
    lines: int,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[str]:
    """Yield the end of an experiment's output, then what is added, attempt by attempt, until it has ended.

    Args:
        look: returns the experiment as it is now.
        is_error: follow standard error instead of standard output.
        lines: lines of the newest attempt to begin with; 0: all.
        wait: waits between two looks.
    """
    current: int | None = None
    follower: Follower | None = None
    while True:
        item = look()
        begun = [attempt for attempt in item.attempts if log_of(attempt, is_error).exists()]
        later = [attempt for attempt in begun if current is None or attempt.number > current]
        if follower is not None:
            yield from follower.drain(at_end=bool(later) or item.state in ENDED)
        for attempt in later if current is not None else later[-1:]:
            yield heading(attempt)
            path = log_of(attempt, is_error)
            position = 0
            if current is None and lines:
                before, position = last_lines(path, lines, whole=True)
                yield from before
            current, follower = attempt.number, Follower(path, position)
            if attempt is not later[-1]:
                yield from follower.drain(at_end=True)
        if item.state in ENDED:
            if follower is not None:
                yield from follower.drain(at_end=True)
            return
        wait(EVERY_S)


def log_of(attempt: AttemptView, is_error: bool) -> Path:
    """Return the path of an attempt's output or errors."""
    return attempt.folder.err_log if is_error else attempt.folder.out_log
