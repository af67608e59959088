"""Batches that the ranks do not divide, cut epochs, class weights, normalized inputs, test data: N ranks equal one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ddl.data.preprocessing import preprocessing_from_json
from tests.ranks import call_ranks
from tests.training.small_run import tiny_data, train_tiny

BATCH = {"global_batch_size": 8, "epochs": 2}
CASES: dict[str, dict[str, Any]] = {
    "all": {**BATCH, "normalize": "channels", "class_weight": "balanced", "evaluate": True},
    "cut": {
        **BATCH,
        "steps_per_epoch": 3,
        "class_weight": "0=2,2=0.5",
        "learning_rate_scaling": "none",
    },
    "torch": {
        **BATCH,
        "loss": "nll",
        "loss_option": {"weight": (1.0, 0.5, 2.0)},
        "model_option": {"ending": "log_softmax"},
        "optimizer": "torch_sgd",
        "optimizer_option": {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
        "no_decay_on": ("bias", "norm"),
    },
}


@pytest.fixture(scope="module", params=list(CASES))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a case, its folder, and its results of one process and of three ranks."""
    folder, fields = tmp_path_factory.mktemp(request.param), CASES[request.param]
    three = call_ranks(train_tiny, folder / "three", fields, ranks=3)
    return request.param, folder, train_tiny(folder / "one", fields), three


def test_three_ranks_share_a_batch_of_8_and_learn_what_one_process_learns(pair: Any) -> None:
    _, _, one, three = pair
    assert len(one["weights"]) > 90
    assert np.abs(three[0]["weights"] - one["weights"]).max() < 1e-10


def test_the_history_of_three_ranks_is_that_of_one_process(pair: Any) -> None:
    name, _, one, three = pair
    for of_rank in three:
        for mine, theirs in zip(of_rank["history"], one["history"], strict=True):
            del mine["seconds"], mine["samples_per_s"]
            assert mine == pytest.approx({k: theirs[k] for k in mine}, rel=1e-10)
    assert ("test_loss" in one["history"][-1]) == (name == "all")


def test_the_learning_rate_of_a_global_batch_does_not_depend_on_the_ranks(pair: Any) -> None:
    _, _, one, three = pair
    rates = [[epoch["learning_rate"] for epoch in run["history"]] for run in (one, three[0])]
    assert rates == [[0.05, 0.05]] * 2


def test_all_ranks_find_the_same_mean_and_deviation_to_the_last_bit(pair: Any) -> None:
    name, folder, *_ = pair
    texts = [(folder / run / "preprocessing.json").read_text() for run in ("one", "three")]
    assert texts[0] == texts[1]
    if name == "all":
        how = preprocessing_from_json(texts[0])
        pictures = tiny_data().training.read(range(43))["inputs"].astype(np.float64)
        assert how.mean == pytest.approx(pictures.mean((0, 1, 2)), rel=1e-12)
        assert how.deviation == pytest.approx(pictures.std((0, 1, 2)), rel=1e-12)


def test_the_results_on_test_data_stand_in_the_first_and_last_epoch(pair: Any) -> None:
    name, folder, *_ = pair
    lines = (folder / "three" / "history.jsonl").read_text().splitlines()
    first, last = (set(json.loads(line)) for line in lines)
    assert {key for key in first if "test" in key} == (
        {"test_before_loss", "test_before_top_1"} if name == "all" else set()
    )
    assert {key for key in last if "test" in key} == (
        {"test_loss", "test_top_1"} if name == "all" else set()
    )
    header, *rows = (folder / "three" / "history.csv").read_text().splitlines()
    assert {row.count(",") for row in rows} == {header.count(",")}
