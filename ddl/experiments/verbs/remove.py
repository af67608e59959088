"""`remove WHICH`: take experiments out of the store."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from ddl.experiments.engine import wishes
from ddl.experiments.states import ON_A_NODE
from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select
from ddl.experiments.verbs.of_engine import ask, carry_out
from ddl.experiments.verbs.of_store import OfStore, find
from ddl.flags import ARGUMENT


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Take experiments out of the store. Their folders move to the store's removed/, with all results.

    Running ones are killed first, and only where --yes is given. Nothing outside of an experiment's own folder is
    touched: links inside are removed, not followed. A node that does not answer delays it.

    Attributes:
        which: names, numbers, globs, or conditions such as state=failed or lr=0.001
        yes: also those that may be running
        results: delete the results, too
    """

    which: tuple[str, ...] = field(kw_only=False, metadata=ARGUMENT)
    yes: bool = False
    results: bool = False


def run(settings: Settings) -> int:
    """Ask for it, and sync once."""
    _check(settings)
    wish = functools.partial(wishes.remove, yes=settings.yes, results=settings.results)
    return carry_out(settings, ask(settings, settings.which, wish))


def _check(settings: Settings) -> None:
    """Refuse before anything is asked, so that a call asks for all or for none."""
    if settings.yes:
        return
    store, words = find(settings, settings.which)
    live = [item for item in select(read_view(store.path), words) if item.state in ON_A_NODE]
    if live:
        names = ", ".join(f"{item.name} ({item.state})" for item in live[:5])
        raise ValueError(
            f"Received: {len(live)} that may be running: {names}. Expected: only ended ones, or give yes=true."
        )
