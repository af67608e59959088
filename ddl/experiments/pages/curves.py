"""Curves as SVG: a panel for each variable, a line for each experiment. Needs no script and no style of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddl.experiments.pages.markup import tag, text
from ddl.experiments.results import value_of

COLOURS = 10
"""Classes c0 to c9 of a page's style; the next line begins with the first again, and is dashed."""

WIDTH, HEIGHT = 400, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 8, 22
_LOG_SPAN = 100.0
_MOST_TICKS = 6
_HIGHEST = 1e300  # of larger values the span of an axis would be an infinity; they leave a gap

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line of a panel. Values that are not finite leave a gap."""

    name: str
    place: int
    points: Points


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the place of a value in the picture."""
        low, high, value = (self._scaled(number) for number in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def points_of(history: Sequence[dict[str, Any]], name: str, most: int) -> Points:
    """Return the points of a variable by epoch, at most about so many: of the others each peak stays."""
    points = []
    for place, row in enumerate(history, 1):
        value = value_of(row, name)
        epoch = value_of(row, "epoch")
        if value is not None:
            value = value if abs(value) < _HIGHEST else math.inf
            points.append((float(place) if epoch is None else epoch, value))
    return thinned(points, most)


def thinned(points: Points, most: int) -> Points:
    """Return at most about `most` points: first and last, and the lowest and highest of each stretch between."""
    if len(points) <= most:
        return points
    stretches = max(1, most // 2 - 1)
    kept = {0, len(points) - 1}
    for number in range(stretches):
        first = len(points) * number // stretches
        places = range(first, max(first + 1, len(points) * (number + 1) // stretches))
        finite = [place for place in places if math.isfinite(points[place][1])]
        gaps = [place for place in places if not math.isfinite(points[place][1])]
        kept |= set(gaps[:1])
        if finite:
            kept |= {
                min(finite, key=lambda place: points[place][1]),
                max(finite, key=lambda place: points[place][1]),
            }
    return [points[place] for place in sorted(kept)]


def draw_panel(title: str, lines: Sequence[Line]) -> str:
    """Return a panel as SVG; one that says so where there is no finite value."""
    finite = [point for line in lines for point in line.points if math.isfinite(point[1])]
    if not finite:
        body = tag("text", "no finite value", x=WIDTH / 2, y=HEIGHT / 2, text_anchor="middle")
    else:
        across, up = _axis_across(finite), _axis_up(finite)
        body = _grid(across, up) + "".join(_path(line, across, up) for line in lines)
    svg = tag("svg", body, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    return tag("figure", tag("figcaption", text(title)) + svg, class_="panel")


def colour_of(place: int) -> str:
    """Return the class of the line at a place."""
    dashed = " dashed" if place // COLOURS % 2 else ""
    return f"c{place % COLOURS}{dashed}"


def _axis_across(points: Points) -> _Axis:
    low, high = min(point[0] for point in points), max(point[0] for point in points)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return _Axis(low, high, _LEFT, WIDTH - _RIGHT)


def _axis_up(points: Points) -> _Axis:
    low, high = min(point[1] for point in points), max(point[1] for point in points)
    if low > 0 and high / low > _LOG_SPAN:
        return _Axis(low / 1.1, high * 1.1, HEIGHT - _BOTTOM, _TOP, is_log=True)
    # Halves, so that the span of the largest numbers is no infinity.
    room = (high / 2 - low / 2) * 0.1 or abs(high) * 0.05 or 0.5
    return _Axis(low - room, high + room, HEIGHT - _BOTTOM, _TOP)


def _path(line: Line, across: _Axis, up: _Axis) -> str:
    parts, is_open = [], False
    for x, y in line.points:
        if not math.isfinite(y):
            is_open = False
            continue
        parts.append(f"{'L' if is_open else 'M'}{across.at(x):.1f} {up.at(y):.1f}")
        is_open = True
    if not parts:
        return ""
    last = line.points[-1]
    name = tag("title", text(f"{line.name}: {last[1]:.5g} at epoch {last[0]:g}"))
    if len(parts) == 1:
        left, top = parts[0][1:].split()
        return tag("circle", name, cx=left, cy=top, r=2.5, class_=f"dot {colour_of(line.place)}")
    return tag("path", name, d="".join(parts), class_=f"line {colour_of(line.place)}")


def _grid(across: _Axis, up: _Axis) -> str:
    parts = []
    for value in ticks(up.low, up.high, up.is_log):
        y = f"{up.at(value):.1f}"
        parts.append(tag("line", "", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(tag("text", f"{value:.4g}", x=_LEFT - 5, y=y, text_anchor="end", dy="0.32em"))
    for value in ticks(across.low, across.high):
        x = f"{across.at(value):.1f}"
        parts.append(tag("text", f"{value:g}", x=x, y=HEIGHT - 6, text_anchor="middle"))
    return "".join(parts)


def ticks(low: float, high: float, is_log: bool = False) -> list[float]:
    """Return round values between two, at most six: multiples of 1, 2 or 5 times a power of ten, or those powers."""
    if is_log:
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        stride = max(1, -(-(last - first + 1) // _MOST_TICKS))
        return [10.0**power for power in range(first, last + 1, stride)]
    span = high / 2 - low / 2
    if not math.isfinite(span) or span <= 0:
        return []
    rough = span * 2 / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-300 else 1e-300
    step = next((n * power for n in (1, 2, 5, 10) if n * power >= rough), 10 * power)
    lowest = math.ceil(low / step)
    found = [(lowest + n) * step for n in range(_MOST_TICKS + 1)]
    return [tick for tick in found if low - span * 1e-9 <= tick <= high]
