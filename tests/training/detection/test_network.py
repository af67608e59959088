"""A network file with an output a level trains as a detector, and its run resumes without the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.models.network.small_yolo import ANCHORS, document, small_yolo
from tests.training.detection.box_run import train_boxes


def test_its_loss_falls_and_a_resume_is_bit_for_bit(tmp_path: Path) -> None:
    text = document(small_yolo(64))
    fields = {
        "model": "network",
        "model_option": {"layers": text, "anchors": ANCHORS},
        "data_option": {"count": 24, "objects": 3},
        "learning_rate": 1e-3,
    }
    whole = train_boxes(tmp_path / "whole", "yolo_small", fields)
    first, second = (epoch["loss"] for epoch in whole["history"])
    assert second < first
    train_boxes(tmp_path / "run", "yolo_small", {**fields, "epochs": 1})
    resumed = train_boxes(tmp_path / "run", "yolo_small", {**fields, "resume": "auto"})
    assert np.array_equal(resumed["weights"], whole["weights"])
