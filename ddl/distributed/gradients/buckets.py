"""Which gradients are reduced together. No TensorFlow here."""

from __future__ import annotations

import os
from collections.abc import Sequence

BUCKET_BYTES = 32 << 20
"""Of gradients that travel together, where HOROVOD_FUSION_THRESHOLD says nothing else."""


def bucket_bytes() -> int:
    """Return what HOROVOD_FUSION_THRESHOLD says, the size of the buffer that a bucket has to fit into."""
    try:
        return int(os.environ["HOROVOD_FUSION_THRESHOLD"])
    except (KeyError, ValueError):
        return BUCKET_BYTES


def in_buckets(sizes: Sequence[float], most: float) -> list[list[int]]:
    """Return the places of variables that travel together: the last layer's first, as the backward pass makes them.

    One bucket for all would have to wait for the first layer's gradient. Which variables share one hangs on their sizes
    alone, so that sums are made in the same order in every run.

    Args:
        sizes: of each variable's gradient, from the first layer to the last.
        most: that a bucket holds; a larger variable has one of its own.
    """
    found: list[list[int]] = []
    held = 0.0
    for place in reversed(range(len(sizes))):
        if not found or held + sizes[place] > most:
            found.append([])
            held = 0.0
        found[-1].append(place)
        held += sizes[place]
    return found
