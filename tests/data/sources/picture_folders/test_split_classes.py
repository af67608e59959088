"""Class folders of each split under one root, as ImageNet has them; also with a flat `val` and its list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from ddl.data.sources import detect_format, open_source, splits_of
from ddl.training.data.parts import open_part
from ddl.training.plan.plan import Plan
from tests.data import make

COUNTS = {"train": {"cat": 2, "dog": 3, "emu": 1}, "val": {"cat": 1, "emu": 2}}


def root(folder: Path, **options: Any) -> Path:
    """Write a root. Picture n of a split's class has a number of its own, see `number`."""
    for split, classes in COUNTS.items():
        for name, count in classes.items():
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                picture = make.picture(number(split, name, index))
                iio.imwrite(folder / split / name / f"{index}.png", picture)
    return folder


def number(split: str, name: str, index: int) -> int:
    return 100 * [*COUNTS].index(split) + 10 * [*COUNTS["train"]].index(name) + index


def flat(folder: Path, text: str | None, name: str = "val.txt") -> Path:
    """Write a root with a flat `val` of a cat and two emus, and a list."""
    root(folder)
    for place, new in (("cat/0", "a"), ("emu/0", "b"), ("emu/1", "c")):
        (folder / "val" / f"{place}.png").rename(folder / "val" / f"{new}.png")
    for class_folder in ("cat", "emu"):
        (folder / "val" / class_folder).rmdir()
    if text is not None:
        (folder / name).write_text(text)
    return folder


def test_train_and_val_are_splits(tmp_path: Path) -> None:
    path = root(tmp_path / "in")
    assert detect_format(path) == "split-classes"
    assert splits_of(path) == ("train", "validation")
    train = open_source(path)
    assert train.class_names == ("cat", "dog", "emu")
    assert train.read_column("label").tolist() == [0, 0, 1, 1, 1, 2]
    assert np.array_equal(train.read([3])["image"][0], make.picture(number("train", "dog", 1)))
    assert train.name_of(3) == "train/dog/1.png"
    assert train.describe().startswith(
        "3 classes: cat (2), dog (3), emu (1); pictures of 12x16 RGB"
    )


def test_labels_of_val_are_those_of_train_also_with_a_class_less(tmp_path: Path) -> None:
    source = open_source(root(tmp_path / "in"), split="validation")
    assert source.read([0, 1, 2])["label"].tolist() == [0, 2, 2]
    assert source.class_names == ("cat", "dog", "emu")


@pytest.mark.parametrize("names", [("training", "valid"), ("Train", "Validation")])
def test_other_names_of_the_folders(tmp_path: Path, names: tuple[str, str]) -> None:
    path = root(tmp_path / "in")
    for old, new in zip(COUNTS, names, strict=True):
        (path / old).rename(path / new)
    assert splits_of(path) == ("train", "validation")
    assert len(open_source(path, split="validation")) == 3


LISTS = {
    "names of classes": "a.png cat\nb.png emu\n\nc.png emu\n",
    "numbers": "val/c.png 2\na.png 0\nb.png 2",
    "CSV with a header and boxes": "ImageId,PredictionString\na,cat 1 2 3 4\nb,emu 1 2 3 4\nc,emu 5",
}


@pytest.mark.parametrize("case", LISTS)
@pytest.mark.parametrize("name", ["val.txt", "LOC_val_solution.csv", "val/val.txt", "other.lst"])
def test_a_flat_val_has_its_labels_from_a_list(tmp_path: Path, case: str, name: str) -> None:
    path = flat(tmp_path / "in", LISTS[case], name)
    given = {"picture_list": str(path / name)} if name == "other.lst" else {}
    source = open_source(path, split="validation", **given)
    assert source.read([0, 1, 2])["label"].tolist() == [0, 2, 2]
    assert np.array_equal(source.read([2])["image"][0], make.picture(number("val", "emu", 1)))


def test_numbers_from_1(tmp_path: Path) -> None:
    path = flat(tmp_path / "in", "a 1\nb 3\nc 3")
    assert open_source(path, split="validation", label_base=1).read_column("label").tolist() == [
        0,
        2,
        2,
    ]


def test_a_class_map_orders_and_names_the_classes(tmp_path: Path) -> None:
    path = root(tmp_path / "in")
    (tmp_path / "map.txt").write_text("emu a large bird\nowl\ndog\ncat cat, tabby\n")
    source = open_source(path, class_map=str(tmp_path / "map.txt"))
    assert source.class_names == ("emu a large bird", "owl", "dog", "cat cat, tabby")
    assert source.read_column("label").tolist() == [3, 3, 2, 2, 2, 0]
    assert "owl (0)" in source.describe()


