"""Files written row by row can be read by other programs."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from ddl.data.pictures.picture_file import read_mask
from ddl.inference.prediction.overlay import SIDE_PX, Overlay, draw_overlay
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.result_files import MaskFiles, result_paths
from ddl.inference.prediction.row_writers import PALETTE, PngWriter
from ddl.inference.tiles.resizing import resize_bands

PICTURE = np.random.default_rng(0).integers(0, 255, (41, 30, 3), np.uint8)
CHANCES = np.random.default_rng(1).random((41, 30, 3), np.float32)


def write(folder: Path, form: str, classes: int, chances: np.ndarray = CHANCES, **more) -> Path:
    prediction = Prediction("run", "in", folder, format=form, probabilities=True, **more)
    shown = PICTURE if chances.ndim == 3 else np.stack([PICTURE] * len(chances))
    with MaskFiles(prediction, "sub/a", shown, classes) as files:
        for start in range(0, len(chances), 7):
            files.write(start, chances[start : start + 7, ..., :classes])
    return result_paths(folder, "sub/a", form)[0]


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("form", ["png", "tiff", "npy", "hdf5"])
def test_masks_of_every_format_can_be_read_back(tmp_path: Path, form: str, classes: int) -> None:
    path = write(tmp_path, form, classes)
    expected = CHANCES.argmax(-1) if classes == 3 else CHANCES[..., 0] > 0.5
    chances = tmp_path / "sub" / "a.probabilities.npy"
    if form in ("png", "tiff"):
        stored = read_mask(path, "classes" if classes == 3 else "binary")[..., 0]
        with Image.open(path) as shown:
            assert np.asarray(shown).max() == (2 if classes == 3 else 255)
    elif form == "npy":
        stored = np.load(path)
    else:
        with h5py.File(path) as file:
            stored = file["mask"][()]
            np.testing.assert_array_equal(file["probabilities"], CHANCES[..., :classes])
    np.testing.assert_array_equal(stored, expected)
    if form != "hdf5":
        np.testing.assert_array_equal(np.load(chances), CHANCES[..., :classes])
    written = {one.name for one in path.parent.iterdir()}
    assert written == {path.name} | ({chances.name} if form != "hdf5" else set())


@pytest.mark.parametrize("form", ["tiff", "npy", "hdf5"])
def test_volumes_are_written_slice_by_slice(tmp_path: Path, form: str) -> None:
    chances = np.stack([CHANCES] * 9) * np.linspace(0, 1, 9, dtype=np.float32)[:, None, None, None]
    path = write(tmp_path, form, 1, chances, overlay=True)
    readers = {"tiff": tifffile.imread, "npy": np.load, "hdf5": lambda p: h5py.File(p)["mask"][()]}
    assert (readers[form](path) > 0).tolist() == (chances[..., 0] > 0.5).tolist()
    with Image.open(tmp_path / "sub/a.overlay.png") as overlay:
        assert overlay.size == (30, 41)


@pytest.mark.parametrize("form", ["png", "tiff", "npy", "hdf5"])
def test_an_error_leaves_no_files(tmp_path: Path, form: str) -> None:
    options = {"format": form, "probabilities": True, "overlay": True}
    prediction = Prediction("run", "in", tmp_path, **options)

    def fail() -> None:
        with MaskFiles(prediction, "a", PICTURE, 1) as files:
            files.write(0, CHANCES[:7, :, :1])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_png_of_several_classes_has_a_palette(tmp_path: Path) -> None:
    with PngWriter(tmp_path / "a.png", (2, 3), PALETTE[:3]) as writer:
        writer.write(np.array([[0, 1, 2]], np.uint8))
        writer.write(np.array([[2, 2, 0]], np.uint8))
    shown = Image.open(tmp_path / "a.png")
    assert np.asarray(shown).tolist() == [[0, 1, 2], [2, 2, 0]]
    assert shown.convert("RGB").getpixel((1, 0)) == PALETTE[1]


def test_an_overlay_outlines_and_shrinks() -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[1:5, 1:5] = 1
    drawn = draw_overlay(np.full((6, 6, 1), 100, np.uint8), mask)
    assert (drawn == PALETTE[1]).all(-1).sum() == 12  # the outline, not the inside
    overlay = Overlay((3 * SIDE_PX, 30))
    picture = np.arange(3 * SIDE_PX, dtype=np.uint16)[:, None, None].repeat(30, 1)
    for start in range(0, len(picture), 100):
        rows = picture[start : start + 100]
        overlay.add(start, picture, np.zeros(rows.shape[:2], np.uint8))
    assert overlay._picture is not None
    assert overlay._picture[:, 0, 0].tolist() == list(range(0, 3 * SIDE_PX, 3))


def test_resizing_keeps_constants_ramps_and_sizes() -> None:
    values = np.random.default_rng(0).random((5, 6, 2), np.float32)
    ((_, same),) = resize_bands(values, (5, 6))
    assert same is values
    ramp = (np.arange(8, dtype=np.float32) + 0.5)[:, None, None] * np.ones((1, 3, 1), np.float32)
    bands = list(resize_bands(ramp, (32, 9), band_rows=5))
    assert [start for start, _ in bands] == list(range(0, 32, 5))
    found = np.concatenate([band for _, band in bands])
    assert found.shape == (32, 9, 1)
    np.testing.assert_allclose(found[2:-2, 4, 0], (np.arange(32)[2:-2] + 0.5) / 4, rtol=1e-6)
