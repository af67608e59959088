"""What the user asks of experiments: submit, stop, pause, resume, retry, remove. A wish is one file; `sync` fulfils it.

Each function changes wanted.json where that is right in the state that the experiment is in, and returns what to tell.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

from ddl.experiments.engine.files.removal import ask_for_results
from ddl.experiments.states import BAD, ENDED, ON_A_NODE
from ddl.experiments.store.attempts import number
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.store.wanted import set_wanted

Wish = Callable[[ExperimentView], str]

_LIVE = ON_A_NODE | {"requeued"}


def submit(experiment: ExperimentView, node: str | None = None, priority: int | None = None) -> str:
    """Want an experiment that was not wanted yet."""
    changes = _placed(node, priority)
    if experiment.state == "planned" or (experiment.state == "stopped" and not experiment.attempts):
        _want(experiment, want="run", **changes)
        return "submitted"
    if changes and experiment.state not in ENDED:
        _want(experiment, **changes)
        return "submitted before; its node and priority are changed for its next attempt"
    remedy = ""
    if experiment.state in BAD:
        remedy = "; `retry` tries again"
    elif experiment.state in ("stopped", "paused"):
        remedy = "; `resume` continues"
    return f"submitted before, is {experiment.state}{remedy}"


def stop(experiment: ExperimentView) -> str:
    """End an experiment, with a checkpoint if its command writes one."""
    return _end(experiment, "stop", "stopped")


def pause(experiment: ExperimentView) -> str:
    """End an experiment until `resume`."""
    return _end(experiment, "pause", "paused")


def _end(experiment: ExperimentView, want: str, done: str) -> str:
    state, before = experiment.state, str(experiment.wanted.get("want"))
    if state == "planned":
        return "was not submitted"
    if state == "paused" and want == "stop":
        _want(experiment, want=want)
        return "was paused, is stopped"
    if state == done or state in ENDED:
        return f"is {state} already"
    if before == "remove":
        return "is being removed"
    if before == want and state == "stopping":
        return "is stopping already"
    _want(experiment, want=want)
    return f"is to be {done}" if state in _LIVE else done


def resume(experiment: ExperimentView) -> str:
    """Continue what was paused or stopped."""
    state, want = experiment.state, str(experiment.wanted.get("want"))
    if want == "remove":
        return "is being removed"
    if state in ("paused", "stopped") or (want in ("pause", "stop") and state not in ENDED):
        _want(experiment, want="run", first_attempt=_next(experiment))
        return (
            "continues" if state in ("paused", "stopped") else "continues as soon as it has stopped"
        )
    if state == "planned":
        return "was not submitted; `submit` does"
    return f"is {state}; nothing to resume" + ("; `retry` tries again" if state in BAD else "")


def retry(experiment: ExperimentView) -> str:
    """Try again what has failed."""
    if experiment.wanted.get("want") == "remove":
        return "is being removed"
    if experiment.state in BAD or experiment.state == "stopped":
        tries = int(number(experiment.wanted.get("tries"))) + 1
        _want(experiment, want="run", tries=tries, first_attempt=_next(experiment))
        return f"try {tries + 1}"
    if experiment.state == "unknown":
        return f"is unknown, so it may still run: {experiment.why}"
    return f"is {experiment.state}; nothing to try again"


def remove(experiment: ExperimentView, *, yes: bool, results: bool) -> str:
    """Take an experiment out of the store, ended first.

    Raises:
        ValueError: It may be running, and `yes` was not given.
    """
    if experiment.state in ON_A_NODE and not yes:
        raise ValueError(
            f"Received: {experiment.name}, which is {experiment.state}. Expected: one that has ended; stop it, or give "
            "yes=true."
        )
    if results:
        ask_for_results(experiment.folder)
    _want(experiment, want="remove")
    return "is ended and removed" if experiment.state in _LIVE else ""


def _next(experiment: ExperimentView) -> int:
    return max((attempt.number for attempt in experiment.attempts), default=0) + 1


def _placed(node: str | None, priority: int | None) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if node is not None:
        changes["node"] = node
    if priority is not None:
        changes["priority"] = priority
    return changes


def _want(experiment: ExperimentView, **changes: Any) -> None:
    set_wanted(experiment.folder, **changes, by=_user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return "user"
