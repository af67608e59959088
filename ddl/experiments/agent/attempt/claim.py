"""The fence: at most one agent trains an experiment at a time, on whatever machine, whoever started it.

An agent makes its claim, then looks for later ones and gives way to them, then waits for the end of all earlier ones.
Of two agents that do this at the same time at least one sees the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node.processes import is_gone, own_identity
from ddl.experiments.agent.pace import LEASE_S, SILENCE_S, now_s, paced
from ddl.experiments.agent.whole import (
    create_json,
    make_folder,
    read_json,
    replace_text,
    write_json,
)

IDENTITY_NAME = "identity.json"


class Claim:
    """A claim of an attempt: its number counts how often the scheduler restarted the job."""

    def __init__(self, attempt: AttemptFolder, number: int, agent: str = "") -> None:
        """Name the claim. `agent` is the SHA of the agent. Touches nothing."""
        self.attempt = attempt
        self.number = number
        self.identity = {
            **own_identity(),
            "job_id": os.environ.get("SLURM_JOB_ID", ""),
            "restarts": number,
            "started": time.time(),
            "agent": agent,
            "python": sys.version.split()[0],
        }
        self._count = 0
        self._written_s = now_s()

    def take(self) -> str:
        """Make the claim. Return "" where it is won, else who has it."""
        if self.attempt.status.exists():
            return "the attempt has ended"
        with contextlib.suppress(FileExistsError):
            self.attempt.claims.mkdir()
        folder = self.attempt.claim(self.number)
        make_folder(folder)
        # A folder that a killed agent left empty is nobody's claim yet, and a network file system may lose the reply
        # to a `mkdir`. So the identity decides: of several agents one can create it.
        if not create_json(folder / IDENTITY_NAME, self.identity):
            return who(read_json(folder / IDENTITY_NAME))
        return self.later()

    def later(self) -> str:
        """Return who has made a later claim of this experiment, "" if nobody has."""
        newer = [number for number in self.attempt.claim_numbers() if number > self.number]
        if newer:
            return f"claim {newer[-1]} of this attempt"
        experiment = self.attempt.experiment
        for number in reversed(experiment.attempt_numbers()):
            if number > self.attempt.number and experiment.attempt(number).claim_numbers():
                return f"attempt {number}"
        return ""

    def write_identity(self, **more: Any) -> None:
        """Add facts to the identity, such as the command's process."""
        self.identity.update(more)
        write_json(self.attempt.claim(self.number) / IDENTITY_NAME, self.identity)

    def beat(self, doing: str) -> bool:
        """Write a heartbeat. Return whether that worked.

        It appears whole but is not synced to the disk: after a power cut nobody needs it.
        """
        self._count += 1
        beat = {"count": self._count, "time": time.time(), "claim": self.number, "doing": doing}
        try:
            replace_text(self.attempt.heartbeat, json.dumps(beat).encode())
        except OSError:
            return False
        self._written_s = now_s()
        return True

    def hold(self) -> None:
        """Count the lease from now: nothing trains yet, so no heartbeat is due."""
        self._written_s = now_s()

    def is_expired(self) -> bool:
        """Return whether no heartbeat could be written for so long that a successor may soon take over."""
        return now_s() - self._written_s > paced(LEASE_S)


class Predecessors:
    """The earlier claims of an experiment that may still train."""

    def __init__(self, claim: Claim, clock: Callable[[], float] = now_s) -> None:
        """Note the earlier claims."""
        self._clock = clock
        self._seen: dict[Path, tuple[bytes, float]] = {}
        attempt = claim.attempt
        self._left: list[tuple[AttemptFolder, int]] = []
        for number in attempt.experiment.attempt_numbers():
            earlier = attempt.experiment.attempt(number)
            if number <= attempt.number:
                self._left += [
                    (earlier, n)
                    for n in earlier.claim_numbers()
                    if number < attempt.number or n < claim.number
                ]
        self.is_of_this_attempt = any(earlier.path == attempt.path for earlier, _ in self._left)

    def blocking(self) -> str:
        """Return the claim that must be waited for, "" if there is none any more."""
        self._left = [
            (attempt, number) for attempt, number in self._left if self._may_train(attempt, number)
        ]
        return f"attempt {self._left[-1][0].number}" if self._left else ""

    def _may_train(self, attempt: AttemptFolder, number: int) -> bool:
        status = read_json(attempt.status)
        if status and (status.get("claim") is None or int(status["claim"]) >= number):
            return False
        identity = read_json(attempt.claim(number) / IDENTITY_NAME)
        if identity and is_gone(identity):
            return False
        return not self._is_silent(attempt, number)

    def _is_silent(self, attempt: AttemptFolder, number: int) -> bool:
        """Return whether its heartbeat has not changed for so long that its lease has ended."""
        try:
            beat = attempt.heartbeat.read_bytes()
        except OSError:
            beat = b""
        key = attempt.claim(number)
        if key not in self._seen or self._seen[key][0] != beat:
            self._seen[key] = (beat, self._clock())
        return self._clock() - self._seen[key][1] > paced(SILENCE_S)


def who(identity: dict[str, Any]) -> str:
    """Return an identity in words."""
    if not identity:
        return "another agent"
    job = f", job {identity['job_id']}" if identity.get("job_id") else ""
    return f"process {identity.get('pid')} on {identity.get('host')}{job}"


def newest_identity(attempt: AttemptFolder) -> dict[str, Any] | None:
    """Return the identity of the newest claim, {} where it has none yet, None where there is no claim."""
    numbers = attempt.claim_numbers()
    return read_json(attempt.claim(numbers[-1]) / IDENTITY_NAME) if numbers else None
