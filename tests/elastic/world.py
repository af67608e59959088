"""Machines and jobs in virtual time, for the supervisor: nothing is started, and an hour takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddl.elastic.journal import Journal
from ddl.elastic.settings import ElasticSettings
from ddl.elastic.state import Blame, Ranks
from ddl.elastic.supervise import Supervisor


@dataclass(frozen=True)
class Fate:
    """What becomes of a job that nobody stops.

    Attributes:
        seconds: its length.
        status: its exit status then.
        rank: the rank that a failure is put down to, if any.
        loads_s: when it begins to train.
        checkpoint_s: when it writes its checkpoint; None for never.
        stop_s: how long it takes to stop when asked; None for never.
        whole_host: whether the failure is that of a machine.
    """

    seconds: float = 1e9
    status: int = 0
    rank: int | None = None
    loads_s: float = 5.0
    checkpoint_s: float | None = 10.0
    stop_s: float | None = 1.0
    whole_host: bool = False


@dataclass
class World:
    """Plays machines, jobs, signals and the clock.

    Attributes:
        folder: the run directory.
        lists: (from when on, hosts): what the hosts command would print.
        fates: of the jobs, one after another; the last one is that of all later jobs.
        signals: when signals come.
    """

    folder: Path
    lists: Sequence[tuple[float, Ranks]]
    fates: Sequence[Fate]
    signals: Sequence[float] = ()
    now_s: float = 0.0
    note: str = ""
    jobs: list[FakeJob] = field(default_factory=list)
    checkpoints: int = 0

    @property
    def hosts(self) -> Ranks:
        """The list that holds now."""
        return [hosts for since_s, hosts in self.lists if since_s <= self.now_s][-1]

    def look(self, now_s: float) -> None:
        """Do nothing: `hosts` depends on the time alone."""

    def run(self, *, time_limit_s: float = 0.0, **settings: object) -> int:
        """Run the supervisor until its end."""
        supervisor = Supervisor(
            ElasticSettings(**settings),
            self,
            self._launch,
            self.folder,
            Journal(self.folder / "elastic.jsonl"),
            signals=lambda: sum(at <= self.now_s for at in self.signals),
            time_limit_s=time_limit_s,
            clock=lambda: self.now_s,
            sleep=self._sleep,
        )
        return supervisor.run()

    def starts(self) -> list[tuple[float, Mapping[str, int]]]:
        """Return when each job was started, in whole seconds, and on what."""
        return [(round(job.started_s), job.ranks) for job in self.jobs]

    def _sleep(self, seconds: float) -> None:
        # Longer than the supervisor asks for: virtual time need not be fine.
        self.now_s += max(seconds, 0.5)
        assert self.now_s < 1e4, "it never ends"

    def _launch(self, ranks: Ranks, resumes: bool) -> FakeJob:
        assert all(job.ended is not None for job in self.jobs), "two jobs at once"
        assert resumes == bool(self.jobs)
        job = FakeJob(self, dict(ranks), self.fates[min(len(self.jobs), len(self.fates) - 1)])
        self.jobs.append(job)
        return job


class FakeJob:
    """A job of the world."""

    def __init__(self, world: World, ranks: dict[str, int], fate: Fate) -> None:
        self.ranks, self.started_s, self.hosts = ranks, world.now_s, dict(world.hosts)
        self.ended: int | None = None  # its exit status
        self.asked: list[float] = []
        self.kills = 0
        self._world, self._fate = world, fate
        self._has_logged = self._has_written = False

    @property
    def heard_s(self) -> float:
        """It is never silent, unless it never ends by itself."""
        return self.started_s if self._fate.stop_s is None else self._world.now_s

    @property
    def blame(self) -> Blame:
        """The rank of its fate."""
        rank = self._fate.rank
        if rank is None:
            return Blame()
        spread = [host for host, count in self.ranks.items() for _ in range(count)]
        host = spread[rank % len(spread)]
        return Blame(f"rank {rank} died", rank, host, self._fate.whole_host)

    def poll(self) -> int | None:
        """Live until now, and return the status if that was the end."""
        age_s, fate = self._world.now_s - self.started_s, self._fate
        if age_s >= fate.loads_s and not self._has_logged:
            self._has_logged = True
            self._log("It trains.")
        if fate.checkpoint_s is not None and age_s >= fate.checkpoint_s and not self._has_written:
            self._has_written = True
            self._write_checkpoint()
        status = self._status(age_s)
        self.ended = status
        return status

    def ask_stop(self) -> bool:
        """Stop some time later."""
        self.asked.append(self._world.now_s)
        return True

    def kill(self) -> None:
        """End now."""
        self.kills += 1

    def _status(self, age_s: float) -> int | None:
        fate = self._fate
        if self.kills:
            return -9
        if age_s >= fate.seconds:
            return fate.status
        if not self.asked or fate.stop_s is None:
            return None
        if self._world.now_s - self.asked[0] < fate.stop_s:
            return None
        self._write_checkpoint()
        self._log("Stopped by SIGUSR1: a checkpoint is written.")
        return 75

    def _write_checkpoint(self) -> None:
        self._world.checkpoints += 1
        folder = self._world.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        (folder / f"epoch-{self._world.checkpoints:04d}.h5").touch()

    def _log(self, line: str) -> None:
        with (self._world.folder / "log.txt").open("a") as file:
            file.write(f"{line}\n")


Played = Callable[..., World]
