"""Real ranks: independent ones, the parts of a step, and the cost of metrics and desync checks."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.extras import ExtrasRequest, extras_table, measure_extras
from benchmarks.independent_ranks import LimitRequest, summarize
from benchmarks.keras_fit import LoopRequest
from ddl.benchmark.runner import run_trial
from ddl.benchmark.steps import StepsRequest

pytestmark = pytest.mark.ranks

SMALL = {"image_size": 32, "model_option": {"width": 2, "depth": 1}, "epoch_steps": 4, "epochs": 2}


def test_the_slower_of_each_pair_counts() -> None:
    found = summarize(np.array([[1.0, 3.0], [2.0, 2.0]]), batch_size=4)
    assert found["samples_per_s"] == 4
    assert found["met_samples_per_s"] == pytest.approx(2 * 4 / 2.5)
    assert found["jitter"] == pytest.approx((0.5 + 0.0) / 2)


@pytest.mark.proof
def test_ranks_apart_are_never_faster_met_than_alone() -> None:
    _, apart = LimitRequest(**SMALL).comparison().setups.values()
    found = run_trial(apart)
    assert 0 < found["met_samples_per_s"] <= found["samples_per_s"]


@pytest.mark.proof
def test_the_parts_of_a_step_and_what_is_computed_in_it_are_told() -> None:
    request = StepsRequest(**SMALL | {"epoch_steps": 12}, profile=5)
    for setup in request.comparison().setups.values():
        found = run_trial(setup)
        assert sum(found["parts_ms"].values()) == pytest.approx(found["step_ms"])
        computed = found["operations_ms"]
        assert {"Conv2DBackpropFilter", "ResourceApplyAdam"} <= set(computed)
        assert 0 < computed["Conv2DBackpropFilter"] < found["parts_ms"]["compute"]
        assert (found["parts_ms"]["reduction"] > 0) == (setup.ranks > 1)
        for epoch, after in zip(found["epoch_s"], found["after_last_step_s"], strict=True):
            assert 0 < after < epoch


@pytest.mark.proof
def test_steps_alone_learn_what_the_loop_learns() -> None:
    _, ours, steps = LoopRequest(**SMALL, threads=2).comparison().setups.values()
    loop, alone = run_trial(ours), run_trial(steps)
    # The loop's is of its last epoch, the other of all steps since the first.
    assert loop["loss"] < alone["loss"] < 2 * loop["loss"]
    assert len(alone["epoch_s"]) == len(loop["epoch_s"])


def test_extras_are_told_as_shares_of_a_step() -> None:
    result = measure_extras(ExtrasRequest(**SMALL, rounds=1))
    trial = result["results"]["extras"][0]
    assert result["values"]["desync check"]["median"] == pytest.approx(
        trial["desync_s"] / trial["step_s"]
    )
    assert trial["desync_s"] > 0
    assert "| step | " in extras_table(result)
