"""A plan that predicts boxes opens data of every format, their splits and classes, and refuses what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.boxes.rows import CLASS
from ddl.data.preparation.preparation import Preparation
from ddl.data.preparation.prepare import prepare
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.plan import Plan
from tests.data.boxes import box_files
from tests.data.boxes.box_files import WRITERS


def plan_of(data: Path | str, **fields: Any) -> Plan:
    given = {
        "model": "yolo_small",
        "model_option": {"width": 2},
        "loss": "yolo",
        "metric": ("ap50",),
        "monitor": "val_ap50",
        "image_size": (64, 64),
        "global_batch_size": 2,
        "run_dir": "run",
    }
    return Plan(data=str(data), **{**given, **fields})


def classes_in(data: TrainingData) -> list[list[int]]:
    """Return the classes of all boxes, of training and of validation samples."""
    found = []
    for source in (data.training, *data.held_out):
        rows = source.read(range(len(source)))["boxes"]
        found.append(rows[rows[..., CLASS] >= 0][:, CLASS].astype(int).tolist())
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_opened_with_their_splits(tmp_path: Path, name: str) -> None:
    data = open_data(plan_of(WRITERS[name](tmp_path / "data")))
    assert data.counts == (4, 2)
    assert data.classes == 3
    assert data.input_shape == (64, 64, 3)
    wanted = [
        [k for n in numbers for k in box_files.drawn(n).classes] for numbers in (range(4), (4, 5))
    ]
    assert classes_in(data) == wanted


def test_a_prepared_file_is_opened_as_its_files(tmp_path: Path) -> None:
    path = box_files.coco(tmp_path / "data")
    prepare(Preparation(source=path, output=tmp_path / "a.h5", image_size=(64, 64), workers=1))
    stored, files = open_data(plan_of(tmp_path / "a.h5", image_size=None)), open_data(plan_of(path))
    assert classes_in(stored) == classes_in(files)
    for one, two in zip(
        (stored.training, *stored.held_out), (files.training, *files.held_out), strict=True
    ):
        batches = (source.read(range(len(source)))["image"] for source in (one, two))
        assert np.array_equal(*batches)


def test_synthetic_scenes_have_the_size_of_the_plan() -> None:
    data = open_data(plan_of("synthetic-boxes", data_option={"count": 20}, image_size=(64, 96)))
    assert data.counts == (18, 2)
    assert data.input_shape == (64, 96, 3)


def test_validation_data_count_classes_as_training_data_do(tmp_path: Path) -> None:
    training = box_files.voc(tmp_path / "voc")
    other = tmp_path / "coco"
    scenes = [box_files.drawn(n) for n in (2, 3)]
    content = box_files.coco_dict(scenes)
    content["categories"][0]["id"], content["categories"][2]["id"] = 2, 90  # rods are the first
    box_files.write_pictures(other, scenes)
    (other / "a.json").write_text(json.dumps(content))
    data = open_data(plan_of(training, validation_data=str(other)))
    wanted = [2 - k for scene in scenes for k in scene.classes.tolist()]
    assert classes_in(data)[1] == wanted


def unknown_class(root: Path) -> Path:
    path = box_files.coco(root)
    file = path / "annotations" / "instances_val2017.json"
    file.write_text(file.read_text().replace('"rod"', '"ball"'))
    return path


def test_a_class_that_training_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Received: class 'ball' in .*, validation, which the tr"):
        open_data(plan_of(unknown_class(tmp_path / "data")))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "targets elsewhere": ({"target_data": "x"}, "target_data=x for model yolo_small"),
    "transform": ({"transform": ("rotate=20",)}, "transforms for a model that predicts boxes"),
    "elastic": ({"augment": {"elastic_pixels": 2}}, "elastic_pixels for samples with boxes"),
    "randaugment": ({"augment": {"randaugment": (2, 9)}}, "randaugment for samples with boxes"),
    "central crop": ({"augment": {"central_crop": 0.9}}, "central_crop for samples with boxes"),
    "mixup": (
        {"mix": {"mixup": 0.2}},
        "mix for model yolo_small, which predicts boxes. Expected: mosaic",
    ),
    "few classes": ({"classes": 2}, "with class 2. Expected: 0 to 1, or -1"),
    "unknown fit": ({"data_option": {"fit": "crop"}}, "fit='crop'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_boxes_is_refused(tmp_path: Path, case: str) -> None:
    fields, message = BAD[case]
    path = box_files.yolo(tmp_path / "data")
    with pytest.raises(ValueError, match=message):
        open_data(plan_of(path, **fields))


def test_a_mosaic_is_refused_for_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mix mosaic for model resnet20, which predicts labels"):
        Plan(
            data="faces",
            model="resnet20",
            loss="categorical_crossentropy",
            metric=("top_1",),
            mix={"mosaic": 0.5},
            run_dir=tmp_path / "run",
        )
