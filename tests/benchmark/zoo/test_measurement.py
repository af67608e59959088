"""A model is measured in a process of its own, whose memory is bounded."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ddl.benchmark.zoo.request import ZooRequest


def measured(tmp_path: Path, **fields: object) -> dict[str, str]:
    small = {"models": ("cnn",), "per_rank_batch_size": 4, "epoch_steps": 2, "threads": 1}
    ZooRequest(**{**small, **fields}, output=tmp_path / "zoo").run()  # type: ignore[arg-type]
    with (tmp_path / "zoo.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def test_training_and_inference_are_measured(tmp_path: Path) -> None:
    row = measured(tmp_path)
    assert row["note"] == ""
    assert (row["parameters"], row["multiply_adds"]) == ("149210", "338960")
    assert float(row["train_samples_per_s"]) > 0
    assert float(row["infer_samples_per_s"]) > 0
    assert float(row["peak_mb"]) > 100


@pytest.mark.proof
def test_a_batch_that_does_not_fit_is_halved_until_it_does(tmp_path: Path) -> None:
    """Its small sister: `test_a_model_that_does_not_fit_gets_a_smaller_batch`."""
    sizes = {"image_size": 256, "per_rank_batch_size": 256, "memory_limit_mb": 2000}
    row = measured(tmp_path, models=("cnn",), **sizes)
    assert 1 <= int(row["batch_size"]) < 256, row
    assert "does not fit into memory" in row["note"]
