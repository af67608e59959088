"""Where the time of a step goes, from what the ranks have measured. Pure NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

WARM_UP = 10
"""Steps at a start that are not looked at: after two that are traced, the batches that were read meanwhile run out."""
PARTS = ("input", "compute", "reduction", "waiting", "Python")
_LONG = {"waiting": "waiting for the slowest rank"}
_OWN = ("input", "compute", "Python")  # what one rank may do more slowly than others


def profiled_steps(measured: int) -> int:
    """Return how many steps from the start on have to be taken one by one to measure so many."""
    return WARM_UP + 2 * measured if measured else 0


def part_times(measured: np.ndarray, reductions: np.ndarray) -> np.ndarray:
    """Return the seconds that each part took, of shape (ranks, steps, parts). They add up to the step's.

    A reduction ends only when its last rank has come. The time of that rank, the shortest of all, is the reduction's;
    what the others spend beyond it is waiting.

    Args:
        measured: seconds for the input, in the graph and in Python, of shape (ranks, steps, 3).
        reductions: seconds in each reduction, within those of the graph, of shape (ranks, steps, reductions).
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
    """Return the rank that the others wait for most often, and in how many steps they do."""
    waiting = parts[..., PARTS.index("waiting")]
    counts = np.bincount(waiting.argmin(axis=0), minlength=len(parts))
    return int(counts.argmax()), int(counts.max())


def describe(parts: np.ndarray) -> str:
    """Return in a line what a step spends its time on: medians of the steps, averaged over the ranks."""
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
    """Return who the others wait for, and what takes that rank longer."""
    rank, count = slowest_rank(parts)
    own = medians[:, [PARTS.index(name) for name in _OWN]]
    others = np.delete(own, rank, axis=0).mean(axis=0)
    which = int((own[rank] - others).argmax())
    return (
        f"Rank {rank} is the last one in {count} of {parts.shape[1]} steps: {_OWN[which]} takes it "
        f"{1e3 * own[rank][which]:.1f} ms, the others {1e3 * others[which]:.1f}."
    )


def as_json(parts: np.ndarray, first_step: int) -> dict[str, Any]:
    """Return all that was measured, in milliseconds, as JSON values.

    Args:
        parts: what `part_times` returns.
        first_step: the number of the first step in its run, from 1.
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
