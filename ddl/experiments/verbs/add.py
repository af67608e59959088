"""`add SPEC`: the experiments of a spec come into its store."""

from __future__ import annotations

import dataclasses
import json as json_text
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.engine.nodes_file import keep_nodes
from ddl.experiments.spec.expand import experiments_of, is_later_trial
from ddl.experiments.spec.planning import files_of, stored
from ddl.experiments.spec.spec_file import read_spec
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.store.store import Added, StoreFolder, add, create_store, store_for
from ddl.experiments.verbs.of_spec import OfSpec, tell_problems
from ddl.plain_text import escaped


@dataclass(frozen=True, kw_only=True)
class Settings(OfSpec):
    """Put the experiments of a spec into its store, and freeze their code. Nothing is started.

    Experiments with the same parameters, command and code policy as before keep their place, names and results. New
    ones are added; what the spec no longer has is named and left alone.
    """


def run(settings: Settings) -> int:
    """Add, and say what was added."""
    try:
        store, added = add_spec(settings.spec, settings.store, settings.command)
    except SpecError as error:
        return tell_problems("add", error)
    if settings.json:
        text = json_text.dumps(_as_json(store, added), indent=1, ensure_ascii=True, allow_nan=False)
    else:
        text = "\n".join(escaped(line) for line in lines_of(store, added))
    sys.stdout.write(text + "\n")
    return 0


def add_spec(path: Path, folder: Path | None, command: str = "") -> tuple[StoreFolder, Added]:
    """Put the experiments of a spec into its store, or the one in `folder`, with the nodes that it names.

    Raises:
        SpecError: All that is wrong with the spec.
        ValueError: The store cannot take them.
    """
    spec = read_spec(path, command)
    experiments = experiments_of(spec)
    files_of(spec)
    store = create_store(store_for(folder, spec.store), spec.name)
    added = add(store, spec, experiments)
    keep_nodes(store, spec.nodes, spec.path)
    trials = {one.name for one in stored(store.path).values() if is_later_trial(one, spec)}
    vanished = tuple(name for name in added.vanished if name not in trials)
    return store, dataclasses.replace(added, vanished=vanished)


def lines_of(store: StoreFolder, added: Added) -> Iterator[str]:
    """Yield what was added, a line each."""
    for record in added.new:
        yield f"added {record.name}"
    yield from added.lines
    for name, settings in added.differing.items():
        yield f"{name} keeps its {', '.join(settings)}: settings of an experiment in the store do not change."
    if added.vanished:
        yield f"No longer in the spec, left alone: {', '.join(added.vanished)}"
    yield f"{len(added.new):,} added, {len(added.kept):,} there before. Store: {store.path}"


def _as_json(store: StoreFolder, added: Added) -> dict[str, Any]:
    return {
        "store": str(store.path),
        "new": [record.to_json() for record in added.new],
        "kept": list(added.kept),
        "vanished": list(added.vanished),
        "differing": {name: list(settings) for name, settings in added.differing.items()},
        "frozen": list(added.lines),
    }
