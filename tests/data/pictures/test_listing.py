"""Folders of pictures and masks are known by their names; what a layout leaves out is said."""

from __future__ import annotations

import itertools
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.pictures.listing import MASK_FOLDERS, PICTURE_FOLDERS, match
from ddl.data.preprocessing import Preprocessing
from ddl.data.sources import detect_format, open_source
from ddl.inference.prediction.inputs import find_items
from tests.data import make

NAMED = [
    *itertools.product(("images", "image", "imgs", "img"), ("masks", "mask", "labels", "label")),
    *(("image", "gt"), ("img", "annotations"), ("Images", "Masks"), ("IMG", "GT")),
    *(("Image", "Ground Truth"), ("raw", "seg"), ("inputs", "targets")),
]


def renamed(folder: Path, pictures: str, masks: str) -> Path:
    make.folders(folder, 3)
    (folder / "images").rename(folder / "kept")
    (folder / "masks").rename(folder / masks)
    (folder / "kept").rename(folder / pictures)
    return folder


@pytest.mark.parametrize(("pictures", "masks"), NAMED)
def test_image_and_label_and_other_names_are_pictures_with_masks(
    tmp_path: Path, pictures: str, masks: str
) -> None:
    folder = renamed(tmp_path / "in", pictures, masks)
    assert detect_format(folder) == "folders"
    source = open_source(folder)
    assert list(source.fields) == ["image", "mask"]
    np.testing.assert_array_equal(source.read([2])["mask"][0, ..., 0], make.mask(2) // 255)


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [("train", "train_masks"), ("Train_Images", "Train_Masks"), ("a-img", "a ground truth")],
)
def test_folders_of_one_beginning_are_pictures_with_masks(
    tmp_path: Path, pictures: str, masks: str
) -> None:
    folder = renamed(tmp_path / "in", pictures, masks)
    (folder / "zoo").mkdir()
    assert open_source(folder).describe().startswith("3 pictures with masks")
    (folder / masks / "2.png").rename(folder / masks / "7.png")  # not a mask for each: classes
    assert detect_format(folder) == "classes"


@pytest.mark.parametrize("names", [("with_mask", "without_mask"), ("face", "face_gt_2")])
def test_other_names_of_one_beginning_are_classes(tmp_path: Path, names: tuple[str, str]) -> None:
    assert detect_format(renamed(tmp_path / "in", *names)) == "classes"


def test_no_name_is_of_both_kinds() -> None:
    assert not set(PICTURE_FOLDERS) & set(MASK_FOLDERS)


@pytest.mark.parametrize("names", [("cat", "label"), ("photo", "scans"), ("img", "dog")])
def test_one_such_name_alone_is_a_class(tmp_path: Path, names: tuple[str, str]) -> None:
    make.classes(tmp_path)
    for old, new in zip(("cat", "dog"), names, strict=True):
        (tmp_path / old).rename(tmp_path / new)
    assert detect_format(tmp_path) == "classes"


def test_two_folders_of_pictures_are_refused(tmp_path: Path) -> None:
    make.folders(tmp_path)
    (tmp_path / "img").mkdir()
    with pytest.raises(ValueError, match=r"with images, img, masks. Expected: one folder of pict"):
        detect_format(tmp_path)


@pytest.mark.parametrize("ending", ["_mask", "_label", "_gt", "_seg", "_annotation", ""])
def test_a_mask_may_end_with_what_it_is(tmp_path: Path, ending: str) -> None:
    listing = match(tmp_path, [Path("images/a_1.png")], [Path(f"gt/a_1{ending}.png")])
    assert len(listing.samples) == 1
    assert listing.problems == ()


def test_a_mask_of_the_pictures_own_name_goes_first(tmp_path: Path) -> None:
    names = [Path("cell.png"), Path("cell_gt.png")]
    listing = match(tmp_path, [Path("i") / name for name in names], [Path("m") / n for n in names])
    assert [sample.mask for sample in listing.samples] == [Path("m") / name for name in names]


@pytest.mark.parametrize("kind", ["folders", "pairs", "classes"])
def test_what_a_layout_leaves_out_is_said(tmp_path: Path, kind: str) -> None:
    folder = getattr(make, kind)(tmp_path / "in")
    if kind != "classes":
        (folder / "test").mkdir()
        iio.imwrite(folder / "test" / "a.png", make.picture(0))
    if kind != "pairs":
        iio.imwrite(folder / "b.png", make.picture(0))
    said = open_source(folder).describe().partition("; not read: ")[2]
    assert (
        said
        == {
            "folders": "beside the folders (1), test (1)",
            "pairs": "test (1)",
            "classes": "beside the folders (1)",
        }[kind]
    )


def test_predict_takes_the_pictures_of_such_folders_alone(tmp_path: Path) -> None:
    renamed(tmp_path / "in", "Image", "label")
    how = Preprocessing(target="mask", channels=3, classes=1)
    items = find_items(tmp_path / "in", how, 10**6)
    assert [item.name for item in items] == ["Image/0", "Image/1", "Image/2"]
