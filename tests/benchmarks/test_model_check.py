"""The cost model beside what was measured here: inputs made up, so that the answer can be worked out by hand."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from benchmarks.model_check import model_table, network_of, predicted
from ddl.benchmark.projection import traffic_of
from ddl.benchmark.reports import summary
from ddl.models.zoo import build_model

WIRE = {"ranks": 2, "latency_s": 4e-3, "mb_per_s": 1e12}
"""Four messages of 1 ms, and bytes that cost nothing."""


def scaling(ranks: int, cores: int, **option: Any) -> dict[str, Any]:
    trial = {"model": "unet", "model_option": {"width": 2, "depth": 2} | option, "image_size": 32}
    setups = {"1 rank": 1, f"{ranks} ranks": ranks}
    return {
        "setups": {
            name: {"trial": trial, "ranks": count, "threads": 1} for name, count in setups.items()
        },
        "base": "1 rank",
        "values": {"1 rank": summary([80.0])},  # 0.1 s a step of 8
        "ratios": {f"{ranks} ranks": summary([1.5])},
        "facts": {"cores": cores},
    }


def test_synchronized_normalization_reduces_twice_a_layer() -> None:
    model = build_model("unet", (32, 32, 3), 1, width=2, depth=2)
    layers = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    sizes, norm_reductions = traffic_of(model)
    assert norm_reductions == 2 * len(layers) > 0
    assert sum(sizes) == 4 * sum(
        int(weight.size) for weight in map(_array, model.trainable_variables)
    )
    assert traffic_of(build_model("unet", (32, 32, 3), 1, norm="batch"))[1] == 0


def test_two_ranks_wait_for_messages_alone() -> None:
    one = scaling(2, 2, norm="batch")
    assert predicted(one, 2, WIRE, jitter=0.0) == pytest.approx(2 * 0.1 / 0.104)
    assert predicted(scaling(2, 2), 2, WIRE, jitter=0.0) == pytest.approx(
        2 * 0.1 / (0.104 + 4e-3 * norm_reductions())
    )
    assert predicted(one, 2, WIRE, jitter=0.1) < predicted(one, 2, WIRE, jitter=0.0)


def test_three_ranks_take_turns_on_two_cores() -> None:
    wire = WIRE | {"ranks": 3, "latency_s": 8e-3}
    assert network_of(wire).local_latency_s == pytest.approx(1e-3)
    assert predicted(scaling(3, 2, norm="batch"), 3, wire, jitter=0.0) == pytest.approx(
        2 * 0.15 / 0.158
    )
    # Where they meet within a step, two compute while the third waits, and then it alone.
    assert predicted(scaling(3, 2), 3, wire, jitter=0.0) == pytest.approx(
        1.5 * 0.2 / (0.208 + 8e-3 * norm_reductions())
    )


def test_only_what_has_an_all_reduce_gets_a_row() -> None:
    table = model_table(
        {"two": scaling(2, 2, norm="batch"), "three": scaling(3, 2)}, {2: WIRE}, {"unet": 0.0}
    )
    assert "| two | 2 | 1.50 (1.50 to 1.50) | 1.92 |" in table
    assert "three" not in table


def norm_reductions() -> int:
    return traffic_of(build_model("unet", (32, 32, 3), 1, width=2, depth=2))[1]


def _array(variable: Any) -> Any:
    return keras.ops.convert_to_numpy(variable)
