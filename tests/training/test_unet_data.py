"""Where the U-Net's pictures come from: every layout of pictures and masks gives the same model the same numbers."""

from __future__ import annotations

from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.samples import ArraySamples, MaskSamples
from ddl.data.sources import open_source
from ddl.data.synthetic import microscope_picture
from ddl.training.plan import UnetPlan
from ddl.training.unet_data import open_data


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures with masks in the layout of pairs."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        picture, mask = microscope_picture(number, 32)
        iio.imwrite(folder / f"{number}.png", (picture * 255).astype(np.uint8))
        iio.imwrite(folder / f"{number}_mask.gif", (mask[..., 0] * 255).astype(np.uint8))
    return folder


def test_pairs_become_pictures_and_masks_from_0_to_1(pictures: Path, tmp_path: Path) -> None:
    plan = UnetPlan(tmp_path / "run", data=str(pictures), image_size=16, validation_part=0.2)
    data = open_data(plan)
    assert (len(data.training), len(data.validation)) == (8, 2)
    assert data.picture_shape == (16, 16, 3)
    images, masks = data.training.read([0, 3]).values()
    assert images.dtype == masks.dtype == np.float32
    assert 0.2 < images.mean() < 1
    assert set(np.unique(masks)) <= {0.0, 1.0}
    again = open_data(plan).training.read([0, 3])
    assert np.array_equal(images, again["image"])


def test_a_prepared_file_keeps_its_own_splits(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["image"] = np.zeros((6, 16, 16, 1), np.uint8)
        file["mask"] = np.ones((6, 16, 16, 1), np.uint8)
    data = open_data(
        UnetPlan(tmp_path / "run", data=str(tmp_path / "cells.h5"), validation_part=0.3)
    )
    assert (len(data.training), len(data.validation)) == (4, 2)
    assert data.picture_shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("shape", "mask", "message"),
    [
        ((20, 20, 3), (20, 20, 1), r"20x20 .*2\*\*depth = 8 divides"),
        ((16, 16, 3), (16, 16, 2), r"Expected: \(height, width, channels\) with"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(
    tmp_path: Path, shape: tuple[int, ...], mask: tuple[int, ...], message: str
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, images=np.zeros((5, *shape), np.uint8), masks=np.zeros((5, *mask), np.uint8))
    with pytest.raises(ValueError, match=message):
        open_data(UnetPlan(tmp_path / "run", data=str(path)))


def test_labels_are_no_masks_and_lengths_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, images=np.zeros((5, 16, 16, 3), np.uint8), labels=np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match=r"Expected: image and mask"):
        MaskSamples(open_source(path))
    with pytest.raises(ValueError, match=r"3 inputs and 2 targets"):
        ArraySamples(np.zeros(3), np.zeros(2))
