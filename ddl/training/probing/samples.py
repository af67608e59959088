"""Which samples a probe looks at: the same ones in every epoch, shared out over the ranks. Pure NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddl.data.sharding import shard_bounds


@dataclass(frozen=True)
class ProbeSamples:
    """The samples of a probe, in passes of equally many samples on each rank.

    Attributes:
        count: samples of the training data.
        passes: passes through the model.
        per_rank: samples of a rank in a pass.
        size: number of ranks.
        seed: the run's seed, from which the samples are drawn.
        own_blocks: whether a rank may read only its own block of the data.
    """

    count: int
    passes: int
    per_rank: int
    size: int
    seed: int
    own_blocks: bool = False

    @property
    def total(self) -> int:
        """Samples of all ranks in all passes."""
        return self.passes * self.per_rank * self.size

    def of(self, rank: int) -> Iterator[np.ndarray]:
        """Yield the indices of a rank's samples, pass by pass.

        A pass takes the same samples on any number of ranks with the same global batch, as a training step does.
        """
        first, end = 0, self.count
        share = self.per_rank * self.size
        if self.own_blocks:
            first, end = shard_bounds(self.count, rank, self.size)
            share = self.per_rank
        drawn = np.random.default_rng(self.seed).permutation(end - first) + first
        drawn = np.resize(
            drawn, self.passes * share
        )  # again from the first one where there are too few
        at = 0 if self.own_blocks else rank * self.per_rank
        for number in range(self.passes):
            yield drawn[number * share + at : number * share + at + self.per_rank]


def probe_samples(
    wanted: int, count: int, at_once: int, size: int, seed: int, *, own_blocks: bool = False
) -> ProbeSamples:
    """Return the samples of a probe: at least as many as wanted, or as many as there are.

    Args:
        wanted: samples that the plan asks for.
        count: samples of the training data.
        at_once: samples that pass through the model at once on a rank.
        size: number of ranks.
        seed: the run's seed.
        own_blocks: whether a rank may read only its own block of the data.
    """
    wanted = min(wanted, count)
    per_rank = max(1, min(at_once, -(-wanted // size)))
    passes = max(1, -(-wanted // (per_rank * size)))
    return ProbeSamples(count, passes, per_rank, size, seed, own_blocks)
