"""`sync`: see once what has become of the experiments, and do what is due."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.experiments.engine.sync import sync
from ddl.experiments.verbs.of_engine import as_json, summary, teller
from ddl.experiments.verbs.of_store import OfStore, exit_status, find, say, say_json


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Ask every node what has become of the experiments, fetch what is new, and hand over what is due.

    Repeating it is always safe, also two at once and from cron. A node that does not answer is unknown: nothing is
    done about what it holds until it answers. Ends with status 3 where an experiment has failed.
    """


def run(settings: Settings) -> int:
    """Sync once."""
    store, _ = find(settings)
    report = sync(Path(store.path), say=teller(settings))
    if settings.json:
        say_json(as_json(report, report.view.experiments))
    else:
        say(summary(report, report.view.experiments))
    return exit_status(report.view, report.view.experiments)
