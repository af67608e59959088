"""What a transform is: `Transform`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ddl.data.transforms.parts import Drawn, Parts


class Transform(ABC):
    """One change of a sample.

    Attributes:
        draws: whether it draws, from (seed, epoch, index).
        always: whether it changes held-out samples, too; those that draw the task do.
        is_local: whether a pixel's result depends on that pixel alone, so that it may be cut into tiles before.
        changes_masks: whether it changes masks, too.
        changes_vectors: whether it changes targets without the sides of a picture, too.
        pictures_only: whether it needs pictures, not volumes.
        needs_values: whether it makes a task of inputs and values.
    """

    draws: ClassVar[bool] = False
    always: ClassVar[bool] = True
    is_local: ClassVar[bool] = False
    changes_masks: ClassVar[bool] = True
    changes_vectors: ClassVar[bool] = False
    pictures_only: ClassVar[bool] = False
    needs_values: ClassVar[bool] = False

    @property
    def commutes_with_resize(self) -> bool:
        """Whether it may as well come after a resize."""
        return self.is_local

    def sides(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sides of pictures that have had these; refuse those that it cannot change."""
        return sides

    def channels(self, channels: int) -> int:
        """Return the channels of pictures that have had so many; refuse a number that it cannot change."""
        return channels

    @abstractmethod
    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        """Return the sample after the change."""
