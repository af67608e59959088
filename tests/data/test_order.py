"""Both orders: each sample once per epoch, equal steps on all ranks, and the same remaining samples after a resume."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.order import ORDERS, Position, SampleOrder, order_from_state
from ddl.data.sharding import epoch_order, shard_bounds

SETUPS = st.builds(
    SampleOrder,
    kind=st.sampled_from(ORDERS),
    count=st.integers(1, 600),
    per_rank_batch_size=st.integers(1, 40),
    size=st.integers(1, 20),
    seed=st.integers(0, 99),
)


def steps(order: SampleOrder, epoch: int, first_step: int = 0) -> list[list[np.ndarray]]:
    """Return the indices of each rank for each step."""
    return [list(order.epoch(epoch, rank, first_step)) for rank in range(order.size)]


@given(order=SETUPS, epoch=st.integers(0, 9))
def test_an_epoch_sees_every_sample_once_in_equal_steps(order: SampleOrder, epoch: int) -> None:
    by_rank = steps(order, epoch)
    assert {len(of_rank) for of_rank in by_rank} == {order.steps_per_epoch}
    everything = np.concatenate(list(itertools.chain.from_iterable(by_rank)))
    assert np.array_equal(np.sort(everything), np.arange(order.count))
    for of_step in zip(*by_rank, strict=True):
        lengths = [len(part) for part in of_step]
        assert 0 < sum(lengths) <= order.global_batch_size
        assert max(lengths) <= order.per_rank_batch_size
        # All but the last step are full in a global order; blocks differ by one in a contiguous one.
        assert max(lengths) - min(lengths) <= 1
    is_even = [len(set(map(len, of_step))) == 1 for of_step in zip(*by_rank, strict=True)]
    assert is_even == [True] * (len(is_even) - 1) + [not order.ends_unevenly]


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("size", range(1, 17))
def test_5000_samples_on_1_to_16_ranks(kind: str, size: int) -> None:
    by_rank = steps(SampleOrder(kind, 5000, 12, size, 0), 3)
    everything = np.concatenate(list(itertools.chain.from_iterable(by_rank)))
    assert np.array_equal(np.sort(everything), np.arange(5000))
    assert len({len(of_rank) for of_rank in by_rank}) == 1


@given(order=SETUPS, epoch=st.integers(0, 9))
def test_a_contiguous_rank_reads_only_its_own_block(order: SampleOrder, epoch: int) -> None:
    if order.kind != "contiguous":
        return
    for rank, of_rank in enumerate(steps(order, epoch)):
        start, end = shard_bounds(order.count, rank, order.size)
        assert all(start <= index < end for index in np.concatenate(of_rank))


@given(order=SETUPS, epoch=st.integers(0, 5), data=st.data())
def test_a_resumed_epoch_sees_the_rest_in_the_same_order(
    order: SampleOrder, epoch: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, order.steps_per_epoch))
    rank = data.draw(st.integers(0, order.size - 1))
    state = json.loads(json.dumps(order.state(Position(epoch, step))))
    resumed = order.after(order.resume(state), rank)
    uninterrupted = order.after(Position(epoch, 0), rank)
    for _ in range(step):
        next(uninterrupted)
    for (at, indices), (_, others) in itertools.islice(zip(resumed, uninterrupted, strict=True), 9):
        assert np.array_equal(indices, others)
        assert 0 <= at.step < order.steps_per_epoch


@given(count=st.integers(1, 300), ranks=st.integers(1, 6), others=st.integers(1, 6), data=st.data())
def test_a_global_order_resumes_on_another_number_of_ranks(
    count: int, ranks: int, others: int, data: st.DataObject
) -> None:
    batch = ranks * others * data.draw(st.integers(1, 3))
    before = SampleOrder("global", count, batch // ranks, ranks, 3)
    after = SampleOrder("global", count, batch // others, others, 3)
    step = data.draw(st.integers(0, before.steps_per_epoch))
    position = after.resume(before.state(Position(2, step)))
    rest = zip(*steps(after, position.epoch, position.step), strict=True)
    seen = np.concatenate([[], *(part for of_step in rest for part in of_step)])
    assert np.array_equal(seen, epoch_order(count, 2, 3)[step * batch :])


def test_epochs_ranks_and_seeds_differ() -> None:
    def first(epoch: int, rank: int, seed: int) -> list[int]:
        order = SampleOrder("contiguous", 100, 25, 2, seed)
        start, _ = shard_bounds(100, rank, 2)
        return (next(order.epoch(epoch, rank)) - start).tolist()

    orders = [first(*key) for key in itertools.product((0, 1), (0, 1), (0, 1))]
    assert all(a != b for a, b in itertools.combinations(orders, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "contiguous"}, "kind=contiguous, but global in the checkpoint, at step 3"),
        ({"count": 99}, "count=99, but 100"),
        ({"seed": 1}, "seed=1, but 0"),
        ({"per_rank_batch_size": 4}, "global_batch_size=8, but 10"),
    ],
)
def test_a_state_of_another_order_is_refused(change: dict[str, object], message: str) -> None:
    fields = {"kind": "global", "count": 100, "per_rank_batch_size": 5, "size": 2, "seed": 0}
    state = SampleOrder(**fields).state(Position(1, 3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        SampleOrder(**fields | change).resume(state)  # type: ignore[arg-type]


def test_only_between_epochs_may_the_global_batch_change() -> None:
    state = SampleOrder("contiguous", 100, 5, 2, 0).state(Position(1, 0))
    assert SampleOrder("contiguous", 100, 7, 3, 0).resume(state) == Position(1, 0)
    middle = SampleOrder("contiguous", 100, 6, 2, 0).state(Position(1, 1))
    with pytest.raises(ValueError, match="size=3, but 2"):
        SampleOrder("contiguous", 100, 4, 3, 0).resume(middle)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("random", 5, 1, 1, 0), "order='random'. Expected one of: global, contiguous"),
        (("global", 0, 1, 1, 0), "count=0"),
        (("global", 5, 0, 1, 0), "per_rank_batch_size=0"),
        (("global", 5, 1, 0, 0), "size=0"),
        (("global", 5, 1, 1, -1), "seed=-1"),
    ],
)
def test_impossible_orders_are_refused(
    fields: tuple[str, int, int, int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SampleOrder(*fields)
    with pytest.raises(ValueError, match="a step from 0 to 5"):
        next(SampleOrder("global", 5, 1, 1, 0).after(Position(0, 6), 0))


WHOLE_BATCHES = st.integers(1, 20).flatmap(
    lambda size: st.builds(
        lambda count, batch, cut, seed: SampleOrder(
            "global",
            count,
            -(-batch // size),
            size,
            seed,
            batch_size=batch,
            cut_steps=min(cut, -(-count // batch)),
        ),
        count=st.integers(1, 300),
        batch=st.integers(size, 60),
        cut=st.integers(0, 9),
        seed=st.integers(0, 9),
    )
)


@given(order=WHOLE_BATCHES, epoch=st.integers(0, 3))
def test_a_global_batch_is_the_same_samples_on_any_number_of_ranks(
    order: SampleOrder, epoch: int
) -> None:
    whole = epoch_order(order.count, epoch, order.seed)
    by_rank = steps(order, epoch)
    batch = order.batch_size
    for step, parts in enumerate(zip(*by_rank, strict=True)):
        assert np.array_equal(np.concatenate(parts), whole[step * batch : (step + 1) * batch])
        lengths = [len(part) for part in parts]
        assert max(lengths) - min(lengths) <= 1
        assert max(lengths) <= order.per_rank_batch_size
        if not order.is_uneven and step < order.steps_per_epoch - order.ends_unevenly:
            assert len(set(lengths)) == 1
    seen = sum(len(part) for of_rank in by_rank for part in of_rank)
    assert seen == order.samples_per_epoch


@pytest.mark.parametrize("kind", ORDERS)
def test_a_cut_epoch_has_the_first_steps_of_the_whole_one(kind: str) -> None:
    whole, cut = SampleOrder(kind, 43, 4, 2, 7), SampleOrder(kind, 43, 4, 2, 7, cut_steps=3)
    assert (whole.steps_per_epoch, cut.steps_per_epoch) == (6, 3)
    assert (whole.samples_per_epoch, cut.samples_per_epoch) == (43, 24)
    assert (whole.ends_unevenly, cut.ends_unevenly) == (True, False)
    for of_whole, of_cut in zip(steps(whole, 2), steps(cut, 2), strict=True):
        assert all(map(np.array_equal, of_whole[:3], of_cut))
    following = itertools.islice(cut.after(Position(0, 2), 1), 3)
    assert [at for at, _ in following] == [Position(0, 2), Position(1, 0), Position(1, 1)]


def test_an_order_of_an_earlier_version_is_whole() -> None:
    order = SampleOrder("global", 43, 4, 2, 7)
    state = order.state(Position(1, 2))
    del state["batch_size"], state["cut_steps"]
    assert order.resume(state) == Position(1, 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cut_steps": 7}, "steps_per_epoch=7, but an epoch of 43 samples has 6 steps of 8"),
        ({"batch_size": 7}, "global_batch_size=7 with order=contiguous on 2 ranks"),
        ({"batch_size": 12}, "per_rank_batch_size=4 of batch_size=12 on 2 ranks. Expected: 6."),
    ],
)
def test_an_epoch_that_cannot_be_is_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleOrder("contiguous", 43, 4, 2, 7, **fields)


@given(
    count=st.integers(1, 200),
    shares=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    data=st.data(),
)
def test_shares_change_who_reads_a_sample_and_not_when(
    count: int, shares: list[int], data: st.DataObject
) -> None:
    size, batch = len(shares), sum(shares)
    fields = {"batch_size": batch, "shares": tuple(shares)}
    order = SampleOrder("global", count, -(-batch // size), size, 3, **fields)  # type: ignore[arg-type]
    step = data.draw(st.integers(0, order.steps_per_epoch))
    state = json.loads(json.dumps(order.state(Position(1, step))))
    assert order_from_state(state) == order
    alone = SampleOrder("global", count, batch, 1, 3, batch_size=batch)
    mine = zip(*(order.epoch(1, rank, step) for rank in range(size)), strict=True)
    for parts, whole in zip(mine, alone.epoch(1, 0, step), strict=True):
        assert np.array_equal(np.concatenate(parts), whole)
    paired = zip(*(order.pairs(1, rank, step) for rank in range(size)), strict=True)
    for parts, whole in zip(paired, alone.pairs(1, 0, step), strict=True):
        assert np.array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize(
    ("kind", "shares", "message"),
    [
        ("global", (5, 5), "2 shares .5,5. for 3 ranks. Expected: one for each"),
        ("global", (5, 5, 1), "which add up to 11. Expected: .* 12 together"),
        ("global", (6, 6, 0), "at least 1 for each rank"),
        ("contiguous", (4, 4, 4), "Expected: order=global"),
    ],
)
def test_shares_that_do_not_fit_are_refused(
    kind: str, shares: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SampleOrder(kind, 100, 4, 3, 0, shares=shares)
