"""Which input sizes a model accepts. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sides:
    """The input sizes that a model accepts.

    Attributes:
        multiple: every side must be a multiple of this.
        least: minimum length of every side in pixels.
        axes: allowed numbers of sides: 1 for lines, 2 for pictures, 3 for volumes.
        is_fixed: whether the model is built for one size, which training and validation must then share.
        size: the only size that it accepts, None for any.
        channels: the only number of channels that it accepts, None for any.
    """

    multiple: int = 1
    least: int = 1
    axes: tuple[int, ...] = (2,)
    is_fixed: bool = False
    size: tuple[int, ...] | None = None
    channels: int | None = None
