"""A model that training copied to a folder of its own serves every script, also under its second name, moved away."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tests.scripts.in_process import Outcome, call


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures, a run on them, and a copy of its model that was moved."""
    folder = tmp_path_factory.mktemp("copies")
    random = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(8):
        for name in (f"cell_{number}.png", f"cell_{number}_mask.png"):
            values = random.integers(0, 2, (16, 16)) * 255
            Image.fromarray(values.astype(np.uint8)).save(folder / "pictures" / name)
    told = call(
        "train_unet", "--data", "pictures", "--validation-part", "0.25", "--model-option", "width=2", "depth=1",
        "--epochs", "1", "--run-dir", "run", "--tensorboard", "false", "--checkpoint-copies", "m",
        "--prediction-output", "predicted", folder=folder,
    )  # fmt: skip
    assert told.status == 0, told.told
    (folder / "m" / "model_checkpoint_1.pt").rename(folder / "best.pt")
    return folder


def done(outcome: Outcome) -> Outcome:
    assert outcome.status == 0, outcome.told
    return outcome


def test_predictions_of_a_moved_copy_are_those_of_the_run(folder: Path) -> None:
    """The one under its first name is meant by the second, too."""
    results = {}
    for number, model in enumerate(("run", "best.pt", "m/model_checkpoint_1.pt")):
        told = done(
            call("predict", model, "pictures", f"out-{number}", "--probabilities", folder=folder)
        ).told
        assert ("model_checkpoint_1.keras beside it is read." in told) == (number == 2)
        paths = (folder / f"out-{number}").rglob("*.np*")
        results[model] = {path.name: np.load(path).tobytes() for path in paths}
    assert len(results["run"]) == 8
    assert results["run"] == results["best.pt"] == results["m/model_checkpoint_1.pt"]


def test_evaluation_of_a_moved_copy_is_that_of_the_run(folder: Path) -> None:
    flags = ("--prediction-output", "raw")
    one = json.loads(done(call("evaluate", "run", folder=folder)).printed)
    two = json.loads(done(call("evaluate", "best.pt", *flags, folder=folder)).printed)
    assert one | {"model": ""} == two | {"model": ""}
    with (
        h5py.File(folder / "raw" / "output_1.h5") as ours,
        h5py.File(folder / "predicted" / "output_1.h5") as theirs,
    ):
        names: list[str] = []
        theirs.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        assert len(names) == 2
        for name in names:
            assert ours[name].shape == (1, 16, 16)
            np.testing.assert_allclose(ours[name][()], theirs[name][()], atol=1e-6)
            assert (folder / "pictures" / name).is_file()


def test_what_contradicts_raw_predictions_is_refused(folder: Path) -> None:
    told = call("evaluate", "run", "--prediction-output", "raw", "--tile", "8", folder=folder)
    assert told.status == 2
    assert (
        "Received: prediction_output=raw with flags of an evaluation sample by sample" in told.told
    )
