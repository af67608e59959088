"""Checks on the machine: input, idle cores, memory, disk, a slow rank. Each has a sister that is well."""

from __future__ import annotations

from typing import Any

import pytest

from tests.experiments.diagnosis.made import PLAN, found, history, samples

GIB = 1 << 30
ROWS = history(loss=[2.0, 1.6, 1.3, 1.1], seconds=[150.0] * 4)
PARTS = ["input", "compute", "reduction", "waiting", "Python"]


def profile(*ranks: list[float]) -> dict[str, Any]:
    """Return a profile of ten equal steps."""
    return {
        "parts": PARTS,
        "median_of_rank": list(ranks),
        "steps_of_rank": [[rank] * 10 for rank in ranks],
    }


def test_a_step_that_waits_for_samples_is_input_bound() -> None:
    finding = found(ROWS, profile=profile([40.0, 50.0, 5.0, 4.0, 1.0]))["input-bound"]
    assert (finding.sureness, finding.remedy) == ("certain", "--cache memory")
    assert found(ROWS, profile=profile([10.0, 80.0, 5.0, 4.0, 1.0])) == {}


def test_a_run_that_caches_already_gets_threads() -> None:
    plan = PLAN | {"cache": "memory"}
    assert (
        found(ROWS, plan=plan, profile=profile([40.0, 50.0, 5.0, 4.0, 1.0]))["input-bound"].remedy
        == "--data-threads 8"
    )


def test_an_idle_gpu_beside_busy_cores_is_input_bound() -> None:
    busy = samples(gpus=[{"index": 0, "use": 0.2}], cores_used=7.5)
    assert list(found(ROWS, resources=busy, cores=8)) == ["input-bound"]


def test_an_idle_gpu_beside_idle_cores_is_idle() -> None:
    idle = samples(gpus=[{"index": 0, "use": 0.05}], cores_used=0.5)
    assert list(found(ROWS, resources=idle, cores=8)) == ["idle cores"]


def test_idle_cores_want_more_ranks() -> None:
    finding = found(ROWS, resources=samples(cores_used=1.0), cores=8, ranks=1)["idle cores"]
    assert finding.remedy == "horovodrun -np 8"
    assert found(ROWS, resources=samples(cores_used=6.0), cores=8) == {}


def test_a_run_that_has_just_begun_is_not_judged() -> None:
    assert found(ROWS, resources=samples(4, cores_used=0.1), cores=8) == {}


def test_memory_that_is_nearly_full_is_told() -> None:
    full = samples(memory_bytes=31 * GIB, memory_free_bytes=GIB // 2)
    assert found(ROWS, resources=full)["memory full"].remedy == "--cache none"


def test_memory_that_will_be_full_is_told_before() -> None:
    growing = samples(
        40, memory_bytes=lambda n: n * GIB // 8, memory_free_bytes=lambda n: (60 - n) * GIB // 8
    )
    finding = found(ROWS, resources=growing)["memory full"]
    assert finding.sureness == "possible"
    assert finding.numbers["full_in_s"] == pytest.approx(21 * 30, rel=0.05)
    assert found(ROWS, resources=growing, ended=True) == {}


def test_a_disk_that_will_be_full_is_told_before() -> None:
    shrinking = samples(40, disk_free_bytes=lambda n: (100 - n) * GIB)
    assert found(ROWS, resources=shrinking)["disk full"].remedy == "--keep-every-epochs 0"
    assert found(ROWS, resources=samples(40, disk_free_bytes=100 * GIB)) == {}
    assert "disk full" in found(ROWS, resources=samples(3, disk_free_bytes=GIB // 4))


def test_a_rank_that_all_wait_for_is_slow() -> None:
    slow = profile([1.0, 50.0, 5.0, 30.0, 1.0], [1.0, 80.0, 5.0, 0.0, 1.0])
    finding = found(ROWS, profile=slow)["slow rank"]
    assert finding.numbers["rank"] == 1
    assert (
        found(ROWS, profile=profile([1.0, 80.0, 5.0, 1.0, 1.0], [1.0, 81.0, 5.0, 0.0, 1.0])) == {}
    )


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"parts": PARTS},
        {"parts": PARTS, "median_of_rank": [[0, 0, 0, 0, 0]]},
        {"parts": [], "steps_of_rank": [1, 2]},
    ],
)
def test_a_profile_without_numbers_says_nothing(broken: dict[str, Any]) -> None:
    assert found(ROWS, profile=broken) == {}
