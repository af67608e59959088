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
_RANGES = {**dict.fromkeys(("count", "per_rank_batch_size", "size"), Range(1)), "seed": Range(0)}


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
        per_rank_batch_size: samples per rank and step; the last step may have fewer.
        size: number of ranks.
    """

    kind: str
    count: int
    per_rank_batch_size: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        check_choice("order", self.kind, ORDERS)
        check_ranges(vars(self), _RANGES, "a sample order")

    @property
    def global_batch_size(self) -> int:
        """Samples per step, over all ranks."""
        return self.per_rank_batch_size * self.size

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every sample is seen once; the same on every rank."""
        if self.kind == "global":
            return math.ceil(self.count / self.global_batch_size)
        return sharding.evaluation_steps(self.count, self.per_rank_batch_size, self.size)

    @property
    def ends_unevenly(self) -> bool:
        """Whether ranks have different numbers of samples in an epoch's last step. In other steps they never do."""
        return self.count % self.size != 0

    def epoch(self, epoch: int, rank: int, first_step: int = 0) -> Iterator[np.ndarray]:
        """Yield the rank's indices for each step of an epoch, from `first_step` on. Some may be empty."""
        if self.kind == "global":
            order = sharding.epoch_order(self.count, epoch, self.seed)
            for step in range(first_step, self.steps_per_epoch):
                yield sharding.step_indices(order, step, self.global_batch_size, rank, self.size)
            return
        order = sharding.contiguous_order(self.count, epoch, self.seed, rank, self.size)
        for step in range(first_step, self.steps_per_epoch):
            yield order[step * self.per_rank_batch_size : (step + 1) * self.per_rank_batch_size]

    def after(self, position: Position, rank: int) -> Iterator[tuple[Position, np.ndarray]]:
        """Yield every step from `position` on, without end, with the rank's indices."""
        if not (position.epoch >= 0 and 0 <= position.step <= self.steps_per_epoch):
            raise ValueError(
                f"Received: {position}. Expected: a step from 0 to {self.steps_per_epoch}."
            )
        epoch, first_step = position.epoch, position.step
        while True:
            for step, indices in enumerate(self.epoch(epoch, rank, first_step), first_step):
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
        then = SampleOrder(**{name: state[name] for name in self.__dataclass_fields__})
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
