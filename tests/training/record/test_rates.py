"""Rates of all steps and of the last half of each epoch, with a clock of the test's."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.training.record.rates import Rates


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def run_epoch(
    rates: Rates, clock: Clock, seconds: list[float], *, first: int = 0, block: int = 1
) -> None:
    """Take steps of these durations, in blocks, in an epoch whose first ones were taken earlier."""
    steps = first + len(seconds)
    rates.begin_epoch(steps, first)
    ends = list(itertools.accumulate(seconds, initial=clock.now_s))
    for done in [*range(first + block, steps, block), steps]:
        clock.now_s = ends[done - first]
        rates.step(done)
    rates.end_steps()


def test_the_last_half_leaves_tracing_out() -> None:
    clock = Clock()
    rates = Rates(80, 8, clock)
    run_epoch(rates, clock, [31.0, *[1.0] * 9])
    clock.now_s += 1000  # a validation
    run_epoch(rates, clock, [1.0] * 10)
    assert rates.overall == pytest.approx(160 / 50)
    assert rates.epoch == pytest.approx(8.0)
    assert rates.last_half == pytest.approx(8.0)


def test_a_short_last_step_counts_its_samples() -> None:
    clock = Clock()
    rates = Rates(30, 8, clock)
    run_epoch(rates, clock, [1.0] * 4)
    assert rates.overall == pytest.approx(30 / 4)
    assert rates.last_half == pytest.approx(14 / 2)


@pytest.mark.parametrize(("block", "half"), [(3, 32 / 4), (4, 16 / 2), (7, 24 / 3), (10, 80 / 10)])
def test_a_block_over_the_middle_ends_the_first_half(block: int, half: float) -> None:
    clock = Clock()
    rates = Rates(80, 8, clock)
    run_epoch(rates, clock, [1.0] * 10, block=block)
    assert rates.last_half == pytest.approx(half)


def test_a_resumed_epoch_counts_what_it_does() -> None:
    clock = Clock()
    rates = Rates(80, 8, clock)
    run_epoch(rates, clock, [2.0] * 2, first=8)
    assert rates.overall == rates.last_half == rates.epoch == pytest.approx(4.0)


def test_without_steps_there_is_no_rate() -> None:
    rates = Rates(80, 8)
    assert (rates.overall, rates.last_half, rates.epoch) == (0.0, 0.0, 0.0)


def test_an_epoch_without_steps_of_its_own_has_no_rate() -> None:
    clock = Clock()
    rates = Rates(80, 8, clock)
    run_epoch(rates, clock, [1.0] * 10)
    rates.begin_epoch(10, 10)  # a run that resumes with the validation
    clock.now_s += 5
    rates.end_steps()
    assert rates.epoch == 0.0
    assert rates.overall == pytest.approx(80 / 15)


@given(
    seconds=st.lists(st.floats(0.01, 10), min_size=1, max_size=20),
    block=st.integers(1, 20),
    batch=st.integers(1, 9),
)
def test_both_rates_lie_between_the_slowest_and_the_fastest_step(
    seconds: list[float], block: int, batch: int
) -> None:
    clock = Clock()
    rates = Rates(batch * len(seconds), batch, clock)
    run_epoch(rates, clock, seconds, block=block)
    for rate in (rates.overall, rates.last_half):
        assert batch / max(seconds) * 0.999 <= rate <= batch / min(seconds) * 1.001
