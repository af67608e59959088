"""What elastic training does when ranks die, machines come and go, and signals arrive; in virtual time."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.elastic.world import Fate, World

DONE = Fate(seconds=60)


def dies(at_s: float = 30.0, rank: int = 1, **fate: object) -> Fate:
    return Fate(seconds=at_s, status=137, rank=rank, **fate)


def test_a_job_that_ends_well_ends_it(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 2, "b": 2})], [DONE])
    assert world.run(min_ranks=2, max_ranks=3) == 0
    assert world.starts() == [(0, {"a": 2, "b": 1})]


def test_a_dead_rank_leaves_its_slot_out_and_it_comes_back(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 2, "b": 1})], [dies(30), Fate(), DONE])
    assert world.run(min_ranks=2, cooldown_s=60) == 0
    (_, first), (second_s, second), (third_s, third) = world.starts()
    assert first == {"a": 2, "b": 1}
    assert (second_s, second) == (30, {"a": 1, "b": 1})
    assert third == {"a": 2, "b": 1}
    assert 90 <= third_s <= 94


def test_a_slot_is_not_left_out_where_too_few_ranks_would_remain(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"localhost": 2})], [dies(), DONE])
    assert world.run(min_ranks=2) == 0
    assert [ranks for _, ranks in world.starts()] == [{"localhost": 2}] * 2


def test_a_host_that_vanishes_is_given_up_and_taken_again(tmp_path: Path) -> None:
    both = {"a": 1, "b": 1}
    world = World(tmp_path, [(0, both), (100, {"a": 1}), (300, both)], [Fate(), Fate(), DONE])
    assert world.run(cooldown_s=60) == 0
    found = world.starts()
    assert [ranks for _, ranks in found] == [both, {"a": 1}, both]
    assert 100 <= found[1][0] <= 103
    assert 300 <= found[2][0] <= 303
    assert not any(job.kills for job in world.jobs)


def test_it_grows_only_after_the_cooldown_and_once_the_job_trains(tmp_path: Path) -> None:
    lists = [(0, {"a": 1}), (10, {"a": 2})]
    world = World(tmp_path, lists, [Fate(loads_s=200), DONE])
    assert world.run(cooldown_s=60) == 0
    assert 200 <= world.jobs[0].asked[0] <= 202


def test_a_job_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    lists = [(0, {"a": 1, "b": 1}), (50, {"a": 1})]
    world = World(tmp_path, lists, [Fate(stop_s=None), DONE])
    assert world.run(stop_timeout_s=20, silence_min=0) == 0
    assert world.jobs[0].kills == 1
    assert 70 <= world.jobs[1].started_s <= 74


def test_a_silent_job_is_killed(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate(stop_s=None), DONE])
    assert world.run(silence_min=5) == 0
    assert 300 <= world.jobs[1].started_s <= 305


def test_a_job_that_we_kill_is_no_failure_of_a_machine(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1, "b": 1})], [Fate(stop_s=None, rank=1), DONE])
    assert world.run(silence_min=5) == 0
    assert world.jobs[1].ranks == {"a": 1, "b": 1}


@pytest.mark.parametrize("status", [2, 4])
def test_bad_input_and_divergence_pass_through_at_once(tmp_path: Path, status: int) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate(seconds=9, status=status)])
    assert world.run() == status
    assert len(world.jobs) == 1


def test_a_signal_stops_the_job_and_passes_75_through(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate()], signals=[40])
    assert world.run() == 75
    assert len(world.jobs[0].asked) == 1
    assert not world.jobs[0].kills


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate(stop_s=100)], signals=[40, 43])
    assert world.run() == 130
    assert world.now_s < 46


def test_too_few_slots_are_waited_for(tmp_path: Path) -> None:
    lists = [(0, {"a": 1}), (120, {"a": 2})]
    world = World(tmp_path, lists, [DONE])
    assert world.run(min_ranks=2, wait_min=10) == 0
    assert 120 <= world.starts()[0][0] <= 121


def test_the_wait_for_slots_has_a_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert World(tmp_path, [(0, {"a": 1})], [DONE]).run(min_ranks=2, wait_min=10) == 75
    told = capsys.readouterr().err
    assert "1 of at least 2 slots are there (a:1); waiting for more, at most 10 min." in told
    assert told.count("waiting for more") == 1


def test_a_machine_that_fails_again_and_again_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = dies(20, rank=2)
    world = World(tmp_path, [(0, {"a": 2, "b": 1})], [bad, bad, bad, Fate(), DONE])
    assert world.run(cooldown_s=0, blacklist_after=3, blacklist_min=10) == 0
    assert [ranks for _, ranks in world.starts()] == [
        *[{"a": 2, "b": 1}] * 3,
        {"a": 2},
        {"a": 2, "b": 1},
    ]
    assert world.starts()[4][0] - world.starts()[3][0] >= 598
    assert "leaving out b for 10 min: it has failed repeatedly." in capsys.readouterr().err


def test_a_machine_on_which_nothing_starts_is_left_out_even_if_too_few_remain(
    tmp_path: Path,
) -> None:
    gone = dies(2, rank=1, whole_host=True, checkpoint_s=None)
    world = World(tmp_path, [(0, {"a": 1, "b": 1})], [gone, DONE])
    assert world.run(min_ranks=2, cooldown_s=60) == 0
    assert world.starts()[1][0] >= 62


def test_failures_without_progress_end_it(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate(seconds=5, status=1, checkpoint_s=None)])
    assert world.run(restarts_without_progress=3) == 1
    assert len(world.jobs) == 3


def test_failures_with_progress_end_it_after_the_restarts(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate(seconds=20, status=1)])
    assert world.run(restarts=7) == 1
    assert len(world.jobs) == 8


def test_a_rank_that_its_machine_stops_is_no_failure(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [Fate(seconds=20, status=75), DONE])
    assert world.run(restarts=0) == 0


def test_the_time_limit_of_the_run_holds_for_all_starts_together(tmp_path: Path) -> None:
    world = World(tmp_path, [(0, {"a": 1})], [dies(50), Fate()])
    assert world.run(time_limit_s=100) == 75
    assert 100 <= world.now_s <= 105


def test_the_journal_has_starts_ends_and_their_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    World(tmp_path, [(0, {"a": 2, "b": 1})], [dies(30, rank=2), DONE]).run(cooldown_s=600)
    events = [json.loads(line) for line in (tmp_path / "elastic.jsonl").read_text().splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["hosts", "start", "end", "left out", "start", "end", "done"]
    assert (events[2]["rank"], events[2]["host"], events[2]["status"]) == (2, "b", 137)
    assert (events[1]["ranks"], events[4]["ranks"]) == (3, 2)
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("elastic: done: 2 starts on 2 to 3 ranks in 0:00:0")
    assert "1 failure, 0 changes" in told[-1]


SLOTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)
FATES = st.builds(
    Fate,
    seconds=st.floats(1, 200),
    status=st.sampled_from([0, 1, 75, 137, 255]),
    rank=st.none() | st.integers(0, 5),
    loads_s=st.floats(0, 20),
    checkpoint_s=st.none() | st.floats(0, 50),
    stop_s=st.floats(0, 30),
    whole_host=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(
    lists=st.lists(st.tuples(st.floats(0, 600), SLOTS), max_size=5),
    fates=st.lists(FATES, min_size=1, max_size=8),
    signals=st.lists(st.floats(0, 600), max_size=2),
    min_ranks=st.integers(1, 3),
    more=st.integers(0, 3),
    cooldown_s=st.sampled_from([0.0, 30.0, 300.0]),
)
def test_whatever_happens_it_ends_and_never_trains_on_what_is_not_there(
    lists: list[tuple[float, dict[str, int]]],
    fates: list[Fate],
    signals: list[float],
    min_ranks: int,
    more: int,
    cooldown_s: float,
) -> None:
    lists = [(0.0, {"a": 2}), *sorted(lists, key=lambda entry: entry[0])]
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), lists, [*fates, DONE], sorted(signals))
        status = world.run(
            min_ranks=min_ranks, max_ranks=min_ranks + more, cooldown_s=cooldown_s, wait_min=1
        )
    assert status in (0, 1, 75, 130, 137, 247, 255)
    for job in world.jobs:
        assert min_ranks <= sum(job.ranks.values()) <= min_ranks + more
        assert all(0 < ranks <= job.hosts[host] for host, ranks in job.ranks.items())
        assert len(job.asked) <= 1
    statuses = [job.ended for job in world.jobs]
    assert None not in statuses
    assert (status == 0) == (statuses[-1:] == [0])
