"""Divides a list of calls into blocks whose inner tensors are computed again, so that little has to be kept.

Of a block only what later calls need is kept. During its backward pass all tensors of that one block are in memory.
So the peak is about what all blocks keep, plus the largest block with as many gradients. No TensorFlow here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LIMITS = 32
_MOST_CALLS = 160
"""Longest block that is tried, so that a network of a thousand layers is divided in seconds."""


@dataclass(frozen=True)
class Made:
    """A tensor that a call makes.

    Attributes:
        by: the call.
        until: the last call that needs it; the number of calls for an output of the model.
        size: its bytes.
        inner: its bytes if a backward pass needs it, else 0.
    """

    by: int
    until: int
    size: int
    inner: int


def divide(calls: int, tensors: Sequence[Made], fixed: Sequence[bool]) -> list[tuple[int, int]]:
    """Return blocks as (first call, one beyond the last), in order, each of at least two calls.

    Args:
        calls: number of calls.
        tensors: what they make.
        fixed: for each call, whether it stays outside the blocks.
    """
    inner = [[0] * (_MOST_CALLS + 1) for _ in range(calls)]
    kept = [[0] * (_MOST_CALLS + 1) for _ in range(calls)]
    by_call: list[list[Made]] = [[] for _ in range(calls)]
    for made in tensors:
        by_call[made.by].append(made)
    for first in range(calls):
        inside: list[Made] = []
        for length in range(1, min(_MOST_CALLS, calls - first) + 1):
            end = first + length
            inside += by_call[end - 1]
            inner[first][length] = inner[first][length - 1] + sum(m.inner for m in by_call[end - 1])
            kept[first][length] = sum(made.size for made in inside if made.until >= end)
            if fixed[end - 1]:
                break
    sizes = sorted({size for row in inner for size in row if size})
    limits = sizes[:: max(1, len(sizes) // _LIMITS)] + sizes[-1:]
    plans = [_best(calls, inner, kept, fixed, limit) for limit in limits]
    _, cuts = min(plans, key=lambda plan: plan[0], default=(0, []))
    return [(first, end) for first, end in cuts if end - first > 1]


def _best(
    calls: int,
    inner: Sequence[Sequence[int]],
    kept: Sequence[Sequence[int]],
    fixed: Sequence[bool],
    limit: int,
) -> tuple[float, list[tuple[int, int]]]:
    """Return the blocks, none larger than the limit, and their peak: what is kept, the largest one, its gradients."""
    best = [0.0] + [math.inf] * calls
    start = [0] * (calls + 1)
    for first in range(calls):
        for length in range(1, min(_MOST_CALLS, calls - first) + 1):
            is_alone = length == 1
            if (not is_alone) and (fixed[first] or fixed[first + length - 1]):
                break
            if not is_alone and inner[first][length] > limit:
                break
            cost = best[first] + kept[first][length]
            if cost < best[first + length]:
                best[first + length], start[first + length] = cost, first
    cuts, end = [], calls
    while end:
        cuts.append((start[end], end))
        end = start[end]
    cuts.reverse()
    largest = max((inner[a][b - a] for a, b in cuts if b - a > 1), default=0)
    return best[calls] + 2 * largest, cuts
