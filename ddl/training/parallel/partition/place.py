"""The place of a rank among those that hold one model together. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Which part of the model a rank holds, and for which share of the batch.

    Ranks of one group follow each other, so that they are on one machine where they can be. The first rank of a group
    holds the last part: rank 0 then knows losses and metrics, which it reports.

    Attributes:
        rank: the rank.
        parts: parts of the model.
    """

    rank: int
    parts: int

    @property
    def group(self) -> int:
        """Number of the group of ranks that hold one model."""
        return self.rank // self.parts

    @property
    def part(self) -> int:
        """Number of the part; 0 has the first layers."""
        return self.parts - 1 - self.rank % self.parts

    @property
    def is_last(self) -> bool:
        """Whether the part ends the model, and computes the loss."""
        return self.part == self.parts - 1

    def rank_of(self, part: int) -> int:
        """Return the rank of the same group that holds a part."""
        return self.group * self.parts + self.parts - 1 - part
