"""Slurm, on this machine or through ssh: each attempt is a job of its own, found again by its name.

A failed `sbatch` may have made a job, and a name may be used twice (both measured): so nothing is submitted again
before the queue was asked for the name, and the agent's claim decides which job trains.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ddl.experiments.backends import slurm_text
from ddl.experiments.backends.backend import Attempt, Seen, Submitted
from ddl.experiments.backends.cluster import cluster_facts
from ddl.experiments.backends.processes import Completed, brief
from ddl.experiments.backends.remote_agent import RemoteAgent
from ddl.experiments.backends.slurm_job import (
    check_words,
    filled,
    script_of,
    signal_before_s,
    words_of,
)
from ddl.experiments.backends.transport import Transport
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment

_MOST_NAMES = 500  # in one call: a word of a command line has at most 128 KiB
_QUEUE_S = 30.0  # Slurm's own commands give up after 10 s (MessageTimeout); sites set up to 100
_SUBMIT_S = 120.0
_ACCOUNTING_S = 20.0
_ACCOUNTING_AGAIN_S = 600.0
_SINCE_S = 3 * 86400.0  # clocks and time zones of the cluster may differ from ours
_NO_PROGRAM = 127

# The user's own settings for looking at the queue would hide jobs from us. Times come as seconds since the epoch.
_HIDING = ("PARTITION", "STATES", "USERS", "NAMES", "ACCOUNT", "QOS", "ARRAY", "SORT")
_ASK = (
    "env",
    *(f"-uSQUEUE_{name}" for name in _HIDING),
    "LC_ALL=C",
    "SLURM_TIME_FORMAT=%s",
)


class SlurmBackend:
    """A cluster, by its front end."""

    def __init__(self, node: Node, transport: Transport) -> None:
        """Remember the front end and the way to it. Connects to nothing."""
        self.node = node
        self.transport = transport
        self.agent = RemoteAgent(transport, node.python)
        self._ask_accounting_at = 0.0

    def observe(self, attempts: Sequence[Attempt]) -> dict[str, list[Seen]]:
        """Return the jobs of these attempts: from the queue, and from accounting for those that it has not."""
        found: dict[str, list[Seen]] = {}
        for start in range(0, len(attempts), _MOST_NAMES):
            part = attempts[start : start + _MOST_NAMES]
            found |= self._observe([attempt.name for attempt in part], part)
        return found

    def hand_over(self, attempt: Attempt) -> Submitted:
        """Submit the job of an attempt, as its intent says."""
        what = attempt.intent.get("hand_over")
        if not isinstance(what, Mapping):
            raise ValueError(
                f"Received: {attempt.folder.intent} without hand_over. Expected: the command that submits its job."
            )
        check_words(self.node)
        ready = filled(what, attempt.name, attempt.there, "")
        done = self.transport.run(ready["argv"], stdin=ready["stdin"], timeout_s=_SUBMIT_S)
        job = slurm_text.job_id_of(done.stdout)
        if done.returncode == 0 and job:
            return Submitted(job, self._host)
        said = brief(done.stderr or done.stdout)
        if done.returncode == _NO_PROGRAM:
            raise ValueError(
                f"Received: no sbatch on {self._host} ({said}). Expected: Slurm's commands; see `type` of node "
                f"{self.node.name}."
            )
        if done.returncode and slurm_text.is_refusal(done.stderr):
            raise ValueError(f"{self.node.name}: Slurm refused the job: {said}")
        raise Unreachable(
            f"{self.node.name}: sbatch ended with status {done.returncode}: {said}. The job may exist; it is looked "
            "for by its name."
        )

    def hand_over_all(self, attempts: Sequence[Attempt]) -> list[Submitted] | None:
        """Return None: each `sbatch` makes one job, and after an error each has to be looked for."""
        del attempts
        return None

    def stop(self, attempt: Attempt, how: str, by: str, why: str) -> None:
        """Ask an attempt to end. A job that still waits is taken out of the queue."""
        self.stop_all([attempt], how, by, why)

    def stop_all(self, attempts: Sequence[Attempt], how: str, by: str, why: str) -> None:
        """Ask attempts to end, in one call for each part."""
        for start in range(0, len(attempts), _MOST_NAMES):
            part = attempts[start : start + _MOST_NAMES]
            words = [f"--how={how}", f"--by={by}", f"--why={why}"]
            self.agent.call(["stop", *(each.there for each in part), *words])
            # The request is on disk: a job that starts at this moment finds it, and ends.
            self._scancel("--state=PENDING", f"--name={','.join(each.name for each in part)}")

    def cancel(self, job_id: str) -> None:
        """Take one job out of Slurm. One that has ended is no error."""
        if not job_id.replace("_", "").isdecimal():
            raise ValueError(f"Received: job {job_id!r}. Expected: the number of a job.")
        self._scancel(job_id)

    def facts(self) -> dict[str, Any]:
        """Return what the agent tells of the front end, with `slurm` and the counts of this user's jobs."""
        folder = self.node.folder or self.transport.home()
        if folder.startswith("~"):
            folder = self.transport.home() + folder[1:]
        told = self.agent.call(["node", folder])
        slurm = cluster_facts(self._asked, self.node.partition)
        own = slurm["own"]
        slots = self.node.max_queued or 0
        runner = {"alive": True, "queued": own["waiting"], "running": own["running"]}
        return {**told, "slurm": slurm, "runner": {**runner, "slots": slots}}

    def intent_parts(self, record: Experiment, attempt_dir: str) -> dict[str, Any]:
        """Return how the attempt is submitted, and how it submits its successor from within the job."""
        script = script_of(self.agent.python(), self.agent.path(), attempt_dir)
        words = words_of(record, self.node, attempt_dir)
        successor = None
        if self.node.submits:
            argv = [*words, "--dependency=afterany:{after}"]
            successor = {"argv": argv, "stdin": script}
        return {
            "hand_over": {"argv": words, "stdin": script},
            "successor": successor,
            "time_limit_s": record.needs.time_s,
            "signal_before_s": signal_before_s(record, self.node),
            "chain": "agent" if self.node.submits else "manager",
        }

    def _observe(self, names: Sequence[str], attempts: Sequence[Attempt]) -> dict[str, list[Seen]]:
        queue = self._queue(names)
        missing = [name for name, jobs in queue.items() if not jobs]
        if not missing:
            return queue
        since = min(attempt.created for attempt in attempts) - _SINCE_S
        accounted = self._accounted(missing, since)
        if any(job.reason == slurm_text.FORGOTTEN for jobs in accounted.values() for job in jobs):
            # A late job may have come into the queue between the two questions.
            queue |= self._queue(missing)
        return slurm_text.merged(queue, accounted)

    def _queue(self, names: Sequence[str]) -> dict[str, list[Seen]]:
        done = self._asked(
            ["squeue", "-h", "-t", "all", "--me", "-n", ",".join(names), "-O", slurm_text.FIELDS]
        )
        try:
            return slurm_text.jobs_of(done.stdout, names)
        except ValueError as error:
            raise Unreachable(f"{self.node.name}: squeue printed {error}") from None

    def _accounted(self, names: Sequence[str], since: float) -> dict[str, list[Seen]]:
        """Return what accounting has; nothing where it is off, refused or silent, which is no error."""
        if time.monotonic() < self._ask_accounting_at:
            return {}
        start = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(max(since, 0.0)))
        ways = (
            ["-X", "-S", start, f"--name={','.join(names)}"],
            ["-c"],  # the file of ended jobs; it passes over --name (measured)
        )
        for way in ways:
            words = [*_ASK, "sacct", "-n", "-P", "-o", slurm_text.ACCOUNTED, *way]
            try:
                done = self.transport.run(words, timeout_s=_ACCOUNTING_S)
            except Unreachable:
                break
            if done.returncode == 0:
                return slurm_text.accounted_of(done.stdout, names)
        self._ask_accounting_at = time.monotonic() + _ACCOUNTING_AGAIN_S
        return {}

    def _asked(self, words: Sequence[str]) -> Completed:
        """Run a command that looks. Anything but a complete answer raises Unreachable."""
        done = self.transport.run([*_ASK, *words], timeout_s=_QUEUE_S)
        if done.returncode == _NO_PROGRAM:
            raise Unreachable(f"{self.node.name}: no {words[0]} on {self._host}")
        if done.returncode or (not done.stdout.strip() and "error" in done.stderr):
            raise Unreachable(
                f"{self.node.name}: {words[0]} ended with status {done.returncode}: {brief(done.stderr)}"
            )
        return done

    def _scancel(self, *words: str) -> None:
        done = self.transport.run(["scancel", *words], timeout_s=_QUEUE_S)
        if done.returncode and "Invalid job id" not in done.stderr:
            raise Unreachable(f"{self.node.name}: scancel: {brief(done.stderr)}")

    @property
    def _host(self) -> str:
        return self.transport.host or "this machine"
