"""One attempt from claim to status: wait for the predecessor, check, start the command, watch it, end it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Callable, TypeVar

from ddl.experiments.agent import pace
from ddl.experiments.agent.attempt import closing, ending, launch, preflight, successor
from ddl.experiments.agent.attempt.beside import Beside
from ddl.experiments.agent.attempt.claim import Claim, Predecessors
from ddl.experiments.agent.attempt.guardian import Guardian
from ddl.experiments.agent.attempt.requests import Requests
from ddl.experiments.agent.attempt.signals import Signals
from ddl.experiments.agent.attempt.stopping import Stopper
from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node import memory, processes
from ddl.experiments.agent.node.resources import Sampler
from ddl.experiments.agent.outcome import Outcome, outcome_of
from ddl.experiments.agent.whole import read_json
from ddl.plain_text import tell

STATUSES = {"crashed": 1, "out of memory": 1, "refused": 2, "diverged": 4}
"""Exit statuses of the agent, for the scheduler's own records."""

_Found = TypeVar("_Found")
_told: list[str] = []

_LEFT_BEHIND_S = 2.0  # for what a command leaves in the background when it ends by itself
_ENDING_TICK_S = 0.2


class Job:
    """An attempt that this agent has claimed."""

    def __init__(self, attempt: AttemptFolder, claim: Claim, agent: str, signals: Signals) -> None:
        """Read what is to be done."""
        self.attempt, self.claim = attempt, claim
        self.intent = read_json(attempt.intent)
        self.name = str(self.intent["name"])
        self.record = launch.record_with_node(launch.record_of(attempt), self.intent)
        self.run_part = self.record["run"]
        values = launch.places(attempt, self.record, self.name, agent)
        self.environ = launch.environment(attempt, self.record, self.name, agent, values)
        self.words = launch.words_of(self.run_part, values, bool(self.record.get("profile")))
        self.folder = launch.folder_of(self.record, values)
        self.signals = signals
        limit_s = launch.limit_s(self.intent, self.record)
        self.requests = Requests(attempt, claim, self.signals, limit_s)
        self.started = time.time()

    def run(self) -> int:
        """See the attempt through. Return the exit status."""
        kept = self._wait_for_predecessors() or self._refusal()
        return self._train() if kept is None else self._end(kept, "agent")

    def _wait_for_predecessors(self) -> Outcome | None:
        """Return how the attempt ended where it is asked to end before its turn comes."""
        predecessors = Predecessors(self.claim)
        while True:
            blocking = predecessors.blocking()
            quiet = bool(blocking) and predecessors.is_of_this_attempt
            asked = self.requests.look(f"waiting for {blocking}" if blocking else "starting", quiet)
            if asked is not None:
                return asked.told(outcome_of(None, asked.how))
            if not blocking:
                return None
            self.signals.wait(pace.paced(pace.TICK_S))

    def _refusal(self) -> Outcome | None:
        """Return why the command is not started, if so."""
        unneeded = successor.is_needed(self.attempt)
        if unneeded:
            return Outcome("superseded", f"nothing is left to do: {unneeded}")
        self._end_strays()
        run_dir = self.attempt.experiment.run_dir
        try:
            run_dir.mkdir(exist_ok=True)
        except OSError as error:
            return Outcome(
                "refused", f"Received: {run_dir}: {error.strerror}. Expected: a folder to write to."
            )
        needs = self.record.get("needs") or {}
        lines = preflight.missing(needs, self.words, self.folder, self.environ, run_dir)
        if lines:
            return Outcome("refused", " ".join(lines))
        asked = self.requests.look("starting")  # the last look before the command
        return asked.told(outcome_of(None, asked.how)) if asked else None

    def _end_strays(self) -> None:
        """End what earlier attempts have left on this machine: their agents are gone."""
        for number in self.attempt.experiment.attempt_numbers():
            if number > self.attempt.number:
                continue
            folder = str(self.attempt.experiment.attempt(number).path)
            owner = processes.Owner(successor.name_of(self.name, number), folder)
            stopper = Stopper(owner, 0, 0, 0)
            stopper.begin(pace.paced(ending.GUARDIAN_S))  # a guardian may be ending it gently
            while not stopper.step():
                self.requests.look("ending what an earlier attempt left")
                self.signals.wait(pace.paced(0.2))

    def _train(self) -> int:
        before = ending.Before(self.attempt, self.folder, self.record.get("outputs") or ())
        kills = memory.kills()
        beside = Beside(self.attempt, self.record, self.name, self.folder, self.environ)
        owner = processes.Owner(self.name, str(self.attempt.path))
        number = launch.stop_signal(self.run_part)
        guardian = Guardian(owner, number)
        try:
            command = launch.start(self.words, self.environ, self.folder, self.attempt)
        except OSError as error:
            guardian.dismiss()
            why = f"Received: {self.words[0]}: {error.strerror}. Expected: a program that can be started."
            return self._end(Outcome("refused", why), "agent")
        ticks = processes.start_of(command.pid)
        guardian.watch(command.pid, ticks)
        self.claim.write_identity(command={"pid": command.pid, "start_ticks": ticks})
        ending.append_event(self.attempt, self.name, "started", "started", {"pid": command.pid})
        visible = self.environ.get("CUDA_VISIBLE_DEVICES")
        sampler = Sampler(command.pid, self.attempt.resources, self.attempt.path, visible)
        self._watch(command.pid, Stopper(owner, command.pid, ticks, number), beside, sampler)
        returncode, peak_bytes = _reap(command)
        guardian.dismiss()
        _safely("resources", sampler.close)
        _safely("watching", lambda: beside.poll(ended=True))
        _safely("watching", beside.close)
        asked = self.requests.asked
        outcome = outcome_of(
            returncode,
            asked.how if asked else None,
            before.last_log_line(),
            out_of_memory=memory.kills() > kills,
            says_75=launch.says_75(self.run_part, self.attempt),
            error_line=" ".join(ending.tail(self.attempt.err_log, 1)),
        )
        return self._end(
            asked.told(outcome) if asked else outcome,
            asked.by if asked else "command",
            returncode=returncode,
            signal=-returncode if returncode < 0 else None,
            epochs=beside.epochs,
            progressed=before.has_progress() or beside.new_rows > 0,
            peak_memory_bytes=max(sampler.peak_bytes, peak_bytes),
            tail=ending.tail_of(self.attempt),
            started=self.started,
        )

    def _watch(self, pid: int, stopper: Stopper, beside: Beside, sampler: Sampler) -> None:
        """Return when no process of the attempt is left. The command's own is a zombie then, so its number is ours."""
        has_ended, sample_at_s = False, 0.0
        grace_s = self.requests.current_grace_s
        while True:
            asked = self.requests.look("stopping" if stopper.is_stopping else "training")
            if asked is not None and grace_s != self.requests.current_grace_s:
                grace_s = self.requests.current_grace_s
                stopper.begin(min(grace_s or 0, launch.grace_s(self.run_part)))
                self._hand_over_early(asked.how)
            has_ended = has_ended or _has_ended(pid)
            if has_ended and not stopper.is_stopping:
                stopper.begin(pace.paced(_LEFT_BEHIND_S))
            if (has_ended or stopper.is_stopping) and stopper.step() and has_ended:
                return
            for order in _safely("watching", beside.poll) or ():
                self.requests.ask(order.how, order.by, order.why)
            if pace.now_s() >= sample_at_s and not has_ended:
                sample_at_s = pace.now_s() + pace.paced(pace.RESOURCES_S)
                _safely("resources", sampler.begin)
            _safely("resources", sampler.step)
            self.signals.wait(_ENDING_TICK_S if has_ended else pace.paced(pace.TICK_S))

    def _hand_over_early(self, how: str) -> None:
        """Hand the next attempt over while the job still lives: its scheduler may end it at any moment."""
        if how in ("time limit", "preempted") and self.intent.get("chain") == "agent":
            status = {"attempt": self.attempt.number, "outcome": "continue", "cause": how}
            closing.follow(self.attempt, {**status, "progressed": None})

    def _end(self, outcome: Outcome, by: str, **facts: Any) -> int:
        facts["seconds"] = time.time() - self.started
        written = closing.close(self.attempt, outcome, by, self.claim.number, **facts)
        return STATUSES.get(outcome.outcome, 0) if written else 1


