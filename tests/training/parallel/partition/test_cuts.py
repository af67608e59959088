"""Where a model is divided: no other division has a smaller largest part."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ddl.training.parallel.partition.cuts import Tensor, choose_cuts, part_bytes


@st.composite
def networks(draw: st.DrawFn) -> tuple[int, list[Tensor]]:
    calls = draw(st.integers(3, 8))
    tensors = []
    for by in range(calls):
        later = list(range(by + 1, calls))
        users = draw(st.lists(st.sampled_from(later), max_size=2, unique=True)) if later else []
        tensors.append(Tensor(by, tuple(sorted(users)), draw(st.integers(1, 50))))
    return calls, tensors


@given(network=networks(), waiting=st.lists(st.integers(1, 3), min_size=2, max_size=3))
def test_no_division_has_a_smaller_largest_part(
    network: tuple[int, list[Tensor]], waiting: list[int]
) -> None:
    calls, tensors = network

    def largest(cuts: tuple[int, ...]) -> int:
        bounds = zip((0, *cuts), (*cuts, calls), waiting, strict=True)
        return max(part_bytes(tensors, first, end, number) for first, end, number in bounds)

    every = itertools.combinations(range(1, calls), len(waiting) - 1)
    found = tuple(choose_cuts(calls, tensors, waiting))
    assert largest(found) == min(map(largest, every))
