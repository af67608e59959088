"""The driver's watch over workers: it starts them on each node, names those that die, and starts others."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.job import actor_named, process_environment

logger = logging.getLogger("ddl")

_NODES_EVERY_S = 1.0
_MOST_DEATHS = 3
"""Deaths of workers in one place, one after the other without an applied lease, after which none is started there."""


@dataclass
class Place:
    """Where one worker is to be: cores and GPUs of a node."""

    node: str
    host: str
    cpus: int
    gpus: int
    deaths: int = 0  # since a worker here last had a lease applied


@dataclass
class Member:
    """A worker that is alive or being started."""

    actor: Any
    place: Place | None  # None: it has joined by itself
    ends: Any  # reference that is ready when the worker has ended
    whereabouts: Any = None  # reference to host and process number
    host: str = ""
    pid: int = 0
    applied: int = 0

    @property
    def name(self) -> str:
        """The name that the server knows."""
        return f"{self.host}:{self.pid}"


class Watch:
    """Starts and watches workers. Call `look` often: it does not wait."""

    def __init__(self, workers: int, patience_s: float, sleeps: tuple[float, ...] = ()) -> None:
        """Begin without workers.

        Args:
            workers: N, those that are planned.
            patience_s: how long a worker looks for a new server.
            sleeps: seconds of sleep a sample of the first workers, to try out slow machines.
        """
        self._planned, self._patience_s, self._sleeps = workers, patience_s, sleeps
        self._places: dict[str, list[Place]] = {}  # by node
        self._members: dict[str, Member] = {}  # by the name of its actor
        self._each = 0  # workers on a node without GPUs
        self._started = 0
        self._looked_at = -_NODES_EVERY_S
        self.error: Exception | None = None  # of the last worker that failed
        self.alone_since: float | None = None

    @property
    def count(self) -> int:
        """Workers that are alive, or being started."""
        return len(self._members)

    @property
    def is_given_up(self) -> bool:
        """Whether no worker is started any more, because too many have died in each place."""
        places = [place for found in self._places.values() for place in found]
        return bool(places) and all(place.deaths >= _MOST_DEATHS for place in places)

    def look(self, gone: Callable[[str], list[Lease]]) -> None:
        """Start workers in free places, and find those that ended.

        Args:
            gone: tells the server of a worker that is gone, and returns the leases that it had.
        """
        import ray

        if time.monotonic() - self._looked_at >= _NODES_EVERY_S:
            self._looked_at = time.monotonic()
            nodes: Any = ray.nodes  # has no types
            self._look_at_nodes(nodes())
        if self._members:
            by_end = {member.ends: actor for actor, member in self._members.items()}
            ended, _ = ray.wait(list(by_end), num_returns=len(by_end), timeout=0)
            for reference in ended:
                self._bury(self._members.pop(by_end[reference]), gone)
        self._learn_names()
        self._fill()
        now = time.monotonic()
        self.alone_since = None if self._members else self.alone_since or now

    def note(
        self,
        workers: dict[str, tuple[str, int, str]],
        applied_by: dict[str, int],
        gone: Callable[[str], list[Lease]],
    ) -> None:
        """Take note of workers that have joined by themselves, and of what all have done."""

        for name, (host, pid, actor) in workers.items():
            if actor in self._members:
                member = self._members[actor]
                applied = applied_by.get(name, 0)
                if member.place is not None and applied > member.applied:
                    member.place.deaths = 0
                member.applied = applied
                continue
            try:
                handle = actor_named(actor)
            except ValueError:
                gone(name)  # it has ended before it was noted
                continue
            self._members[actor] = Member(
                *(handle, None, handle.wait_for_end.remote()), host=host, pid=pid
            )
            logger.info("Worker %s (process %d on %s) has joined.", name, pid, host)

    def close(self) -> None:
        """End the workers that this watch has started."""
        import ray

        for member in self._members.values():
            if member.place is not None:
                ray.kill(member.actor)
        self._members.clear()

    def joined(self) -> int:
        """Return the workers that others have started."""
        return sum(member.place is None for member in self._members.values())

    def _look_at_nodes(self, nodes: list[dict[str, Any]]) -> None:
        alive = {node["NodeID"]: node for node in nodes if node["Alive"]}
        for name in set(self._places) - set(alive):
            logger.warning("Node %s has left.", self._places.pop(name)[0].host)
        if not self._each:
            self._each = -(-self._planned // max(1, len(alive)))
        for name, node in alive.items():
            if name not in self._places:
                first = len(self._places) > 0
                self._places[name] = self._places_of(name, node)
                if first:
                    logger.info(
                        "Node %s gets %d worker(s).",
                        node["NodeManagerHostname"],
                        len(self._places[name]),
                    )

    def _places_of(self, name: str, node: dict[str, Any]) -> list[Place]:
        """Return the places of a node: one for each GPU, or equal shares of its cores."""
        resources = node["Resources"]
        cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        count = min(gpus, self._each) if gpus else min(max(1, cpus), self._each)
        each = max(1, cpus // count) if cpus >= count else 0
        return [
            Place(name, str(node["NodeManagerHostname"]), each, int(bool(gpus)))
            for _ in range(count)
        ]

    def _fill(self) -> None:
        taken = {id(member.place) for member in self._members.values()}
        for places in self._places.values():
            for place in places:
                if id(place) not in taken and place.deaths < _MOST_DEATHS:
                    self._start(place)

    def _start(self, place: Place) -> None:
        number, self._started = self._started, self._started + 1
        sleep_s = self._sleeps[number] if number < len(self._sleeps) else 0.0
        actor = start_worker(
            f"worker-{number}", place.node, place.cpus, place.gpus, self._patience_s, sleep_s
        )
        self._members[f"worker-{number}"] = Member(
            *(actor, place, actor.run.remote()), whereabouts=actor.where.remote()
        )

    def _learn_names(self) -> None:
        import ray

        for member in self._members.values():
            if member.whereabouts is None or member.pid:
                continue
            ready, _ = ray.wait([member.whereabouts], timeout=0)
            if ready:
                with contextlib.suppress(ray.exceptions.RayError):  # `look` finds that it died
                    member.host, member.pid = ray.get(ready[0])
                member.whereabouts = None

    def _bury(self, member: Member, gone: Callable[[str], list[Lease]]) -> None:
        """Name a worker that has ended, and give its leases to others."""
        import ray

        why = "has left"
        try:
            ray.get(member.ends)
        except ray.exceptions.RayTaskError as error:
            self.error = error.cause if isinstance(error.cause, Exception) else error
            why = f"failed: {self.error}"
        except ray.exceptions.RayError:
            why = "died"
        host = member.host or (member.place.host if member.place is not None else "a node")
        leases = gone(member.name) if member.pid else []
        told = ", ".join(
            f"{lease.number} (epoch {lease.epoch + 1}, step {lease.step + 1}, part {lease.part + 1})"
            for lease in leases
        )
        again = "it had no lease"
        if leases:
            again = f"lease {told} is given again"
        if member.place is not None:
            member.place.deaths += 1
            if member.place.deaths >= _MOST_DEATHS:
                again += f"; after {_MOST_DEATHS} in this place none is started there"
        logger.warning("Worker on %s (process %d) %s: %s.", host, member.pid, why, again)


def start_worker(
    name: str,
    node: str,
    cpus: float,
    gpus: float,
    patience_s: float,
    sleep_s: float = 0.0,
    *,
    threads: int = 0,
) -> Any:
    """Start a worker's actor on a node, and return it. It ends with this process.

    Args:
        name: of its actor, unique in the run.
        node: of Ray.
        cpus: cores that it reserves.
        gpus: GPUs that it reserves.
        patience_s: seconds to look for another server after one is gone.
        sleep_s: seconds of sleep a sample, to try out a slow machine.
        threads: for computing; by default as many as cores.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from ddl.asynchronous.worker import Worker

    variables = process_environment()
    if threads or cpus:
        count = str(threads or int(cpus))
        variables |= {"OMP_NUM_THREADS": count, "TF_NUM_INTRAOP_THREADS": count}
    kind = ray.remote(Worker).options(
        name=name,
        num_cpus=cpus,
        num_gpus=gpus,
        max_concurrency=4,
        runtime_env={"env_vars": variables},
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
    )
    return kind.remote(name, patience_s, sleep_s)
