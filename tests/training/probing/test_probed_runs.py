"""A probe changes no bit of what is trained, finds the same on all ranks, and survives a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.training.plan.plan import Plan
from ddl.training.probing.probe_file import read_probe
from tests.ranks import call_ranks
from tests.training.probing.probed_runs import probed_run

LAYERS = ["first", "norm", "cut", "hidden", "head"]


def by_name(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the layers of a row by their names."""
    return {layer["name"]: layer for layer in row["layers"]}


def without_seconds(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a run without what differs from start to start."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_probe(folder)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a run without a probe in this process."""
    return probed_run(tmp_path_factory.mktemp("plain"), {})


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the result of the same run with a probe."""
    folder = tmp_path_factory.mktemp("probed")
    return folder, probed_run(folder, {"probe": 16})


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the same run with a probe by rank, of two ranks."""
    return list(call_ranks(probed_run, tmp_path_factory.mktemp("two"), {"probe": 16}))


def test_a_probe_changes_no_bit_of_a_training(
    plain: dict[str, Any], probed: tuple[Path, dict[str, Any]]
) -> None:
    np.testing.assert_array_equal(plain["weights"], probed[1]["weights"])
    assert plain["losses"] == probed[1]["losses"]


def test_a_probe_changes_no_bit_on_two_ranks(two: list[dict[str, Any]], tmp_path: Path) -> None:
    without = call_ranks(probed_run, tmp_path, {})
    np.testing.assert_array_equal(two[0]["weights"], without[0]["weights"])
    assert two[0]["losses"] == without[0]["losses"]


@pytest.mark.proof
def test_a_probe_changes_no_bit_with_local_statistics(tmp_path: Path) -> None:
    runs = [
        call_ranks(probed_run, tmp_path / str(probe), {"probe": probe, "epochs": 2}, "", {"norm": "batch"})
        for probe in (0, 16)
    ]  # fmt: skip
    np.testing.assert_array_equal(runs[0][0]["weights"], runs[1][0]["weights"])


@pytest.mark.proof
@pytest.mark.parametrize(
    "fields",
    [
        {"jit": "true"},
        {"steps_per_execution": 4},
        {"optimizer_option": {"gradient_accumulation_steps": 2}},
        {"optimizer_option": {"use_ema": True, "ema_momentum": 0.9}},
        {"mixed_precision": "float16"},
        {"order": "contiguous", "augment": {"flip": True}},
        {"class_weight": "0=2,1=1,2=1", "normalize": "channels"},
    ],
    ids=str,
)
def test_a_probe_changes_no_bit_of_other_trainings(tmp_path: Path, fields: dict[str, Any]) -> None:
    weights = [
        probed_run(tmp_path / str(probe), fields | {"probe": probe, "epochs": 2})["weights"]
        for probe in (0, 16)
    ]
    np.testing.assert_array_equal(*weights)


def test_all_ranks_find_the_same(two: list[dict[str, Any]]) -> None:
    assert two[0]["rows"] == two[1]["rows"]
    assert [row["epoch"] for row in two[0]["rows"]] == [1, 2, 3]


def test_two_ranks_find_what_one_does_but_for_what_is_drawn(
    two: list[dict[str, Any]], probed: tuple[Path, dict[str, Any]]
) -> None:
    ones, twos = by_name(probed[1]["rows"][0]), by_name(two[0]["rows"][0])
    assert list(ones) == list(twos) == LAYERS
    for name in LAYERS[:3]:  # before the dropout, whose draws differ between ranks
        assert ones[name]["activation_std"] == pytest.approx(twos[name]["activation_std"], rel=0.2)
    assert probed[1]["rows"][0]["samples"] == two[0]["rows"][0]["samples"] == 16


def test_the_file_has_what_was_found(probed: tuple[Path, dict[str, Any]]) -> None:
    folder, found = probed
    rows = read_probe(folder)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for row, own in zip(rows, found["rows"], strict=True):
        assert row["gradient_norm"] == pytest.approx(own["gradient_norm"], rel=1e-6)
        layers = by_name(row)
        assert layers["cut"]["weight_norm"] is None
        assert layers["head"]["dead_share"] is None  # softmax
        for name in ("first", "norm", "hidden", "head"):
            layer = layers[name]
            ratio = layer["update_norm"] / layer["weight_norm"]
            assert layer["update_ratio"] == pytest.approx(ratio, rel=1e-5)
            assert layer["gradient_norm"] > 0
    assert (folder / "probe.png").stat().st_size > 10_000


@pytest.mark.parametrize("where", ["step", pytest.param("validation", marks=pytest.mark.proof)])
def test_a_resumed_run_has_the_rows_of_one_that_never_stopped(
    probed: tuple[Path, dict[str, Any]], tmp_path: Path, where: str
) -> None:
    resumed = probed_run(tmp_path, {"probe": 16}, where)
    np.testing.assert_array_equal(resumed["weights"], probed[1]["weights"])
    rows, whole = without_seconds(tmp_path), without_seconds(probed[0])
    if where == "validation":  # the last step was taken before the stop
        for row in (rows[1], whole[1]):
            for layer in row["layers"]:
                del layer["update_norm"], layer["update_ratio"]
    assert rows == whole


def test_units_that_are_always_0_are_dead(tmp_path: Path) -> None:
    [row] = probed_run(tmp_path, {"probe": 16, "epochs": 1}, "", {"dead": True})["rows"]
    assert by_name(row)["hidden"]["dead_share"] >= 0.5


def test_accumulated_gradients_have_the_update_of_all_their_steps(tmp_path: Path) -> None:
    options = {"gradient_accumulation_steps": 2}
    rows = probed_run(tmp_path, {"probe": 8, "epochs": 2, "optimizer_option": options})["rows"]
    assert all(by_name(row)["head"]["update_norm"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"probe": -1}, r"probe=-1 for training. Expected: at least 0"),
        ({"probe": 0.5}, r"probe=0.5. Expected: a whole number"),
        ({"probe": 8, "optimizer": "hessian"}, r"probe=8 with optimizer=hessian. Expected: no probe"),
        ({"probe": 8, "epochs": 0, "init_weights": "a.keras"}, r"epochs=0 with probe=8"),
    ],
)  # fmt: skip
def test_what_a_probe_cannot_do_is_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(run_dir=tmp_path, **fields)
