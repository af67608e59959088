"""Run directories with random weights, and all other files that training writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.preprocessing import NAME, Preprocessing
from ddl.training.plan.plan import Plan


def make_run(folder: Path, *, shape: tuple[int, ...], classes: int = 1, **plan: Any) -> Path:
    """Write a run directory with a small model for inputs of this shape, and return it.

    Args:
        folder: the run directory.
        shape: shape of the model's input, with fixed sides as in training.
        classes: number of classes.
        plan: fields of the plan; "preprocessing" holds fields of the preprocessing.
    """
    import keras

    from ddl.models.zoo import build_model

    how = plan.pop("preprocessing", {})
    keras.utils.set_random_seed(0)
    made = Plan(
        run_dir=folder, **{"model_option": {"width": 4, "depth": 2, "norm": "none"}, **plan}
    )
    model = build_model(made.model, shape, classes, **made.model_option)
    random = np.random.default_rng(0)
    for weight in model.weights:
        if "bias" in weight.path:
            weight.assign(random.normal(0, 0.1, weight.shape))
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    (folder / "plan.json").write_text(json.dumps(made.to_dict()))
    is_mask = made.predicts != "label"
    facts = {"axes": len(shape) - 1, "side_multiple": 4 if is_mask else 1, **how}
    preprocessing = Preprocessing(
        target=made.predicts, channels=shape[-1], classes=classes, **facts
    )
    (folder / NAME).write_text(preprocessing.to_json())
    return folder


def make_pictures(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    """Write microscope pictures `0.png`, `1.png`, ... of these sizes, RGB."""
    from PIL import Image

    from ddl.data.pictures.synthetic_picture import microscope_picture

    folder.mkdir(parents=True, exist_ok=True)
    for index, (height, width) in enumerate(sizes):
        picture, _ = microscope_picture(index, max(height, width), 0)
        pixels = np.rint(picture[:height, :width] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder
