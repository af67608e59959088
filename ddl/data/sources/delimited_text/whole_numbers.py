"""Whole numbers in text, parsed together: several times as fast as one by one, for pixels of 0 to 255."""

from __future__ import annotations

import numpy as np

_ALLOWED = b"0123456789,"
_COMMA = ord(",")
_LONGEST = 9


def whole_numbers(text: bytes) -> np.ndarray | None:
    """Return the numbers of "12,0,255", float64; None where one of them is no whole number of at most 9 digits."""
    text += b","
    if b"." in text:
        text = text.replace(b".0,", b",")
    if text.translate(None, _ALLOWED):
        return None
    codes = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(codes == _COMMA)
    lengths = np.diff(ends, prepend=-1) - 1
    longest = int(lengths.max())
    if lengths.min() < 1 or longest > _LONGEST:
        return None
    values = np.zeros(len(ends), np.int64)
    for place in range(longest):
        has_digit = lengths > place
        # Where a number is shorter, another one's digit is read and left out.
        digits = codes[np.maximum(ends - 1 - place, 0)].astype(np.int64) - ord("0")
        values += np.where(has_digit, digits, 0) * 10**place
    return values.astype(np.float64)
