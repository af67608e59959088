"""A search that learns: when a trial ends, optuna is asked for the next one, which comes into the store.

`sync` and `manage` call `grow_store`. The truth is in our files: the trials' records and their histories.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import read_json
from ddl.experiments.engine.nodes_file import NODES_NAME
from ddl.experiments.spec.block import OPTUNA, Search
from ddl.experiments.spec.expand import STARTUP_TRIALS, trials_of
from ddl.experiments.spec.node import SLURM, Nodes
from ddl.experiments.spec.parameter.asking import Told, ask
from ddl.experiments.spec.records import FROZEN, Experiment
from ddl.experiments.spec.spec_file import read_spec
from ddl.experiments.states import ENDED
from ddl.experiments.store.store import add, set_wanted
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.experiments.watching.history import read_history

RUN = "run"
NOTHING = "nothing"
BY = "search"

_MOST_AHEAD = 64
_IN_A_QUEUE = 4
"""Trials that a scheduler without `max_queued` is given at once: more of them would be drawn without knowing."""


def grow_store(view: StoreView, nodes: Nodes) -> list[str]:
    """Add the next trials of a store's searches. Return a line about each, or about what hinders it."""
    if not any((one.record.search or {}).get("by") == OPTUNA for one in view.experiments):
        return []
    spec_path = Path(str(read_json(view.store.path / NODES_NAME).get("spec") or ""))
    lines: list[str] = []
    try:
        lines += grow(view, nodes, spec_path)
    except (ValueError, OSError) as error:
        lines.append(f"The search does not go on. {error}")
    return lines


def grow(view: StoreView, nodes: Nodes, spec_path: Path) -> Iterator[str]:
    """Add the next trials of searches by optuna to a store, and yield a line about each.

    A search grows as long as its newest trial is wanted: `stop` or `pause` of that one ends or halts it.

    Raises:
        ValueError: the spec cannot be read, or optuna is not installed.
        OSError: the store cannot be written.
    """
    searches: dict[str, list[ExperimentView]] = {}
    for experiment in view.experiments:
        if (experiment.record.search or {}).get("by") == OPTUNA:
            searches.setdefault(experiment.record.block, []).append(experiment)
    for block, trials in searches.items():
        yield from _grow_one(view, nodes, spec_path, block, sorted(trials, key=_number))


def _grow_one(
    view: StoreView,
    nodes: Nodes,
    spec_path: Path,
    block_name: str,
    trials: Sequence[ExperimentView],
) -> Iterator[str]:
    yield from _adopt(trials)
    wanted = [trial for trial in trials if trial.wanted["want"] != NOTHING]
    if not wanted or wanted[-1].wanted["want"] != RUN:
        return
    unfinished = sum(trial.state not in ENDED for trial in trials)
    count = _ahead(nodes, trials[-1].record.node) - unfinished
    count = min(count, int((trials[-1].record.search or {}).get("n", 0)) - _number(trials[-1]))
    if count <= 0:
        return
    spec = read_spec(spec_path)
    block = next((one for one in spec.blocks if one.name == block_name), None)
    if block is None or block.search is None:
        raise ValueError(
            f"Received: {spec_path} without the search of {trials[0].name}. Expected: it as before."
        )
    asked = ask(
        block.parameters.search,
        [_told(trial, block.search) for trial in trials],
        count,
        largest=block.search.largest,
        seed=block.seed,
    )
    new = trials_of(spec, block, [one.record.parameters for one in trials], asked)
    new = [_with_code(trial, trials[0].record) for trial in new]
    for record in add(view.store, spec, new).new:
        set_wanted(ExperimentFolder(view.store.path / record.name), want=RUN, by=BY)
        yield f"{record.name}: trial {(record.search or {})['trial']} of {block.search.n}"


def _with_code(trial: Experiment, first: Experiment) -> Experiment:
    """Return a trial that runs the code which the first one froze, even where it was edited since."""
    if trial.code.policy != FROZEN or first.code.policy != FROZEN:
        return trial
    run = dataclasses.replace(trial.run, folder=first.run.folder)
    return dataclasses.replace(trial, run=run, code=first.code)


def _adopt(trials: Sequence[ExperimentView]) -> Iterator[str]:
    """Want the trials that an earlier call added before it was killed."""
    for trial in trials:
        if _number(trial) > STARTUP_TRIALS and trial.wanted["want"] == NOTHING:
            set_wanted(trial.folder, want=RUN, by=BY)
            yield f"{trial.name}: trial {_number(trial)}"


def _number(trial: ExperimentView) -> int:
    return int((trial.record.search or {}).get("trial", 0))


def _ahead(nodes: Nodes, node: str) -> int:
    """Return how many trials are to be unfinished at a time: what runs at once, and one that waits."""
    rooms = [
        one.max_queued or _IN_A_QUEUE if one.type == SLURM else one.slots + 1
        for one in nodes.of(node)
    ]
    return min(sum(rooms), _MOST_AHEAD)


def _told(trial: ExperimentView, search: Search) -> Told:
    return Told(
        parameters=trial.record.parameters,
        value=best_of(read_history(trial.folder.history)["rows"], search),
        ended=trial.state in ENDED,
    )


def best_of(rows: Sequence[dict[str, Any]], search: Search) -> float | None:
    """Return the best value of the goal in the rows of a history, None without any."""
    values = [row.get(search.goal) for row in rows]
    numbers = [
        float(value) for value in values if isinstance(value, (int, float)) and math.isfinite(value)
    ]
    if not numbers:
        return None
    return max(numbers) if search.largest else min(numbers)
