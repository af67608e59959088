"""Stores in any state, made of files alone: nothing is started, and no code is frozen.

    made = MadeStore(tmp_path / "store")
    folder = made.experiment("running", {"learning_rate": 0.1}, epoch=3)
    made.seen("here")
    view = made.view()

`experiment` makes one in a state of `ddl.experiments.states.STATES`; `plain`, `want` and `attempt` make the parts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.spec.records import Code, Experiment, Run
from ddl.experiments.states import STATES
from ddl.experiments.store.folder import StoreFolder, create_store
from ddl.experiments.store.view import StoreView, read_view

HOST = "testhost"


def write(path: Path, value: Any) -> None:
    """Write a JSON file, with its folder. Not whole and not synced: a thousand must be made quickly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


class MadeStore:
    """A store that a test fills."""

    def __init__(self, path: Path, name: str = "cells", now: float | None = None) -> None:
        """Create the store. `now` is the time of all that is written, the present by default."""
        self.store: StoreFolder = create_store(path, name)
        self.now = time.time() if now is None else now
        self._count = 0

    @property
    def path(self) -> Path:
        """The store's folder."""
        return self.store.path

    def plain(
        self,
        parameters: Mapping[str, Any] | None = None,
        argv: tuple[str, ...] = ("true",),
        **fields: Any,
    ) -> ExperimentFolder:
        """Make an experiment that nobody wants yet. `fields` are those of `Experiment`."""
        self._count += 1
        number = self._count
        given = {"seed": number} if parameters is None else parameters
        differs = "-".join(f"{name}{value}" for name, value in given.items()) or "base"
        label = fields.get("label", differs.replace("/", "_"))
        run = Run(argv=argv, folder=str(self.path))
        known = {
            "number": number,
            "label": label,
            "name": f"{number:03d}-{label}",
            "id": f"{number:016x}",
            "spec_name": self.store.name,
            "group": self.store.name,
            "added": self.now - 7200,
            "parameters": dict(given),
            "run": run,
            "code": Code(policy="live", source=str(self.path)),
        }
        record = Experiment(**{**known, **fields})
        folder = ExperimentFolder(self.path / record.name)
        write(folder.experiment, record.to_json())
        return folder

    def want(self, folder: ExperimentFolder, want: str = "run", **changes: Any) -> None:
        """Say what is wanted of an experiment."""
        write(folder.wanted, {"want": want, "since": self.now - 3600, "by": "ada", **changes})

    def attempt(
        self,
        folder: ExperimentFolder,
        phase: str = "running",
        *,
        node: str = "here",
        reason: str = "first",
        age_s: float = 600.0,
        beat_age_s: float = 5.0,
        job: str = "",
        **status: Any,
    ) -> AttemptFolder:
        """Make the next attempt.

        Args:
            folder: the experiment's.
            phase: "submitting" (an intent only), "waiting" (submitted), "running" (claimed), or an outcome: "finished",
                "crashed", ...
            node: where it is.
            reason: why it was made.
            age_s: how long ago it started.
            beat_age_s: age of its newest heartbeat.
            job: the scheduler's id of it.
            status: further values of status.json.
        """
        numbers = folder.attempt_numbers()
        attempt = folder.attempt(numbers[-1] + 1 if numbers else 1)
        number = json.loads(folder.experiment.read_text())["number"]
        start = self.now - age_s
        intent = {
            "format": 1,
            "name": f"ddl-{self.store.id}-{number:03d}-a{attempt.number}",
            "number": attempt.number,
            "node": node,
            "backend": "local",
            "created": start - 2,
            "by": "manager",
            "reason": reason,
            "root": str(self.path),
        }
        write(attempt.intent, intent)
        if phase == "submitting":
            return attempt
        write(attempt.submitted, {"id": job, "time": start - 1, "where": node})
        if phase == "waiting":
            return attempt
        identity = {"host": HOST, "boot_id": "b", "pid": 1, "start_ticks": 1, "started": start}
        write(attempt.claim(0) / "identity.json", {**identity, "job_id": job, "restarts": 0})
        write(attempt.heartbeat, {"count": 60, "time": self.now - beat_age_s})
        if phase != "running":
            self.end(attempt, phase, **status)
        return attempt

    def end(self, attempt: AttemptFolder, outcome: str, **status: Any) -> None:
        """Write how an attempt ended."""
        code = {"finished": 0, "continue": 75, "diverged": 4, "refused": 2, "stopped": 75}
        known = {
            "format": 1,
            "ended": self.now - 10,
            "started": self.now - 600,
            "outcome": outcome,
            "returncode": code.get(outcome, 1),
            "signal": None,
            "why": "",
            "by": "agent",
            "attempt": attempt.number,
            "claim": 0,
            "progressed": True,
            "seconds": 590.0,
            "tail": [],
        }
        write(attempt.status, {**known, **status})

    def stop(self, attempt: AttemptFolder, how: str = "stop", by: str = "user") -> None:
        """Ask an attempt to end."""
        write(attempt.stop, {"how": how, "by": by, "time": self.now - 20, "why": ""})

    def history(self, folder: ExperimentFolder, rows: list[Mapping[str, Any]]) -> None:
        """Write the values of an experiment."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        write(
            folder.history,
            {"format": 1, "variables": names, "rows": rows, "updated": self.now - 5},
        )

    def epochs(self, folder: ExperimentFolder, epochs: int, attempt: int = 1) -> None:
        """Write a falling loss and a rising Dice."""
        rows = [
            {
                "epoch": epoch,
                "time": self.now - 420 - 10.0 * (epochs - epoch),
                "attempt": attempt,
                "loss": 1 / epoch,
                "val_dice": 1 - 1 / (epoch + 1),
            }
            for epoch in range(1, epochs + 1)
        ]
        self.history(folder, rows)

    def seen(
        self, node: str = "here", *, reachable: bool = True, age_s: float = 30.0, **facts: Any
    ) -> None:
        """Write what `sync` saw of a node last. `jobs` is name of an attempt -> list of jobs."""
        value = {
            "format": 1,
            "time": self.now - age_s,
            "reachable": reachable,
            "error": None if reachable else "connection refused",
            "since_unreachable": None if reachable else self.now - age_s,
            "jobs": {},
            "queried": [],
            "facts": {},
            "agent": {},
        }
        write(self.store.seen / f"{node}.json", {**value, **facts})

    def experiment(
        self,
        state: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        epoch: int = 0,
        node: str = "here",
        **fields: Any,
    ) -> ExperimentFolder:
        """Make an experiment that is in a state. "unknown" needs a node that `seen` says is unreachable: "away"."""
        folder = self.plain(parameters, **fields)
        if epoch:
            self.epochs(folder, epoch)
        if state == "planned":
            return folder
        want = {"paused": "pause", "stopping": "stop", "stopped": "stop"}.get(state, "run")
        self.want(folder, want)
        if state == "queued":
            return folder
        if state in ("submitting", "waiting", "running", "stopping"):
            self.attempt(folder, "running" if state == "stopping" else state, node=node)
        elif state == "unknown":
            self.attempt(folder, "running", node="away", beat_age_s=400)
            self.seen("away", reachable=False, age_s=300)
        else:
            outcome, why = _ENDS[state]
            lost = {"returncode": None, "by": "manager"} if state == "lost" else {}
            self.attempt(folder, outcome, node=node, why=why, **lost)
        return folder

    def all_states(self) -> dict[str, ExperimentFolder]:
        """Make an experiment in each state."""
        return {state: self.experiment(state, epoch=2) for state in STATES}

    def view(self) -> StoreView:
        """Read the store at its own time."""
        return read_view(self.path, self.now)


_ENDS = {
    "failed": ("crashed", "status 1: ValueError: no such file"),
    "diverged": ("diverged", "the loss became NaN"),
    "refused": ("refused", "status 2: Received: a bad flag"),
    "lost": ("crashed", "the node forgot it"),
    "requeued": ("continue", "time limit"),
    "paused": ("paused", "paused by ada"),
    "stopped": ("stopped", "stopped by ada"),
    "finished": ("finished", ""),
}


def large_store(path: Path, count: int, running: int, epochs: int = 20) -> MadeStore:
    """Make a store of many experiments, `running` of them running, the others in all other states."""
    made = MadeStore(path)
    others = [state for state in STATES if state not in ("running", "unknown")]
    for number in range(count):
        state = "running" if number < running else others[number % len(others)]
        parameters = {"learning_rate": 10.0 ** -(number % 5), "seed": number, "epochs": epochs}
        is_begun = state not in ("planned", "queued", "submitting", "waiting")
        made.experiment(state, parameters, epoch=epochs // 2 if is_begun else 0)
    made.seen("here")
    return made
