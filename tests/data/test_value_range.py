"""Pictures keep their depth, a range scales them, and a range that is hardly used is said with the flag that scales."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.inputs_and_targets import MaskSamples
from ddl.data.preprocessing import Preprocessing, preprocessing_from_json
from ddl.data.sources import open_source
from ddl.data.summary import summary_lines
from ddl.data.value_range import find_range, scale_values, to_text
from tests.data import make


def twelve_bits(index: int, height: int = 16, width: int = 16) -> np.ndarray:
    """Return 188 grey values and more of 0 to 4095, as a 12-bit camera stores them in 16 bits."""
    values = np.random.default_rng(index).integers(0, 4096, (height, width))
    values[0, 0], values[-1, -1] = 0, 4095
    return values.astype(np.uint16)


def camera(folder: Path, suffix: str, count: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        write = tifffile.imwrite if suffix == "tif" else iio.imwrite
        write(folder / f"{index}.{suffix}", twelve_bits(index))
        iio.imwrite(folder / f"{index}_mask.png", make.mask(index, 16, 16))
    return folder


def arrays_of(kind: str, path: Path) -> Path:
    pictures = np.stack([twelve_bits(index)[..., None] for index in range(3)])
    masks = np.zeros((3, 16, 16, 1), np.uint8)
    file = path / f"a.{kind}"
    if kind == "npz":
        np.savez(file, images=pictures, masks=masks)
    elif kind == "npy":
        np.save(file, pictures)
    else:
        with h5py.File(file, "w") as stored:
            stored["image"], stored["mask"] = pictures, masks
    return file


WRITERS: dict[str, Callable[[Path], Path]] = {
    "tif": lambda t: camera(t / "in", "tif"),
    "png": lambda t: camera(t / "in", "png"),
    "npz": lambda t: arrays_of("npz", t),
    "npy": lambda t: arrays_of("npy", t),
    "h5": lambda t: arrays_of("h5", t),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_12_bit_values_keep_their_depth(tmp_path: Path, kind: str) -> None:
    with contextlib.closing(open_source(WRITERS[kind](tmp_path))) as source:
        image = source.read([1])["image"][0, ..., :1]
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image[..., 0], twelve_bits(1))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_range_that_is_hardly_used_is_said_with_the_flag(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    with contextlib.closing(open_source(path)) as source:
        first, second = summary_lines("in", source)
        assert ", 16x16 grey, 16 bits" in first
        assert second == (
            "in: the values are 0 to 4095, where 0 is black and 65535 is white: --data-option range=0,4095 spreads "
            "them (or --data-option range=data, or percentiles: --data-option range=1%,99%)"
        )
    with contextlib.closing(open_source(path, range="0,4095")) as source:
        (line,) = summary_lines("in", source)
        assert line.endswith(", values 0,4095 scaled to 0 to 1")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("given", ["0,4095", "data", "0%,100%", (0, 4095)])
def test_a_range_spreads_the_values_over_0_to_1(tmp_path: Path, kind: str, given: Any) -> None:
    with contextlib.closing(open_source(WRITERS[kind](tmp_path), range=given)) as source:
        assert source.value_range == (0.0, 4095.0)
        if "mask" not in source.fields:
            return
        image = MaskSamples(source).read([1])["image"][0, ..., 0]
        np.testing.assert_allclose(image, twelve_bits(1) / 4095, atol=1e-5)
        assert len(np.unique(image)) == len(np.unique(twelve_bits(1)))


def test_percentiles_are_those_of_the_data(tmp_path: Path) -> None:
    with contextlib.closing(open_source(arrays_of("npz", tmp_path), range="1%,99%")) as source:
        every = np.stack([twelve_bits(index) for index in range(3)])
        assert source.value_range == pytest.approx(tuple(np.percentile(every, [1, 99])))


def test_eight_bits_of_a_range_keep_256_of_its_values(tmp_path: Path) -> None:
    """Of 12 bits in 16, reduced to 8, only 16 values are left without a range."""
    folder = camera(tmp_path / "in", "png")
    few = open_source(folder, bits=8).read([0, 1, 2])["image"]
    many = open_source(folder, bits=8, range="0,4095").read([0, 1, 2])["image"]
    assert len(np.unique(few)) <= 17
    assert len(np.unique(many)) > 200
    assert "range=0,4095" in summary_lines("in", open_source(folder, bits=8))[1]


def test_a_deeper_picture_among_8_bits_is_refused_and_named(tmp_path: Path) -> None:
    make.pairs(tmp_path, 2, height=16, width=16)
    iio.imwrite(tmp_path / "deep.png", twelve_bits(0))
    iio.imwrite(tmp_path / "deep_mask.png", make.mask(0, 16, 16))
    source = open_source(tmp_path)
    assert source.fields["image"].dtype == np.uint8
    with pytest.raises(
        ValueError, match=r"deep.png of 16 bits, but the first .* Expected: one dep"
    ):
        source.read([2])
    assert open_source(tmp_path, bits=16).read([2])["image"].max() == 4095


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("4095", "two numbers such as 0,4095, two percentiles such as 1%,99%, or data"),
        ("0,1,2", "two numbers"),
        ("a,b", "two numbers"),
        ("1%,5", "two numbers"),
        ("50%,101%", "two percentiles"),
        ("99%,1%", "two percentiles"),
        ("9,9", "the first below the second"),
        ("0,nan", "finite"),
        ("all", "or data"),
    ],
)
def test_what_is_no_range_is_refused(tmp_path: Path, given: str, message: str) -> None:
    for path in (make.pairs(tmp_path / "in"), make.hdf5(tmp_path / "a.h5")):
        with pytest.raises(ValueError, match=r"Received: range=.*Expected: ") as caught:
            open_source(path, range=given)
        assert message in str(caught.value)


def test_data_of_one_value_have_no_range() -> None:
    with pytest.raises(ValueError, match="which is 7 to 7 in these data"):
        find_range("data", 2, lambda _: np.full((4, 4, 1), 7))


@given(low=st.floats(-1e6, 1e6), length=st.floats(1e-3, 1e6), value=st.floats(-2e6, 2e6))
def test_scaling_is_linear_and_clipped(low: float, length: float, value: float) -> None:
    high = low + length
    if high <= low:
        return
    expected = np.clip((value - low) / (high - low), 0, 1)
    scaled = scale_values(np.array([value]), (low, high))
    assert scaled.dtype == np.float32
    tolerance = 1e-5 + 1e-6 * max(abs(low), abs(value)) / (high - low)
    assert scaled[0] == pytest.approx(expected, abs=tolerance)
    assert find_range(to_text((low, high)), 1, lambda _: np.zeros(1)) == (low, high)


def test_a_range_takes_signed_and_floating_values(tmp_path: Path) -> None:
    """Without one, signed numbers are refused, with the remedy, and floats beyond 0 to 1 are said."""
    masks = np.zeros((2, 16, 16, 1), np.uint8)
    tomography = np.linspace(-1000, 3000, 512).reshape(2, 16, 16, 1)
    np.savez(tmp_path / "i.npz", images=tomography.astype(np.int16), masks=masks)
    np.savez(tmp_path / "f.npz", images=tomography.astype(np.float32), masks=masks)
    with pytest.raises(ValueError, match=r"dtype int16.*such as range=-1000,3000"):
        MaskSamples(open_source(tmp_path / "i.npz"))
    assert "range=-1000,3000" in summary_lines("f", open_source(tmp_path / "f.npz"))[1]
    for name in ("i.npz", "f.npz"):
        image = MaskSamples(open_source(tmp_path / name, range="-1000,3000")).read([0, 1])["image"]
        np.testing.assert_allclose(image, (tomography + 1000) / 4000, atol=1e-3)


def test_the_range_is_kept_in_the_preprocessing() -> None:
    how = Preprocessing(target="mask", channels=1, classes=1, bits=16, range=(0, 4095))
    assert preprocessing_from_json(how.to_json()) == how
    picture = twelve_bits(3)[..., None]
    np.testing.assert_allclose(how.model_input(picture), picture / 4095, atol=1e-5)
    np.testing.assert_allclose(how.array_input(picture), picture / 4095, atol=1e-5)
    old = Preprocessing(target="mask", channels=1, classes=1, bits=16)
    assert "range" not in json.loads(old.to_json())  # as earlier versions wrote it
    with pytest.raises(ValueError, match="range"):
        Preprocessing(target="mask", channels=1, classes=1, range=(5, 5))


def test_transparency_is_not_scaled(tmp_path: Path) -> None:
    clear = np.zeros((16, 16, 4), np.uint16)
    clear[..., 3] = 65535
    clear[:8, :, :3] = 4095
    how = Preprocessing(target="mask", channels=3, classes=1, bits=16, range=(0, 4095))
    image = how.model_input(clear)
    assert image[:8].min() == 1
    assert image[8:].max() == 0
