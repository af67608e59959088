"""What comes back from a node that does not see the store: attempts, history, the run directory, outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from ddl.experiments.backends.transport import Transport
from ddl.experiments.engine.files.sending import escaped_name, folder_there
from ddl.experiments.states import ON_A_NODE
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.view import ExperimentView

OUTPUTS = "outputs"
"""Folder of an experiment for outputs of the folder that its command runs in."""

_FETCH_S = 1800.0
_HEAVY = ("/run/checkpoints/", "/run/events.out.*", "/run/*.keras", "/run/*.weights.h5")
"""Parts of a run directory that come only where `outputs:` asks for them."""


def is_due(experiment: ExperimentView, node: str) -> bool:
    """Return whether an experiment may have news on a node."""
    there = [attempt for attempt in experiment.attempts if attempt.node == node]
    is_open = any(not attempt.has_ended for attempt in there)
    return is_open or (bool(there) and experiment.state in ON_A_NODE)


def fetch(
    transport: Transport,
    root: str,
    store: StoreFolder,
    experiments: Sequence[ExperimentView],
    extra: Sequence[str] = (),
) -> None:
    """Fetch the files of experiments, and `extra` ones. What was there stays whole if the connection breaks off.

    Raises:
        Unreachable: The connection broke off; what had come is whole.
        OSError: Files cannot be written here.
    """
    for experiment in experiments:
        if experiment.record.outputs:
            _fetch_outputs(transport, root, experiment)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as rules:
        more = [f"+ {part}" for path in extra for part in _with_parents(path)]
        rules.write("\n".join([*more, *rules_of(experiments)]) + "\n")
        rules.flush()
        words = ("--update", "--prune-empty-dirs", f"--filter=merge {rules.name}")
        transport.fetch(f"{root}/", store.path, words, timeout_s=_FETCH_S)


def rules_of(experiments: Sequence[ExperimentView]) -> list[str]:
    """Return rsync's rules for what comes back: the first that fits a name counts."""
    rules = []
    for experiment in experiments:
        name = escaped_name(experiment.folder.path.name)
        rules.append(f"+ /{name}/")
        for pattern in experiment.record.outputs:
            rules += [
                f"+ /{name}/run{part}" for part in _with_parents(pattern.removeprefix("run/"))
            ]
        rules += [f"- /{name}{heavy}" for heavy in _HEAVY]
        rules += [f"- /{name}/attempts/*/.*", f"+ /{name}/attempts/***"]
        rules += [f"- /{name}/run/.*", f"+ /{name}/run/***", f"+ /{name}/history.json"]
    return [*rules, "- *"]


def _fetch_outputs(transport: Transport, root: str, experiment: ExperimentView) -> None:
    record = experiment.record
    target = experiment.folder.path / OUTPUTS
    rules = [
        f"+ {part}"
        for pattern in record.outputs
        if not pattern.startswith(("/", ".."))
        for part in _with_parents(pattern)
    ]
    if not rules:
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join([*rules, "- *"]) + "\n")
        file.flush()
        words = ("--update", "--prune-empty-dirs", f"--filter=merge {file.name}")
        there = f"{folder_there(record, root)}/"
        if transport.run(["test", "-d", there]).returncode == 0:
            target.mkdir(exist_ok=True)
            transport.fetch(there, target, words, timeout_s=_FETCH_S)
    if not any(target.iterdir()):
        target.rmdir()


def _with_parents(pattern: str) -> list[str]:
    """Return a pattern with the folders that lead to it, which rsync has to be told, and with all below it."""
    parts = [part for part in pattern.strip("/").split("/") if part not in ("", ".")]
    parents = ["/" + "/".join(parts[:count]) + "/" for count in range(1, len(parts))]
    whole = "/" + "/".join(parts)
    return [*parents, whole, f"{whole}/***"]
