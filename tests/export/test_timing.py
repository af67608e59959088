"""Functions are measured in turn, and the table shows the measured figures."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.export.parity import Parity
from ddl.export.speed.speed_table import figures, markdown
from ddl.export.speed.timing import Speed, measure_latencies, measure_rates
from ddl.export.speed.variants import Variant


def test_functions_run_in_turn_after_one_warm_up_call() -> None:
    called: list[str] = []
    calls = {name: lambda batch, name=name: called.append(name) for name in "ab"}
    speeds = measure_rates(calls, np.zeros((4, 1)), rounds=2, seconds=1e-9)
    assert "".join(called) == "ababab"
    assert len(speeds["a"].rates) == 2
    called.clear()
    measure_latencies(calls, np.zeros((1, 1)), speeds, repeats=3)
    assert "".join(called) == "abababab"
    assert len(speeds["b"].latencies_s) == 3


def test_ratios_are_computed_round_by_round() -> None:
    slow, fast = Speed([1, 2, 4], [0.001] * 99 + [0.1]), Speed([3, 4, 4], [0.001])
    assert slow.latency_ms(50) == pytest.approx(1)
    assert slow.latency_ms(100) == pytest.approx(100)
    parity = Parity(2, 0.25, 0.1, "dice", "ground truth", 0.9, 0.875, 0.95)
    variants = {"a": Variant(10**6, parity, {}), "b": Variant(5 * 10**5, parity, {})}
    found = figures({"a": slow, "b": fast}, variants, {"b": "a"})
    assert found["a"]["images_per_s"]["median"] == 2
    assert found["b"]["times a"] == {"median": 2, "least": 1, "most": 3}
    row = markdown(found).splitlines()[-1]
    assert row.startswith(
        "| b | 0.50 | 4.00 (3.00 to 4.00) | 1.0 | 1.0 | 0.8750 | 2.5e-01 | 2.00 (1.00"
    )
