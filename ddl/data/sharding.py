"""Which samples each rank reads in which epoch and step. Pure NumPy.

The order of an epoch depends only on (seed, epoch). Step k takes its next `global_batch_size` samples, and rank r the
r-th part of them. So the result depends on the global batch size and not on the number of ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ddl.proportions import divide


def shard_bounds(count: int, rank: int, size: int) -> tuple[int, int]:
    """Return the start and end of rank `rank`'s block of `count` samples.

    The blocks are contiguous, cover everything once, and their lengths differ by at most one. The first
    `count % size` ranks take the longer ones.

        shard_bounds(5000, rank=1, size=10)  # (500, 1000)
    """
    if not (size >= 1 and 0 <= rank < size and count >= 0):
        raise ValueError(
            f"Received: count={count}, rank={rank}, size={size}. Expected: count >= 0 and 0 <= rank < size."
        )
    block, longer = divmod(count, size)
    start = rank * block + min(rank, longer)
    return start, start + block + (rank < longer)


def share_bounds(count: int, shares: Sequence[int], rank: int) -> tuple[int, int]:
    """Return the start and end of rank `rank`'s block of `count` samples, in proportion to the ranks' shares.

    What rounding down leaves goes to the largest remainders, and among equals to the first ranks. So equal shares give
    the blocks of `shard_bounds`, and `count` samples that the shares add up to give the shares themselves.

        share_bounds(32, [20, 20, 20, 4], rank=3)  # (30, 32)
    """
    total = sum(shares)
    if not (0 <= rank < len(shares) and count >= 0 and min(shares) >= 0 and total):
        raise ValueError(
            f"Received: count={count}, rank={rank}, shares={list(shares)}. Expected: count >= 0, a share from 0 on for "
            "each rank, not all 0, and one of these ranks."
        )
    lengths = divide(count, shares)
    start = sum(lengths[:rank])
    return start, start + lengths[rank]


def block_bounds(count: int, rank: int, size: int, shares: Sequence[int] = ()) -> tuple[int, int]:
    """Return `share_bounds` of the shares, or `shard_bounds` without any."""
    return share_bounds(count, shares, rank) if shares else shard_bounds(count, rank, size)


def evaluation_steps(count: int, per_rank_batch_size: int, size: int) -> int:
    """Return the steps in which the longest block of `count` samples is seen once."""
    return math.ceil(shard_bounds(count, 0, size)[1] / per_rank_batch_size)


def epoch_order(count: int, epoch: int, seed: int) -> np.ndarray:
    """Return the permutation of `count` samples for one epoch: the same on every rank and machine."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(count)


def step_indices(
    order: np.ndarray,
    step: int,
    global_batch_size: int,
    rank: int,
    size: int,
    shares: Sequence[int] = (),
) -> np.ndarray:
    """Return the samples of one rank in one step of the epoch with this order. May be empty in a short step.

    Ranks have equal blocks, or with `shares` blocks in proportion to them.
    """
    batch = order[step * global_batch_size : (step + 1) * global_batch_size]
    start, end = block_bounds(len(batch), rank, size, shares)
    return batch[start:end]


def partner_positions(start: int, end: int, count: int) -> np.ndarray:
    """Return the positions of the partners, in a batch of `count` samples, of those from `start` to `end`.

    Neighbours are partners: 0 and 1, 2 and 3; a last one without a neighbour is its own. The order of a batch is drawn
    from (seed, epoch), so these are random pairs, and nearly all partners are on the same rank.
    """
    positions: np.ndarray = group_positions(start, end, count)[1]
    return positions


def group_positions(start: int, end: int, count: int, group: int = 2) -> np.ndarray:
    """Return the positions, in a batch of `count` samples, of those from `start` to `end` and their partners.

    (group, end - start); `group` is a power of two. A batch falls into groups of neighbours, 0 to 3 and 4 to 7; a
    partner that the last group lacks is the sample itself.
    """
    own = np.arange(start, end)
    partners = own ^ np.arange(group)[:, None]
    return np.where(partners < count, partners, own)


def step_pairs(
    order: np.ndarray,
    step: int,
    global_batch_size: int,
    rank: int,
    size: int,
    shares: Sequence[int] = (),
    group: int = 2,
) -> np.ndarray:
    """Return the samples of one rank in one step, as `step_indices`, and their partners: (group, samples)."""
    batch = order[step * global_batch_size : (step + 1) * global_batch_size]
    start, end = block_bounds(len(batch), rank, size, shares)
    paired: np.ndarray = batch[group_positions(start, end, len(batch), group)]
    return paired


def contiguous_order(count: int, epoch: int, seed: int, rank: int, size: int) -> np.ndarray:
    """Return the permutation of the rank's own block for one epoch. A rank never reads another rank's samples.

    All ranks take `evaluation_steps` steps, each of `per_rank_batch_size` samples of this order; ranks whose block is
    shorter by one may have fewer or no samples in the last step.
    """
    start, end = shard_bounds(count, rank, size)
    return start + np.random.Generator(np.random.PCG64([seed, epoch, rank])).permutation(
        end - start
    )
