"""Every sample is read exactly once per epoch, for any number of samples, ranks, batch, epoch and seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.sharding import epoch_order, shard_bounds, share_bounds, step_indices

COUNTS, SIZES = st.integers(0, 3000), st.integers(1, 70)


def test_the_seeds_own_example() -> None:
    bounds = [shard_bounds(5000, rank, 10) for rank in range(10)]
    assert bounds == [(500 * rank, 500 * rank + 500) for rank in range(10)]


@given(count=COUNTS, size=SIZES)
def test_blocks_cover_everything_once_and_differ_by_at_most_one(count: int, size: int) -> None:
    bounds = [shard_bounds(count, rank, size) for rank in range(size)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == count
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(bounds))
    lengths = [end - start for start, end in bounds]
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths) - min(lengths) <= 1


@given(
    count=COUNTS,
    size=SIZES,
    batch=st.integers(1, 40),
    epoch=st.integers(0, 9),
    seed=st.integers(0, 9),
)
def test_an_epoch_sees_every_sample_once(
    count: int, size: int, batch: int, epoch: int, seed: int
) -> None:
    order = epoch_order(count, epoch, seed)
    steps = -(-count // (batch * size))
    seen = [
        step_indices(order, step, batch * size, rank, size)
        for step in range(steps)
        for rank in range(size)
    ]
    assert np.array_equal(
        np.concatenate([*seen, []]), order
    )  # once, and in the order of one process
    assert all(len(part) <= batch for part in seen)


@given(count=st.integers(2, 500), epoch=st.integers(0, 99))
def test_orders_differ_between_epochs_and_seeds_and_repeat(count: int, epoch: int) -> None:
    assert np.array_equal(epoch_order(count, epoch, 1), epoch_order(count, epoch, 1))
    if count > 20:
        assert not np.array_equal(epoch_order(count, epoch, 1), epoch_order(count, epoch + 1, 1))
        assert not np.array_equal(epoch_order(count, epoch, 1), epoch_order(count, epoch, 2))


@pytest.mark.parametrize(("count", "rank", "size"), [(5, 2, 2), (5, -1, 2), (-1, 0, 1), (5, 0, 0)])
def test_impossible_shards_are_refused(count: int, rank: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"Expected: count >= 0 and 0 <= rank < size"):
        shard_bounds(count, rank, size)


SHARES = st.lists(st.integers(0, 60), min_size=1, max_size=20).filter(any)


@given(count=COUNTS, shares=SHARES)
def test_blocks_by_shares_cover_everything_once_in_proportion(
    count: int, shares: list[int]
) -> None:
    bounds = [share_bounds(count, shares, rank) for rank in range(len(shares))]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == count
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(bounds))
    for (start, end), share in zip(bounds, shares, strict=True):
        assert abs((end - start) - count * share / sum(shares)) < 1


@given(count=COUNTS, size=SIZES, share=st.integers(1, 40))
def test_equal_shares_give_the_blocks_of_equal_ranks(count: int, size: int, share: int) -> None:
    for rank in range(size):
        assert share_bounds(count, [share] * size, rank) == shard_bounds(count, rank, size)


@given(shares=SHARES)
def test_a_full_step_has_the_shares_themselves(shares: list[int]) -> None:
    bounds = [share_bounds(sum(shares), shares, rank) for rank in range(len(shares))]
    assert [end - start for start, end in bounds] == shares


@pytest.mark.parametrize("shares", [[], [0, 0], [2, -1]])
def test_impossible_shares_are_refused(shares: list[int]) -> None:
    with pytest.raises(ValueError, match="a share from 0 on for each rank"):
        share_bounds(4, shares, 0)
