"""Local steps on real ranks: sync at H=1, the same bits at the same N and H, bytes counted, shares by speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ddl.distributed as dist
from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.parallel.local import LocalSteps
from ddl.training.stops import Diverged
from tests.ranks import call_ranks
from tests.training.interrupted_runs import differences
from tests.training.parallel.local_run import stop_local, train_each, train_local

pytestmark = pytest.mark.timeout(900)

LOCAL = {"parallel": "local", "sync_every": 3}
NESTEROV = {**LOCAL, "outer_optimizer": "nesterov", "outer_learning_rate": 0.6}
ADAM = {**NESTEROV, "optimizer": "adam", "learning_rate": 0.01, "model_option": {"norm": "batch"}}
RUNS: dict[str, dict[str, Any]] = {
    "sync": {},
    "one": {"parallel": "local", "sync_every": 1},
    "three": LOCAL,
    "fp16": {**LOCAL, "compression": "fp16"},
    "adam": {**ADAM, "epochs": 3},
}


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.proof)])
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the ranks, the folder, and the results of every run on rank 0."""
    folder = tmp_path_factory.mktemp("local")
    return (
        request.param,
        folder,
        call_ranks(train_each, folder, RUNS, ranks=request.param, timeout_s=600)[0],
    )


def test_one_step_of_sgd_between_averages_is_sync(runs: Any) -> None:
    _, _, found = runs
    gap = np.abs(found["one"]["weights"] - found["sync"]["weights"]).max()
    assert gap < 1e-12
    for mine, other in zip(found["one"]["history"], found["sync"]["history"], strict=True):
        assert mine["val_loss"] == pytest.approx(other["val_loss"], rel=1e-10)


def test_several_steps_between_averages_are_others_and_learn(runs: Any) -> None:
    _, _, found = runs
    assert np.abs(found["three"]["weights"] - found["sync"]["weights"]).max() > 1e-5
    losses = [epoch["loss"] for epoch in found["adam"]["history"]]
    assert losses[-1] < losses[0]


def test_sixteen_bits_round_the_change_and_not_the_weights(runs: Any) -> None:
    _, _, found = runs
    exact, rounded = found["three"]["weights"], found["fp16"]["weights"]
    assert 0 < np.abs(rounded - exact).max() < 2**-10 * np.abs(exact).max()


@pytest.mark.proof
def test_the_same_ranks_and_steps_give_the_same_bits(runs: Any, tmp_path: Path) -> None:
    ranks, folder, _ = runs
    call_ranks(train_local, tmp_path / "run", {**ADAM, "epochs": 3}, ranks=ranks)
    assert differences(tmp_path / "run", folder / "adam") == []


def test_bytes_are_counted(runs: Any) -> None:
    ranks, _, found = runs
    weights = 8 * (2 * 9 * 4 + 4 + 4 * 3 + 3)  # float64
    steps = {2: 7, 3: 5}[ranks]
    mib = {
        name: [round(v * 2**20) for v in run["report"]["sent_mib"]] for name, run in found.items()
    }
    assert mib["sync"] == [2 * steps * weights] * ranks
    rounds = -(-steps // 3)
    assert mib["one"] == mib["sync"]
    assert mib["three"] == [2 * rounds * weights] * ranks
    assert mib["fp16"] == [2 * rounds * (weights // 4 + 4)] * ranks
    assert mib["adam"] == [3 * rounds * (weights + 8 * 16)] * ranks  # and batch norm's


def test_a_checkpoint_has_each_ranks_own_slots_and_the_outer_momentum(runs: Any) -> None:
    ranks, folder, _ = runs
    snapshot = open_checkpoint(folder / "adam" / "checkpoints" / "epoch-0002.h5").read()
    slots = [{k: v for k, v in own.items() if k.startswith("slot/")} for own in snapshot.private]
    assert len(slots) == ranks
    assert any(np.abs(slots[0][name] - slots[1][name]).max() > 0 for name in slots[0])
    outer = [values for path, values in snapshot.optimizer if path.startswith("ddl_outer/")]
    assert len(outer) == 6
    assert all(np.abs(values).max() > 0 for values in outer)


@pytest.mark.proof
def test_a_resumed_run_has_the_bits_of_one_that_never_stopped(runs: Any, tmp_path: Path) -> None:
    ranks, folder, _ = runs
    parts = {"epochs": 1}, {"epochs": 3, "resume": "1"}
    for part in parts:
        call_ranks(train_local, tmp_path / "run", {**ADAM, **part}, ranks=ranks)
    assert differences(tmp_path / "run", folder / "adam") == []


def test_a_run_resumed_within_an_epoch_has_them_too(runs: Any, tmp_path: Path) -> None:
    ranks, folder, _ = runs
    fields = {**ADAM, "epochs": 3}
    steps = call_ranks(stop_local, tmp_path / "run", fields, ranks=ranks)
    assert list(steps) == [3] * ranks
    call_ranks(train_local, tmp_path / "run", {**fields, "resume": "auto"}, ranks=ranks)
    assert differences(tmp_path / "run", folder / "adam") == []


def test_a_run_resumes_on_other_ranks_from_the_mean_of_the_slots(runs: Any, tmp_path: Path) -> None:
    _, folder, _ = runs
    source = folder / "adam" / "checkpoints" / "epoch-0002.h5"
    found = train_local(tmp_path / "run", {**ADAM, "epochs": 3, "resume": str(source)})
    assert len(found["history"]) == 3
    assert np.isfinite(found["weights"]).all()


def test_a_slow_rank_takes_fewer_steps(tmp_path: Path) -> None:
    fields = {**LOCAL, "sync_every": 6, "steps_by_speed": True, "epochs": 4}
    called = call_ranks(train_beside_a_slow_rank, tmp_path / "run", fields)
    text = (tmp_path / "run" / "log.txt").read_text()
    assert "Steps of each rank between two averages, by speed: " in text
    assert text.partition("by speed: ")[2].split(".")[0] == "10, 2"
    assert len(called[0]["history"]) == 4


def train_beside_a_slow_rank(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train with clocks by which rank 1 is five times slower."""
    noted = LocalSteps._note_speed

    def note(self: LocalSteps, count: int, started: float) -> None:
        self._seconds.append(1.0 + 4.0 * dist.rank())

    LocalSteps._note_speed = note  # type: ignore[method-assign]
    try:
        return train_local(folder, fields)
    finally:
        LocalSteps._note_speed = noted  # type: ignore[method-assign]


def test_a_loss_of_nan_names_its_rank_and_samples(tmp_path: Path) -> None:
    told = r"NaN or infinite at step \d+ of epoch 1, first on rank 0 \(samples \d+, \d+"
    with pytest.raises(Diverged, match=told):
        train_local(tmp_path / "run", {**LOCAL, "learning_rate": 1e200})


def test_a_layer_over_all_ranks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"layer 'norm'.*norm=sync.*norm=batch"):
        train_local(tmp_path / "run", {**LOCAL, "model_option": {"norm": "spanning"}})
    assert not (tmp_path / "run").exists()
