"""Probabilities at another size, band by band: linear interpolation between the centres of pixels. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BAND_ROWS = 512


def resize_bands(
    values: np.ndarray, size: tuple[int, int], band_rows: int = BAND_ROWS
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield values (h, w, C) brought to a size (height, width), band after band: the first row, and the rows.

    What has that size already comes out as it is, bit for bit.
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
    """Return, for each of `wanted` pixels, the two that it lies between and how far it is from the first."""
    places = np.clip((np.arange(wanted) + 0.5) * stored / wanted - 0.5, 0, stored - 1)
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, stored - 1)
    return low, high, (places - low).astype(np.float32)
