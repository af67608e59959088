"""`manage`: repeat sync until all have ended, here or on a node that stays on."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ddl.experiments.engine.elsewhere.delegation import delegate, take_back
from ddl.experiments.engine.elsewhere.manager import is_done, lock
from ddl.experiments.engine.nodes_file import HERE_VARIABLE
from ddl.experiments.engine.sync import Report, sync
from ddl.experiments.spec.text.units import parse_duration
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.verbs.of_engine import as_json, summary, teller
from ddl.experiments.verbs.of_store import (
    SOMETHING_FAILED,
    OfStore,
    exit_status,
    find,
    say,
    say_json,
)
from ddl.plain_text import escaped, tell


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Repeat sync until all experiments have ended: what has no room in a queue yet goes when there is.

    It may end at any time, and start again anywhere: all it knows is in files. Two at once are safe. Ends with status
    3 where an experiment has failed, or waits for what no node has. --on starts it on a node, and returns: a node that
    does not see the store gets a copy and looks after the experiments that name it; `sync` then fetches what is new,
    until --back.

    Attributes:
        every: time between two syncs, such as 30s or 5 min
        on: node on which to start it, in place of this machine
        back: end the manager on a node, and look after its experiments here again
    """

    every: str = "30s"
    on: str | None = None
    back: bool = False


def run(settings: Settings) -> int:
    """Sync until all have ended."""
    every_s = parse_duration(settings.every)
    store, _ = find(settings)
    if settings.back:
        line = take_back(store)
        say_json({"manager": line}) if settings.json else say([escaped(line)])
    if settings.on is not None:
        sync(store.path, say=teller(settings))
        line = delegate(store, settings.on, settings.every, teller(settings))
        say_json({"manager": line}) if settings.json else say([escaped(line)])
    if settings.on is not None or settings.back:
        return 0
    with lock(store) as is_alone:
        if not is_alone and not settings.json:
            say(["Another manager is at work on this store; that is safe, and not needed."])
        report = _repeat(settings, store, every_s)
    for name in report.impossible:
        tell(
            f"experiments: {name} waits for what no node has: {report.waits[name]}. Change nodes.yaml, or add it "
            "with other needs."
        )
    if settings.json:
        say_json(as_json(report, report.view.experiments))
    return (
        SOMETHING_FAILED if report.impossible else exit_status(report.view, report.view.experiments)
    )


def _repeat(settings: Settings, store: StoreFolder, every_s: float) -> Report:
    last: list[str] = []
    while True:
        began = time.monotonic()
        report = sync(store.path, say=teller(settings))
        lines = summary(report, report.view.experiments)
        if lines != last and not settings.json:
            say(lines)
        last = lines
        # On a node nobody reads why it ends, and the user may change nodes.yaml.
        given_up = () if HERE_VARIABLE in os.environ else report.impossible
        if is_done(report.view, given_up):
            return report
        time.sleep(max(0.0, every_s - (time.monotonic() - began)))
