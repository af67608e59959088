"""Horovod's own Keras wrapper never reduces a gradient under Keras 3: shown here, and refused by us."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.distributed.keras_patches import trap
from tests.launch import run_ranks
from tests.ranks import call_ranks


@pytest.mark.proof
def test_horovods_wrapper_lets_ranks_drift_apart_without_an_error() -> None:
    # If this ever fails, Horovod works with Keras 3 again, and docs/numbers.md must say so.
    result = run_ranks(
        ["-m", "tests.distributed.keras_patches.trap"], 2, env={"TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    assert result.returncode == 0, result.output
    found = re.search(r"apart: (\S+)", result.output)
    assert found is not None, result.output
    assert float(found[1]) > 1e-3


def test_ours_keeps_their_weights_equal_bit_for_bit() -> None:
    one, other = call_ranks(trap.weights_with_ours)
    np.testing.assert_array_equal(one, other)
    assert np.abs(one).max() > 0


def test_the_guard_refuses_horovods_wrapper() -> None:
    for text in call_ranks(trap.refusal):
        assert "which never reduces gradients under Keras 3" in text
        assert "ddl.distributed.DistributedOptimizer" in text
