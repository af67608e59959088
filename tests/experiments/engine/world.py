"""A small world in which everything goes wrong: managers die at each step, replies get lost or come late, machines are
lost with their processes alive, nodes forget their queue. The clock is simulated, the decisions are the real ones.

The agents follow the protocol of ddl/experiments/agent/claim.py: claim, give way to newer claims, wait for older ones.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ddl.experiments.backends.backend import Seen
from ddl.experiments.engine.actions import (
    Action,
    Adopt,
    Cancel,
    Finish,
    HandOver,
    NewAttempt,
    Stop,
)
from ddl.experiments.engine.decide import decide
from ddl.experiments.engine.seen import NodeSeen
from ddl.experiments.problem import Unreachable
from tests.experiments.engine.views import (
    NODES,
    attempt_view,
    experiment_view,
    name_of,
    store_view,
)

TICK_S = 5.0
HEARTBEAT_S, LEASE_S, SILENCE_S = 10.0, 60.0, 90.0
FORGETS_S = 300.0


@dataclass
class Process:
    """An agent with its command.

    Attributes:
        attempt: Number of its attempt.
        claim: Number of its claim, None before.
        alive: Whether it exists.
        trains: Whether its command runs.
        reaches: Whether it reaches the store's file system.
        beat: When it wrote its heartbeat last.
        trained_s: For how long it has trained.
        waits: Its view of older heartbeats: attempt -> (value, since).
    """

    attempt: int
    alive: bool = True
    claim: int | None = None
    trains: bool = False
    reaches: bool = True
    beat: float = 0.0
    trained_s: float = 0.0
    waits: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass
class Job:
    """A job of the scheduler, or an entry of a node's queue."""

    id: str
    attempt: int
    state: str = "waiting"
    reason: str = ""
    ended: float = 0.0
    process: Process | None = None


