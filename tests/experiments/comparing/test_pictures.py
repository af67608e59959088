"""The pictures of curves and times are drawn, whatever the values are."""

from __future__ import annotations

import math

import pytest
from matplotlib.image import imread

from ddl.experiments.comparing.curve_picture import draw_curves
from ddl.experiments.comparing.curves import Curve, Panel
from ddl.experiments.comparing.time_picture import draw_times
from ddl.experiments.comparing.times import Times


def curve(number, ys):
    return Curve(str(number), f"{number:03d}  lr {number}", tuple(range(1, len(ys) + 1)), tuple(ys))


@pytest.mark.parametrize(
    "values",
    [
        [[1.0]],
        [[1.0, 2.0], [3.0]],
        [[math.nan, math.inf]],
        [[1.0, math.nan]],
        [[1e-8, 1.0, 1e8]],
        [[0.0, 0.0]],
        [[-1e300, 1e300]],
        [[float(n)] * 3 for n in range(1, 51)],
    ],
)
def test_curves_of_any_values(tmp_path, values):
    path = tmp_path / "curves.png"
    panels = [
        Panel(name, tuple(curve(n, ys) for n, ys in enumerate(values)))
        for name in ("loss", "$x_1$")
    ]
    draw_curves(panels, "epoch", path)
    height, width = imread(path).shape[:2]
    assert height == 660
    assert width > 700


def test_of_many_times_the_longest_are_drawn(tmp_path):
    path = tmp_path / "times.png"
    parts = {"queue": 60.0, "training": 600.0, "validation": 60.0, "start and end": 30.0}
    draw_times([Times(str(n), f"{n} <b>$", 1, parts) for n in range(70)], path)
    draw_times([Times("a", "a", 1, {})], tmp_path / "none.png")
    assert imread(path).shape[:2] == (110 + 60 * 22, 900)
