"""Files with boxes that cannot be right end with one line that names the file and the place in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.sources import open_source
from tests.data.boxes import box_files

Edit = Callable[[Path], object]


def coco(change: Callable[[dict[str, Any]], object]) -> Edit:
    """Return what changes the values of COCO's JSON of training pictures, written one element a line."""

    def edit(root: Path) -> None:
        file = box_files.coco(root) / "annotations" / "instances_train2017.json"
        content = json.loads(file.read_text())
        change(content)
        file.write_text(json.dumps(content, indent=1))

    return edit


def coco_text(old: str, new: str) -> Edit:
    def edit(root: Path) -> None:
        file = box_files.coco(root) / "annotations" / "instances_train2017.json"
        text = json.dumps(json.loads(file.read_text()), indent=1)
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return edit


def yolo(line: str, place: str = "labels/train/0.txt") -> Edit:
    """Return what adds a line to a text file."""

    def edit(root: Path) -> None:
        file = box_files.yolo(root) / place
        file.write_text(file.read_text() + line + "\n")

    return edit


def yaml(text: str) -> Edit:
    return lambda root: (box_files.yolo(root) / "data.yaml").write_text(text)


def voc(old: str, new: str, place: str = "Annotations/0.xml") -> Edit:
    def edit(root: Path) -> None:
        file = box_files.voc(root) / place
        text = re.sub(old, new, file.read_text(), count=1)
        assert text != file.read_text()
        file.write_text(text)

    return edit