class World:
    """One experiment, one node, and whoever works on them."""

    def __init__(self, node: str, seed: int, work_s: float = 400.0, limit_s: float = 150.0) -> None:
        """Make a world in which an experiment needs `work_s` of training, and an attempt has `limit_s`."""
        self.node = node
        self.is_queue = NODES.nodes[node].type != "slurm"
        self.chance = random.Random(seed)
        self.work_s, self.limit_s = work_s, limit_s
        self.now = 0.0
        self.files: dict[int, dict[str, Any]] = {}
        self.wanted: dict[str, Any] = {"want": "run", "first_attempt": 1}
        self.jobs: list[Job] = []
        self.late: list[tuple[float, int]] = []  # submissions that take effect later
        self.hung_until = 0.0
        self.calm = False
        self.done_s = 0.0
        self.gone_since: dict[str, float] = {}
        self.most_at_once = 0
        self.trained: list[int] = []
        self.log: list[str] = []

    # the scheduler

    def submit(self, attempt: int) -> str:
        """Submit an attempt; the reply may be lost, the call may be lost, and it may come late."""
        fate = 0.0 if self.calm else self.chance.random()
        if self.now < self.hung_until:
            if fate < 0.5:
                self.late.append((self.hung_until, attempt))
            raise Unreachable("hung")
        if fate > 0.9:
            raise Unreachable("the call was lost")
        if fate > 0.8:
            self.late.append((self.now + self.chance.uniform(0, 20), attempt))
            raise Unreachable("it comes late")
        job = self._enter(attempt)
        if fate > 0.7:
            raise Unreachable("the reply was lost")
        return job.id

    def _enter(self, attempt: int) -> Job:
        if self.is_queue:
            for job in self.jobs:
                if job.attempt == attempt:
                    self._see(job)
                    return job
        job = Job(str(len(self.jobs) + 1), attempt)
        self.jobs.append(job)
        self.log.append(f"{self.now}: job {job.id} of attempt {attempt}")
        return job

    def _see(self, job: Job) -> None:
        """Do what a node's runner does with an agent that was killed."""
        files = self.files[job.attempt]
        if job.state != "ended" or "status" in files or not files.get("claims"):
            return
        asked = {"stop": "stopped", "pause": "paused", "kill": "stopped"}
        outcome = asked.get(files.get("stop", {}).get("how"), "crashed")
        files["status"] = {"outcome": outcome, "progressed": True}
        if outcome == "crashed" and self.wanted["want"] == "run":
            self._follow(job.attempt + 1)

    def observe(self, names: dict[str, int]) -> NodeSeen:
        """Return what the node answers."""
        if self.now < self.hung_until or (not self.calm and self.chance.random() < 0.1):
            self.gone_since.clear()
            return NodeSeen(reachable=False, error="hung")
        found: dict[str, list[Seen]] = {}
        for name, attempt in names.items():
            jobs = [job for job in self.jobs if job.attempt == attempt]
            jobs = [job for job in jobs if not job.ended or self.now - job.ended < FORGETS_S]
            found[name] = [Seen(id=job.id, state=job.state, reason=job.reason) for job in jobs]
            if any(job.state != "ended" for job in jobs):
                self.gone_since.pop(name, None)
            else:
                self.gone_since.setdefault(name, self.now)
                tries = self.files[attempt].get("tries", [self.files[attempt]["created"]])
                self.gone_since[name] = max(self.gone_since[name], tries[-1])
        alive = any(
            job.state == "waiting" or (job.process and job.process.alive) for job in self.jobs
        )
        return NodeSeen(
            jobs=found, gone_since=dict(self.gone_since), facts={"runner": {"alive": alive}}
        )

    # a manager

    def view(self) -> Any:
        """Return the store as its files are now."""
        attempts = []
        for attempt, files in sorted(self.files.items()):
            parts = {key: files[key] for key in ("status", "stop", "submitted") if key in files}
            claims = tuple(
                {
                    "number": n,
                    "job_id": "" if self.is_queue else job,
                    "started": at,
                    "command": attempt in self.trained,
                }
                for n, (job, at) in enumerate(files.get("claims", []))
            )
            beat = {"time": files["beat"]} if "beat" in files else {}
            attempts.append(
                attempt_view(
                    1,
                    attempt,
                    self.node,
                    claims=claims,
                    heartbeat=beat,
                    created=files["created"],
                    chain="runner" if self.is_queue else "agent",
                    **parts,
                )
            )
        return store_view(
            experiment_view(1, attempts, self.wanted, now=self.now, node=self.node, retries=99)
        )

    def manager(self) -> Iterator[None]:
        """Sync once. Between two steps anything may happen, also its death."""
        names = {name_of(1, attempt): attempt for attempt in self.files}
        yield
        answer = self.observe(names)
        yield
        seen = {name: NodeSeen(reachable=False) for name in NODES.nodes} | {self.node: answer}
        actions = decide(self.view(), NODES, seen, self.now)
        assert answer.reachable or not [action for action in actions if hasattr(action, "attempt")]
        for action in actions:
            yield
            yield from self._act(action)

    def _act(self, action: Action) -> Iterator[None]:
        if isinstance(action, NewAttempt):
            if action.attempt in self.files:
                return
            self.files[action.attempt] = {"created": self.now, "by": "manager", "tries": [self.now]}
            yield
            yield from self._hand_over(action.attempt)
        elif isinstance(action, HandOver):
            tries = self.files[action.attempt].setdefault("tries", [0.0])
            count = len(tries)
            yield
            if not self.is_queue:
                if len(tries) != count:  # another manager was first
                    return
                tries.append(self.now)
            yield from self._hand_over(action.attempt)
        elif isinstance(action, Adopt):
            self.files[action.attempt]["submitted"] = {"id": action.job}
        elif isinstance(action, Cancel):
            self._end(next(job for job in self.jobs if job.id == action.job), "CANCELLED")
        elif isinstance(action, Finish):
            self.files[action.attempt].setdefault(
                "status", {"outcome": action.outcome, "cause": action.cause, "progressed": True}
            )
        elif isinstance(action, Stop):
            self.files[action.attempt].setdefault("stop", {"how": action.how, "time": self.now})
            files = self.files[action.attempt]
            if not files.get("claims"):
                files["claims"] = [("", self.now)]
                files["status"] = {"outcome": "stopped", "progressed": True}
            for job in self.jobs:
                if job.attempt == action.attempt and job.state == "waiting":
                    self._end(job, "CANCELLED")

    def _hand_over(self, attempt: int) -> Iterator[None]:
        try:
            job = self.submit(attempt)
        except Unreachable:
            return
        yield
        self.files[attempt]["submitted"] = {"id": job}

    # jobs and agents

    def tick(self) -> None:
        """Let some seconds pass."""
        self.now += TICK_S
        for due, attempt in [item for item in self.late if item[0] <= self.now]:
            self.late.remove((due, attempt))
            self._enter(attempt)
        running = [job for job in self.jobs if job.state == "running"]
        for job in self.jobs:
            if job.state == "waiting" and len(running) < 2 and self.chance.random() < 0.3:
                job.state, job.process = "running", Process(job.attempt)
                running.append(job)
        for job in list(self.jobs):
            if job.process is not None and job.process.alive:
                self._agent(job, job.process)
            elif self.is_queue and self.chance.random() < 0.05:
                self._see(job)
        training = [job for job in self.jobs if job.process and job.process.trains]
        self.most_at_once = max(self.most_at_once, len(training))

    def _agent(self, job: Job, agent: Process) -> None:
        files = self.files[agent.attempt]
        if agent.claim is None:
            claims = files.setdefault("claims", [])
            newer = [
                n for n, other in self.files.items() if n > agent.attempt and other.get("claims")
            ]
            if claims or newer or "status" in files or "stop" in files:
                if not claims and "stop" in files:
                    files.setdefault("status", {"outcome": "stopped", "progressed": True})
                self._end(job, "COMPLETED")
                return
            claims.append((job.id, self.now))
            agent.claim = len(claims) - 1
        if agent.reaches:
            agent.beat = files["beat"] = self.now
            newer = [
                n for n, other in self.files.items() if n > agent.attempt and other.get("claims")
            ]
            if newer:
                self._finish(job, agent, "superseded")
                return
            if "stop" in files:
                self._finish(job, agent, "stopped")
                return
        elif self.now - agent.beat >= LEASE_S:
            agent.trains = agent.alive = False
            return
        if not agent.trains:
            agent.trains = not self._blocked(agent)
            if agent.trains:
                self.trained.append(agent.attempt)
            return
        agent.trained_s += TICK_S
        self.done_s += TICK_S
        if agent.reaches and self.done_s >= self.work_s:
            self._finish(job, agent, "finished")
        elif agent.reaches and agent.trained_s >= self.limit_s:
            self._go_on(job, agent)

    def _blocked(self, agent: Process) -> bool:
        for number in sorted(self.files):
            files = self.files[number]
            if number >= agent.attempt or not files.get("claims") or "status" in files:
                continue
            owner = [
                j.process
                for j in self.jobs
                if j.process and j.attempt == number and j.process.claim is not None
            ]
            if owner and not owner[-1].alive and self.is_queue:  # same host: its process is gone
                continue
            beat = files.get("beat", 0.0)
            if agent.waits.get(number, (None, 0.0))[0] != beat:
                agent.waits[number] = (beat, self.now)
            if self.now - agent.waits[number][1] <= SILENCE_S:
                return True
        return False

    def _finish(self, job: Job, agent: Process, outcome: str, cause: str = "") -> None:
        agent.trains = agent.alive = False
        self.files[agent.attempt]["status"] = {
            "outcome": outcome,
            "cause": cause,
            "progressed": True,
        }
        self._end(job, "COMPLETED")

    def _go_on(self, job: Job, agent: Process) -> None:
        self._finish(job, agent, "continue", "time limit")
        if self.wanted["want"] == "run" and self.chance.random() < 0.8:
            self._follow(agent.attempt + 1)

    def _follow(self, following: int) -> None:
        if following in self.files:
            return
        self.files[following] = {"created": self.now, "by": "agent"}
        try:
            self.files[following]["submitted"] = {"id": self.submit(following)}
        except Unreachable:
            return

    def _end(self, job: Job, reason: str) -> None:
        if job.process is not None and reason != "NODE_FAIL":
            job.process.alive = job.process.trains = False
        job.state, job.reason, job.ended = "ended", reason, self.now

    # faults

    def fault(self) -> None:
        """Let something go wrong."""
        kind = self.chance.choice(["hang", "kill", "lose", "forget"])
        self.log.append(f"{self.now}: {kind}")
        live = [job for job in self.jobs if job.state == "running"]
        if kind == "hang":
            self.hung_until = self.now + self.chance.uniform(5, 60)
        elif kind == "kill" and live:
            self._end(self.chance.choice(live), "FAILED" if not self.is_queue else "process gone")
        elif kind == "lose" and live and not self.is_queue:
            job = self.chance.choice(live)
            if job.process is not None:
                job.process.reaches = self.chance.random() < 0.5
            self._end(job, "NODE_FAIL")
        elif kind == "forget" and self.is_queue:
            self.jobs = [job for job in self.jobs if job.state != "waiting"]

    def run(self, seconds: float, managers: int, faults: float) -> None:
        """Let some time pass with so many managers at a time and so many faults a minute."""
        active: list[Iterator[None]] = []
        until = self.now + seconds
        while self.now < until and not (faults and self._is_over()):
            self.tick()
            if self.chance.random() < faults * TICK_S / 60:
                self.fault()
            if self.chance.random() < 0.4 and len(active) < managers:
                active.append(self.manager())
            for syncing in list(active):
                for _ in range(self.chance.randint(1, 6)):
                    if faults and self.chance.random() < 0.05:  # kill -9
                        active.remove(syncing)
                        break
                    if next(syncing, self) is self:
                        active.remove(syncing)
                        break

    def settle(self) -> None:
        """Let everything work again for long enough."""
        self.calm, self.hung_until = True, 0.0
        until = self.now + 4000.0
        while self.now < until and not self._is_over():
            self.run(20.0, managers=1, faults=0.0)

    def _is_over(self) -> bool:
        ended = all("status" in files for files in self.files.values())
        live = [
            job for job in self.jobs if job.state != "ended" or (job.process and job.process.alive)
        ]
        idle = ended and not live and not self.late and bool(self.files)
        return idle and (self.wanted["want"] != "run" or self.outcome() == "finished")

    def outcome(self) -> str:
        """Return how the last attempt ended."""
        return str(self.files[max(self.files)].get("status", {}).get("outcome", "none"))

    def copy_of_wishes(self, **changes: Any) -> None:
        """Change what is wanted, as the verbs do."""
        self.wanted = {**self.wanted, **changes}


def described(world: World) -> str:
    """Return the story of a world, for a failing test."""
    files = "\n".join(f"  {number}: {files}" for number, files in world.files.items())
    jobs = "\n".join(f"  {dataclasses.asdict(job)}" for job in world.jobs)
    return "\n".join([*world.log, "files", files, "jobs", jobs])
