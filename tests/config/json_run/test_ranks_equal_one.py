"""The same config gives the same weights on 1, 2 and 4 ranks: a classifier, a U-Net, slices of an array, an equation.

In the first tier: `tests/models/network/test_training.py`, `tests/training/test_slices.py`, `test_equations.py`.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.data.preparation.example import Example, write_example
from tests.launch import REPOSITORY
from tests.ranks.scripts import run_script

EXAMPLES = REPOSITORY / "examples" / "json"
DATA: dict[str, dict[str, Any]] = {
    "shapes": {"kind": "classes", "count": 22, "size": 32},
    "shapes-test": {"kind": "classes", "count": 8, "size": 32, "seed": 1},
    "cells": {"count": 11, "size": 64},
    "cells-test": {"count": 3, "size": 64, "seed": 1},
    "block": {"kind": "block", "count": 1, "size": 24},
    "block-test": {"kind": "block", "count": 1, "size": 24, "seed": 1},
    "maps": {"kind": "maps", "count": 11, "size": 32},
    "maps-test": {"kind": "maps", "count": 3, "size": 32, "seed": 1},
}
BLOCKS = [
    {
        "class_name": "Conv3D",
        "config": {
            "batch_input_shape": [None, 16, 16, 16, 1],
            "filters": 4,
            "kernel_size": [3, 3, 3],
            "padding": "same",
        },
    },
    {"class_name": "BatchNormalization", "config": {"axis": 4}},
    {"class_name": "Activation", "config": {"activation": "relu"}},
    {
        "class_name": "Conv3D",
        "config": {"filters": 1, "kernel_size": [1, 1, 1], "activation": "sigmoid"},
    },
]
"""In place of the network of the example: TensorFlow has no 3D pooling in float64."""
NAMES = ("classification", "segmentation", "slices", "poisson")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], list[np.ndarray]]:
    """Return a function: example, ranks -> the weights after two epochs."""
    folder = tmp_path_factory.mktemp("ranks")
    with contextlib.redirect_stderr(io.StringIO()):
        for name, fields in DATA.items():
            write_example(Example(folder / name, **fields))

    @functools.cache
    def train(name: str, ranks: int) -> list[np.ndarray]:
        config = small_config(name, folder)
        run_dir = folder / f"{name}-{ranks}"
        how = {"ranks": ranks, "launcher": "mpirun" if ranks > 1 else "none", "floatx": "float64"}
        result = run_script("scripts/run", [f"--config={config}", "--run-dir", run_dir], **how)
        assert result.returncode == 0, result.output
        found: list[np.ndarray] = keras.models.load_model(run_dir / "model.keras").get_weights()
        return found

    return train


def small_config(name: str, folder: Path) -> Path:
    """Write an example of two short epochs, with absolute paths and without other outputs."""
    values = json.loads((EXAMPLES / f"{name}.json").read_text())["neural_network"]
    network = folder / f"{name}-network.json"
    layers = (REPOSITORY / values["layers"]).read_text()
    # TensorFlow enlarges in float32 where it interpolates.
    network.write_text(layers.replace('"bilinear"', '"nearest"'))
    values["layers"] = BLOCKS if name == "slices" else str(network)
    values["num_epochs"] = 2
    # With the usual 1e-8, weights whose gradient is 0 but for rounding move by rounding times a million.
    values["optimizer"] = {"type": "Adam", "learning_rate": 0.002, "eps": 1e-4}
    values["data"]["batch_size"] = 8
    values["ddl"] = {"tensorboard": False, "jit": "false"}
    for outputs in ("outfile", "checkpoints"):
        values.pop(outputs, None)
    for key, value in list(values["data"].items()):
        if key in ("test_output_path", "hdf5_outfile", "hdf5_precision"):
            del values["data"][key]
        elif key.endswith("_path"):
            values["data"][key] = str(folder / value)
    config = folder / f"{name}.json"
    config.write_text(json.dumps({"neural_network": values}))
    return config


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_ranks_learn_what_one_process_learns(
    weights: Callable[[str, int], list[np.ndarray]], name: str, ranks: int
) -> None:
    pairs = zip(weights(name, 1), weights(name, ranks), strict=True)
    farthest = max(float(np.abs(one - other).max()) for one, other in pairs)
    print(f"{name} on {ranks} ranks: {farthest:.1e}")
    assert farthest < 1e-8
