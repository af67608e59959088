"""Who is named when a job must end: the rank that failed, once, and nobody else."""

from __future__ import annotations

import pytest

from ddl.distributed.watch.heartbeat import Life, Peer
from ddl.distributed.watch.judge import HOLD_S, SAID, Judge
from ddl.distributed.watch.running_time import RunningTime


class SetTime(RunningTime):
    """A running time that tests set."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


def life(rank: int, state: str = "alive", place: str = "") -> Life:
    return Life(Peer(rank, f"n{rank}", 100 + rank), state, place)


def reports_of_root(rank: int, state: str, own_state: str = "alive") -> list[tuple[float, str]]:
    """Return what a rank says of rank 0, and after how many seconds first."""
    time = SetTime()
    judge, root, found = Judge(rank, 10, time), life(0, state), []
    for tenth in range(200):
        time.seconds = tenth / 10
        verdict = judge.of_root(root, own_state)
        if verdict is not None and verdict not in (text for _, text in found):
            found.append((time.seconds, verdict))
    return found


def test_a_killed_rank_0_is_named_before_the_launcher_ends_the_others() -> None:
    """With its host and pid. mpirun sends SIGTERM a second after the death."""
    (seconds, text), *_ = reports_of_root(1, "died")
    assert text.startswith("rank 0 (host n0, pid 100) died")
    assert HOLD_S <= seconds <= 0.5


def test_after_a_named_verdict_no_rank_says_that_rank_0_died() -> None:
    for rank in (1, 2):
        for own_state in ("alive", "waiting"):
            ((seconds, text),) = reports_of_root(rank, "ending", own_state)
            assert text == SAID
            assert seconds <= 2


def test_a_rank_0_that_was_stopped_and_is_continued_does_not_blame_the_rank_that_named_it() -> None:
    """mpirun continues stopped ranks before it ends them."""
    time = SetTime()
    judge = Judge(0, 10, time)
    assert judge.of_ranks(life(0), [life(1, "ending"), life(2)]) is None
    time.seconds = 2
    assert judge.of_ranks(life(0), [life(1, "ending"), life(2)]) == SAID


@pytest.mark.parametrize("state", ["died", "failed", "alive"])
def test_rank_1_reports_rank_0_and_the_others_only_where_that_ended_nothing(state: str) -> None:
    first, second = (reports_of_root(rank, state)[0][0] for rank in (1, 2))
    assert second - first == pytest.approx(5, abs=0.2)


def test_a_rank_that_left_is_no_failure() -> None:
    assert reports_of_root(1, "left") == []
    assert "has left the job" in reports_of_root(1, "left", "waiting")[0][1]


def test_a_closed_connection_counts_only_if_this_rank_is_still_there_a_moment_later() -> None:
    time = SetTime()
    judge, dead = Judge(0, 10, time), life(2, "died")
    assert judge.of_ranks(life(0), [life(1), dead]) is None
    time.seconds = HOLD_S
    assert "rank 2 (host n2, pid 102) died" in str(judge.of_ranks(life(0), [life(1), dead]))


@pytest.mark.parametrize("silence_s", [10, 50])
def test_a_silent_rank_gets_the_whole_limit(silence_s: float) -> None:
    time = SetTime()
    judge, silent = Judge(0, silence_s, time), life(1, place="a.py:3 in f")
    time.seconds = silence_s
    assert judge.of_ranks(life(0), [silent]) is None
    time.seconds = silence_s + 1
    assert "Its last known position is a.py:3 in f." in str(judge.of_ranks(life(0), [silent]))


def test_without_a_limit_silence_is_no_failure() -> None:
    time = SetTime()
    judge = Judge(0, 0, time)
    time.seconds = 1e6
    assert judge.of_ranks(life(0), [life(1)]) is None
    assert judge.of_root(life(0), "alive") is None


def test_a_late_rank_0_is_named_with_its_line() -> None:
    time = SetTime()
    judge, waiting = Judge(0, 50, time), life(1, "waiting")
    own = life(0, place="load.py:37 in read")
    assert judge.of_ranks(own, [waiting]) is None  # others may wait, too
    time.seconds = 2
    said = str(judge.of_ranks(own, [waiting]))
    assert "rank 0 (host n0, pid 100) is stalled at load.py:37 in read, while 1 rank(s)" in said
