"""COCO, YOLO and VOC give the boxes that were drawn, in pictures of any size."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ddl.boxes.fitting import place
from ddl.boxes.rows import CLASS, CORNERS, boxes_in
from ddl.data.source import Source
from ddl.data.sources import detect_format, open_source, splits_of
from ddl.data.sources.boxed_pictures.boxed_files import BoxedFiles
from ddl.data.sources.relabelled import relabelled
from tests.data.boxes import box_files
from tests.data.boxes.box_files import SIDES, WRITERS, drawn, rows_of


def opened(path: Path, **options: object) -> BoxedFiles:
    source = open_source(path, **options)
    assert isinstance(source, BoxedFiles)
    return source


def check_rows(source: Source, wanted: list[np.ndarray], tolerance: float = 2e-6) -> None:
    rows = source.read(range(len(source)))["boxes"]
    assert len(rows) == len(wanted)
    for found, expected in zip(rows, wanted, strict=True):
        boxes = boxes_in(found)
        assert boxes[:, CLASS].tolist() == expected[:, CLASS].tolist()
        assert np.allclose(boxes, expected, atol=tolerance)


@pytest.mark.parametrize("name", WRITERS)
def test_the_layout_is_detected_and_gives_what_was_drawn(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / "data")
    assert detect_format(path) == name
    assert splits_of(path) == ("train", "validation")
    for split, numbers in (("train", range(4)), ("validation", range(4, 6))):
        source = opened(path, split=split)
        scenes = [drawn(n) for n in numbers]
        assert source.class_names == box_files.NAMES
        check_rows(source, rows_of(scenes))
        pictures = source.read(range(len(source)))["image"]
        assert np.array_equal(pictures, np.stack([one.picture for one in scenes]))
        assert [source.name_of(n).rpartition("/")[2] for n in range(len(source))] == [
            f"{n}.png" for n in numbers
        ]
        assert source.size_of(0) == SIDES


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_read_is_said(tmp_path: Path, name: str) -> None:
    source = opened(WRITERS[name](tmp_path / "data"), image_size=(32, 32))
    kinds = np.concatenate([drawn(n).classes for n in range(4)])
    counts = ", ".join(f"{k} ({int((kinds == n).sum())})" for n, k in enumerate(box_files.NAMES))
    assert source.describe() == (
        f"4 pictures with boxes of 3 classes: {counts}; 40x60 RGB, read as 32x32 RGB (letterbox)"
    )


def test_a_picture_without_boxes_has_rows_without_boxes(tmp_path: Path) -> None:
    rows = opened(box_files.yolo(tmp_path / "data")).read([1])["boxes"][0]
    assert not (tmp_path / "data" / "labels" / "train" / "1.txt").exists()
    assert np.all(rows[:, CLASS] == -1)
    assert np.all(rows[:, 1:] == 0)


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_boxes_come_with_their_pictures_to_another_size(tmp_path: Path, fit: str) -> None:
    """A picture that is black but for one white box: its box is where the white is."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:80, 40:100] = 255
    iio.imwrite(tmp_path / "images" / "a.png", picture)
    (tmp_path / "labels" / "a.txt").write_text("0 0.35 0.5 0.3 0.6\n")
    source = opened(tmp_path, image_size=(64, 64), fit=fit, wrong_boxes="stop")
    batch = source.read([0])
    x0, y0, x1, y1 = boxes_in(batch["boxes"][0])[0, CORNERS] * 64
    white = batch["image"][0, ..., 0] > 190
    rows, columns = np.flatnonzero(white.any(1)), np.flatnonzero(white.any(0))
    found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert np.allclose(found, (x0, y0, x1, y1), atol=0.75)
    assert batch["image"][0, 0, 0, 0] == (114 if fit == "letterbox" else 0)


@pytest.mark.parametrize("stored", [(40, 60), (61, 33), (7, 500), (64, 64)])
def test_a_letterbox_keeps_the_ratio_and_can_be_undone(stored: tuple[int, int]) -> None:
    where = place(stored, (64, 96), "letterbox")
    scale = min(64 / stored[0], 96 / stored[1])
    assert np.allclose(where.inner, np.maximum(1, np.multiply(stored, scale)), atol=0.51)
    corners = np.array([[0.1, 0.2, 0.7, 0.9]])
    assert np.allclose(where.to_picture(where.to_input(corners)), corners)


def test_categories_lead_back_to_their_numbers(tmp_path: Path) -> None:
    annotations = opened(box_files.coco(tmp_path / "data")).annotations
    assert annotations.category_ids == box_files.CATEGORY_IDS
    assert annotations.picture_ids.tolist() == [1000, 997, 994, 991]


def test_crowds_and_difficult_objects_are_ignored_boxes(tmp_path: Path) -> None:
    coco, voc = box_files.coco(tmp_path / "coco"), box_files.voc(tmp_path / "voc")
    file = coco / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0].update(iscrowd=1, segmentation={"counts": [3, 4], "size": [40, 60]})
    file.write_text(json.dumps(content))
    xml = voc / "Annotations" / "0.xml"
    xml.write_text(xml.read_text().replace("<difficult>0", "<difficult>1", 1))
    for path in (coco, voc):
        assert boxes_in(opened(path).read([0])["boxes"][0])[:, -1].tolist()[:2] == [1, 0]


