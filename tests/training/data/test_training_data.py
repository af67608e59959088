"""A plan's data: every layout gives the same model the same numbers, and what does not fit is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.inputs_and_targets import ArraySamples, MaskSamples
from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.sources import open_source
from ddl.training.data.parts import open_part
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan


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
    plan = Plan(
        run_dir=tmp_path / "run", data=str(pictures), image_size=(16, 16), validation_part=0.2
    )
    data = open_data(plan)
    assert (len(data.training), len(data.validation)) == (8, 2)
    assert data.input_shape == (16, 16, 3)
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
    path = str(tmp_path / "cells.h5")
    data = open_data(Plan(run_dir=tmp_path / "run", data=path, validation_part=0.3))
    assert (len(data.training), len(data.validation)) == (4, 2)
    assert data.input_shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("shape", "mask", "message"),
    [
        ((20, 20, 3), (20, 20, 1), r"20x20 .*sides that 16 divides, such as 16x16"),
        ((16, 16, 3), (16, 16, 2), r"Expected: height x width x channels with"),
    ],
)
def test_pictures_that_do_not_fit_are_refused(
    tmp_path: Path, shape: tuple[int, ...], mask: tuple[int, ...], message: str
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, images=np.zeros((5, *shape), np.uint8), masks=np.zeros((5, *mask), np.uint8))
    with pytest.raises(ValueError, match=message):
        open_data(Plan(run_dir=tmp_path / "run", data=str(path)))


def test_labels_are_no_masks_and_lengths_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, images=np.zeros((5, 16, 16, 3), np.uint8), labels=np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match=r"Expected: image and mask"):
        MaskSamples(open_source(path))
    with pytest.raises(ValueError, match=r"3 of inputs, 2 of targets"):
        ArraySamples(np.zeros(3), np.zeros(2))


def test_labels_are_counted_and_masks_of_several_classes_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    resnet = {"model": "resnet20", "loss": "categorical_crossentropy", "metric": ("top_1",)}
    data = open_data(Plan(run_dir=run, data="faces", **resnet))
    assert (data.classes, data.input_shape) == (2, (25, 25, 1))
    assert len(data.training) + len(data.validation) == 200
    with pytest.raises(ValueError, match=r"image and mask.*train_resnet.py"):
        open_data(Plan(run_dir=run, data="faces"))
    with pytest.raises(ValueError, match=r"image and label.*train_unet.py"):
        open_data(Plan(run_dir=run, data="synthetic", **resnet))


def test_the_fingerprint_knows_the_samples(pictures: Path, tmp_path: Path) -> None:
    def fingerprint(**changes: object) -> str:
        plan = Plan(run_dir=tmp_path / "run", data=str(pictures), image_size=(16, 16))
        return open_data(dataclasses.replace(plan, **changes)).fingerprint

    assert fingerprint() == fingerprint(epochs=9, cache="none")
    assert fingerprint() != fingerprint(validation_part=0.3)
    assert fingerprint() != fingerprint(image_size=(32, 32))


def test_parts_of_the_data(pictures: Path, tmp_path: Path) -> None:
    plan = Plan(run_dir=tmp_path / "run", data=str(pictures), image_size=(16, 16))
    assert [len(open_part(plan, part)) for part in ("train", "validation", "all")] == [9, 1, 10]
    with pytest.raises(ValueError, match=r"part='test' of .*no splits"):
        open_part(plan, "test")


def test_every_rank_needs_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(run_dir=tmp_path / "run", data_option={"count": 5}, image_size=(16, 16))
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert len(open_data(plan).training) == 4
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "5")
    with pytest.raises(ValueError, match=r"4 training samples in synthetic for 5 ranks"):
        open_data(plan)


def test_a_file_in_a_folder_called_split_gets_its_splits(tmp_path: Path) -> None:
    (tmp_path / "split").mkdir()
    path = tmp_path / "split" / "cells.h5"
    path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"not an intact HDF5 file"):
        open_data(Plan(run_dir=tmp_path / "run", data=str(path)))
