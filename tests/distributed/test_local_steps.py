"""The average of what ranks changed alone: its weights, its outer optimizer, 16 bits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.distributed.local_averages import averages, refusals
from tests.ranks import call_ranks

SCALE = 2.0**-12


@pytest.fixture(scope="module")
def found() -> list[dict]:
    return call_ranks(averages, SCALE, ranks=3)


def test_all_ranks_have_the_same_bits(found: list[dict]) -> None:
    for name, values in found[0].items():
        for other in found[1:]:
            np.testing.assert_array_equal(other[name], values)


@pytest.mark.parametrize("name", ["none", "fp16", "bf16"])
def test_the_mean_is_weighed_by_samples(found: list[dict], name: str) -> None:
    mean = 2 * SCALE * (0 * 1 + 1 * 2 + 2 * 3) / 3  # of two averages
    bound = {"none": 2**-20, "fp16": 2**-9, "bf16": 2**-7}[name]
    np.testing.assert_allclose(found[0][name], mean, rtol=bound, atol=2**-22)


def test_nesterov_is_that_of_diloco(found: list[dict]) -> None:
    change, velocity, weight = SCALE * 8 / 3, 0.0, 0.0
    for _ in range(2):
        velocity = 0.8 * velocity + change
        weight += 0.5 * (change + 0.8 * velocity)
    np.testing.assert_allclose(found[0]["nesterov"], weight, atol=2**-22)


def test_what_is_sent_is_counted(found: list[dict]) -> None:
    assert found[0]["none bytes"] == 2 * 5 * 4
    assert found[0]["fp16 bytes"] == 2 * (5 * 2 + 4)  # and the largest change
    assert found[0]["bf16 bytes"] == 2 * (6 + 2) * 2  # padded to the ranks; and this rank's part


def test_tiny_changes_keep_their_digits_in_float16() -> None:
    tiny = (
        2.0**-22
    )  # at the end of float32's digits beside 1, and below float16's least normal number
    result = call_ranks(averages, tiny, ranks=2)[0]
    np.testing.assert_array_equal(result["fp16"], result["none"])
    assert result["fp16"].min() > 0


def test_nobody_trains_alone_in_silence() -> None:
    for of_rank in call_ranks(refusals, ranks=2):
        assert "nothing that averages its weights" in of_rank["nobody averages"]
        assert "DistributedOptimizer" in of_rank["nobody averages"]
        assert "layer 'norm'" in of_rank["norm over ranks"]
        assert "norm=batch" in of_rank["norm over ranks"]
