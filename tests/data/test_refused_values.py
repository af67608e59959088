"""Masks and pictures with values that are none are refused, and the sample or its file is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.inputs_and_targets import (
    LabelSamples,
    MaskSamples,
    count_classes,
    count_mask_classes,
)
from ddl.data.source import Source, Subset
from ddl.data.sources import open_source
from ddl.data.sources.arrays import Arrays
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan
from tests.data import make
from tests.scripts.prepare_runs import prepare_here

PICTURES = np.zeros((4, 16, 16, 1), np.float32)


def masks_of(*values: float, dtype: type = np.int16) -> Arrays:
    """Return a source whose masks are 0 but for the left half, which has these values, one a sample."""
    masks = np.zeros((len(values), 16, 16, 1), dtype)
    masks[:, :, :8] = np.array(values, dtype)[:, None, None, None]
    return Arrays({"image": PICTURES[: len(values)], "mask": masks}, "test")


@pytest.mark.parametrize("classes", [1, 3])
def test_masks_of_minus_1_are_refused_by_sample(classes: int) -> None:
    samples = MaskSamples(masks_of(0, 1, -1, 1), classes)
    samples.read([0, 1, 3])
    with pytest.raises(
        ValueError, match=r"class -1 in sample 2\..*ignore_index=-1 to leave it out"
    ):
        samples.read([1, 2])


def test_a_value_outside_the_classes_is_refused_by_sample() -> None:
    with pytest.raises(ValueError, match=r"class 3 in sample 1\. Expected: 0 to 2; correct the"):
        MaskSamples(masks_of(2, 3), 3).read([0, 1])


def test_several_values_in_masks_of_one_class_are_refused_unless_classes_is_1() -> None:
    source = masks_of(1, 255, 2)
    source.read([0])
    source._arrays["mask"][2, 0, 0] = 1
    strict = MaskSamples(source, any_foreground=False)
    assert strict.read([0, 1])["mask"].max() == 1
    with pytest.raises(
        ValueError, match=r"values 0, 1, 2 in the mask of sample 2.*set classes=3; or"
    ):
        strict.read([2])
    numbers = MaskSamples(source, any_foreground=False, as_numbers=True)
    with pytest.raises(ValueError, match=r"of two outputs.*for classes a network of 3 outputs\.$"):
        numbers.read([2])
    assert MaskSamples(source).read([2])["mask"][0, :, :8].min() == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_pictures_are_refused_by_sample(value: float) -> None:
    pictures = PICTURES.copy()
    pictures[2, 3, 4] = value
    source = Arrays({"image": pictures, "mask": np.zeros((4, 16, 16, 1), np.uint8)}, "test")
    samples = MaskSamples(Subset(source, [3, 2, 0]))
    samples.read([0, 2])
    with pytest.raises(
        ValueError, match=r"NaN or infinity in the picture of sample 2\. Expected: fin"
    ):
        samples.read([0, 1])
    labels = Arrays({"image": pictures, "label": np.array([0, 1, 0, 1])}, "test")
    with pytest.raises(ValueError, match="picture of sample 2"):
        LabelSamples(labels, 2).read([2])


def test_pictures_whose_sum_is_infinite_are_no_nan() -> None:
    source = Arrays({"image": PICTURES + 3e38, "mask": np.zeros((4, 16, 16, 1), np.uint8)}, "test")
    assert len(MaskSamples(source).read([0, 1])["image"]) == 2


def test_nan_masks_are_refused_by_sample() -> None:
    with pytest.raises(ValueError, match="NaN or infinity in the mask of sample 1"):
        MaskSamples(masks_of(1, np.nan, dtype=np.float32)).read([0, 1])


def test_the_file_of_a_sample_is_named(tmp_path: Path) -> None:
    make.pairs(tmp_path, 3)
    (tmp_path / "cell-1_mask.gif").unlink()
    iio.imwrite(tmp_path / "cell-1_mask.png", np.full((12, 16), 9, np.uint8))
    source = open_source(tmp_path, mask_mode="classes")
    MaskSamples(source, 10).read([1])
    with pytest.raises(ValueError, match=r"class 9 in sample cell-1.png"):
        MaskSamples(source, 9).read([1])


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("number", [-1, 255])
def test_ignore_index_passes_through_masks(classes: int, number: int) -> None:
    samples = MaskSamples(masks_of(0, 1, number), classes, ignore_index=number)
    mask = samples.read([2, 1])["mask"]
    assert mask[0, :, :8].min() == mask[0, :, :8].max() == number
    assert mask[1, :, :8].min() == 1
    assert mask[:, :, 8:].max() == 0


def test_an_ignored_number_that_is_the_foreground_is_refused() -> None:
    with pytest.raises(ValueError, match="ignore_index=1 for masks of one class"):
        MaskSamples(masks_of(0), 1, ignore_index=1)


def test_ignore_index_passes_through_labels() -> None:
    source = Arrays({"image": PICTURES, "label": np.array([0, -1, 2, 1])}, "test")
    assert count_classes(source, -1) == 3
    assert LabelSamples(source, 3, ignore_index=-1).read([0, 1])["label"].tolist() == [0, -1]
    with pytest.raises(
        ValueError, match=r"label -1 in sample 1\. Expected: classes counted from 0"
    ):
        count_classes(source)
    with pytest.raises(ValueError, match=r"label -1 in sample 1\. Expected: 0 to 2"):
        LabelSamples(source, 3)


class OfValues(Arrays):
    """Masks whose class numbers the file knows."""

    def __init__(self, values: tuple[int, ...]) -> None:
        super().__init__({"image": PICTURES, "mask": np.zeros((4, 16, 16, 1), np.uint8)}, "test")
        self._values = values

    @property
    def mask_values(self) -> tuple[int, ...]:
        return self._values


@pytest.mark.parametrize(
    ("values", "ignored", "classes"),
    [
        ((), None, 1),
        ((0,), None, 1),
        ((0, 1), None, 1),
        ((1,), None, 1),
        ((0, 1, 2), None, 3),
        ((1, 2, 3), None, 4),
        ((0, 1, 2, 255), 255, 3),
        ((0, 255), 255, 1),
    ],
)
def test_the_number_of_classes_comes_from_the_file(
    values: tuple[int, ...], ignored: int | None, classes: int
) -> None:
    assert count_mask_classes(Subset(OfValues(values), [0]), ignored) == classes


def test_a_gap_in_the_class_numbers_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"numbers 0 to 2, 255. Expected: no gap; set classes=256 .* loss ignore_index=255",
    ):
        count_mask_classes(OfValues((0, 1, 2, 255)))


def of_classes(folder: Path, most: int = 3) -> Path:
    """Write pairs whose masks hold the classes 0 to `most`."""
    make.pairs(folder, 12, height=16, width=16)
    for index in range(12):
        mask = np.random.default_rng(index).integers(0, most + 1, (16, 16)).astype(np.uint8)
        (folder / f"cell-{index}_mask.gif").unlink()
        iio.imwrite(folder / f"cell-{index}_mask.png", mask)
    return folder


def test_prepare_data_mask_mode_classes_then_a_training_without_classes(tmp_path: Path) -> None:
    of_classes(tmp_path / "in")
    flags = ["--mask-mode", "classes", "--image-size", "16"]
    prepare_here(tmp_path / "in", tmp_path / "a.h5", *flags)
    source = open_source(tmp_path / "a.h5")
    assert source.mask_values == (0, 1, 2, 3)
    assert source.describe() == ("12 pictures with masks of class numbers 0 to 3, 16x16 RGB")
    source.close()
    data = open_data(Plan(run_dir=tmp_path / "run", data=str(tmp_path / "a.h5")))
    assert data.classes == 4
    assert set(np.unique(data.training.read([0, 1])["mask"])) == {0, 1, 2, 3}


def test_a_binary_file_of_prepare_data_is_of_one_class(tmp_path: Path) -> None:
    make.pairs(tmp_path / "in", 12)
    prepare_here(tmp_path / "in", tmp_path / "a.h5", "--image-size", "16")
    assert open_data(Plan(run_dir=tmp_path / "run", data=str(tmp_path / "a.h5"))).classes == 1


def test_pictures_of_classes_need_their_number(tmp_path: Path) -> None:
    options = {"mask_mode": "classes"}
    plan = {"run_dir": tmp_path / "run", "data": str(of_classes(tmp_path / "in"))}
    with pytest.raises(ValueError, match=r"mask_mode=classes without a number of classes"):
        open_data(Plan(**plan, data_option=options))
    assert open_data(Plan(**plan, data_option=options, classes=4)).classes == 4


OPENED: dict[str, Callable[[Path], Source]] = {
    "npz": lambda t: open_source(make.npz(t / "a.npz")),
    "hdf5": lambda t: open_source(make.hdf5(t / "a.h5")),
}


@pytest.mark.parametrize("name", OPENED)
def test_good_masks_are_as_before(tmp_path: Path, name: str) -> None:
    source = OPENED[name](tmp_path)
    _, masks = make.arrays()
    for samples in (MaskSamples(source), MaskSamples(source, any_foreground=False)):
        np.testing.assert_array_equal(samples.read(range(5))["mask"], masks.astype(np.float32))
    source.close()


def test_a_plan_gives_metrics_what_the_loss_leaves_out(tmp_path: Path) -> None:
    plan = Plan(
        run_dir=tmp_path,
        loss_option={"ignore_index": 255},
        metric=("dice", "hausdorff_95"),
        metric_option={"hausdorff_95": {"spacing": (2.0,)}},
    )
    assert plan.ignore_index == 255
    assert plan.options_of_metric("dice") == {"ignore_index": 255}
    assert plan.options_of_metric("hausdorff_95") == {"spacing": (2.0,), "ignore_index": 255}
    assert Plan(run_dir=tmp_path).options_of_metric("dice") == {}
    with pytest.raises(ValueError, match=r"dice.ignore_index=-1 for a loss with ignore_index=None"):
        Plan(run_dir=tmp_path, metric_option={"dice": {"ignore_index": -1}})
