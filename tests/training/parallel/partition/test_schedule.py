"""The order of micro-batches: every part finds what it waits for, and few wait at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ddl.training.parallel.partition.place import Place
from ddl.training.parallel.partition.schedule import (
    BACKWARD,
    FORWARD,
    in_flight,
    one_forward_one_backward,
)

PARTS, NUMBERS = st.integers(2, 6), st.integers(0, 9)


@given(parts=PARTS, micro_batches=NUMBERS)
def test_the_orders_of_all_parts_never_wait_for_each_other_in_a_circle(
    parts: int, micro_batches: int
) -> None:
    orders = [one_forward_one_backward(part, parts, micro_batches) for part in range(parts)]
    at, done = [0] * parts, set[tuple[int, str, int]]()
    moved = True
    while moved:
        moved = False
        for part, order in enumerate(orders):
            while at[part] < len(order):
                what, number = order[at[part]]
                before = [(p, FORWARD, number) for p in range(part)]
                if what == BACKWARD:
                    before = [(p, BACKWARD, number) for p in range(part + 1, parts)]
                if not set(before) <= done:
                    break
                done.add((part, what, number))
                at[part] += 1
                moved = True
    assert at == [2 * micro_batches] * parts


@given(parts=PARTS, micro_batches=st.integers(1, 9), part=st.integers(0, 5))
def test_at_most_the_parts_that_follow_wait(parts: int, micro_batches: int, part: int) -> None:
    part = min(part, parts - 1)
    waiting = most = 0
    for what, _ in one_forward_one_backward(part, parts, micro_batches):
        waiting += 1 if what == FORWARD else -1
        most = max(most, waiting)
    assert most == in_flight(part, parts, micro_batches)


@given(parts=PARTS, rank=st.integers(0, 23))
def test_a_group_holds_every_part_once(parts: int, rank: int) -> None:
    place = Place(rank, parts)
    group = [Place(place.rank_of(part), parts) for part in range(parts)]
    assert [other.part for other in group] == list(range(parts))
    assert {other.group for other in group} == {place.group}
    assert Place(0, parts).is_last