def test_cmyk_jpegs_and_pngs_named_jpeg_are_read(tmp_path: Path) -> None:
    """ImageNet has 22 of the former and one of the latter."""
    path = root(tmp_path / "in")
    red = Image.new("CMYK", (16, 12), (0, 255, 255, 0))
    red.save(path / "train/cat/1.JPEG")
    (path / "train/cat/1.png").unlink()
    (path / "train/cat/0.png").rename(path / "train/cat/0.JPEG")
    batch = open_source(path).read([0, 1])
    assert np.array_equal(batch["image"][0], make.picture(number("train", "cat", 0)))
    assert np.abs(batch["image"][1].astype(int) - [255, 0, 0]).max() < 10
    assert batch["label"].tolist() == [0, 0]


def test_one_picture_of_a_class_trains(tmp_path: Path) -> None:
    """With a part held out, too, where it is in one of both."""
    path = make.classes(tmp_path / "in")
    (path / "cat/1.png").unlink()
    resnet = {"model": "resnet20", "loss": "categorical_crossentropy", "metric": ("top_1",)}
    plan = Plan(run_dir=tmp_path / "run", data=str(path), validation_part=0.25, **resnet)
    parts = [open_part(plan, part) for part in ("train", "validation")]
    labels = np.concatenate([part.read_column("label") for part in parts])  # type: ignore[arg-type]
    assert sorted(labels) == [0, 1, 1, 1]


def test_masks_of_splits_are_no_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        make.folders(tmp_path / "in" / split)
    with pytest.raises(ValueError, match="which has no known format"):
        detect_format(tmp_path / "in")


def test_pictures_beside_class_folders_are_said(tmp_path: Path) -> None:
    path = root(tmp_path / "in")
    (path / "train/cat/1.png").rename(path / "train/left.png")
    assert open_source(path).describe().endswith("not read: beside the folders (1)")


def other_class(folder: Path) -> Path:
    (root(folder) / "val/cat").rename(folder / "val/cow")
    return folder


def empty_class(folder: Path) -> Path:
    (root(folder) / "train/fox").mkdir()
    return folder


def two_names(folder: Path) -> Path:
    (root(folder) / "validation").mkdir()
    return folder


def with_map(text: str) -> Callable[[Path], Path]:
    def given(folder: Path) -> Path:
        (root(folder).parent / "map.txt").write_text(text)
        return folder

    return given


MAP = {"class_map": "map.txt"}
VAL = {"split": "validation"}
BAD: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "a class of val alone": (other_class, VAL, "val/cow, a class that is not in "),
    "an empty class": (
        empty_class,
        {},
        "train/fox without a picture. Expected: pictures of that class",
    ),
    "no such split": (root, {"split": "test"}, "split='test' of "),
    "unknown split": (root, {"split": "val"}, "Expected one of: train, validation, test"),
    "two folders of a split": (two_names, VAL, "with val and validation. Expected: one folder for"),
    "flat without a list": (
        lambda tmp: flat(tmp, None),
        VAL,
        "with 3 pictures and no class folders. Expected: class folders; or a list",
    ),
    "a list that is not there": (
        lambda tmp: flat(tmp, None),
        VAL | {"picture_list": "none.txt"},
        "none.txt, which cannot be read (No such file",
    ),
    "a list of numbers alone": (
        lambda tmp: flat(tmp, "490\n361\n171\n"),
        VAL,
        "'490' in line 1 of ",
    ),
    "a list with a picture missing": (
        lambda tmp: flat(tmp, "a.png cat\nc.png emu"),
        VAL,
        "without b.png and 0 more pictures of the folder",
    ),
    "a list with a picture too many": (
        lambda tmp: flat(tmp, "a cat\nb emu\nc emu\nd cat"),
        VAL,
        "'d' in line 4 of ",
    ),
    "a list with a picture twice": (
        lambda tmp: flat(tmp, "a cat\na.png emu\nb emu\nc cat"),
        VAL,
        "line 2 of ",
    ),
    "a list with an unknown class": (
        lambda tmp: flat(tmp, "a cat\nb owl\nc emu"),
        VAL,
        "class 'owl' in line 2 of ",
    ),
    "a list with a number out of range": (
        lambda tmp: flat(tmp, "a 0\nb 3\nc 2"),
        VAL,
        "or a number from 0 to 2",
    ),
    "a list of bytes": (
        lambda tmp: flat(tmp, None) and (tmp / "val.txt").write_bytes(b"\xff\xfe") and tmp,
        VAL,
        "val.txt, which is not UTF-8",
    ),
    "a map without a class": (
        with_map("cat\ndog"),
        MAP,
        "train/emu, a class that is not in class_map",
    ),
    "a map with a class twice": (
        with_map("cat\ndog\ncat x"),
        MAP,
        "with cat twice, again in line 3",
    ),
    "an empty map": (with_map("\n"), MAP, "map.txt with 0 classes"),
    "no such map": (root, {"class_map": "none"}, "none, which cannot be read (No such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_roots_that_do_not_fit_get_one_line(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, options, message = BAD[case]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^Received: .*Expected") as caught:
        open_source(write(tmp_path / "in"), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
