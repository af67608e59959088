"""Training on slices of one array, and their predictions in one file: N ranks give what one process gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import ddl.distributed as dist
from ddl.data.slicing.slicer import parse_slicers
from ddl.data.sources.slices import open_slices
from ddl.models.zoo import MODELS, add_model
from ddl.training.loop import train
from ddl.training.outputs.assembled import assemble_predictions
from ddl.training.plan.plan import Plan
from ddl.training.steps.outputs import Outputs
from tests.ranks import call_ranks
from tests.scripts.in_process import call

NAME = "tiny_slice_model"
SLICER = ("name=a sizes=8,8,1 strides=4,4,1", "name=b sizes=8,1,8 padded_sizes=8,1,8")
VALUES = np.random.default_rng(0).random((2, 12, 10, 8)).astype(np.float32)


def write_array(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["input"], file["target"] = VALUES, (VALUES[:1] > 0.5).astype(np.uint8)
    return path


def build(input_shape: Any, *, classes: int) -> keras.Model:
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(2, 3, padding="same", activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(classes, 1, activation="sigmoid")(x))


def train_on_slices(folder: Path, **fields: Any) -> dict[str, Any]:
    """Train in float64; return weights and history."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    if NAME not in MODELS:
        add_model(NAME, build, "mask")
    try:
        plan = Plan(
            run_dir=folder, model=NAME, data=str(folder.parent / "x.h5"), slicer=SLICER,
            assembled_output=folder / "assembled.h5", validation_part=0.4, global_batch_size=4,
            loss="binary_crossentropy", optimizer="sgd", learning_rate=0.1, epochs=2,
            tensorboard=False, **fields,
        )  # fmt: skip
        history = train(plan)
        # Only rank 0 has written it.
        model = keras.models.load_model(folder / "model.keras") if dist.is_root() else None
        weights = [] if model is None else model.get_weights()
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])
    flat = [np.ravel(part) for part in weights]
    return {"history": history, "weights": np.concatenate([*flat, np.zeros(0)])}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a folder with runs of one process and of two ranks, and their results."""
    folder = tmp_path_factory.mktemp("slices")
    write_array(folder / "x.h5")
    return (
        folder,
        train_on_slices(folder / "one"),
        call_ranks(train_on_slices, folder / "two", ranks=2),
    )


def test_two_ranks_learn_from_slices_what_one_process_learns(runs: Any) -> None:
    _, one, two = runs
    assert np.abs(two[0]["weights"] - one["weights"]).max() < 1e-10
    for mine, theirs in zip(one["history"], two[1]["history"], strict=True):
        assert mine["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-9)


def test_the_predictions_of_the_validation_are_put_together(runs: Any) -> None:
    folder, *_ = runs
    with (
        h5py.File(folder / "one/assembled.h5") as one,
        h5py.File(folder / "two/assembled.h5") as two,
    ):
        assert {name: one[name].shape for name in one} == dict.fromkeys("ab", (12, 10, 8, 1))
        for name in one:
            values = one[name][()]
            assert values.dtype == np.float32
            assert 0 < np.count_nonzero(values) < values.size  # a part is held out
            assert np.abs(values - two[name][()]).max() < 1e-6
    log = (folder / "one/log.txt").read_text()
    assert "assembled.h5: predictions of 21 slices, in a (12x10x8x1), b (12x10x8x1)." in log
    assert "places of a are in no predicted slice and hold zeros, the first at" in log


def test_the_plan_remembers_its_slicers(runs: Any, tmp_path: Path) -> None:
    folder, *_ = runs
    plan = json.loads((folder / "one/plan.json").read_text())
    assert plan["slicer"] == [*SLICER]
    assert plan["assembled_precision"] == "single"


def test_evaluate_assembles_other_data_without_targets(runs: Any, tmp_path: Path) -> None:
    folder, *_ = runs
    np.save(tmp_path / "y.npy", VALUES)
    arguments = ["--data", tmp_path / "y.npy", "--assembled-precision", "half"]
    outcome = call(
        "evaluate", folder / "one", *arguments, "--slicer", "sizes=8,8,1",
        "--assembled-output", tmp_path / "z.h5",
    )  # fmt: skip
    assert outcome.status == 0, outcome.told
    assert "slices predicted: 32 of 32" in outcome.told
    assert json.loads(outcome.printed)["samples"] == 32
    assert "z.h5: predictions of 32 slices, in slices_1 (12x10x8x1)." in outcome.told
    with h5py.File(tmp_path / "z.h5") as file:
        assert file["slices_1"].dtype == np.float16
        assert np.all(file["slices_1"][()] > 0)


def build_of_lines(input_shape: Any, *, classes: int) -> keras.Model:
    layers = [keras.layers.Conv1D(4, 3, padding="same"), keras.layers.Conv1D(classes, 1)]
    last = keras.layers.Activation("sigmoid")
    return keras.Sequential([keras.Input(input_shape), *layers, last])


@pytest.mark.proof
def test_lines_of_one_axis_are_trained_on_and_put_together(tmp_path: Path) -> None:
    write_array(tmp_path / "x.h5")
    if "tiny_line_model" not in MODELS:
        add_model("tiny_line_model", build_of_lines, "mask")
    slicer = (
        "sizes=1,1,8",
        "sizes=1,6,1 padded_sizes=1,8,1",
        "name=c sizes=5,1,1 padded_sizes=8,1,1",
    )
    plan = Plan(
        run_dir=tmp_path / "run", model="tiny_line_model", data=str(tmp_path / "x.h5"), epochs=1,
        slicer=slicer, assembled_output=tmp_path / "run/a.h5", tensorboard=False,
    )  # fmt: skip
    train(plan)
    assert (tmp_path / "run/samples.png").stat().st_size > 1000
    with h5py.File(tmp_path / "run/a.h5") as file:
        assert {name: file[name].shape for name in file} == dict.fromkeys(
            ("c", "slices_1", "slices_2"), (12, 10, 8, 1)
        )


def assemble_identity(folder: Path, output: Path) -> list[str]:
    """Assemble what a network predicts that changes nothing; return lines on it, or the problem."""
    samples = open_slices(folder / "x.h5", parse_slicers([SLICER[0], "name=c sizes=1,8,8"]))
    shape = samples.fields["image"].shape
    model = keras.Sequential([keras.Input(shape), keras.layers.Activation("linear")])
    try:
        return assemble_predictions(Outputs(model, samples), samples, output, "single")
    except ValueError as error:
        return [str(error)]


def test_an_identity_network_gives_the_array_back_on_any_number_of_ranks(tmp_path: Path) -> None:
    write_array(tmp_path / "x.h5")
    assemble_identity(tmp_path, tmp_path / "here.h5")  # one process
    path = tmp_path / "ranks.h5"
    lines, *_ = call_ranks(assemble_identity, tmp_path, path, ranks=3)
    assert lines == [f"{path}: predictions of 56 slices, in a (12x10x8x2), c (12x10x8x2)"]
    assert path.read_bytes() == (tmp_path / "here.h5").read_bytes()
    with h5py.File(path) as file:
        for name in file:
            assert (file[name][()] == np.moveaxis(VALUES, 0, -1)).all()


def test_a_file_that_cannot_be_written_is_one_line_on_every_rank(tmp_path: Path) -> None:
    write_array(tmp_path / "x.h5")
    path = tmp_path / "x.h5" / "y.h5"
    problems = call_ranks(assemble_identity, tmp_path, path, ranks=3)
    expected = f"Could not write {path}: File exists. Check the disk and the permissions."
    assert [*problems] == [[expected]] * 3
