from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.asynchronous.epoch_leases import (
    EpochLeases,
    leases_before,
    leases_per_epoch,
    position_after,
)
from ddl.asynchronous.leases import LeaseBook, numbers_in
from ddl.data.order import Position, SampleOrder


@st.composite
def orders(draw: st.DrawFn) -> SampleOrder:
    size = draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["global", "contiguous"]))
    count = draw(st.integers(size, 60))
    if kind == "global" and draw(st.booleans()):
        batch = draw(st.integers(size, 20))
        return SampleOrder(kind, count, -(-batch // size), size, 3, batch_size=batch)
    order = SampleOrder(kind, count, draw(st.integers(1, 6)), size, 3)
    cut = draw(st.integers(0, order.steps_per_epoch))
    return SampleOrder(kind, count, order.per_rank_batch_size, size, 3, cut_steps=cut)


@given(orders(), st.integers(0, 3))
def test_a_lease_has_what_a_rank_has_in_a_step(order: SampleOrder, epoch: int) -> None:
    leases = EpochLeases(order, epoch)
    numbers = iter(range(leases.first, leases.end))
    ranks = [list(order.epoch(epoch, rank)) for rank in range(order.size)]
    for step in range(order.steps_per_epoch):
        shares = 0.0
        for part in range(order.size):
            if not len(ranks[part][step]):
                continue
            lease = leases.lease(next(numbers))
            assert (lease.epoch, lease.step, lease.part) == (epoch, step, part)
            np.testing.assert_array_equal(lease.indices, ranks[part][step])
            shares += lease.share
        assert shares == pytest.approx(1)
    assert next(numbers, None) is None


@given(orders(), st.integers(0, 3))
def test_partners_are_those_of_a_rank(order: SampleOrder, epoch: int) -> None:
    leases = EpochLeases(order, epoch)
    for part in range(order.size):
        for step, pairs in enumerate(order.pairs(epoch, part)):
            np.testing.assert_array_equal(leases.pairs(step, part), pairs)


@given(orders(), st.integers(0, 4), st.data())
def test_position_and_version_determine_each_other(
    order: SampleOrder, epoch: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, order.steps_per_epoch - 1))
    assert position_after(order, leases_before(order, Position(epoch, step))) == (
        Position(epoch, step)
    )
    end = leases_before(order, Position(epoch, order.steps_per_epoch))
    assert position_after(order, end) == Position(epoch + 1)


@pytest.fixture
def book() -> LeaseBook:
    """An epoch of 6 steps of 3 leases."""
    book = LeaseBook(SampleOrder("global", 18, 1, 3, 0), timeout_s=60)
    book.open_epoch(0)
    return book


def test_leases_are_handed_out_in_order(book: LeaseBook) -> None:
    leases = [book.next(f"w{n}", 0.0) for n in range(18)]
    assert [lease.number for lease in leases if lease] == list(range(18))
    assert book.next("w18", 0.0) is None


def test_a_lease_is_applied_once(book: LeaseBook) -> None:
    book.next("a", 0.0)
    assert [book.settle(0, "a"), book.settle(0, "a"), book.settle(0, "b")] == (
        ["apply", "known", "known"]
    )


def test_a_lease_of_another_worker_is_not_taken(book: LeaseBook) -> None:
    book.next("a", 0.0)
    assert book.settle(0, "b") == "expired"
    assert book.settle(0, "a") == "apply"


def test_what_is_not_returned_in_time_is_given_again(book: LeaseBook) -> None:
    book.next("a", 0.0)
    assert book.next("b", 59.9).number == 1  # type: ignore[union-attr]
    assert book.next("b", 60.0).number == 0  # type: ignore[union-attr]
    assert book.settle(0, "a") == "expired"
    assert book.settle(0, "b") == "apply"
    assert book.counts.expired == 1


def test_samples_that_are_too_slow_for_all_workers_get_more_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They take 200 s everywhere: not done within 60 s, nor within 120 s, but within 240 s."""
    book = LeaseBook(SampleOrder("global", 1, 1, 1, 0), timeout_s=60)
    book.open_epoch(0)
    outcomes = []
    for start, worker in ((0.0, "a"), (200.0, "b"), (400.0, "a")):
        assert book.next(worker, start) is not None
        book.expire(start + 199.9)
        outcomes.append(book.settle(0, worker))
    assert outcomes == ["expired", "expired", "apply"]
    assert caplog.text.count("lease_timeout_s=60 is short") == 1


def test_leases_of_a_worker_that_is_gone_come_first(book: LeaseBook) -> None:
    for worker in "abc":
        book.next(worker, 0.0)
    assert [lease.number for lease in book.gone("b")] == [1]
    assert book.next("a", 1.0).number == 1  # type: ignore[union-attr]
    assert book.counts.lost == 1


def test_a_dropped_lease_goes_to_another_worker_first(book: LeaseBook) -> None:
    book.next("slow", 0.0)
    book.drop(0)
    assert book.next("slow", 1.0).number == 1  # type: ignore[union-attr]
    assert book.next("fast", 1.0).number == 0  # type: ignore[union-attr]


def test_a_dropped_lease_goes_to_the_same_worker_where_nothing_else_is_left() -> None:
    book = LeaseBook(SampleOrder("global", 1, 1, 1, 0), timeout_s=60)
    book.open_epoch(0)
    book.next("alone", 0.0)
    book.drop(0)
    assert book.next("alone", 1.0).number == 0  # type: ignore[union-attr]


def test_no_more_leases_are_open_than_the_bound_on_ages_allows(book: LeaseBook) -> None:
    book.most_open = 2
    assert [book.next(worker, 0.0) is None for worker in "abc"] == [False, False, True]
    book.settle(0, "a")
    assert book.next("c", 0.0) is not None


def test_a_pause_ends_with_whole_steps(book: LeaseBook) -> None:
    taken = [book.next(worker, 0.0).number for worker in "abcd"]  # type: ignore[union-attr]
    book.pause()
    rest = [book.next(worker, 0.0) for worker in "efg"]
    assert [lease.number for lease in rest if lease] == [4, 5]
    whole = []
    for number, worker in zip([*taken, 4, 5], "abcdef", strict=True):
        book.settle(number, worker)
        whole.append(book.is_whole)
    assert whole == [False, False, True, False, False, True]
    assert book.whole_steps == 2
    assert book.next("a", 0.0) is None
    book.go_on()
    assert book.next("a", 0.0).number == 6  # type: ignore[union-attr]


def test_an_epoch_goes_on_without_what_is_applied(book: LeaseBook) -> None:
    for worker in "abcd":
        book.next(worker, 0.0)
    for number, worker in ((0, "a"), (1, "b"), (3, "d")):
        book.settle(number, worker)
    state = book.state()
    assert state == {"epoch": 0, "applied": [[0, 2], [3, 4]]}
    later = LeaseBook(book.order, timeout_s=60)
    later.open_epoch(0, numbers_in(state["applied"]))
    numbers = [later.next("a", 0.0).number for _ in range(15)]  # type: ignore[union-attr]
    assert numbers == [2, *range(4, 18)]


def test_no_epoch_begins_before_the_last_one_is_complete(book: LeaseBook) -> None:
    with pytest.raises(ValueError, match="no new epoch before all leases of epoch 1 are applied"):
        book.open_epoch(1)


def test_leases_of_another_epoch_are_not_taken_as_applied(book: LeaseBook) -> None:
    later = LeaseBook(book.order, timeout_s=60)
    with pytest.raises(ValueError, match="lease 18 as applied in epoch 1"):
        later.open_epoch(0, [18])


def test_the_next_epoch_has_the_next_numbers() -> None:
    order = SampleOrder("global", 10, 1, 4, 0)  # the last step has 2 samples, and 2 leases
    assert leases_per_epoch(order) == 10
    book = LeaseBook(order, timeout_s=60)
    for epoch in range(2):
        book.open_epoch(epoch)
        while (lease := book.next("a", 0.0)) is not None:
            book.settle(lease.number, "a")
    assert book.applied == frozenset(range(10, 20))
    assert book.settle(3, "a") == "known"


@settings(max_examples=50)
@given(orders())
def test_every_sample_has_one_lease(order: SampleOrder) -> None:
    leases = EpochLeases(order, 1)
    seen = [
        index
        for number in range(leases.first, leases.end)
        for index in leases.lease(number).indices
    ]
    if not order.cut_steps:
        assert sorted(seen) == list(range(order.count))
    assert len(seen) == len(set(seen))
