"""N ranks equal one: every row of `cases`, under every launcher, against one process of plain Keras.

The same proof as a page: docs/numbers.md (made by `python -m tests.distributed.make_numbers`).
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.distributed import sabotage
from tests.distributed.cases import BOUNDS, CASES, SUBSET, Case
from tests.distributed.launches import (
    CONTROL,
    LAUNCHES,
    REFERENCES,
    Launch,
    difference,
    expected,
    outcome,
    relative_difference,
)
from tests.distributed.make_numbers import PAGE

pytestmark = pytest.mark.timeout(900)


def _rows() -> list[object]:
    return [
        pytest.param(job, case, precision, id=f"{job}-{case.name}-{precision}")
        for job in LAUNCHES
        for case, precision in job.rows()
    ]


def _broken_rows() -> list[object]:
    return [
        pytest.param(kind, case, precision, id=f"{kind}-{case.name}-{precision}")
        for kind in sabotage.KINDS
        for case, precision in CONTROL.rows()
        if sabotage.concerns(kind, case, CONTROL.ranks)
    ]


@pytest.mark.parametrize(("job", "case", "precision"), _rows())
def test_ranks_equal_one_process(job: Launch, case: Case, precision: str) -> None:
    found = difference(job, case, precision)
    assert found.largest <= case.bound(precision), f"{found.where}: {found.largest:.2e}"
    assert found.compared > 4


@pytest.mark.parametrize("job", [*REFERENCES, *LAUNCHES, CONTROL], ids=str)
def test_the_launch_ends_well(job: Launch) -> None:
    result = outcome(job).result
    assert result.returncode == 0, result.output[-4000:]
    assert not result.left_behind


@pytest.mark.parametrize(("kind", "case", "precision"), _broken_rows())
def test_a_broken_package_is_noticed(kind: str, case: Case, precision: str) -> None:
    assert difference(CONTROL, case, precision, kind).largest > case.bound(precision)


def test_every_optimizer_of_keras_has_a_row() -> None:
    known = {
        name
        for name, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }
    rows = {case.optimizer.replace("LossScale", "LossScaleOptimizer") for case in CASES.values()}
    assert known - {"Optimizer", "MultiOptimizer"} <= rows
    assert "Multi" in rows


def test_float16_overflowed_where_it_should() -> None:
    for case in (case for case in CASES.values() if case.overflow):
        results = expected(case, "mixed_float16")
        scale = next(value for name, value in results.items() if "dynamic_scale" in name)
        assert scale == 2.0 ** (15 - case.epochs), case.name
        iterations = next(v for name, v in results.items() if "iteration" in name)
        assert iterations < len(case.steps()) * case.epochs, case.name


def test_the_page_shows_every_row() -> None:
    page = PAGE.read_text()
    missing = [name for name in CASES if f"| {name} |" not in page]
    assert not missing, "run python -m tests.distributed.make_numbers"
    assert "| 0 |" not in page  # rows of the negative control that none depends on, or none caught


def test_bounds_are_those_that_the_package_promises() -> None:
    exact = [case for case in CASES.values() if "compression" not in case.wire]
    assert all(not case.bounds for case in exact)
    assert BOUNDS["float64"] == 1e-10
    assert BOUNDS["float32"] == 1e-5
    assert set(SUBSET) <= set(CASES)


def test_relative_difference_sees_what_it_must() -> None:
    one, nan = np.ones(3), np.array([1.0, np.nan, 1.0])
    assert relative_difference(one, one) == 0
    assert relative_difference(one * 1.5, one) == pytest.approx(0.5)
    assert relative_difference(nan, nan) == 0
    assert relative_difference(one, nan) == float("inf")
    assert relative_difference(nan, one) == float("inf")
    assert relative_difference(one[:2], one) == float("inf")
    assert relative_difference(one, 0 * one) == float("inf")
    assert relative_difference(one.astype("float32"), one) == float("inf")
