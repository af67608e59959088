from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.asynchronous.ages import AgeRules, step_factors, weight_of_push


def test_n_equal_workers_count_in_full() -> None:
    assert weight_of_push(0.25, age=3, scaling="inverse", workers=4) == 0.25


def test_an_older_gradient_counts_less() -> None:
    assert weight_of_push(0.25, age=7, scaling="inverse", workers=4) == 0.125
    assert weight_of_push(0.25, age=7, scaling="none", workers=4) == 0.25


@given(st.integers(1, 64), st.integers(0, 200), st.floats(0.001, 1))
def test_a_weight_never_grows_with_age(workers: int, age: int, share: float) -> None:
    weights = [weight_of_push(share, a, "inverse", workers) for a in (age, age + 1)]
    assert share >= weights[0] >= weights[1] > 0


def test_the_bound_is_twice_the_workers_where_none_is_given() -> None:
    assert AgeRules(4).bound == 8
    assert AgeRules(4, 0).bound == 0
    assert AgeRules(4, 0).most_open == 1
    assert [AgeRules(4).too_old(age) for age in (8, 9)] == [False, True]


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(ValueError, match="staleness_scaling"):
        AgeRules(4, scaling="half")


@given(st.sampled_from(["SGD", "Adam", "Adagrad", "Ftrl", "Lion"]))
def test_a_whole_batch_is_a_plain_update(optimizer: str) -> None:
    assert step_factors(optimizer, 1.0) == (1.0, 1.0)


def test_the_factors_by_kind() -> None:
    assert step_factors("SGD", 0.25) == (0.25, 1.0)
    assert step_factors("Adam", 0.25) == (0.5, 1.0)
    assert step_factors("Adagrad", 0.25) == (1.0, 0.25)
