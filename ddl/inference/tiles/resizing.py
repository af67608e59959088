"""Resize probabilities band by band, by linear interpolation between pixel centres. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def resize_bands(
    values: np.ndarray, size: tuple[int, int], band_rows: int = 512
) -> Iterator[tuple[int, np.ndarray]]:
    """Resize values (h, w, C) to (height, width). Yields bands: the number of the first row, and the rows.

    Values that already have this size are returned unchanged, bit for bit.
    """
    if values.shape[:2] == size:
        yield 0, values
        return
    low, high, share = _between(values.shape[1], size[1])
    columns = values[:, low] + share[:, None] * (values[:, high] - values[:, low])
    low, high, share = _between(values.shape[0], size[0])
    for start in range(0, size[0], band_rows):
        band = slice(start, start + band_rows)
        above, below = columns[low[band]], columns[high[band]]
        yield start, above + share[band, None, None] * (below - above)


def _between(stored: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each output pixel, its two input neighbours and its distance from the first."""
    places = np.clip((np.arange(wanted) + 0.5) * stored / wanted - 0.5, 0, stored - 1)
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, stored - 1)
    return low, high, (places - low).astype(np.float32)
