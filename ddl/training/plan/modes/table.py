"""The modes of parallel training: name -> the fields of `ParallelPlan` that it uses."""

from __future__ import annotations

_EVERY_MODE = ("remat",)
_FIXED_RANKS = ("partition", "partition_at", "micro_batches")

MODES: dict[str, tuple[str, ...]] = {
    "sync": (*_EVERY_MODE, *_FIXED_RANKS),
    "balanced": (*_EVERY_MODE, "shares"),
    "local": (
        *_EVERY_MODE,
        *("sync_every", "steps_by_speed"),
        *("outer_optimizer", "outer_learning_rate", "outer_momentum"),
    ),
    "async": (
        *_EVERY_MODE,
        *("workers", "min_workers", "lease_timeout_s", "ray_address"),
        *("max_staleness", "staleness_scaling"),
    ),
}
"""A field that the plan's mode does not use is refused unless it has its default."""
