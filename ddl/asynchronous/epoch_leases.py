"""The leases of an epoch: which samples each has, and how they count. No TensorFlow, no Ray."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.data import sharding
from ddl.data.order import Position, SampleOrder


@dataclass(frozen=True)
class Lease:
    """Samples that one worker computes a gradient of.

    Attributes:
        number: unique in the run, without gaps: those of an epoch follow those of the epoch before.
        part: which of the N parts of the step's global batch.
        indices: the samples, at least one.
        share: its samples divided by those of the step, over all parts.
    """

    number: int
    epoch: int
    step: int
    part: int
    indices: np.ndarray
    share: float


def part_sizes(order: SampleOrder, step: int) -> list[int]:
    """Return the samples in each part of a step. Parts at the end of an epoch's last step may have none."""
    size = order.size
    if order.kind == "global":
        left = order.count - step * order.global_batch_size
        batch = max(0, min(order.global_batch_size, left))
        bounds = [sharding.shard_bounds(batch, part, size) for part in range(size)]
        return [end - start for start, end in bounds]
    bounds = [sharding.shard_bounds(order.count, part, size) for part in range(size)]
    most = order.per_rank_batch_size
    return [max(0, min(most, end - start - step * most)) for start, end in bounds]


def leases_per_epoch(order: SampleOrder) -> int:
    """Return the leases of an epoch: N a step, fewer in a last step that has fewer samples than N."""
    last = order.steps_per_epoch - 1
    return last * order.size + sum(count > 0 for count in part_sizes(order, last))


def leases_before(order: SampleOrder, position: Position) -> int:
    """Return the leases of a run before a position. It is also the number of the position's first lease."""
    per_epoch = leases_per_epoch(order)
    return position.epoch * per_epoch + min(position.step * order.size, per_epoch)


def position_after(order: SampleOrder, applied: int) -> Position:
    """Return the position of a run that has applied so many leases: steps count where all of them are applied.

    The end of an epoch is the start of the next one.
    """
    epoch, rest = divmod(applied, leases_per_epoch(order))
    return Position(epoch, rest // order.size)


class EpochLeases:
    """The leases of one epoch, by number. It holds the epoch's permutation."""

    def __init__(self, order: SampleOrder, epoch: int) -> None:
        self.order, self.epoch = order, epoch
        self.first = leases_before(order, Position(epoch))
        self.end = self.first + leases_per_epoch(order)
        if order.kind == "global":
            self._permutations = [sharding.epoch_order(order.count, epoch, order.seed)]
        else:
            self._permutations = [
                sharding.contiguous_order(order.count, epoch, order.seed, part, order.size)
                for part in range(order.size)
            ]

    def lease(self, number: int) -> Lease:
        """Return the lease of this number, which must be one of the epoch."""
        if not self.first <= number < self.end:
            raise ValueError(
                f"Received: lease {number}. Expected: {self.first} to {self.end - 1}, those of epoch {self.epoch + 1}."
            )
        step, part = divmod(number - self.first, self.order.size)
        samples = sum(part_sizes(self.order, step))
        indices = self.indices(step, part)
        return Lease(number, self.epoch, step, part, indices, len(indices) / samples)

    def indices(self, step: int, part: int) -> np.ndarray:
        """Return the samples of a part of a step."""
        order = self.order
        if order.kind == "global":
            whole = self._permutations[0]
            return sharding.step_indices(whole, step, order.global_batch_size, part, order.size)
        most = order.per_rank_batch_size
        return self._permutations[part][step * most : (step + 1) * most]

    def pairs(self, step: int, part: int, group: int = 2) -> np.ndarray:
        """Return the samples of a part of a step and their partners: (group, samples), as `SampleOrder.pairs` does."""
        order = self.order
        if order.kind == "global":
            whole = self._permutations[0]
            return sharding.step_pairs(
                whole, step, order.global_batch_size, part, order.size, group=group
            )
        own = self.indices(step, part)
        return np.asarray(own[sharding.group_positions(0, len(own), len(own), group)])
