"""`log`: the output of an experiment, followed over its attempts. Reads files only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.files import Files
from ddl.experiments.store.view import ExperimentView, StoreView, read_again, read_view
from ddl.experiments.store.which import select_one
from ddl.experiments.terminal.following import follow, heading, log_of
from ddl.experiments.terminal.tail import Follower, last_lines
from ddl.experiments.verbs.of_store import OfStore, exit_status, find, nobody_reads, say_json
from ddl.flags import ARGUMENT, SHORT
from ddl.plain_text import escaped, tell


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Print the output of an experiment: the end of its newest attempt's.

    It reads what is in the store and writes nothing. The files of a node without a shared file system are as new as
    the last `sync`. With --follow it goes on with each further attempt, and ends when the experiment has ended.

        python scripts/experiments.py log 3 -f
        python scripts/experiments.py log 3 --err --attempt 2 --lines 0 > err.txt

    Attributes:
        which: the experiment: its name, its number, or a glob or conditions that only it meets
        follow: print what is added, too, until the experiment has ended
        err: standard error instead of standard output
        attempt: number of the attempt, the newest one with output without it
        lines: lines to begin with, 0 for all
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    follow: bool = field(default=False, metadata={SHORT: "-f"})
    err: bool = False
    attempt: int | None = None
    lines: int = 100


def run(settings: Settings) -> int:
    """Print the log. Return 3 where the experiment has failed."""
    if settings.lines < 0:
        raise ValueError(f"Received: lines={settings.lines}. Expected: at least 0, which is all.")
    if settings.follow and (settings.json or settings.attempt is not None):
        other = "json" if settings.json else "attempt"
        raise ValueError(f"Received: follow with {other}. Expected: one of them.")
    store, words = find(settings, settings.which)
    view = read_view(store.path)
    item = select_one(view, words)
    if settings.follow:
        return _followed(view, item, settings)
    attempt = _chosen(item, settings.attempt, settings.err)
    lines = _lines(attempt, settings) if attempt else iter(())
    if settings.json:
        number = attempt.number if attempt else None
        say_json({"name": item.name, "state": item.state, "attempt": number, "lines": [*lines]})
    elif not _print(lines):
        tell(f"experiments log: {_why_nothing(item, attempt, settings.err)}")
    return exit_status(view, [item])


def _followed(view: StoreView, item: ExperimentView, settings: Settings) -> int:
    files = Files()
    seen = item

    def look() -> ExperimentView:
        nonlocal seen
        seen = read_again(view.store, item.folder, files)
        return seen

    _print(follow(look, settings.err, settings.lines))
    why = f": {seen.why}" if seen.why else ""
    tell(f"-- {seen.name}: {seen.state}{why}")
    return exit_status(view, [seen])


def _chosen(item: ExperimentView, number: int | None, is_error: bool) -> AttemptView | None:
    """Return the attempt with this number; without one the newest that has written something."""
    if number is not None:
        found = [attempt for attempt in item.attempts if attempt.number == number]
        if not found:
            known = ", ".join(str(attempt.number) for attempt in item.attempts) or "none yet"
            raise ValueError(
                f"Received: attempt={number} of {item.name}. Expected: one of {known}."
            )
        return found[0]
    begun = [attempt for attempt in item.attempts if log_of(attempt, is_error).exists()]
    return begun[-1] if begun else None


def _why_nothing(item: ExperimentView, attempt: AttemptView | None, is_error: bool) -> str:
    if attempt is None:
        return f"{item.name} has no output yet; it is {item.state}."
    path = log_of(attempt, is_error)
    return f"{heading(attempt).removeprefix('-- ')} has written nothing to {escaped(path.name)}."


def _lines(attempt: AttemptView, settings: Settings) -> Iterator[str]:
    path = log_of(attempt, settings.err)
    if settings.lines:
        return iter(last_lines(path, settings.lines)[0])
    return Follower(path).drain(at_end=True)


def _print(lines: Iterable[str]) -> int:
    """Print lines as they come. Return how many there were."""
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 (the number after the last one)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        if nobody_reads():
            break
    return count
