"""Curves: round ticks, few points that keep every peak, gaps where a value is not finite."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.pages.curves import HEIGHT, Line, draw_panel, points_of, thinned, ticks

numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_ticks_lie_between_and_are_few(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    found = ticks(low, high)
    assert len(found) <= 7
    room = (high / 2 - low / 2) * 1e-8
    assert all(low - room <= tick <= high for tick in found)


def test_ticks_are_round() -> None:
    assert ticks(0, 40) == [0, 10, 20, 30, 40]
    assert ticks(0.001, 1000, is_log=True) == [0.01, 1, 100] or len(
        ticks(0.001, 1000, is_log=True)
    ) in range(3, 8)


@given(st.lists(numbers, max_size=400), st.integers(4, 60))
def test_thinning_keeps_the_ends_and_the_highest(values: list[float], most: int) -> None:
    points = [(float(place), value) for place, value in enumerate(values)]
    kept = thinned(points, most)
    assert len(kept) <= max(len(points) if len(points) <= most else 0, 3 * (most // 2) + 2)
    finite = [value for value in values if math.isfinite(value)]
    if points:
        assert [repr(point) for point in (kept[0], kept[-1])] == [
            repr(point) for point in (points[0], points[-1])
        ]
    if finite:
        assert max(finite) in [value for _, value in kept]
        assert min(finite) in [value for _, value in kept]


@settings(max_examples=60)
@given(st.lists(numbers, max_size=20))
def test_any_values_make_a_picture_within_its_frame(values: list[float]) -> None:
    rows = [{"epoch": place, "loss": value} for place, value in enumerate(values)]
    svg = draw_panel("loss", [Line("a", 0, points_of(rows, "loss", 100))])
    assert "nan" not in svg.replace('role="img"', "").partition("<title>")[0]
    for part in svg.split('d="')[1:]:
        for step in part.partition('"')[0].replace("M", "L").split("L")[1:]:
            assert -1 <= float(step.split()[1]) <= HEIGHT + 1


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    rows = [{"epoch": n, "loss": "NaN" if n == 3 else 1.0 / n} for n in range(1, 6)]
    svg = draw_panel("loss", [Line("a", 0, points_of(rows, "loss", 100))])
    assert svg.count("M") == 2


def test_texts_are_escaped() -> None:
    svg = draw_panel("<b>", [Line('"><script>', 0, [(1, 1.0), (2, 2.0)])])
    assert "<b>" not in svg
    assert "<script" not in svg
