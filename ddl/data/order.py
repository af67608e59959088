"""The order of samples as one value: which samples a rank reads in each epoch and step, and how to resume."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddl.data import sharding
from ddl.ranges import Range, check_choice, check_ranges

ORDERS = ("global", "contiguous")
_RANGES = {
    **dict.fromkeys(("count", "per_rank_batch_size", "size"), Range(1)),
    **dict.fromkeys(("seed", "batch_size", "cut_steps"), Range(0)),
}


@dataclass(frozen=True, order=True)
class Position:
    """The position of a run: the next step to take."""

    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class SampleOrder:
    """Which rank reads which samples in which step. The same value on every rank.

        order = SampleOrder("global", count=5000, per_rank_batch_size=8, size=4, seed=0)
        for indices in order.epoch(0, rank=2): ...

    Attributes:
        kind: "global": each step of an epoch's permutation is divided among the ranks, so that the result does not
            depend on the number of ranks. "contiguous": each rank permutes and reads only its own block.
        per_rank_batch_size: samples per rank and step, at most; the last step may have fewer.
        size: number of ranks.
        batch_size: samples per step over all ranks; 0 for `per_rank_batch_size` on each rank. Ranks may then have
            shares that differ by one.
        cut_steps: steps after which an epoch ends, of those that its permutation has; 0 for all of them.
        shares: samples of a step for each rank, which add up to the global batch; none for equal shares.
    """

    kind: str
    count: int
    per_rank_batch_size: int
    size: int
    seed: int
    batch_size: int = 0
    cut_steps: int = 0
    shares: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_choice("order", self.kind, ORDERS)
        check_ranges(vars(self), _RANGES, "a sample order")
        if self.batch_size and self.per_rank_batch_size != -(-self.batch_size // self.size):
            raise ValueError(
                f"Received: per_rank_batch_size={self.per_rank_batch_size} of batch_size={self.batch_size} on "
                f"{self.size} ranks. Expected: {-(-self.batch_size // self.size)}."
            )
        self._check_shares()
        if self.kind == "contiguous" and self.is_uneven:
            raise ValueError(
                f"Received: global_batch_size={self.batch_size} with order=contiguous on {self.size} ranks. Expected: "
                "a multiple of the ranks, because each of them reads its own block; or order=global."
            )
        if self.cut_steps > self._whole_steps:
            raise ValueError(
                f"Received: steps_per_epoch={self.cut_steps}, but an epoch of {self.count} samples has "
                f"{self._whole_steps} steps of {self.global_batch_size}. Expected: at most {self._whole_steps}, or 0 "
                "for all of them."
            )

    def _check_shares(self) -> None:
        if not self.shares:
            return
        told = ",".join(map(str, self.shares))
        if self.kind != "global":
            raise ValueError(
                f"Received: shares={told} with order={self.kind}. Expected: order=global, because each rank of the "
                "other reads its own block."
            )
        if len(self.shares) != self.size:
            raise ValueError(
                f"Received: {len(self.shares)} shares ({told}) for {self.size} ranks. Expected: one for each rank."
            )
        if min(self.shares) < 1 or sum(self.shares) != self.global_batch_size:
            raise ValueError(
                f"Received: shares={told}, which add up to {sum(self.shares)}. Expected: at least 1 for each rank, "
                f"{self.global_batch_size} together, which is the global batch size."
            )

    @property
    def global_batch_size(self) -> int:
        """Samples per step, over all ranks."""
        return self.batch_size or self.per_rank_batch_size * self.size

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch, the same on every rank: those in which every sample is seen once, unless it is cut."""
        return self.cut_steps or self._whole_steps

    @property
    def samples_per_epoch(self) -> int:
        """Samples that an epoch sees, over all ranks."""
        return min(self.count, self.steps_per_epoch * self.global_batch_size)

    @property
    def is_uneven(self) -> bool:
        """Whether ranks have different numbers of samples in every step."""
        if self.shares:
            return len(set(self.shares)) > 1
        return self.global_batch_size % self.size != 0

    @property
    def ends_unevenly(self) -> bool:
        """Whether ranks have different numbers of samples in an epoch's last step."""
        is_whole = self.steps_per_epoch == self._whole_steps
        return self.is_uneven or (is_whole and self.count % self.size != 0)

    def share_of(self, rank: int) -> int:
        """Return the rank's samples in a full step."""
        start, end = sharding.block_bounds(self.global_batch_size, rank, self.size, self.shares)
        return end - start

    @property
    def _whole_steps(self) -> int:
        """Steps in which every sample is seen once."""
        if self.kind == "global":
            return math.ceil(self.count / self.global_batch_size)
        return sharding.evaluation_steps(self.count, self.per_rank_batch_size, self.size)

    @property
    def ends_short(self) -> bool:
        """Whether an epoch's last step has fewer samples than its other steps, on any rank."""
        return self.steps_per_epoch > 1 and self.samples_per_epoch % self.global_batch_size != 0

    def epoch(self, epoch: int, rank: int, first_step: int = 0) -> Iterator[np.ndarray]:
        """Yield the rank's indices for each step of an epoch, from `first_step` on. Some may be empty."""
        if self.kind == "global":
            order = sharding.epoch_order(self.count, epoch, self.seed)
            for step in range(first_step, self.steps_per_epoch):
                yield sharding.step_indices(
                    order, step, self.global_batch_size, rank, self.size, self.shares
                )
            return
        order = sharding.contiguous_order(self.count, epoch, self.seed, rank, self.size)
        for step in range(first_step, self.steps_per_epoch):
            yield order[step * self.per_rank_batch_size : (step + 1) * self.per_rank_batch_size]

    def pairs(
        self, epoch: int, rank: int, first_step: int = 0, group: int = 2
    ) -> Iterator[np.ndarray]:
        """Yield the rank's indices and those of their partners for each step of an epoch, as (group, samples).

        In a global order partners are of the same global batch; in a contiguous order the rank's own, as all it reads.
        """
        if self.kind == "contiguous":
            for own in self.epoch(epoch, rank, first_step):
                yield own[sharding.group_positions(0, len(own), len(own), group)]
            return
        order = sharding.epoch_order(self.count, epoch, self.seed)
        for step in range(first_step, self.steps_per_epoch):
            yield sharding.step_pairs(
                order, step, self.global_batch_size, rank, self.size, self.shares, group
            )

    def after(
        self, position: Position, rank: int, *, group: int = 1
    ) -> Iterator[tuple[Position, np.ndarray]]:
        """Yield every step from `position` on, without end, with the rank's indices, or its `pairs` of a group."""
        if not (position.epoch >= 0 and 0 <= position.step <= self.steps_per_epoch):
            raise ValueError(
                f"Received: {position}. Expected: a step from 0 to {self.steps_per_epoch}."
            )
        epoch, first_step = position.epoch, position.step
        while True:
            steps = (
                self.epoch(epoch, rank, first_step)
                if group == 1
                else self.pairs(epoch, rank, first_step, group)
            )
            for step, indices in enumerate(steps, first_step):
                yield Position(epoch, step), indices
            epoch, first_step = epoch + 1, 0

    def state(self, position: Position) -> dict[str, Any]:
        """Return the values that a checkpoint stores, as JSON values."""
        return dataclasses.asdict(self) | dataclasses.asdict(position)

    def resume(self, state: Mapping[str, Any]) -> Position:
        """Return the position of a checkpoint's state in this order.

        In a global order the number of ranks may differ if the global batch size is the same. At the start of an
        epoch the global batch size may differ too, because no sample of the epoch has been read.

        Raises:
            ValueError: some samples of the epoch would be read twice or never.
        """
        then = order_from_state(state)
        position = Position(state["epoch"], state["step"])
        fixed = ["kind", "count", "seed"]
        if position.step:
            fixed += ["size"] if self.kind == "contiguous" else []
            fixed += ["global_batch_size"]
        for name in fixed:
            if getattr(self, name) != getattr(then, name):
                raise ValueError(
                    f"Received: {name}={getattr(self, name)}, but {getattr(then, name)} in the checkpoint, at step "
                    f"{position.step} of epoch {position.epoch}. Expected: the same."
                )
        return position


def order_from_state(state: Mapping[str, Any]) -> SampleOrder:
    """Return the order of a checkpoint's state, which earlier versions wrote without the last three fields."""
    names = SampleOrder.__dataclass_fields__
    fields = {name: state[name] for name in names if name in state}
    return SampleOrder(**fields | {"shares": tuple(fields.get("shares", ()))})
