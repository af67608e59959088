"""One attempt from claim to status: wait for the predecessor, check, start the command, watch it, end it."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from ddl.experiments.agent import pace
from ddl.experiments.agent.attempt import ending, launch, preflight, successor
from ddl.experiments.agent.attempt.beside import Beside
from ddl.experiments.agent.attempt.claim import Claim, Predecessors
from ddl.experiments.agent.attempt.guardian import Guardian
from ddl.experiments.agent.attempt.requests import Requests
from ddl.experiments.agent.attempt.signals import Signals
from ddl.experiments.agent.attempt.stopping import Stopper
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node import memory, processes
from ddl.experiments.agent.outcome import Outcome, outcome_of
from ddl.experiments.agent.whole import read_json

STATUSES = {"crashed": 1, "out of memory": 1, "refused": 2, "diverged": 4}
"""Exit statuses of the agent, for the scheduler's own records."""


class Job:
    """An attempt that this agent has claimed."""

    def __init__(self, attempt: AttemptFolder, claim: Claim, agent: str) -> None:
        """Read what is to be done."""
        self.attempt, self.claim = attempt, claim
        self.intent = read_json(attempt.intent)
        self.name = str(self.intent["name"])
        self.record = launch.record_of(attempt)
        self.run_part = self.record["run"]
        self.values = launch.places(attempt, self.record, self.name, agent)
        self.environ = launch.environment(attempt, self.record, self.name, agent, self.values)
        self.words = launch.words_of(self.run_part, self.values, bool(self.record.get("profile")))
        self.folder = launch.folder_of(self.record, self.values)
        self.signals = Signals()
        self.requests = Requests(attempt, claim, self.signals, self._limit_s())
        self.started = time.time()
        self.peak_bytes = 0

    def run(self) -> int:
        """See the attempt through. Return the exit status."""
        kept = self._wait_for_predecessors() or self._refusal()
        if kept is not None:
            return self._end(kept, None, started=False)
        return self._train()

    def _wait_for_predecessors(self) -> Outcome | None:
        """Return how the attempt ended where it is asked to end before its turn comes."""
        predecessors = Predecessors(self.claim)
        while True:
            blocking = predecessors.blocking()
            asked = self.requests.look(
                "waiting", quiet=predecessors.is_of_this_attempt and bool(blocking)
            )
            if asked is not None:
                return outcome_of(None, asked.how)
            if not blocking:
                return None
            self.signals.wait(pace.paced(pace.TICK_S))

    def _refusal(self) -> Outcome | None:
        """Return why the command is not started, if so."""
        unneeded = successor.is_needed(self.attempt)
        if unneeded:
            return Outcome("never started", unneeded)
        self._end_strays()
        run_dir = self.attempt.experiment.run_dir
        try:
            run_dir.mkdir(exist_ok=True)
        except OSError as error:
            return Outcome(
                "refused",
                f"Received: {run_dir}: {error.strerror}. Expected: a folder that can be written.",
            )
        lines = preflight.missing(
            self.record.get("needs") or {}, self.words, self.folder, self.environ, run_dir
        )
        if lines:
            return Outcome("refused", " ".join(lines))
        asked = self.requests.look("starting")  # the last look before the command
        return outcome_of(None, asked.how) if asked else None

    def _end_strays(self) -> None:
        """End what earlier attempts have left on this machine: their agents are gone."""
        for number in self.attempt.experiment.attempt_numbers():
            if number > self.attempt.number:
                continue
            stopper = Stopper(successor.name_of(self.name, number), 0, 0, 0)
            stopper.begin(0)
            while not stopper.step():
                self.requests.look("ending what an earlier attempt left")
                self.signals.wait(pace.paced(0.2))

    def _train(self) -> int:
        outputs = [self.folder / str(name) for name in self.record.get("outputs") or ()]
        before, kills = ending.Before(self.attempt, outputs), memory.kills()
        self.beside = Beside(self.attempt, self.record, self.name)
        try:
            command = launch.start(self.words, self.environ, self.folder, self.attempt)
        except OSError as error:
            return self._end(
                Outcome("refused", f"Received: {self.words[0]}: {error.strerror}."),
                None,
                started=False,
            )
        main = processes.find(command.pid)
        ticks = main.start_ticks if main else 0
        number = launch.stop_signal(self.run_part)
        guardian = Guardian(self.name, command.pid, ticks, number)
        self.claim.write_identity(command={"pid": command.pid, "start_ticks": ticks})
        ending.append_event(self.attempt, self.name, "started", "started", {"pid": command.pid})
        self._watch(command.pid, Stopper(self.name, command.pid, ticks, number))
        returncode = command.wait()
        guardian.dismiss()
        self.beside.poll()
        asked = self.requests.asked
        outcome = outcome_of(
            returncode,
            asked.how if asked else None,
            before.last_log_line(),
            out_of_memory=memory.kills() > kills,
            says_75=launch.says_75(self.run_part, self.attempt),
            error_line=" ".join(ending.tail(self.attempt.err_log, 1)),
        )
        progressed = before.has_progress() or self.beside.new_rows > 0
        return self._end(outcome, returncode, progressed=progressed)

    def _watch(self, pid: int, stopper: Stopper) -> None:
        """Return when no process of the attempt is left. The command's own is a zombie then, so its number is ours."""
        ended_s = None
        grace_s = self.requests.current_grace_s
        while True:
            asked = self.requests.look("stopping" if stopper.is_stopping else "training")
            if asked is not None and grace_s != self.requests.current_grace_s:
                grace_s = self.requests.current_grace_s
                stopper.begin(min(grace_s or 0, launch.grace_s(self.run_part)))
                self._hand_over_early(asked.how)
            for order in self.beside.poll():
                self.requests.ask(order.how, order.by, order.why)
            if ended_s is None and _has_ended(pid):
                ended_s = pace.now_s()
            if ended_s is not None and not stopper.is_stopping:
                stopper.begin(pace.paced(_LEFT_BEHIND_S))
            if (ended_s is not None or stopper.is_stopping) and stopper.step():
                return
            self.signals.wait(pace.paced(pace.TICK_S) if ended_s is None else 0.1)

    def _hand_over_early(self, how: str) -> None:
        """Hand the next attempt over while the job still lives: its scheduler may end it at any moment."""
        if how in ("time limit", "preempted") and self.intent.get("chain") == "agent":
            status = {
                "attempt": self.attempt.number,
                "outcome": "continue",
                "cause": how,
                "progressed": True,
            }
            self._follow(status)

    def _follow(self, status: dict[str, Any]) -> AttemptFolder | None:
        """Write the next attempt's intent where one is due and ours to make, and hand it over to a scheduler."""
        chain = self.intent.get("chain")
        step = successor.step_after(self.attempt, int(self.record.get("retries") or 0), status)
        if step.step != "again" or chain not in ("agent", "runner"):
            return None
        following = successor.create_next(self.attempt, step.reason)
        if following is not None and chain == "agent":
            problem = successor.hand_over(following)
            if problem:
                say(f"could not hand over {following.path}: {problem}")
        return following

    def _end(
        self,
        outcome: Outcome,
        returncode: int | None,
        *,
        started: bool = True,
        progressed: bool = False,
    ) -> int:
        asked = self.requests.asked
        status: dict[str, Any] = {
            "outcome": outcome.outcome,
            "why": outcome.why,
            "cause": outcome.cause,
            "by": asked.by if asked else "command" if started else "agent",
            "returncode": returncode,
            "signal": -returncode if returncode is not None and returncode < 0 else None,
            "attempt": self.attempt.number,
            "claim": self.claim.number,
            "epochs": self.beside.epochs if started else 0,
            "progressed": progressed,
            "peak_memory_bytes": max(self.peak_bytes, _largest_child_bytes()) if started else 0,
            "tail": ending.tail_of(self.attempt) if started else [],
            "started": self.started if started else None,
            "ended": time.time(),
            "seconds": time.time() - self.started,
        }
        following = None if outcome.outcome == "superseded" else self._follow(status)
        self._tell(outcome, status)
        written = ending.write_status(self.attempt, status)
        if following is not None and self.intent.get("chain") == "runner":
            from ddl.experiments.agent.runner.queue import enqueue

            enqueue([following.path], None, None)
        return STATUSES.get(outcome.outcome, 0) if written else 1

    def _tell(self, outcome: Outcome, status: dict[str, Any]) -> None:
        step = successor.step_after(self.attempt, int(self.record.get("retries") or 0), status)
        kind = ending.event_of(self.name, outcome.outcome, final=step.step == "failed")
        if kind:
            why = outcome.why if step.reason == outcome.outcome else f"{outcome.why}; {step.reason}"
            details = {key: status[key] for key in ("returncode", "epochs", "tail", "by")}
            ending.append_event(self.attempt, self.name, kind, why, details)

    def _limit_s(self) -> float | None:
        """Return after how many seconds the command is to stop for its successor, None for never.

        A scheduler ends the job itself, and warns by a signal: then this is for the case that the warning is lost.
        """
        needs = self.record.get("needs") or {}
        limit = self.intent.get("time_limit_s") or needs.get("time_s")
        if not limit:
            return None
        if self.intent.get("chain") != "agent":
            return float(limit)
        return float(limit) - min(launch.grace_s(self.run_part) + 30, float(limit) / 4)


_LEFT_BEHIND_S = 2.0  # for what a command leaves in the background when it ends by itself


def run(attempt_dir: str, agent: str, sha: str) -> int:
    """Run an attempt in the foreground. Return 0 at once where another agent has claimed it."""
    attempt = AttemptFolder(Path(attempt_dir).resolve())
    if not read_json(attempt.intent).get("name"):
        say(f"Received: {attempt.path}. Expected: the folder of an attempt with an intent.json.")
        return 2
    if not launch.record_of(attempt):
        say(
            f"Received: {attempt.experiment.experiment}. Expected: an experiment's record with a command."
        )
        return 2
    claim = Claim(attempt, _restarts(), sha)
    lost = claim.take()
    if lost:
        say(f"{attempt.path}: claimed already: {lost}")
        return 0
    return Job(attempt, claim, agent).run()


def say(line: str) -> None:
    """Write a line to standard error."""
    from ddl.plain_text import tell

    tell(f"agent: {line}")


def _restarts() -> int:
    text = os.environ.get("SLURM_RESTART_COUNT", "0")
    return int(text) if text.isdigit() else 0


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, and leave it unreaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _largest_child_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
