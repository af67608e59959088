"""A run's outputs: on two ranks those of one, after a stop those of a run that was not stopped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from ddl.training.checkpoint.model_copy import read_notes
from tests.ranks import call_ranks
from tests.training.outputs.logged_runs import STEPS, logged_run, samples

Runs = tuple[Path, list[dict[str, Any]]]


def numbers(path: Path) -> np.ndarray:
    """Return what a reader of the old logs takes from each line."""
    lines = path.read_text().splitlines()
    return np.array([[float(n) for n in re.findall(r"[0-9]*\.?[0-9]+", line)] for line in lines])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return the folder and the history of a run in this process."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "out_x_train.txt").write_text("1 1 0.0 9.0 9.0 9.0\nof an earlier run\n")
    return folder, logged_run(folder, {})


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return those of the same run on two ranks, stopped in its second epoch and resumed."""
    folder = tmp_path_factory.mktemp("two")
    return folder, call_ranks(logged_run, folder, {}, "step")[0]


def test_the_log_of_batches_has_a_line_for_each(one: Runs) -> None:
    found = numbers(one[0] / "out_x_train.txt")
    assert found[:, :2].tolist() == [[e, b] for e in (1, 2) for b in range(1, STEPS + 1)]
    assert (np.diff(found[:, 2]) > 0).all()
    sizes = [8, 8, 8, 8, 6]
    for epoch, history in enumerate(one[1]):
        rows = found[epoch * STEPS : (epoch + 1) * STEPS]
        assert np.average(rows[:, 3], weights=sizes) == pytest.approx(history["loss"], rel=1e-5)
        assert rows[:, 4].mean() == pytest.approx(history["gradient_norm"], rel=1e-5)
        assert rows[-1, 5] == pytest.approx(history["top_1"], rel=1e-5)


def test_the_log_of_validations_has_a_line_for_each(one: Runs) -> None:
    found = numbers(one[0] / "out_x_test.txt")
    history = [[e["epoch"], e["val_loss"], e["val_top_1"]] for e in one[1]]
    np.testing.assert_allclose(found[:, [0, 2, 3]], history, rtol=1e-6)


def test_two_ranks_write_the_logs_of_one_also_after_a_stop(one: Runs, two: Runs) -> None:
    for name, columns in (("out_x_train.txt", [0, 1, 3, 4, 5]), ("out_x_test.txt", [0, 2, 3])):
        ours, theirs = (numbers(run[0] / name)[:, columns] for run in (one, two))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, err_msg=name)
    assert [e["gradient_norm"] for e in one[1]] == pytest.approx(
        [e["gradient_norm"] for e in two[1]], rel=1e-4
    )


def test_predictions_are_those_of_the_model_of_their_epoch(one: Runs, two: Runs) -> None:
    held_out = samples(11, 1)
    pictures = held_out.read(range(11))["inputs"]
    for folder, _ in (one, two):
        for epoch in (1, 2):
            model = keras.models.load_model(folder / "m" / f"model_checkpoint_{epoch}.keras")
            expected = model.predict(pictures, verbose=0)
            with h5py.File(folder / "predicted" / f"output_{epoch}.h5") as file:
                found = [file[held_out.name_of(index)][()] for index in range(11)]
                assert sorted(file) == sorted([*"abc", *(f"cat_{k}.jpg" for k in range(0, 11, 2))])
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_both_names_of_a_copy_are_one_file_and_know_their_run(one: Runs) -> None:
    folder = one[0] / "m"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("model_checkpoint_1.keras", "model_checkpoint_1.pt"),
        *("model_checkpoint_2.keras", "model_checkpoint_2.pt"),
    ]
    twin = folder / "model_checkpoint_2.pt"
    assert twin.samefile(folder / "model_checkpoint_2.keras")
    notes = read_notes(twin)
    assert notes is not None
    assert (notes["epoch"], notes["plan"]["epochs"]) == (2, 2)


def test_the_graph_is_in_the_run_directory(two: Runs) -> None:
    text = (two[0] / "run" / "network.dot").read_text()
    assert '"conv" [label="conv\\nConv2D\\n4x4x3\\n30 weights"];' in text
    assert '"conv" -> "global_average_pooling2d' in text


def test_a_stop_while_predictions_are_written_leaves_no_part_of_them(tmp_path: Path) -> None:
    history = logged_run(tmp_path, {"epochs": 3, "copy_every_epochs": 2}, "validation")
    assert len(history) == 3
    assert [path.name for path in sorted((tmp_path / "predicted").iterdir())] == [
        f"output_{epoch}.h5" for epoch in (1, 2, 3)
    ]
    assert numbers(tmp_path / "out_x_train.txt")[:, 0].tolist() == [
        e for e in (1, 2, 3) for _ in range(STEPS)
    ]
    assert [int(row[0]) for row in numbers(tmp_path / "out_x_test.txt")] == [1, 2, 3]
    assert {path.stem for path in (tmp_path / "m").iterdir()} == {"model_checkpoint_2"}
