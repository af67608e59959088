"""Buckets of gradients that are reduced together. This module does not import TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence

BUCKET_BYTES = 32 << 20
"""Default size of a bucket; HOROVOD_FUSION_THRESHOLD overrides it."""


def bucket_bytes() -> int:
    """Return the size of Horovod's fusion buffer, into which a bucket must fit."""
    try:
        return int(os.environ["HOROVOD_FUSION_THRESHOLD"])
    except (KeyError, ValueError):
        return BUCKET_BYTES


def in_buckets(sizes: Sequence[float], most: float) -> list[list[int]]:
    """Return buckets of variable positions, the last layer first, in the order of the backward pass.

    A single bucket would have to wait for the first layer's gradient. Buckets depend only on the variables' sizes, so
    that every run sums in the same order.

    Args:
        sizes: size of each variable's gradient, from the first layer to the last.
        most: capacity of a bucket; a larger variable gets its own bucket.
    """
    buckets: list[list[int]] = []
    filled = 0.0
    for place in reversed(range(len(sizes))):
        if not buckets or filled + sizes[place] > most:
            buckets.append([])
            filled = 0.0
        buckets[-1].append(place)
        filled += sizes[place]
    return buckets
