"""A picture that is read by rows equals the picture that is read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from ddl.data.pictures.picture_file import read_picture
from ddl.data.pictures.picture_rows import TiffRows, open_rows

WAYS: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 7},
    {"rowsperstrip": 16, "compression": "zlib"},
    {"tile": (16, 32)},
    {"tile": (32, 16), "compression": "zlib", "predictor": True},
    {"rowsperstrip": 7, "compression": "lzw", "predictor": True},
    {"tile": (16, 32), "compression": "zstd"},
    {"rowsperstrip": 16, "compression": "packbits"},
    {"byteorder": ">"},
    {"bigtiff": True, "tile": (16, 16)},
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_rows_of_a_tiff_equal_those_of_the_whole_picture(
    tmp_path: Path, way: dict[str, Any], dtype: type, channels: int
) -> None:
    path = tmp_path / "a.tif"
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (50, 41, channels), dtype)
    photometric = "rgb" if channels == 3 else "minisblack"
    options = dict(way)
    order = options.pop("byteorder", None)
    tifffile.imwrite(
        path, values if channels == 3 else values[..., 0], photometric=photometric,
        **options, **({"byteorder": order} if order else {}),
    )  # fmt: skip
    whole = read_picture(path)
    with open_rows(path, large_pixels=0) as rows:
        assert isinstance(rows, TiffRows)
        assert (rows.shape, rows.dtype) == (values.shape, values.dtype)
        for start, stop in ((0, 50), (3, 9), (31, 33), (40, 50), (0, 20)):
            np.testing.assert_array_equal(rows[start:stop], whole[start:stop])


def test_other_pictures_are_decoded_whole(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    Image.fromarray(grey).save(tmp_path / "jpeg.tif", compression="jpeg")
    tifffile.imwrite(tmp_path / "white.tif", grey, photometric="miniswhite")
    Image.fromarray(grey).save(tmp_path / "a.png")
    for name in ("jpeg.tif", "white.tif", "a.png"):
        with open_rows(tmp_path / name, large_pixels=0) as rows:
            assert isinstance(rows, np.ndarray), name
            np.testing.assert_array_equal(rows, read_picture(tmp_path / name))


def test_large_and_damaged_pictures_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((50, 40), np.uint8), compression="zlib", rowsperstrip=10)
    with pytest.raises(ValueError, match=r"a.tif of 40 x 50 pixels. Expected: 1 to 1999"):
        open_rows(path, 1999, 0).__enter__()
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[3]
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with open_rows(path, large_pixels=0) as rows:
        assert rows[:30].shape == (30, 40, 1)
        with pytest.raises(ValueError, match=r"a.tif, damaged at row 30"):
            rows[25:35]
