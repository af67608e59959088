"""Which samples a rank takes between two averages. No TensorFlow here.

A round is `every` steps of the order, cut by the end of the epoch. Ranks of one speed take their own part of each of
these steps. Else the samples of the whole round are divided in proportion to the speeds: a slow rank takes fewer steps,
and the others take its samples. Either way a round has the same samples, so an epoch has every sample once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddl.data import sharding
from ddl.data.order import Position, SampleOrder
from ddl.distributed.balance import apportion
from ddl.training.plan.fields import PlanFields

_WORTH = 0.05
"""Fraction of a round's time that other shares must save."""


@dataclass(frozen=True)
class RoundOrder(SampleOrder):
    """An order in rounds. A rank's steps without samples are left out.

    Attributes:
        every: steps in a round.
        speeds: of each rank; () for ranks that take their own part of each step.
    """

    every: int = 1
    speeds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < self.size:
            raise ValueError(
                f"Received: {self.count} training samples for {self.size} ranks with parallel=local. Expected: at "
                "least one for each rank, which else never takes a step; start fewer ranks."
            )

    def end(self, step: int) -> int:
        """Return the step after the round that `step` is in."""
        return min(self.steps_per_epoch, (step // self.every + 1) * self.every)

    def begin(self, step: int) -> int:
        """Return the first step of the round that `step` is in."""
        return step // self.every * self.every

    def batches(self, begin: int, end: int, rank: int) -> list[int]:
        """Return the number of samples in each of a rank's own steps of the round from `begin` to `end`."""
        if self.speeds:
            return [last - first for first, last in self._own_parts(begin, end, rank)]
        sizes = [self._samples(step, rank) for step in range(begin, end)]
        return [size for size in sizes if size]

    def samples(self, begin: int, end: int) -> list[int]:
        """Return the number of samples of each rank in a round."""
        return [sum(self.batches(begin, end, rank)) for rank in range(self.size)]

    def after(
        self, position: Position, rank: int, *, group: int = 1
    ) -> Iterator[tuple[Position, np.ndarray]]:
        """Yield a rank's own steps from a position on, without end, as `SampleOrder.after` does."""
        for epoch in itertools.count(position.epoch):
            first = position.step if epoch == position.epoch else 0
            for step, indices in self.own_steps(epoch, rank, first, group=group):
                yield Position(epoch, step), indices

    def own_steps(
        self, epoch: int, rank: int, first_step: int, *, group: int = 1
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield a rank's own steps of an epoch: the step, and its indices, or its pairs."""
        if not self.speeds:
            steps = (
                self.epoch(epoch, rank, first_step)
                if group == 1
                else self.pairs(epoch, rank, first_step, group)
            )
            for step, indices in enumerate(steps, first_step):
                if indices.shape[-1]:
                    yield step, indices
            return
        order = sharding.epoch_order(self.count, epoch, self.seed)
        begin = first_step
        while begin < self.steps_per_epoch:
            end = self.end(begin)
            for number, (first, last) in enumerate(self._own_parts(begin, end, rank)):
                yield min(begin + number, end - 1), order[first:last]
            begin = end

    def _samples(self, step: int, rank: int) -> int:
        """Return a rank's samples of a step."""
        if self.kind == "global":
            batch = min(self.global_batch_size, self.count - step * self.global_batch_size)
            first, end = sharding.shard_bounds(batch, rank, self.size)
            return end - first
        first, end = sharding.shard_bounds(self.count, rank, self.size)
        left = end - first - step * self.per_rank_batch_size
        return max(0, min(self.per_rank_batch_size, left))

    def _own_parts(self, begin: int, end: int, rank: int) -> list[tuple[int, int]]:
        """Return start and end, in the epoch's permutation, of each of a rank's steps in a round."""
        first = begin * self.global_batch_size
        count = min(self.count, end * self.global_batch_size) - first
        parts = max(math.ceil(count / self.per_rank_batch_size), min(count, self.size))
        shares = apportion(parts, self.speeds, least=1 if parts >= self.size else 0)
        before = sum(shares[:rank])
        bounds = [
            sharding.shard_bounds(count, part, parts)
            for part in range(before, before + shares[rank])
        ]
        return [(first + start, first + stop) for start, stop in bounds]


def round_order(order: SampleOrder, plan: PlanFields) -> RoundOrder:
    """Return a plan's order in rounds, with equal shares."""
    return RoundOrder(**vars(order), every=plan.sync_every)


def better_speeds(now: tuple[float, ...], step_s: list[float], steps: int) -> tuple[float, ...]:
    """Return the speeds by which a round should be divided: new ones if they save enough time, else those of now.

    Args:
        now: the speeds in use; () for equal shares.
        step_s: seconds of a step on each rank.
        steps: steps of all ranks in a round.
    """
    ranks = len(step_s)
    measured = tuple(1 / max(seconds, 1e-9) for seconds in step_s)

    def round_s(speeds: tuple[float, ...]) -> float:
        shares = apportion(steps, speeds, least=1)
        return max(share * seconds for share, seconds in zip(shares, step_s, strict=True))

    saved = 1 - round_s(measured) / round_s(now or (1.0,) * ranks)
    return measured if saved > _WORTH else now
