"""Arrays and slicers that hypothesis draws: 1 to 4 axes, several sets, padding, remainders, overlaps and gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ddl.data.slicing.slicer import Slicer, parse_slicers, slicer_text


@st.composite
def cases(draw: Callable[..., Any]) -> tuple[np.ndarray, tuple[Slicer, ...]]:
    """Return an array, (channels, *sides) in float32, and one to three sets of slices of one shape."""
    sides = draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    kept = draw(st.integers(1, min(3, len(sides))))
    sizes = draw(st.lists(st.integers(2, 5), min_size=kept, max_size=kept))
    extra = draw(st.lists(st.integers(0, 3), min_size=kept, max_size=kept))
    count = draw(st.integers(1, 3))
    slicers = parse_slicers(draw(_texts(len(sides), sizes, extra)) for _ in range(count))
    channels = draw(st.integers(1, 3))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(channels, *sides))
    values[values > 1.5] = -0.0
    return values.astype(np.float32), slicers


@st.composite
def _texts(draw: Callable[..., Any], axes: int, sizes: list[int], extra: list[int]) -> str:
    """Return a set whose samples have the sides `sizes` + `extra`, along axes of its own."""
    places = sorted(draw(st.permutations(range(axes)))[: len(sizes)])
    transposes = len(sizes) == 2 and draw(st.booleans())
    order = places[::-1] if transposes else places
    all_sizes, totals = [1] * axes, [1] * axes
    for place, size, more in zip(order, sizes, extra, strict=True):
        all_sizes[place], totals[place] = size, size + more
    is_even = all(more % 2 == 0 for more in extra)
    padding = [(total - size) // 2 for total, size in zip(totals, all_sizes, strict=True)]
    as_padding = is_even and draw(st.booleans())
    return slicer_text(
        all_sizes,
        padding=padding if as_padding else (),
        padded_sizes=() if as_padding else totals,
        strides=[draw(st.integers(1, 6)) for _ in all_sizes] if draw(st.booleans()) else (),
        discard_remainders=False,
        transpose=transposes,
    )


def identity(values: np.ndarray, slices: Any) -> np.ndarray:
    """Return all samples of an array, as a network that changes nothing would predict them."""
    return np.stack(
        [
            slices.cut(number, lambda box: values[(slice(None), *box)])
            for number in range(len(slices))
        ]
    )
