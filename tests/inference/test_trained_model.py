"""The preprocessing of a model is found with it in any folder, and equals that of training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ddl.data.pictures.conversion import unit_range
from ddl.data.preprocessing import Preprocessing, preprocessing_from_json
from ddl.inference.prediction.inputs import find_items
from ddl.inference.trained_model import find_model, preprocessing_path
from ddl.training.checkpoint.checkpoint_file import write_checkpoint
from ddl.training.data.plan_preprocessing import plan_preprocessing
from ddl.training.data.training_data import open_data
from ddl.training.evaluation import Evaluation, open_subject
from ddl.training.plan.plan import Plan
from tests.data import make
from tests.inference.models import make_run
from tests.training.checkpoint.snapshots import hashed, make_snapshot

__all__ = ["hashed"]

MASKS = Preprocessing(target="mask", channels=3, classes=1)


def test_inference_preprocesses_a_picture_like_training(tmp_path: Path) -> None:
    folder = make.pairs(tmp_path / "data", 8, height=30, width=50)
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(folder),
        data_option={"channels": "grey", "bits": 16},
        image_size=(16, 32),
        cache="none",
        model_option={"depth": 2},
    )
    data = open_data(plan)
    how = plan_preprocessing(plan, data.input_shape, data.classes, data.training)
    assert how == preprocessing_from_json(how.to_json())
    assert (how.channels, how.image_size, how.side_multiple, how.bits) == (1, (16, 32), 4, 16)
    shown = [item for item in find_items(folder, how, 10**6) if item.name == "cell-3"]
    source = data.training.source  # type: ignore[attr-defined]
    index = source.indices.tolist().index(3)
    with shown[0].open() as rows:
        found = how.model_input(np.asarray(rows[: rows.shape[0]]))
    np.testing.assert_array_equal(found, unit_range(source.read([index])["image"][0]))


def test_preprocessing_contains_the_classes_and_their_names(tmp_path: Path) -> None:
    folder = make.classes(tmp_path / "data")
    plan = Plan(
        run_dir=tmp_path,
        data=str(folder),
        model="resnet20",
        loss="categorical_crossentropy",
        metric=("top_1",),
        validation_part=0.4,
    )
    data = open_data(plan)
    how = plan_preprocessing(plan, data.input_shape, data.classes, data.training)
    assert (how.target, how.classes, how.class_names) == ("label", 2, ("cat", "dog"))
    assert how.image_size == (12, 16)  # labels are predicted at the training size
    assert how.name_of(1) == "dog"


def test_preprocessing_of_an_older_run_and_of_a_model_file_is_found(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", shape=(16, 16, 3), preprocessing={"image_size": (16, 16)})
    assert find_model(run) == find_model(run / "model.keras")
    assert find_model(run).preprocessing.image_size == (16, 16)
    (run / "preprocessing.json").unlink()  # a run of an earlier version
    assert find_model(run).preprocessing == Preprocessing(
        target="mask", channels=3, classes=1, side_multiple=4
    )
    alone = tmp_path / "cells.keras"
    shutil.copy(run / "model.keras", alone)
    with pytest.raises(
        ValueError, match=r"without cells.preprocessing.json beside it. Expected: a run"
    ):
        find_model(alone)
    preprocessing_path(alone).write_text(MASKS.to_json())
    assert find_model(alone).preprocessing == MASKS


def test_a_copied_checkpoint_keeps_its_preprocessing(tmp_path: Path) -> None:
    plan = Plan(run_dir=tmp_path / "run").to_dict()
    snapshot = make_snapshot(plan=plan, preprocessing=MASKS.to_dict())
    write_checkpoint(tmp_path / "epoch-0001.h5", snapshot)
    assert find_model(tmp_path / "epoch-0001.h5").preprocessing == MASKS


def test_a_checkpoint_is_hashed_once_for_model_and_data(tmp_path: Path, hashed: list[str]) -> None:
    plan = Plan(run_dir=tmp_path / "run", data_option={"count": 20})
    snapshot = make_snapshot(plan=plan.to_dict(), preprocessing=MASKS.to_dict())
    path = tmp_path / "epoch-0001.h5"
    write_checkpoint(path, snapshot)
    hashed.clear()
    model = find_model(path)
    subject = open_subject(Evaluation(path), model.trained)
    assert (subject.file, subject.plan, len(subject.source)) == (path, plan, 2)
    assert find_model(path, trained=subject.trained) == model
    assert hashed == [path.name]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a preprocessing of format 1"),
        ('{"format": 2}', "not a preprocessing of format 1"),
        ('{"format": 1, "target": "mask", "channels": 3}', "no 'classes'"),
        ('{"format": 1, "target": "mask", "channels": 3, "classes": 1, "x": 1}', "unknown 'x'"),
        ('{"format": 1, "target": "box", "channels": 3, "classes": 1}', "target='box'"),
        ('{"format": 1, "target": "mask", "channels": 0, "classes": 1}', "channels=0"),
    ],
)
def test_an_edited_preprocessing_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"Received: .*{words}.* Expected"):
        preprocessing_from_json(text)


def test_inputs_are_found_and_named(tmp_path: Path) -> None:
    make.pairs(tmp_path / "pairs", 3)
    np.save(tmp_path / "pairs" / "more.npy", np.zeros((9, 8, 3), np.float32))
    (tmp_path / "pairs" / "notes.md").write_text("no picture")
    assert [i.name for i in find_items(tmp_path / "pairs", MASKS, 10**6)] == [
        *("cell-0", "cell-1", "cell-2", "more"),
    ]
    make.folders(tmp_path / "folders", 2)
    items = find_items(tmp_path / "folders", MASKS, 10**6)
    assert [item.name for item in items] == ["images/0", "images/1"]
    listed = tmp_path / "some.txt"
    listed.write_text("# two\npairs/cell-1.png\n\nfolders/images/0.tif\n")
    assert [item.name for item in find_items(listed, MASKS, 10**6)] == ["cell-1", "0"]
    samples = find_items(make.hdf5(tmp_path / "a.h5"), MASKS, 10**6)
    assert [item.name for item in samples] == [f"{n:05d}" for n in range(5)]
    with samples[3].open() as rows:
        np.testing.assert_array_equal(rows[0:12], make.picture(3))


def test_the_model_decides_whether_an_array_is_one_picture_or_many(tmp_path: Path) -> None:
    volumes = Preprocessing(target="mask", channels=1, classes=1, axes=3)
    for shape, how, count in (
        ((4, 9, 8, 3), MASKS, 4),
        ((9, 8, 3), MASKS, 1),
        ((2, 4, 9, 8, 1), volumes, 2),
        ((4, 9, 8, 1), volumes, 1),
        ((4, 9, 8), volumes, 1),
    ):
        np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
        items = find_items(tmp_path / "a.npy", how, 10**6)
        assert len(items) == count, shape
        with items[0].open() as rows:
            assert len(rows.shape) == how.axes + 1
    np.save(tmp_path / "a.npy", np.zeros((4, 9, 8), np.float32))
    (item,) = find_items(tmp_path / "a.npy", MASKS, 10**6)
    with pytest.raises(ValueError, match=r"a.npy of shape 4x9x8. Expected: height x width x 3"):
        item.open().__enter__()


@pytest.mark.parametrize("name", ["none.png", "empty", "a.md", "twice"])
def test_unsupported_inputs_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.md").write_text("")
    make.pairs(tmp_path / "twice", 1)
    shutil.copy(tmp_path / "twice/cell-0.png", tmp_path / "twice/cell-0.tif")
    with pytest.raises(ValueError, match=f"Received: .*{name}.* Expected: "):
        find_items(tmp_path / name, MASKS, 10**6)
