"""Training a detector: N ranks equal one, a resume is bit for bit, and the small detector learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ranks import call_ranks
from tests.training.detection.box_run import TINY, train_boxes

BOUND = 1e-10


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the runs of one rank."""
    folder = tmp_path_factory.mktemp("alone")
    return {model: train_boxes(folder / model, model) for model in TINY}


def check_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=BOUND)
    for mine, other in zip(found["history"], expected["history"], strict=True):
        for name in ("loss", "val_loss", "val_ap50", "val_ap"):
            assert mine[name] == pytest.approx(other[name], rel=1e-9), name


@pytest.mark.parametrize("model", TINY)
def test_two_ranks_train_as_one(
    model: str, alone: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    found, *_ = call_ranks(train_boxes, tmp_path / "run", model, ranks=2)
    check_equal(found, alone[model])


@pytest.mark.proof
@pytest.mark.parametrize("model", TINY)
def test_three_ranks_train_as_one_with_mosaics(model: str, tmp_path: Path) -> None:
    mosaic = {"mix": {"mosaic": 0.5}, "augment": {"flip": True}}
    found, *_ = call_ranks(train_boxes, tmp_path / "run", model, mosaic, ranks=3)
    check_equal(found, train_boxes(tmp_path / "alone", model, mosaic))


@pytest.mark.proof
def test_a_resume_is_bit_for_bit(alone: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    train_boxes(tmp_path / "run", "fcos", {"epochs": 1})
    resumed = train_boxes(tmp_path / "run", "fcos", {"resume": "auto"})
    assert np.array_equal(resumed["weights"], alone["fcos"]["weights"])
    assert resumed["history"][1]["val_ap50"] == alone["fcos"]["history"][1]["val_ap50"]


@pytest.mark.parametrize("model", TINY)
def test_the_loss_falls(model: str, alone: dict[str, dict[str, Any]]) -> None:
    first, second = alone[model]["history"]
    assert second["loss"] < first["loss"]
    assert all(0 <= epoch["val_ap50"] <= 1 for epoch in (first, second))


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_the_small_detector_finds_nine_of_ten_on_two_ranks(tmp_path: Path) -> None:
    """900 pictures of 96x96 in 14 epochs: 12,600 samples, one to two minutes on two quiet cores with AVX512."""
    fields = {
        "model_option": {"width": 32},
        "data_option": {"count": 1000},
        "image_size": (96, 96),
        "metric": ("ap50",),
        "epochs": 14,
        "global_batch_size": 16,
        "warmup_epochs": 1,
        "optimizer": "adam",
        "learning_rate": 3e-3,
        "schedule": "cosine",
        "augment": {"flip": True},
        "validation_part": 0.1,
    }
    found, *_ = call_ranks(
        train_boxes, tmp_path / "run", "fcos", fields, "float32", ranks=2, timeout_s=1000
    )
    assert max(epoch["val_ap50"] for epoch in found["history"]) >= 0.9
