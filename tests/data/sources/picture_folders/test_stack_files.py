"""TIFF stacks are volumes to train on, as they are to predict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from ddl.data.preprocessing import Preprocessing
from ddl.data.sources import open_source
from ddl.inference.prediction.inputs import find_items
from ddl.training.data.plan_preprocessing import plan_preprocessing
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan

SHAPE = (8, 16, 24)


def volume(index: int, dtype: type = np.uint8, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 200, shape).astype(dtype)


def stacks(
    folder: Path,
    dtype: type = np.uint8,
    shape: tuple[int, ...] = SHAPE,
    compression: str | None = None,
    count: int = 4,
) -> Path:
    """Write `images/0.tif` and `masks/0.tif`, and so on: a page for each slice."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        kind = {"photometric": "rgb" if len(shape) == 4 else "minisblack"}
        tifffile.imwrite(
            folder / "images" / f"{index}.tif",
            volume(index, dtype, shape),
            compression=compression,
            **kind,
        )
        mask = (volume(index, shape=shape[:3]) > 100).astype(np.uint8)
        tifffile.imwrite(folder / "masks" / f"{index}.tif", mask * 255, photometric="minisblack")
    return folder


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_stack_is_a_volume(tmp_path: Path, dtype: type, compression: str | None) -> None:
    source = open_source(stacks(tmp_path / "in", dtype, compression=compression))
    batch = source.read([2, 0])
    assert batch["image"].shape == (2, *SHAPE, 1)
    assert batch["image"].dtype == dtype
    np.testing.assert_array_equal(batch["image"][0, ..., 0], volume(2, dtype))
    np.testing.assert_array_equal(batch["mask"][1, ..., 0], volume(0) > 100)
    depth = {np.uint8: "", np.uint16: ", 16 bits", np.float32: ", float32"}[dtype]
    assert source.describe() == f"4 volumes with masks, 8x16x24 grey{depth}"


def test_a_stack_of_colours(tmp_path: Path) -> None:
    source = open_source(stacks(tmp_path / "in", shape=(*SHAPE, 3)))
    np.testing.assert_array_equal(source.read([1])["image"][0], volume(1, shape=(*SHAPE, 3)))


def test_a_training_takes_the_tiff_stacks_that_predict_takes(tmp_path: Path) -> None:
    folder = stacks(tmp_path / "in", np.uint16)
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(folder),
        data_option={"range": "0,199"},
        model_option={"depth": 2},
        validation_part=0.25,
    )
    data = open_data(plan)
    assert data.input_shape == (*SHAPE, 1)
    how = plan_preprocessing(plan, data.input_shape, data.classes, data.training)
    assert (how.axes, how.channels, how.range) == (3, 1, (0.0, 199.0))
    (item, *_) = find_items(folder, how, 10**6)
    with item.open() as rows:
        found = np.asarray(rows[0:8])
    index = [data.training.name_of(n) for n in range(3)].index(f"{item.name}.tif")
    np.testing.assert_array_equal(found, data.training.read([index])["image"][0])


def other_shape(folder: Path) -> None:
    tifffile.imwrite(folder / "images/2.tif", volume(2, shape=(6, 16, 24)))


def other_mask(folder: Path) -> None:
    tifffile.imwrite(folder / "masks/0.tif", volume(2, shape=(6, 16, 24)))


def one_page(folder: Path) -> None:
    tifffile.imwrite(folder / "images/2.tif", volume(2)[0])


def cut(folder: Path) -> None:
    path = folder / "images/3.tif"
    path.write_bytes(path.read_bytes()[:9])


def nothing(_: Path) -> None:
    """Leave the folder as it is."""


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (
            nothing,
            {"image_size": (16, 16)},
            "image_size=16x16 for stacks .*volumes are not resized",
        ),
        (nothing, {"bits": 16}, "bits=16 for stacks of 8 bits"),
        (nothing, {"pixel_limit": 100}, "of 3072 voxels. Expected: 1 to 100; raise pixel_limit"),
        (other_shape, {}, "2.tif of 6x16x24x1 uint8, .*0.tif of 8x16x24x1 uint8"),
        (other_mask, {}, "masks/0.tif of shape 6x16x24 for .*0.tif of 8x16x24. Expected: the same"),
        (one_page, {}, "2.tif of shape 16x24. Expected: a TIFF of several pages"),
        (cut, {}, "3.tif, which is not a complete TIFF"),
        (nothing, {"mask_mode": "classes"}, ""),
    ],
)
def test_stacks_that_do_not_fit_are_refused(
    tmp_path: Path, spoil: Callable[[Path], Any], options: dict[str, Any], message: str
) -> None:
    folder = stacks(tmp_path / "in")
    spoil(folder)
    if not message:
        assert open_source(folder, **options).read([0])["mask"].max() == 255
        return
    with pytest.raises(ValueError, match=rf"Received: .*{message}"):
        open_source(folder, **options).read([0])


def test_predict_reads_volumes_as_before(tmp_path: Path) -> None:
    """Without a range they come as stored."""
    folder = stacks(tmp_path / "in")
    how = Preprocessing(target="mask", channels=1, classes=1, axes=3)
    with find_items(folder, how, 10**6)[1].open() as rows:
        np.testing.assert_array_equal(rows[0:8][..., 0], volume(1))
