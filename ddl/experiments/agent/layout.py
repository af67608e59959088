"""Names of the files in a store. The manager and the agents use the same ones.

    STORE/store.json                    format, the store's random id, its name
          spec.yaml (or .json, .csv)    the spec as it was added last
          code/                         frozen code: COMMIT.patch and a folder for each state of the files
          seen/NODE.json                what `sync` saw of a node last, and when
          mail/new/  mail/sent/         the outbox
          003-lr0.001-w32/              an experiment:
              experiment.json           what it is; never changed
              wanted.json               what the user wants of it
              run/                      its run directory: {run_dir}
              history.json              its variables, a row for each epoch
              attempts/1/intent.json    written before the hand-over
                         submitted.json where it was handed over
                         stop.json      a request to end
                         claims/0000/identity.json    who runs it: made by `mkdir`, which only one can win
                         heartbeat      a number that grows
                         out.log err.log resources.jsonl findings.jsonl events.jsonl
                         record.jsonl   what `agent record` was told
                         watch.json     what its rules have seen, for the next attempt
                         agent.log      errors of the agent itself, where a runner has started it
                         status.json    how it ended

Each file has one writer, and appears whole: experiment, wanted, submitted by the manager; what stands in an attempt's
folder otherwise by its agent. `stop.json` and an intent are made by whoever comes first.
"""

from __future__ import annotations

import re
from pathlib import Path

STORE_NAME = "store.json"
EXPERIMENT_NAME = "experiment.json"

_CLAIM_DIGITS = 4


class AttemptFolder:
    """`attempts/N` of an experiment: one hand-over of it to a machine."""

    def __init__(self, path: Path) -> None:
        """Name the files of the attempt in `path`. Touches nothing."""
        self.path = path
        self.number = int(path.name)
        self.experiment = ExperimentFolder(path.parent.parent)
        self.intent = path / "intent.json"
        self.submitted = path / "submitted.json"
        self.stop = path / "stop.json"
        self.claims = path / "claims"
        self.heartbeat = path / "heartbeat"
        self.out_log = path / "out.log"
        self.err_log = path / "err.log"
        self.resources = path / "resources.jsonl"
        self.findings = path / "findings.jsonl"
        self.events = path / "events.jsonl"
        self.status = path / "status.json"
        self.record = path / "record.jsonl"
        self.watch = path / "watch.json"
        self.agent_log = path / "agent.log"

    def claim(self, number: int) -> Path:
        """Return the folder of the claim with this number: how often the scheduler restarted the job."""
        return self.claims / f"{number:0{_CLAIM_DIGITS}d}"

    def claim_numbers(self) -> list[int]:
        """Return the numbers of the claims, in order."""
        return _numbers(self.claims)


class ExperimentFolder:
    """The folder of an experiment."""

    def __init__(self, path: Path) -> None:
        """Name the files of the experiment in `path`. Touches nothing."""
        self.path = path
        self.store = path.parent
        self.experiment = path / EXPERIMENT_NAME
        self.wanted = path / "wanted.json"
        self.run_dir = path / "run"
        self.history = path / "history.json"
        self.attempts = path / "attempts"

    def attempt(self, number: int) -> AttemptFolder:
        """Return the attempt with this number, whether or not it exists."""
        return AttemptFolder(self.attempts / str(number))

    def attempt_numbers(self) -> list[int]:
        """Return the numbers of the attempts, in order."""
        return _numbers(self.attempts)


def _numbers(folder: Path) -> list[int]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:  # none yet
        return []
    return sorted(int(name) for name in names if re.fullmatch(r"[0-9]+", name))