def annotation(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["annotations"][1].update(values)


def picture(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["images"][1].update(values)


def other_size(root: Path) -> None:
    box_files.voc(root)
    iio.imwrite(root / "JPEGImages" / "0.png", np.zeros((60, 40, 3), np.uint8))


def read(path: Path) -> None:
    """Open the data and read all samples."""
    source = open_source(path)
    source.read(range(len(source)))


def two_json(root: Path) -> None:
    box_files.write_pictures(root, [box_files.drawn(0)])
    for name in ("a", "b"):
        (root / f"{name}.json").write_text(json.dumps(box_files.coco_dict([box_files.drawn(0)])))


def without(path: str, writer: Callable[[Path], Path]) -> Edit:
    return lambda root: (writer(root) / path).unlink()


BAD: dict[str, tuple[Edit, str]] = {
    # COCO
    "coco: unknown picture": (coco(annotation(image_id=5)), r"annotation 101 .*image_id 5, which"),
    "coco: unknown class": (coco(annotation(category_id=3)), r"annotation 101 .*category_id 3, "),
    "coco: no class": (coco(annotation(category_id=None)), r"annotation 101 .*category_id 'None'"),
    "coco: three numbers": (
        coco(annotation(bbox=[1, 2, 3])),
        r"annotation 101 .*line \d+.*bbox \[",
    ),
    "coco: words": (coco(annotation(bbox=["a", 1, 2, 3])), "Expected: four numbers: x, y, width"),
    "coco: no width": (coco(annotation(bbox=[3, 3, 0, 5])), r"annotation 101 .*an area above 0"),
    "coco: turned": (coco(annotation(bbox=[30, 3, -5, 5])), r"annotation 101 .*an area above 0"),
    "coco: outside": (
        coco(annotation(bbox=[50, 3, 20, 5])),
        r"x from 0.83\d* to 1.16\d*.*wrong_boxes",
    ),
    "coco: NaN": (
        coco(annotation(bbox=[1, 2, 3, float("nan")])),
        r"line \d+.*finite numbers, not NaN",
    ),
    "coco: infinite": (
        coco(annotation(bbox=[1, 2, 1e300, 1e308 * 1])),
        r"annotation 101 .*inside the",
    ),
    "coco: no size": (coco(picture(width=0)), r"picture 997 .*width '0'. Expected: a whole number"),
    "coco: way out": (
        coco(picture(file_name="../1.png")),
        r"picture 997 .*'../1.png'. Expected: the",
    ),
    "coco: absolute": (coco(picture(file_name="/etc/x.png")), r"picture 997 .*below its folder"),
    "coco: lost picture": (coco(picture(file_name="9.png")), r"the picture 9.png, which is not in"),
    "coco: two of one id": (coco(picture(id=1000)), r"two images of id 1000. Expected: one"),
    "coco: two classes of one id": (
        coco(lambda c: c["categories"].append({"id": 2, "name": "x"})),
        r"category 2 .*\(line \d+\), the second of this id",
    ),
    "coco: nameless class": (
        coco(lambda c: c["categories"][0].pop("name")),
        r"category 90 .*a text",
    ),
    "coco: no categories": (coco(lambda c: c.pop("categories")), "without categories"),
    "coco: a list": (
        coco(lambda c: c["images"].insert(0, [1])),
        r"line \d+, where images has '\[1\]'",
    ),
    "coco: cut off": (coco_text('"categories"', '"categ'), r"line \d+, with .*Expected: "),
    "coco: a missing comma": (coco_text('"iscrowd": 0,', '"iscrowd": 0'), r"line \d+, with"),
    "coco: too deep": (
        coco_text('"iscrowd": 0', f'"iscrowd": {"[" * 100000}{"]" * 100000}'),
        "less deeply nested",
    ),
    "coco: two files": (two_json, "with a.json and b.json. Expected: one JSON file for each split"),
    # YOLO
    "yolo: a word": (yolo("cat 0.5 0.5 0.1 0.1"), r"0.txt, line \d+: 'cat 0.5.*Expected: numbers"),
    "yolo: unknown class": (yolo("3 0.5 0.5 0.1 0.1"), r"0.txt, line \d+: .*a class from 0 to 2"),
    "yolo: half a class": (yolo("0.5 0.5 0.5 0.1 0.1"), r"line \d+: .*a class, counted from 0"),
    "yolo: with a score": (yolo("0 0.5 0.5 0.1 0.1 0.9"), r"line \d+: .*Expected: 5 numbers"),
    "yolo: pixels": (yolo("0 30 20 10 10"), r"0.txt, line \d+, with x from 25 to 35.*wrong_boxes"),
    "yolo: NaN": (yolo("0 0.5 nan 0.1 0.1"), r"0.txt, line \d+, with .*Expected: finite numbers"),
    "yolo: no height": (yolo("0 0.5 0.5 0.1 0"), r"0.txt, line \d+, with .*an area above 0"),
    "yolo: no names": (
        yaml("train: images/train\nnames: 3\n"),
        "with names 3. Expected: a list of",
    ),
    "yolo: a gap": (
        yaml("train: images/train\nnames: {0: a, 2: b}\n"),
        "0, 1, 2, ... without a gap",
    ),
    "yolo: wrong nc": (yaml("train: images/train\nnc: 4\nnames: [a]\n"), "nc: 4 and 1 names"),
    "yolo: lost folder": (yaml("train: x/y\nnames: [a]\n"), "with x/y, which is not at"),
    "yolo: an object": (
        yaml("train: !!python/object/apply:os.system ['true']\nnames: [a]\n"),
        r"data.yaml, line 1, with an alias or a tag",
    ),
    "yolo: aliases": (yaml("x: &x [a]\nnames: *x\ntrain: images/train\n"), "line 2, with an alias"),
    "yolo: no yaml": (
        yaml("names: [a\ntrain: images/train\n"),
        r"data.yaml, line \d+, which is no",
    ),
    "yolo: empty list": (
        lambda r: [
            yaml("train: list.txt\nnames: [a]\n")(r),
            (r / "list.txt").write_text("images/train/77.png\n"),
        ],
        r"list.txt, line 1, with images/train/77.png, which does not exist",
    ),
    # VOC
    "voc: no number": (voc("<xmin>.*?</xmin>", "<xmin>a</xmin>"), r"0.xml, line \d+, .*bndbox has"),
    "voc: no corner": (voc("<ymax>.*?</ymax>", ""), r"0.xml, line \d+, .*the numbers xmin, ymin"),
    "voc: turned": (
        voc("<xmax>.*?</xmax>", "<xmax>0</xmax>"),
        r"0.xml, line \d+, .*an area above 0",
    ),
    "voc: outside": (
        voc("<xmax>.*?</xmax>", "<xmax>99</xmax>"),
        r"0.xml, line \d+, .*inside the pic",
    ),
    "voc: no width": (voc("<width>60", "<width>x"), "0.xml with width 'x' and height '40'"),
    "voc: an entity": (
        voc("^", '<!DOCTYPE a [<!ENTITY x "y">]>'),
        r"0.xml, line 1, with a DOCTYPE or an entity",
    ),
    "voc: an external file": (
        voc("^", '<!DOCTYPE a SYSTEM "file:///etc/passwd">'),
        r"0.xml, line 1, with a DOCTYPE or an entity",
    ),
    "voc: no xml": (voc("</size>", ""), r"0.xml, line \d+, which is no XML \(mismatched tag\)"),
    "voc: another xml": (
        voc("(?s)^.*$", "<html></html>"),
        "0.xml, line 1, with the element html. Expected: annotation",
    ),
    "voc: no such file": (
        voc("0\n", "zero\n", "ImageSets/Main/train.txt"),
        r"train.txt, line 1, with zero, which has no file in",
    ),
    "voc: no picture": (without("JPEGImages/2.png", box_files.voc), "2.xml without a picture in"),
    "voc: class not in the list": (
        lambda r: (box_files.voc(r) / "classes.txt").write_text("disk\nring\n"),
        r"\d.xml, line \d+, with an object of class 'rod'. Expected: one of disk, ring",
    ),
    "voc: two pictures of one name": (
        lambda r: (box_files.voc(r) / "JPEGImages" / "0.jpg").write_bytes(b""),
        "JPEGImages with 0.jpg and 0.png. Expected: one picture for each XML file",
    ),
    "voc: other size": (
        other_size,
        "0.png of 40 x 60 pixels, whose annotations say 60 x 40 .turned",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_the_line_names_the_file_and_the_place(tmp_path: Path, case: str) -> None:
    edit, message = BAD[case]
    edit(tmp_path / "data")
    with pytest.raises(ValueError, match=message) as raised:
        read(tmp_path / "data")
    text = str(raised.value)
    assert text.startswith("Received: ")
    assert " Expected: " in text
    assert "\n" not in text


def test_other_sizes_need_an_image_size(tmp_path: Path) -> None:
    box_files.write_pictures(
        tmp_path / "images", [box_files.drawn(0), box_files.drawn(1, (50, 60))]
    )
    box_files.write_labels(tmp_path / "labels", [box_files.drawn(0)])
    with pytest.raises(
        ValueError, match=r"1\.png of 60 x 50 pixels, 0\.png of 60 x 40.*image_size"
    ):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "crop"}, "fit='crop'. Expected one of: letterbox, stretch"),
        ({"wrong_boxes": "skip"}, "wrong_boxes='skip'. Expected one of: stop, mend"),
        ({"split": "test"}, "Expected one of: train, validation"),
        ({"mask_mode": "classes"}, "Unknown option of data format voc"),
    ],
)
def test_unknown_options_are_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    path = box_files.voc(tmp_path / "data")
    with pytest.raises(ValueError, match=message):
        open_source(path, **options)
