"""The arithmetic of a step's time: parts add up, waiting is what others do not need, the slow one is named."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddl.training.profiling.step_time import PARTS, as_json, describe, part_times, slowest_rank

TIMES = st.floats(0, 10, width=32)


@given(arrays(float, (3, 4, 3), elements=TIMES), arrays(float, (3, 4, 5), elements=TIMES))
def test_parts_add_up_to_the_step(measured: np.ndarray, reductions: np.ndarray) -> None:
    parts = part_times(measured, reductions)
    assert np.allclose(parts.sum(axis=-1), measured.sum(axis=-1))
    waiting = parts[..., PARTS.index("waiting")]
    assert waiting.min() >= 0
    reduction = parts[..., PARTS.index("reduction")]
    assert (reduction == reduction[0]).all()  # of all ranks alike


def test_the_last_rank_waits_for_nobody() -> None:
    measured = np.tile([0.001, 0.1, 0.002], (3, 2, 1))
    reductions = np.array([[[0.03, 0.02]] * 2, [[0.01, 0.005]] * 2, [[0.02, 0.005]] * 2])
    parts = part_times(measured, reductions)
    assert np.allclose(parts[1, 0], [0.001, 0.085, 0.015, 0.0, 0.002])
    assert np.allclose(parts[0, 0], [0.001, 0.05, 0.015, 0.035, 0.002])
    assert slowest_rank(parts) == (1, 2)
    assert describe(parts).endswith(
        "mean of 3 ranks. Rank 1 is the last in 2 of 2 steps: its compute takes 85.0 ms, that of the others 62.5 ms."
    )


def test_one_rank_is_told_of_no_other() -> None:
    parts = part_times(np.tile([0.001, 0.008, 0.001], (1, 5, 1)), np.zeros((1, 5, 0)))
    assert describe(parts) == (
        "A step takes 10.0 ms: input 1.0 ms (10%), compute 8.0 ms (80%), reduction 0.0 ms (0%), "
        "waiting for the slowest rank 0.0 ms (0%), Python 1.0 ms (10%); medians of 5 steps."
    )
    assert as_json(parts, 11)["median_of_rank"] == [[1.0, 8.0, 0.0, 0.0, 1.0]]
