"""Divides whole things, such as the samples of a batch, in proportion to speeds. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ddl.proportions import divide


def apportion(total: int, speeds: Sequence[float], least: int = 0) -> list[int]:
    """Return whole numbers that add up to `total`, as near to the proportions of `speeds` as whole numbers can be.

    What rounding down leaves goes to the largest remainders, and among equals to the first ones, so that equal speeds
    give the blocks of `ddl.data.sharding.shard_bounds`.

        apportion(64, [5, 5, 5, 1])  # [20, 20, 20, 4]

    Args:
        total: number of things.
        speeds: one for each part; at least one is above 0.
        least: things that each part gets whatever its speed.
    """
    if total < least * len(speeds):
        raise ValueError(
            f"Received: total={total} for {len(speeds)} parts of at least {least}. Expected: at least "
            f"{least * len(speeds)}."
        )
    if not all(math.isfinite(speed) and speed >= 0 for speed in speeds) or not any(speeds):
        raise ValueError(
            f"Received: speeds={list(speeds)}. Expected: numbers from 0 on, not all 0."
        )
    if total == least * len(speeds):  # rounding may put every ideal part just below the least
        return [least] * len(speeds)
    ideal = [total * speed / sum(speeds) for speed in speeds]
    fixed = [number for number, share in enumerate(ideal) if share < least]
    if fixed:  # these get the least; the others share what is left
        rest = [0.0 if number in fixed else speed for number, speed in enumerate(speeds)]
        others = iter(apportion(total - least * len(fixed), [s for s in rest if s], least))
        return [least if number in fixed else next(others) for number in range(len(speeds))]
    return divide(total, speeds)


WORTH = 0.08
"""Part of a step that new shares must save: below that, noise would change them again and again."""


def better_shares(shares: Sequence[int], seconds: Sequence[float]) -> list[int]:
    """Return shares of the same total with which ranks of the measured speeds end their parts of a step together.

    Each rank gets at least one sample. Shares stay as they are unless the slowest rank's time falls by more than
    `WORTH`, so equal ranks keep equal shares.

        better_shares([16, 16, 16, 16], [0.1, 0.1, 0.1, 0.5])  # [20, 20, 20, 4]

    Args:
        shares: samples of a step for each rank now.
        seconds: each rank's own time of a step with them, without waiting for others.
    """
    if len(shares) != len(seconds) or not all(math.isfinite(s) and s > 0 for s in seconds):
        raise ValueError(
            f"Received: seconds={list(seconds)} for {len(shares)} ranks. Expected: a number above 0 for each rank."
        )
    speeds = [share / second for share, second in zip(shares, seconds, strict=True)]
    new = apportion(sum(shares), speeds, least=1)
    slowest_s = max(share / speed for share, speed in zip(new, speeds, strict=True))
    return new if slowest_s < (1 - WORTH) * max(seconds) else list(shares)
