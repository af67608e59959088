"""One HDF5 file has the samples of COCO, YOLO and VOC, their splits, and what results need to name pictures."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ddl.boxes.rows import padded_rows
from ddl.data.preparation.preparation import Preparation
from ddl.data.preparation.prepare import prepare
from ddl.data.source import Source, Subset
from ddl.data.sources import open_source
from ddl.data.sources.boxed_pictures.picture_facts import (
    PictureFacts,
    category_ids,
    fit_of,
    picture_facts,
)
from tests.data.boxes import box_files
from tests.data.boxes.box_files import WRITERS


def prepared(source: Path, output: Path, **options: object) -> Path:
    given = {"image_size": (32, 48), "workers": 1, **options}
    prepare(Preparation(source=source, output=output, **given))
    return output


def samples(source: Source) -> list[tuple[bytes, bytes]]:
    """Return the bytes of each picture and of its boxes, whatever the number of rows."""
    batch = source.read(range(len(source)))
    rows = [padded_rows(rows[rows[:, 0] >= 0], 9).tobytes() for rows in batch["boxes"]]
    return list(zip((p.tobytes() for p in batch["image"]), rows, strict=True))


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("name", WRITERS)
def test_the_file_has_the_samples_of_the_files(tmp_path: Path, name: str, fit: str) -> None:
    path = WRITERS[name](tmp_path / "data")
    file = prepared(path, tmp_path / "a.h5", fit=fit)
    assert fit_of(open_source(file)) == fit
    for split in ("train", "validation"):
        stored = open_source(file, split=split)
        whole = open_source(path, split=split, image_size=(32, 48), fit=fit)
        assert samples(stored) == samples(whole)
        assert fit_of(whole) == fit
        assert stored.class_names == whole.class_names == box_files.NAMES


@pytest.mark.parametrize("name", WRITERS)
def test_pictures_and_classes_are_named_as_those_of_the_files(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / "data")
    stored = open_source(prepared(path, tmp_path / "a.h5"), split="validation")
    files = open_source(path, split="validation", image_size=(32, 48))
    for index in range(2):
        facts, other = picture_facts(stored, index), picture_facts(Subset(files, [0, 1]), index)
        assert facts.size == other.size == box_files.SIDES
        assert facts.name.endswith(f"/{4 + index}.png")
        if name == "coco":
            assert facts.number == other.number == 1000 - 3 * index
    assert category_ids(stored) == category_ids(files)
    assert category_ids(files) == (box_files.CATEGORY_IDS if name == "coco" else (0, 1, 2))


def test_pictures_without_files_are_named_by_their_place() -> None:
    source = Subset(open_source("synthetic-boxes", count=9, size=(40, 64)), [7, 3])
    assert picture_facts(source, 1) == PictureFacts("3", (40, 64), 3)
    assert category_ids(source) == (0, 1, 2)


def test_the_description_is_that_of_all_files(tmp_path: Path) -> None:
    file = prepared(box_files.voc(tmp_path / "data"), tmp_path / "a.h5")
    kinds = np.concatenate([box_files.drawn(n).classes for n in range(6)])
    counts = ", ".join(f"{k} ({int((kinds == n).sum())})" for n, k in enumerate(box_files.NAMES))
    line = f"6 pictures with boxes of 3 classes: {counts}; 32x48 RGB"
    assert open_source(file).describe() == open_source(file, split="train").describe() == line


def test_folds_are_of_all_but_the_test_split(tmp_path: Path) -> None:
    file = prepared(box_files.yolo(tmp_path / "data"), tmp_path / "a.h5", folds=3)
    sizes = [len(open_source(file, split="validation", fold=fold)) for fold in range(3)]
    assert sizes == [2, 2, 2]


def test_data_without_splits_are_divided(tmp_path: Path) -> None:
    scenes = [box_files.drawn(n) for n in range(5)]
    box_files.write_pictures(tmp_path / "data" / "images", scenes)
    box_files.write_labels(tmp_path / "data" / "labels", scenes)
    file = prepared(tmp_path / "data", tmp_path / "a.h5", validation=0.4, test=0.2)
    sizes = [len(open_source(file, split=split)) for split in ("train", "validation", "test")]
    assert sizes == [2, 2, 1]


def test_a_test_split_is_taken_of_training_pictures_where_it_is_asked_for(tmp_path: Path) -> None:
    file = prepared(box_files.yolo(tmp_path / "data"), tmp_path / "a.h5", test=0.25)
    sizes = [len(open_source(file, split=split)) for split in ("train", "validation", "test")]
    assert sizes == [3, 2, 1]


def test_a_fraction_for_a_split_that_is_there_is_refused(tmp_path: Path) -> None:
    path = box_files.yolo(tmp_path / "data")
    with pytest.raises(ValueError, match=r"validation=0\.3 for .* has a validation split of its"):
        prepared(path, tmp_path / "a.h5", validation=0.3)


def test_options_of_masks_and_of_boxes_are_refused_for_the_others(tmp_path: Path) -> None:
    path = box_files.yolo(tmp_path / "data")
    with pytest.raises(ValueError, match=r"mask_mode=classes for .*, pictures with boxes"):
        prepared(path, tmp_path / "a.h5", mask_mode="classes")
    box_files.write_pictures(tmp_path / "classes" / "cat", [box_files.drawn(0)])
    with pytest.raises(ValueError, match=r"fit=stretch for .*, pictures without boxes"):
        prepared(tmp_path / "classes", tmp_path / "a.h5", fit="stretch")


def test_an_unreadable_picture_is_skipped_with_its_split(tmp_path: Path) -> None:
    path = box_files.coco(tmp_path / "data")
    (path / "train2017" / "2.png").write_bytes(b"broken")
    file = prepared(path, tmp_path / "a.h5", on_error="skip")
    assert [len(open_source(file, split=split)) for split in ("train", "validation")] == [3, 2]


def test_arrays_of_ones_own_may_have_boxes(tmp_path: Path) -> None:
    pictures = np.zeros((3, 8, 8, 1), np.uint8)
    rows = np.stack([padded_rows(np.array([[1, 0, 0, 0.5, 1, 0]]), 2)] * 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"], file["boxes"] = pictures, rows
    np.savez(tmp_path / "a.npz", image=pictures, boxes=rows)
    for name in ("a.h5", "a.npz"):
        source = open_source(tmp_path / name)
        assert np.array_equal(source.read([2, 0])["boxes"], rows[:2])
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["image"], file["boxes"] = pictures, rows[..., :4]
    with pytest.raises(ValueError, match=r"boxes of shape \(2, 4\).*Expected: rows of 6 floats"):
        open_source(tmp_path / "b.h5")
