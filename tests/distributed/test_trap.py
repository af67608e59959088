"""Horovod's own Keras wrapper never reduces a gradient under Keras 3: shown here, and refused by us."""

from __future__ import annotations

import re

from tests.launch import Result, run_ranks


def _run(way: str) -> Result:
    return run_ranks(
        ["-m", "tests.distributed.trap", way], 2, "mpirun", env={"TF_CPP_MIN_LOG_LEVEL": "3"}
    )


def _apart(way: str) -> float:
    result = _run(way)
    assert result.returncode == 0, result.output
    found = re.search(r"apart: (\S+)", result.output)
    assert found is not None, result.output
    return float(found[1])


def test_horovods_wrapper_lets_ranks_drift_apart_without_an_error() -> None:
    # If this ever fails, Horovod works with Keras 3 again, and docs/numbers.md must say so.
    assert _apart("horovod") > 1e-3


def test_ours_keeps_their_weights_equal_bit_for_bit() -> None:
    assert _apart("ddl") == 0


def test_the_guard_refuses_horovods_wrapper() -> None:
    result = _run("guarded")
    assert result.returncode != 0
    assert "which under Keras 3 never reduces" in result.output
    assert "ddl.distributed.DistributedOptimizer" in result.output
