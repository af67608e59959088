"""Which stored values become 0 (black) and 1 (white). By default those that the type can hold: 0 and 65535 of 16 bits.

A 12-bit camera writes 0 to 4095 into 16 bits. `range=0,4095` spreads them over 0 to 1; `range=1%,99%` takes percentiles
of the data, `range=data` their smallest and largest value. The two numbers are kept with the model, so that whatever
uses it scales alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ddl.options import Option, convert_value

ValueRange = tuple[float, float]
Given = str | Sequence[float]
"""How a range is written: "0,4095", (0, 4095), "1%,99%" or "data"."""

LOOKED_AT = 200
"""Pictures, spread evenly over the data, from which percentiles and "data" are taken."""
_PIXELS_A_PICTURE = 1 << 14
_EXPECTED = "two numbers such as 0,4095, two percentiles such as 1%,99%, or data"
_NARROW = 0.1
_NARROW_SAMPLES = 8


def scale_values(values: np.ndarray, value_range: ValueRange) -> np.ndarray:
    """Return values as float32 from 0 to 1; what lies outside the range becomes 0 or 1."""
    low, high = value_range
    scaled = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.clip(scaled, 0, 1))


def find_range(given: Given, count: int, read: Callable[[int], np.ndarray]) -> ValueRange:
    """Return the two values that become 0 and 1.

    Args:
        given: the range as the user wrote it.
        count: number of pictures.
        read: returns the stored values of one of them, by its number.

    Raises:
        ValueError: it is not a range, or the data hold only one value.
    """
    numbers, are_percentiles = _parse(given)
    if not are_percentiles:
        return _checked(numbers, given)
    indices = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(int))
    if numbers == (0.0, 100.0):
        ends = [(float(values.min()), float(values.max())) for values in map(read, indices)]
        return _checked((min(low for low, _ in ends), max(high for _, high in ends)), given)
    some = [_some_pixels(read(int(index))) for index in indices]
    low, high = np.percentile(np.concatenate(some), numbers)
    return _checked((float(low), float(high)), given)


def check_range(given: Given | None) -> None:
    """Refuse what is not a range, before any data are read."""
    if given is not None:
        numbers, _ = _parse(given)
        if numbers[0] >= numbers[1]:
            _checked(numbers, given)


def to_text(value_range: ValueRange) -> str:
    """Return a range as `find_range` reads it."""
    return ",".join(
        f"{value:g}" if float(f"{value:g}") == value else repr(value) for value in value_range
    )


def from_json(value: object) -> ValueRange | None:
    """Return the range in a manifest, [low, high] or nothing."""
    if value is None:
        return None
    low, high = convert_value(value, Option("range", "tuple[float, float]", None, ""))
    return _checked((low, high), (low, high))


def narrow_range(
    count: int, read: Callable[[int], np.ndarray], flag: str = "--data-option range="
) -> str:
    """Return a sentence on data that use less than a tenth of 0 to 1, or far more; "" for others.

    Args:
        count: number of pictures.
        read: returns the stored values of one of them, by its number.
        flag: how the user gives a range.
    """
    indices = np.unique(np.linspace(0, count - 1, min(count, _NARROW_SAMPLES)).astype(int))
    low, high, dtype = math.inf, -math.inf, np.dtype(np.uint8)
    for index in indices:
        picture = read(int(index))
        dtype = picture.dtype
        low, high = min(low, float(picture.min())), max(high, float(picture.max()))
    if not math.isfinite(high - low) or high == low or dtype.kind not in "uf":
        return ""
    if dtype.kind == "u":
        white = float(np.iinfo(dtype).max)
        if high - low >= _NARROW * white:
            return ""
        text = to_text((0.0, float(2 ** math.ceil(math.log2(high + 1)) - 1)))
    else:
        white = 1.0
        if _NARROW <= high - low <= 1 / _NARROW:
            return ""
        text = to_text((float(f"{low:.3g}"), float(f"{high:.3g}")))
    return (
        f"the values are {low:g} to {high:g}, where 0 is black and {white:g} is white: {flag}{text} spreads "
        f"them (or {flag}data, or percentiles: {flag}1%,99%)"
    )


def _some_pixels(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    return flat[:: max(1, len(flat) // _PIXELS_A_PICTURE)].astype(np.float64)


def _parse(given: Given) -> tuple[ValueRange, bool]:
    """Return two numbers, and whether they are percentiles."""
    if given == "data":
        return (0.0, 100.0), True
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else [*given]
    percent = [isinstance(part, str) and part.endswith("%") for part in parts]
    try:
        low, high = (
            float(part.removesuffix("%") if isinstance(part, str) else part) for part in parts
        )
    except (TypeError, ValueError):
        raise ValueError(f"Received: range={given!r}. Expected: {_EXPECTED}.") from None
    if percent[0] != percent[1] or (all(percent) and not 0 <= low < high <= 100):
        raise ValueError(f"Received: range={given!r}. Expected: {_EXPECTED}.")
    return (low, high), all(percent)


def _checked(numbers: ValueRange, given: Given) -> ValueRange:
    low, high = numbers
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        found = f", which is {low:g} to {high:g} in these data" if (low, high) != given else ""
        raise ValueError(
            f"Received: range={given!r}{found}. Expected: two finite numbers, the first below the second."
        )
    return low, high
