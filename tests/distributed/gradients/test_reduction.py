"""The average itself: dense, sparse and None gradients, and what 16 bits on the wire may cost."""

from __future__ import annotations

import numpy as np
import pytest

from tests.distributed.gradients.reducer import averages, gradient, rows
from tests.ranks import call_ranks

JOBS = [
    *[("mpirun", 2), ("mpirun", 3), ("horovodrun-gloo", 2)],
    pytest.param(("horovodrun-gloo", 3), marks=pytest.mark.proof),
]


@pytest.fixture(scope="module", params=JOBS, ids=str)
def of_ranks(request: pytest.FixtureRequest) -> list[dict]:
    launcher, ranks = request.param
    return call_ranks(averages, ranks=ranks, launcher=launcher)


@pytest.fixture(scope="module")
def launched(of_ranks: list[dict]) -> tuple[int, dict]:
    return len(of_ranks), of_ranks[0]


def test_all_ranks_get_the_same_bits(of_ranks: list[dict]) -> None:
    for results in of_ranks[1:]:
        assert results.keys() == of_ranks[0].keys()
        for name, values in results.items():
            np.testing.assert_array_equal(values, of_ranks[0][name], err_msg=name)


def _exact(ranks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the average and the average magnitude, in float64."""
    each = np.stack([gradient(rank).astype(np.float64) for rank in range(ranks)])
    return each.mean(axis=0), np.abs(each).mean(axis=0)


def _gaps(results: dict, name: str, mean: np.ndarray) -> np.ndarray:
    """Return how far each number is from the exact average: as a vector, and as the matrix beside it."""
    matrix = np.append(results[f"{name} matrix"], mean[1000:])
    return np.maximum(np.abs(results[name] - mean), np.abs(matrix - mean))


def test_uncompressed_is_the_average_to_float32_rounding(launched: tuple) -> None:
    ranks, results = launched
    mean, magnitude = _exact(ranks)
    assert np.all(_gaps(results, "none", mean) <= ranks * 2**-24 * magnitude)


def test_bf16_is_within_one_rounding_of_what_is_sent_and_one_of_the_result(launched: tuple) -> None:
    ranks, results = launched
    mean, magnitude = _exact(ranks)
    bound = 2**-8 * magnitude + 2**-8 * np.abs(mean)
    assert np.all(_gaps(results, "bf16", mean) <= bound * (1 + 2**-7))
    assert np.any(results["bf16"] != results["none"])


def test_fp16_is_within_its_rounding_and_its_range(launched: tuple) -> None:
    ranks, results = launched
    mean, magnitude = _exact(ranks)
    tiny = 2.0**-24  # the smallest float16: what is smaller is lost
    bound = (ranks + 2) * (2**-11 * magnitude + tiny)
    assert np.all(_gaps(results, "fp16", mean) <= bound)
    assert np.any(results["fp16"] != results["none"])


@pytest.mark.parametrize("name", ["none sparse", "fp16 sparse", "bf16 sparse", "as dense"])
def test_sparse_rows_are_averaged_also_where_ranks_touch_different_ones(
    launched: tuple, name: str
) -> None:
    ranks, results = launched
    expected = np.zeros((5, 2))
    for rank in range(ranks):
        values, at = rows(rank)
        np.add.at(expected, at, values / ranks)
    np.testing.assert_allclose(results[name], expected, rtol=1e-6)


@pytest.mark.parametrize("compression", ["none", "fp16", "bf16"])
def test_buckets_change_no_more_than_the_order_of_the_sums(
    launched: tuple, compression: str
) -> None:
    ranks, results = launched
    together = np.append(results[compression], results[f"{compression} matrix"])
    apart = results[f"{compression} in buckets"]
    assert np.array_equal(apart, together) or ranks > 2
    rounding = {"none": 2**-24, "fp16": 2**-11, "bf16": 2**-8}[compression]
    _, magnitude = _exact(ranks)
    bound = 2 * ranks * (rounding * np.append(magnitude, magnitude[:1000]) + 2.0**-24)
    assert np.all(np.abs(apart - together) <= bound)