def run(attempt_dir: str, agent: str, sha: str) -> int:
    """Run an attempt in the foreground. Return 0 at once where another agent has claimed it."""
    attempt = AttemptFolder(Path(attempt_dir).resolve())
    if not read_json(attempt.intent).get("name"):
        raise ValueError(
            f"Received: {attempt.path}. Expected: an attempt's folder with an intent.json."
        )
    if not launch.record_of(attempt):
        path = attempt.experiment.experiment
        raise ValueError(f"Received: {path}. Expected: an experiment's record with a command.")
    signals = Signals()  # before the claim: from then on, an end must be written down
    claim = Claim(attempt, _restarts(), sha)
    lost = claim.take()
    if lost:
        tell(f"agent: {attempt.path}: claimed already: {lost}")
        return 0
    return Job(attempt, claim, agent, signals).run()


def _safely(what: str, do: Callable[[], _Found]) -> _Found | None:
    """Do what is done beside a training. A mistake in it is told, and never ends the training."""
    try:
        return do()
    except Exception as error:
        if what not in _told:
            _told.append(what)
            tell(
                f"agent: {what} has failed: {type(error).__name__}: {error}; the training continues."
            )
        return None


def _restarts() -> int:
    text = os.environ.get("SLURM_RESTART_COUNT", "0")
    return int(text) if text.isdigit() else 0


def _has_ended(pid: int) -> bool:
    """Return whether a child has ended, and leave it unreaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(command: Any) -> tuple[int, int]:
    """Return the exit status of an ended command, negative for a signal, and the memory of its largest process."""
    _, status, usage = os.wait4(command.pid, 0)
    returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    command.returncode = returncode
    return returncode, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
