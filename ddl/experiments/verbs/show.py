"""`show`: all about one experiment. Reads files only."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select_one
from ddl.experiments.terminal.columns import output_width
from ddl.experiments.terminal.details import detail_json, detail_lines
from ddl.experiments.terminal.words import has_colours
from ddl.experiments.verbs.of_store import OfStore, exit_status, find, say, say_json
from ddl.flags import ARGUMENT


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show all about one experiment: settings, command, code, attempts, findings, last epochs, files, end of the log.

    It reads what is in the store and writes nothing. Exit status 3: the experiment has failed.

        python scripts/experiments.py show 3

    Attributes:
        which: the experiment: its name, its number, or a glob or conditions that only it meets
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)


def run(settings: Settings) -> int:
    """Print the experiment. Return 3 where it has failed."""
    store, words = find(settings, settings.which)
    view = read_view(store.path)
    item = select_one(view, words)
    if settings.json:
        say_json(detail_json(item))
    else:
        say(list(detail_lines(item, view.now, output_width(), coloured=has_colours())))
    return exit_status(view, [item])
