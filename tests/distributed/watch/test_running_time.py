"""Time in which a process was stopped counts against nobody."""

from __future__ import annotations

from ddl.distributed.watch.heartbeat import Life, Peer
from ddl.distributed.watch.judge import Judge
from ddl.distributed.watch.running_time import RunningTime


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def run(self, time: RunningTime, seconds: int) -> None:
        """Let time pass as in a process that runs: it looks at the clock every second."""
        for _ in range(seconds):
            self.seconds += 1
            time.now()


def test_seconds_of_a_running_process_count() -> None:
    clock = Clock()
    time = RunningTime(clock)
    clock.run(time, 75)
    assert time.now() == 75


def test_seconds_of_a_stopped_process_do_not_count() -> None:
    clock = Clock()
    time = RunningTime(clock)
    clock.run(time, 10)
    clock.seconds += 75  # Ctrl-Z, a suspended Slurm job
    clock.run(time, 10)
    assert 19 <= time.now() <= 20  # it was stopped within a second


def test_after_all_ranks_were_stopped_none_blames_another() -> None:
    """For 75 s, with a limit of 50 s: this rank reads its messages, if any, and judges."""
    clock = Clock()
    time = RunningTime(clock)
    root, rank = Life(Peer(0, "a", 1)), Life(Peer(1, "b", 2))
    judges = Judge(0, 50, time), Judge(1, 50, time)
    clock.run(time, 3)
    root.seen_s = rank.seen_s = time.now()
    for _ in range(3):
        clock.seconds += 75
        clock.run(time, 5)
        assert judges[0].of_ranks(root, [rank]) is None
        assert judges[1].of_root(root, "alive") is None
    clock.run(time, 45)
    assert "rank 1 (host b, pid 2) has sent no heartbeat" in str(judges[0].of_ranks(root, [rank]))
    assert "rank 0 (host a, pid 1) has sent no heartbeat" in str(judges[1].of_root(root, "alive"))
