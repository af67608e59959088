"""Predictions of held-out samples are the same bytes on any number of ranks, in the samples' order."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import ddl.distributed as dist
from ddl.data.inputs_and_targets import ArraySamples
from ddl.data.source import Field, Source
from ddl.training.outputs.prediction_files import write_predictions
from ddl.training.steps.outputs import Outputs
from tests.ranks import call_ranks

COUNT = 21


class Pictures(Source):
    """Pictures without targets, which are zeros from a number on."""

    fields = {"image": Field((6, 6, 2), np.dtype(np.float32))}  # noqa: RUF012

    def __init__(self, count: int = COUNT) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Any) -> dict[str, np.ndarray]:
        """Return pictures that depend on their index alone."""
        pictures = [np.random.default_rng(int(i)).random((6, 6, 2), np.float32) for i in indices]
        return {"image": np.array(pictures).reshape(-1, 6, 6, 2)}


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(inputs))
    return keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax")(x))


def predicted(folder: Path, count: int) -> dict[str, Any]:
    """Return all that rank 0 gets, and the bytes of a file of it."""
    model, samples = network(), Pictures(count)
    outputs = Outputs(model, samples, threads=2, most_together=4)
    passes = [[part for parts in outputs.in_order() for part in parts] for _ in range(2)]
    path = write_predictions(outputs, samples, folder / str(dist.size()))
    if not dist.is_root():
        return {"parts": len(passes[0])}
    digests = [
        hashlib.sha256(b"".join(p.tobytes() for _, p in found)).hexdigest() for found in passes
    ]
    rows = np.concatenate([predictions for _, predictions in passes[0]])
    pictures = samples.read(range(count))["image"]
    return {
        "order": np.concatenate([indices for indices, _ in passes[0]]).tolist(),
        "digests": digests,
        "error": float(np.abs(rows - model.predict(pictures, verbose=0)).max()),
        "file": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize("count", [COUNT, 5])
def test_three_ranks_write_the_bytes_of_one(tmp_path: Path, count: int) -> None:
    """With 5 samples, a rank has none."""
    one = predicted(tmp_path, count)
    three = call_ranks(predicted, tmp_path, count, ranks=3)
    assert one["order"] == list(range(count))
    assert one["digests"][0] == one["digests"][1]
    assert one["error"] < 1e-6
    assert three[0] == one
    assert [rank["parts"] for rank in three[1:]] == [0, 0]


def test_large_samples_are_predicted_one_by_one() -> None:
    inputs = keras.Input((2048, 1100, 1))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    samples = ArraySamples(np.ones((3, 2048, 1100, 1), np.float32), np.zeros(3))
    assert Outputs(model, samples).turns == 3


def test_numbers_of_16_bits_are_widened() -> None:
    inputs = keras.Input((6, 6, 2), dtype="float32")
    outputs = keras.layers.Conv2D(1, 1, dtype="float16")(inputs)
    found = Outputs(keras.Model(inputs, outputs), Pictures())
    assert (found.dtype, found.row_shape) == (np.dtype(np.float32), (6, 6, 1))


def test_a_disk_that_cannot_be_written_is_one_error_on_all_ranks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the user")
    samples = Pictures()
    with pytest.raises(
        ValueError, match=r"output_1\.h5, which cannot be written \(Not a directory"
    ):
        write_predictions(Outputs(network(), samples), samples, tmp_path / "file" / "x")
