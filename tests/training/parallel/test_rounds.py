"""A round has the same samples whatever the ranks' speeds, and an epoch has every sample once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.order import Position, SampleOrder
from ddl.training.parallel.rounds import RoundOrder, better_speeds


@st.composite
def orders(draw: st.DrawFn) -> RoundOrder:
    size = draw(st.integers(1, 5))
    whole = draw(st.integers(0, 1)) * draw(st.integers(size, 20))
    batch = -(-whole // size) if whole else draw(st.integers(1, 5))
    speeds = draw(st.lists(st.floats(0.05, 20), min_size=size, max_size=size) | st.just([]))
    kind = "global" if speeds or whole else draw(st.sampled_from(["global", "contiguous"]))
    count, every = draw(st.integers(size, 90)), draw(st.integers(1, 7))
    return RoundOrder(kind, count, batch, size, 3, whole, every=every, speeds=tuple(speeds))


def rounds(order: RoundOrder, step: int = 0) -> list[tuple[int, int]]:
    found = []
    while step < order.steps_per_epoch:
        found.append((step, order.end(step)))
        step = order.end(step)
    return found


@given(orders())
def test_an_epoch_has_every_sample_once(order: RoundOrder) -> None:
    seen = [indices for rank in range(order.size) for _, indices in order.own_steps(1, rank, 0)]
    assert sorted(np.concatenate(seen).tolist()) == list(range(order.count))


@given(orders())
def test_a_round_has_the_samples_of_its_steps_whatever_the_speeds(order: RoundOrder) -> None:
    if order.kind == "contiguous":
        return
    plain = SampleOrder(
        "global", order.count, order.per_rank_batch_size, order.size, 3, order.batch_size
    )
    for begin, end in rounds(order):
        whole = [
            index
            for rank in range(order.size)
            for indices in itertools.islice(plain.epoch(1, rank, begin), end - begin)
            for index in indices
        ]
        own = [
            index
            for rank in range(order.size)
            for step, indices in order.own_steps(1, rank, begin)
            if step < end
            for index in indices
        ]
        assert sorted(own) == sorted(whole)


@given(orders())
def test_the_numbers_of_samples_are_those_that_are_read(order: RoundOrder) -> None:
    for rank in range(order.size):
        read = [len(indices) for _, indices in order.own_steps(0, rank, 0)]
        told = [size for begin, end in rounds(order) for size in order.batches(begin, end, rank)]
        assert read == told
        assert read
        assert all(1 <= size <= order.per_rank_batch_size for size in read)
    for begin, end in rounds(order):
        of_ranks = [sum(order.batches(begin, end, rank)) for rank in range(order.size)]
        assert order.samples(begin, end) == of_ranks


@given(orders(), st.data())
def test_reading_goes_on_at_any_round(order: RoundOrder, data: st.DataObject) -> None:
    begin, _ = data.draw(st.sampled_from(rounds(order)))
    for rank in range(order.size):
        whole = [(s, i.tolist()) for s, i in order.own_steps(2, rank, 0) if s >= begin]
        from_there = itertools.islice(order.after(Position(2, begin), rank), len(whole))
        assert [(at.step, indices.tolist()) for at, indices in from_there] == whole


def test_a_slow_rank_takes_fewer_steps_and_the_others_its_samples() -> None:
    order = RoundOrder("global", 640, 4, 4, 0, every=16, speeds=(5.0, 5.0, 5.0, 1.0))
    assert [len(order.batches(0, 16, rank)) for rank in range(4)] == [20, 20, 20, 4]


def test_fewer_samples_than_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 training samples for 3 ranks.*start fewer ranks"):
        RoundOrder("global", 2, 4, 3, 0, every=2)


def test_shares_change_only_where_that_saves_time() -> None:
    assert better_speeds((), [1.0, 1.02], 32) == ()
    slow = better_speeds((), [1.0, 5.0], 32)
    assert slow == (1.0, 0.2)
    assert better_speeds(slow, [1.0, 5.1], 32) == slow
    assert better_speeds(slow, [1.0, 1.0], 32) == (1.0, 1.0)
