"""Shares of a global batch follow measured speeds, and stay where the change is not worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.distributed.balance import WORTH, better_shares

RANKS = st.lists(st.floats(1e-4, 10.0), min_size=1, max_size=12)


@given(speeds=RANKS, samples=st.integers(1, 40))
def test_shares_settle_and_never_get_worse(speeds: list[float], samples: int) -> None:
    total = samples * len(speeds)
    shares = [samples] * len(speeds)
    for _ in range(20):
        seconds = [share / speed for share, speed in zip(shares, speeds, strict=True)]
        new = better_shares(shares, seconds)
        assert sum(new) == total
        assert min(new) >= 1
        slowest = max(share / speed for share, speed in zip(new, speeds, strict=True))
        assert slowest <= max(seconds)
        if new == shares:
            break
        shares = new
    else:
        raise AssertionError(f"Shares still change: {shares}.")


@given(count=st.integers(1, 12), samples=st.integers(1, 64), data=st.data())
def test_equal_ranks_do_not_flutter(count: int, samples: int, data: st.DataObject) -> None:
    noise = st.floats(1 - WORTH / 2, 1 + WORTH / 2 - 1e-6)
    seconds = [data.draw(noise) for _ in range(count)]
    assert better_shares([samples] * count, seconds) == [samples] * count


def test_a_slow_rank_gets_less_and_at_least_one() -> None:
    assert better_shares([16] * 4, [0.1, 0.1, 0.1, 0.5]) == [20, 20, 20, 4]
    assert better_shares([2, 2], [0.1, 90.0]) == [3, 1]
    assert better_shares([20, 20, 20, 4], [0.2, 0.2, 0.2, 0.04]) == [16] * 4


@pytest.mark.parametrize("seconds", [[0.1], [0.1, 0.0], [0.1, float("nan")], [0.1, float("inf")]])
def test_impossible_times_are_refused(seconds: list[float]) -> None:
    with pytest.raises(ValueError, match="a number above 0 for each rank"):
        better_shares([4, 4], seconds)