def test_a_json_file_beside_its_pictures(tmp_path: Path) -> None:
    scenes = [drawn(n) for n in range(3)]
    box_files.write_pictures(tmp_path, scenes)
    (tmp_path / "labels.json").write_text(json.dumps(box_files.coco_dict(scenes), indent=1))
    for path in (tmp_path, tmp_path / "labels.json"):
        assert detect_format(path) == "coco"
        assert splits_of(path) == ()
        check_rows(opened(path), rows_of(scenes))


def test_a_folder_for_each_split_as_roboflow_writes_them(tmp_path: Path) -> None:
    scenes = [drawn(n) for n in range(3)]
    for name in ("train", "valid"):
        for kind in ("coco", "voc", "yolo"):
            place = tmp_path / kind / name
            box_files.write_pictures(place / "images" if kind == "yolo" else place, scenes)
        text = json.dumps(box_files.coco_dict(scenes))
        (tmp_path / "coco" / name / "_annotations.coco.json").write_text(text)
        box_files.write_labels(tmp_path / "yolo" / name / "labels", scenes)
        for n, one in enumerate(scenes):
            (tmp_path / "voc" / name / f"{n}.xml").write_text(box_files.voc_xml(one))
    yaml = "train: ../train/images\nval: ../valid/images\nnc: 3\nnames: ['disk', 'ring', 'rod']\n"
    (tmp_path / "yolo" / "data.yaml").write_text(yaml)
    for kind in ("coco", "voc", "yolo"):
        assert detect_format(tmp_path / kind) == kind
        assert splits_of(tmp_path / kind) == ("train", "validation")
        check_rows(opened(tmp_path / kind, split="validation"), rows_of(scenes))


def test_a_list_of_pictures_and_outlines(tmp_path: Path) -> None:
    scenes = [drawn(0), drawn(2)]
    box_files.write_pictures(tmp_path / "images", scenes)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0.txt").write_text("1 0.1 0.2 0.5 0.2 0.3 0.6\n")
    (tmp_path / "train.txt").write_text("./images/0.png\n\nimages/1.png\n")
    (tmp_path / "cells.yaml").write_text("train: train.txt\nnames: [a, b]\n")
    source = opened(tmp_path / "cells.yaml")
    check_rows(source, [np.array([[1, 0.1, 0.2, 0.5, 0.6, 0]]), np.zeros((0, 6))])


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    box_files.yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert opened(tmp_path).class_names == ("0", "1", "2")
    (tmp_path / "classes.txt").write_text("disk\nring\nrod\n")
    assert opened(tmp_path).class_names == box_files.NAMES


def test_trainval_is_trained_on_where_there_is_no_train(tmp_path: Path) -> None:
    path = box_files.voc(tmp_path / "data")
    lists = path / "ImageSets" / "Main"
    (lists / "train.txt").rename(lists / "trainval.txt")
    assert len(opened(path)) == 4


def test_mended_boxes_are_cut_or_left_out_and_counted(tmp_path: Path) -> None:
    scenes = [drawn(0)]
    box_files.write_pictures(tmp_path, scenes)
    content = box_files.coco_dict(scenes)
    sizes = [[-5, 3, 20, 10], [5, 3, 0, 10], [50, 30, 10.4, 10], [3, 3, 4, 4]]
    content["annotations"] = [
        {"id": n, "image_id": 1000, "category_id": 2, "bbox": box} for n, box in enumerate(sizes)
    ]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"annotation 0 of .* Expected: from 0 to 1, inside"):
        opened(tmp_path)
    source = opened(tmp_path, wrong_boxes="mend")
    corners = boxes_in(source.read([0])["boxes"][0])[:, CORNERS] * (60, 40, 60, 40)
    assert np.allclose(corners, [[0, 3, 15, 13], [50, 30, 60, 40], [3, 3, 7, 7]], atol=1e-4)
    assert source.describe().endswith("; boxes cut: 1; boxes left out: 1")


def test_held_out_boxes_count_classes_as_training_does(tmp_path: Path) -> None:
    path = box_files.coco(tmp_path / "data")
    file = path / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] != 2]
    content["categories"] = [c for c in content["categories"] if c["id"] != 2]
    file.write_text(json.dumps(content))
    held_out = opened(path, split="validation")
    assert held_out.class_names == ("ring", "rod")
    found = relabelled(held_out, opened(path).class_names, "data").read([0, 1])["boxes"]
    kinds = [kind for n in (4, 5) for kind in drawn(n).classes.tolist() if kind != 0]
    assert [*found[found[..., CLASS] >= 0][:, CLASS]] == kinds
    with pytest.raises(ValueError, match=r"Received: class 'ring' in data, which the training"):
        relabelled(held_out, ("disk", "rod"), "data")


def test_pictures_without_a_file_are_counted_where_no_list_leaves_them_out(tmp_path: Path) -> None:
    scenes = [drawn(n) for n in range(3)]
    box_files.write_pictures(tmp_path, scenes)
    (tmp_path / "0.xml").write_text(box_files.voc_xml(scenes[0]))
    source = opened(tmp_path)
    check_rows(source, rows_of(scenes[:1]))
    assert source.describe().endswith("; 40x60 RGB; not read, without annotations: 2")


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    scenes = [drawn(0)]
    content = box_files.coco_dict(scenes)
    content["images"][0].update(width=60.0, height=40.0)
    box_files.write_pictures(tmp_path, scenes)
    (tmp_path / "a.json").write_text(json.dumps(content))
    check_rows(opened(tmp_path), rows_of(scenes))
