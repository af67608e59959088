"""A search asks for values and products, and reaches minima that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddl.training.optimization.second_order import (
    END,
    ERROR,
    METHODS,
    PRODUCT,
    STEP,
    VALUE,
    Search,
    SecondOrder,
)

MATRIX = np.diag([1.0, 10.0, 100.0]) + 0.5
TARGET = np.array([1.0, -2.0, 3.0])


def answer(kind: str, what: Any, point: list[np.ndarray]) -> Any:
    """Answer a question about (x - TARGET) MATRIX (x - TARGET) / 2."""
    if kind == PRODUCT:
        return MATRIX @ what
    point[:] = [what]
    slope = MATRIX @ (what - TARGET)
    return float(slope @ (what - TARGET)) / 2, slope


def run(search: Search) -> tuple[list[str], list[np.ndarray], Any]:
    """Answer all questions; return their kinds, the points of all steps, and the last message."""
    kinds, steps, point = [], [], [np.zeros(3)]
    kind, what = search.next()
    while kind not in (END, ERROR):
        kinds.append(kind)
        if kind == STEP:
            steps.append(what)
        kind, what = search.next(None if kind == STEP else answer(kind, what, point))
    search.close()
    return kinds, steps, what


@pytest.mark.parametrize("method", METHODS)
def test_a_search_finds_the_minimum_of_a_quadratic(method: str) -> None:
    kinds, steps, _ = run(Search(method, np.zeros(3), iterations=30, products=50))
    np.testing.assert_allclose(steps[-1], TARGET, atol=1e-6)
    assert (PRODUCT in kinds) == (method == "newton-cg")
    assert kinds[0] == VALUE


def test_newton_does_not_ask_for_more_products_than_allowed() -> None:
    start = TARGET + np.array([1.0, 0.1, 0.01])  # a slope that is no direction of the matrix
    free, *_ = run(Search("newton-cg", start, iterations=1, products=50))
    assert free.count(PRODUCT) == 2
    kinds, steps, _ = run(Search("newton-cg", start, iterations=1, products=1))
    assert kinds.count(PRODUCT) == 1
    assert len(steps) == 1
    begin, end = (answer(VALUE, at, [at])[0] for at in (start, steps[0]))
    assert end < begin


def test_a_search_can_be_left_at_any_question() -> None:
    search = Search("l-bfgs", np.zeros(3), iterations=30, products=1)
    kind, what = search.next()
    search.next(answer(kind, what, [what]))
    search.close()
    assert not search._thread.is_alive()


def test_a_search_reports_what_fails_in_it() -> None:
    search = Search("l-bfgs", np.zeros(3), iterations=30, products=1)
    search.next()
    kind, error = search.next(("no number", None))
    assert kind == ERROR
    assert isinstance(error, ValueError)


def test_why_a_run_ends() -> None:
    options = SecondOrder(
        max_iterations=5, max_func_eval=9, absolute_tolerance=1e-3, relative_tolerance=1e-2
    )
    assert options.why_over(4, 8, 1.0, 1.0) is None
    assert "max_iterations=5" in str(options.why_over(5, 8, 1.0, 1.0))
    assert "max_func_eval=9" in str(options.why_over(4, 9, 1.0, 1.0))
    assert "absolute_tolerance=0.001" in str(options.why_over(0, 0, 0.0, 1e-3))
    assert "relative_tolerance=0.01" in str(options.why_over(0, 0, -1.0, 0.009))
