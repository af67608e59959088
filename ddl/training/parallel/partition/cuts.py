"""Where a model is divided, so that the largest part needs little memory. No TensorFlow here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tensor:
    """A tensor between calls: the call that makes it, the calls that need it, in order, and its bytes."""

    by: int
    users: tuple[int, ...]
    size: int


def part_bytes(tensors: Sequence[Tensor], first: int, end: int, waiting: int) -> int:
    """Return the bytes of a part of calls: what it makes for one micro-batch, and what it has received for others.

    Args:
        tensors: all tensors.
        first: the first call.
        end: one beyond the last call.
        waiting: micro-batches whose inputs are in memory at once.
    """
    made = sum(tensor.size for tensor in tensors if first <= tensor.by < end)
    received = sum(
        tensor.size
        for tensor in tensors
        if tensor.by < first and any(first <= user < end for user in tensor.users)
    )
    return made + waiting * received


def choose_cuts(calls: int, tensors: Sequence[Tensor], waiting: Sequence[int]) -> list[int]:
    """Return the first call of each part but the first, so that the largest part is as small as can be.

    Args:
        calls: number of calls; at least that of the parts.
        tensors: what the calls make.
        waiting: for each part, the micro-batches whose inputs are in memory at once.
    """
    made, received = _tables(calls, tensors)
    parts = len(waiting)
    best = [[math.inf] * (calls + 1) for _ in range(parts + 1)]
    start = [[0] * (calls + 1) for _ in range(parts + 1)]
    best[0][0] = 0.0
    for part in range(parts):
        for first in range(part, calls):
            if best[part][first] == math.inf:
                continue
            for end in range(first + 1, calls - (parts - 1 - part) + 1):
                cost = made[end] - made[first] + waiting[part] * received[first][end - first]
                largest = max(best[part][first], cost)
                if largest < best[part + 1][end]:
                    best[part + 1][end], start[part + 1][end] = largest, first
    cuts, end = [], calls
    for part in range(parts, 1, -1):
        end = start[part][end]
        cuts.append(end)
    return cuts[::-1]


def _tables(calls: int, tensors: Sequence[Tensor]) -> tuple[list[int], list[list[int]]]:
    """Return the bytes made before each call, and those received by each number of calls from each call on."""
    made = [0] * (calls + 1)
    used: list[list[Tensor]] = [[] for _ in range(calls)]
    for tensor in tensors:
        if tensor.by >= 0:
            made[tensor.by + 1] += tensor.size
        for user in set(tensor.users):
            if user < calls:
                used[user].append(tensor)
    for call in range(calls):
        made[call + 1] += made[call]
    received = []
    for first in range(calls):
        row, seen = [0], set()
        for call in range(first, calls):
            new = {id(t): t.size for t in used[call] if t.by < first and id(t) not in seen}
            seen |= set(new)
            row.append(row[-1] + sum(new.values()))
        received.append(row)
    return made, received
