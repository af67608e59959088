"""The samples of a probe: the same in each epoch, and on any number of ranks with the same global batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.sharding import shard_bounds
from ddl.training.probing.samples import probe_samples


def passes(wanted: int, count: int, at_once: int, size: int) -> list[list[int]]:
    """Return the samples of all ranks in each pass, sorted."""
    found = probe_samples(wanted, count, at_once, size, 0)
    ranks = [list(found.of(rank)) for rank in range(size)]
    return [sorted(np.concatenate(parts).tolist()) for parts in zip(*ranks, strict=True)]


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 32), st.integers(1, 8))
def test_there_are_at_least_as_many_as_wanted(
    wanted: int, count: int, at_once: int, size: int
) -> None:
    found = probe_samples(wanted, count, at_once, size, 7)
    taken = [indices for rank in range(size) for indices in found.of(rank)]
    assert {len(indices) for indices in taken} == {found.per_rank}
    assert found.per_rank <= at_once
    assert len(np.concatenate(taken)) == found.total >= min(wanted, count)
    assert all(0 <= index < count for index in np.concatenate(taken))
    assert len(set(np.concatenate(taken).tolist())) == min(count, found.total)


def test_a_pass_has_the_same_samples_on_any_number_of_ranks() -> None:
    assert passes(48, 100, 16, 1) == passes(48, 100, 8, 2) == passes(48, 100, 4, 4)


@given(st.integers(8, 300), st.integers(1, 8), st.integers(1, 64))
def test_a_rank_stays_in_its_own_block(count: int, size: int, wanted: int) -> None:
    found = probe_samples(wanted, count, 8, size, 3, own_blocks=True)
    for rank in range(size):
        first, end = shard_bounds(count, rank, size)
        assert all(first <= index < end for indices in found.of(rank) for index in indices.tolist())
