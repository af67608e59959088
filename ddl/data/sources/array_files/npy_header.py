"""Reads the header of a `.npy` array, which may come from a stranger, without trusting what it says."""

from __future__ import annotations

import math
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

_READERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DAMAGE = (
    *(ValueError, KeyError, SyntaxError, tokenize.TokenError, TypeError, EOFError),
    *(RecursionError, MemoryError, OverflowError, AttributeError),
)
_MOST_AXES = 32


@dataclass(frozen=True)
class Header:
    """What a header says about its array.

    Attributes:
        fortran: whether the first axis varies fastest.
        start: where the values begin.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    start: int

    @property
    def nbytes(self) -> int:
        """Size of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: BinaryIO) -> Header:
    """Return the header at the start of `file`.

    Raises:
        ValueError: it is not one, or no array of numbers can have it; the message says why, for the caller's own.
    """
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = _READERS[version](file)
    except _DAMAGE as error:
        raise ValueError(" ".join(str(error).split())[:160] or type(error).__name__) from error
    if dtype.hasobject:
        raise ValueError("values of Python objects")
    sides_are_whole = all(isinstance(side, int) and not isinstance(side, bool) for side in shape)
    if not sides_are_whole or min(shape, default=0) < 0 or len(shape) > _MOST_AXES:
        raise ValueError(f"the shape {str(shape)[:80]}")
    return Header(shape, bool(fortran), dtype, file.tell())
