"""Computes where the time of a step goes from the ranks' measurements. Pure NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

WARM_UP = 10
"""First steps to ignore: two are compiled, and the batches read meanwhile make the next ones look too fast."""
PARTS = ("input", "compute", "reduction", "waiting", "Python")
_LONG = {"waiting": "waiting for the slowest rank"}
_OWN = ("input", "compute", "Python")  # what can be slower on one rank than on the others


def profiled_steps(measured: int) -> int:
    """Return how many first steps must be taken one at a time to measure this many."""
    return WARM_UP + 2 * measured if measured else 0


def part_times(measured: np.ndarray, reductions: np.ndarray) -> np.ndarray:
    """Return the seconds of each part, of shape (ranks, steps, parts). They add up to the step's time.

    A reduction starts when its last rank arrives. That rank's time, the shortest, counts as the reduction; the extra
    time of the others counts as waiting.

    Args:
        measured: seconds in input, graph and Python, of shape (ranks, steps, 3).
        reductions: seconds in each reduction, part of the graph's time, of shape (ranks, steps, reductions).
    """
    shortest = reductions.min(axis=0, keepdims=True)
    waiting = (reductions - shortest).sum(axis=-1)
    reduction = np.broadcast_to(shortest.sum(axis=-1), waiting.shape)
    compute = measured[..., 1] - reduction - waiting
    parts: np.ndarray = np.stack(
        [measured[..., 0], compute, reduction, waiting, measured[..., 2]], axis=-1
    )
    return parts


def slowest_rank(parts: np.ndarray) -> tuple[int, int]:
    """Return the rank that the others wait for most often, and the number of such steps."""
    waiting = parts[..., PARTS.index("waiting")]
    counts = np.bincount(waiting.argmin(axis=0), minlength=len(parts))
    return int(counts.argmax()), int(counts.max())


def describe(parts: np.ndarray) -> str:
    """Return one line on where a step's time goes: medians over steps, averaged over ranks."""
    ranks, steps, _ = parts.shape
    medians = np.median(parts, axis=1)
    step = medians.mean(axis=0)
    total = step.sum()
    each = ", ".join(
        f"{_LONG.get(name, name)} {1e3 * seconds:.1f} ms ({seconds / total:.0%})"
        for name, seconds in zip(PARTS, step, strict=True)
    )
    line = f"A step takes {1e3 * total:.1f} ms: {each}; medians of {steps} steps"
    return line + (f", mean of {ranks} ranks. {_on_slowest(parts, medians)}" if ranks > 1 else ".")


def _on_slowest(parts: np.ndarray, medians: np.ndarray) -> str:
    """Return the rank that the others wait for, and its slowest part."""
    rank, count = slowest_rank(parts)
    own = medians[:, [PARTS.index(name) for name in _OWN]]
    others = np.delete(own, rank, axis=0).mean(axis=0)
    which = int((own[rank] - others).argmax())
    return (
        f"Rank {rank} is the last in {count} of {parts.shape[1]} steps: its {_OWN[which]} takes "
        f"{1e3 * own[rank][which]:.1f} ms, that of the others {1e3 * others[which]:.1f} ms."
    )


def as_json(parts: np.ndarray, first_step: int) -> dict[str, Any]:
    """Return all measurements in milliseconds, as JSON values.

    Args:
        parts: the result of `part_times`.
        first_step: number of the first measured step in the run, from 1.
    """
    rounded = np.round(1e3 * parts, 4)
    return {
        "summary": describe(parts),
        "unit": "ms",
        "parts": list(PARTS),
        "first_step": first_step,
        "median_of_rank": np.round(np.median(1e3 * parts, axis=1), 4).tolist(),
        "steps_of_rank": rounded.tolist(),
    }
