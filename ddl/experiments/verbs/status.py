"""`status`: a line for each experiment. Reads files only."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddl.experiments.notify import problems
from ddl.experiments.store.plain import store_json
from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select
from ddl.experiments.terminal.columns import output_width
from ddl.experiments.terminal.status_lines import status_lines
from ddl.experiments.terminal.words import has_colours
from ddl.experiments.verbs.of_store import (
    OfStore,
    exit_status,
    find,
    say,
    say_damaged,
    say_json,
)
from ddl.flags import ARGUMENT
from ddl.plain_text import tell


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show a line for each experiment, those that need you first.

    It reads what is in the store and writes nothing. What a node does is known from the last `sync`; NEWS says how old
    that is. Exit status 3: something wanted has failed.

        python scripts/experiments.py status
        python scripts/experiments.py status state=failed,diverged learning_rate=0.001

    Attributes:
        which: names, numbers (3, 3-7), globs, state=STATE, PARAMETER=VALUE, group=NAME; or a spec's file; all without
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)


def run(settings: Settings) -> int:
    """Print the status. Return 3 where something has failed."""
    store, words = find(settings, settings.which)
    view = read_view(store.path)
    chosen = select(view, words)
    if settings.json:
        say_json(store_json(view, chosen))
    else:
        say(status_lines(view, chosen, output_width(), coloured=has_colours()))
        say_damaged(view)
        for problem in problems(store.path):
            tell(f"experiments: {problem}")
    return exit_status(view, chosen)
