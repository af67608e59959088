"""A detector trains as the same model with the same loss does in `model.fit` of plain Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.detectors.layouts import layout_of
from ddl.training.build import plan_model
from ddl.training.data.training_data import open_data
from ddl.training.objectives.boxes.box_losses import fcos, yolo
from tests.training.detection.box_run import TINY, plan_of, train_boxes
from tests.training.outcome import computing_in

LOSSES = {"yolo": yolo, "fcos": fcos}
RATE, EPOCHS = 0.01, 5
WHOLE = {
    "global_batch_size": 20,  # one step an epoch, so the order of samples does not matter
    "epochs": EPOCHS,
    "learning_rate": RATE,
    "schedule": "constant",
}


def fit(run_dir: Path, name: str) -> tuple[list[float], np.ndarray]:
    """Return the losses of `model.fit` and its final weights, in one array."""
    plan = plan_of(run_dir, name, **WHOLE)
    data = open_data(plan)
    model = plan_model(plan, data)
    samples = data.training.read(range(len(data.training)))
    sides = samples["image"].shape[1:3]
    layout = layout_of(name, plan.model_option, data.classes)

    def loss(rows: Any, raw: Any) -> Any:
        return LOSSES[plan.loss](rows, raw, layout=layout, sides=sides)

    model.compile(keras.optimizers.SGD(RATE), loss=loss, jit_compile=False)
    history = model.fit(
        samples["image"], samples["boxes"], batch_size=20, epochs=EPOCHS, verbose=0
    ).history
    return history["loss"], np.concatenate([np.ravel(weight) for weight in model.get_weights()])


@pytest.mark.parametrize("name", TINY)
def test_training_is_that_of_plain_keras(name: str, tmp_path: Path) -> None:
    with computing_in("float64"):
        losses, weights = fit(tmp_path / "plain", name)
    ours = train_boxes(tmp_path / "ours", name, WHOLE)
    assert [epoch["loss"] for epoch in ours["history"]] == pytest.approx(losses, rel=1e-10)
    np.testing.assert_allclose(ours["weights"], weights, rtol=0, atol=1e-10)
    assert losses[-1] < losses[0]
