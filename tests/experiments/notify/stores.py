"""Views of stores for the tests of notifications: what `read_view` returns, with the fields that mail needs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import write_json
from ddl.experiments.spec.records import Code, Experiment, Run

STORE_ID = "1f2e3d4c"
SINCE = 1_790_000_000.0
MAIL = {"to": "ada@example.org", "curve": False}


def made_experiment(store: Path, number: int = 1, state: str = "failed", **given: Any) -> Any:
    """Make an experiment with an attempt, and return its view.

    Args:
        store: the store's folder.
        number: its number.
        state: its state.
        given: `name`, `mail`, `notify`, `why`, `rows`, `events`, `tail`, `parameters`, `node`, `attempts`.
    """
    name = given.get("name", f"{number:03d}-lr0.{number}")
    folder = ExperimentFolder(store / name)
    attempts = []
    for count in range(1, given.get("attempts", 1) + 1):
        attempt = folder.attempt(count)
        attempt.path.mkdir(parents=True)
        events = given.get("events", ()) if count == 1 else ()
        attempt.events.write_text("".join(json.dumps(event) + "\n" for event in events))
        attempts.append(
            SimpleNamespace(
                folder=attempt,
                number=count,
                name=f"ddl-{STORE_ID}-{number:03d}-a{count}",
                status={"tail": given.get("tail", ["Traceback", "KeyError: 'x'"])},
            )
        )
    folder.path.mkdir(parents=True, exist_ok=True)
    if rows := given.get("rows"):
        write_json(folder.history, {"format": 1, "rows": rows})
    record = Experiment(
        number=number,
        name=name,
        parameters=given.get("parameters", {"learning_rate": 0.001}),
        run=Run(argv=("python", "train.py")),
        mail=given.get("mail", MAIL),
        notify=given.get("notify"),
        code=Code(source=str(store.parent)),
    )
    return SimpleNamespace(
        record=record,
        name=name,
        number=number,
        folder=folder,
        attempts=tuple(attempts),
        state=state,
        why=given.get("why", "its command ended with status 1"),
        since=given.get("since", SINCE),
        node=given.get("node", "here"),
        epoch=3,
        epochs=50,
    )


def made_view(store: Path, *experiments: Any, nodes: Any = None) -> Any:
    """Return the view of a store with some experiments."""
    store.mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(
        store=SimpleNamespace(id=STORE_ID, name="cells", path=store),
        experiments=experiments,
        nodes_seen=nodes or {},
        now=SINCE,
    )
