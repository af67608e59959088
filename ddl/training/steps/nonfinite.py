"""Stops a run whose loss becomes NaN or infinite, and names the samples of that step. No TensorFlow here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

import ddl.distributed as dist
from ddl.data.source import Source, Subset
from ddl.training.run import Run
from ddl.training.stops import Diverged

_LISTED = 8
_NEVER = 1 << 30


def check_losses(
    losses: Sequence[float],
    run: Run,
    samples: Source,
    last_good: Callable[[], str],
    *,
    own_steps: Sequence[int] | None = None,
    indices_at: Callable[[int], np.ndarray] | None = None,
    share: int | None = None,
) -> None:
    """Refuse a loss that is NaN or infinite. All ranks must call it.

    Args:
        losses: this rank's losses of the last steps, in order.
        run: the run, at its position after these steps.
        samples: the training samples.
        last_good: returns a sentence that names the last good checkpoint.
        own_steps: the step of the epoch, from 0, of each loss; by default the last ones, the same on all ranks.
        indices_at: returns this rank's samples of a step; by default those of the run's order.
        share: which share of a global batch this rank reads; by default that of its own number.

    Raises:
        Diverged: on all ranks, with the first such step, its rank, its samples and the remedy.
    """
    epoch, end = run.position.epoch, run.position.step
    steps = range(end - len(losses), end) if own_steps is None else own_steps
    found = (step for step, loss in zip(steps, losses, strict=True) if not math.isfinite(loss))
    bad = min(found, default=_NEVER)
    first = step = int(dist.allreduce(np.int64(bad), "min"))
    if first == _NEVER:
        return
    own = dist.rank() if share is None else share
    indices = indices_at(step) if indices_at else next(run.order.epoch(epoch, own, step))
    nonfinite = origin_indices(samples, nonfinite_samples(samples, indices))
    ranks = dist.allgather((bad == first, origin_indices(samples, indices), nonfinite))
    if any(nonfinite for *_, nonfinite in ranks):
        rank = next(rank for rank, (*_, nonfinite) in enumerate(ranks) if nonfinite)
        named = listed([index for *_, nonfinite in ranks for index in nonfinite])
        advice = f"Samples {named} hold NaN or infinity: repair or remove them."
    else:
        rank = next(rank for rank, (is_first, *_) in enumerate(ranks) if is_first)
        advice = (
            "Use a smaller --learning-rate, --optimizer-option global_clipnorm=1 or a longer --warmup-epochs; or look "
            "at these samples."
        )
    raise Diverged(
        f"The loss became NaN or infinite at step {step + 1} of epoch {epoch + 1}, first on rank {rank} (samples "
        f"{listed(ranks[rank][1])}). {last_good()} {advice}"
    )


def nonfinite_samples(samples: Source, indices: np.ndarray) -> list[int]:
    """Return which of the samples hold NaN or infinity; an empty list if they can no longer be read."""
    try:
        batch = samples.read(indices)
    except (OSError, ValueError):
        return []
    nonfinite = np.zeros(len(indices), bool)
    for values in batch.values():
        if values.dtype.kind == "f":
            nonfinite |= ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return [int(index) for index in indices[nonfinite]]


def origin_indices(samples: Source, indices: Sequence[int] | np.ndarray) -> list[int]:
    """Return the indices in the file of which `samples` is a part."""
    origin = np.asarray(indices, np.int64)
    source: Source | None = samples
    while source is not None:
        if isinstance(source, Subset):
            origin = source.indices[origin]
        source = source.source
    return [int(index) for index in origin]


def listed(indices: Sequence[int]) -> str:
    """Return the first few indices as a text."""
    return ", ".join(map(str, indices[:_LISTED])) + (", ..." if len(indices) > _LISTED else "")
