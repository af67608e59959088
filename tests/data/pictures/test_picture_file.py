"""Pictures of every kind are read as they were saved; damaged files are refused in one line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from PIL import Image

from ddl.data.pictures.conversion import Conversion, unit_range
from ddl.data.pictures.listing import Sample
from ddl.data.pictures.picture_file import read_mask, read_picture, read_size
from tests.data import make

DEEP = np.arange(12 * 16 * 4, dtype=np.uint16).reshape(12, 16, 4) * 85


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif", "deflate.tif", "planar.tif", "lzw.tif"])
def test_8_bits_come_back(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"a.{suffix}"
    values = make.picture(3, channels=channels)
    flat = values[..., 0] if channels == 1 else values
    if suffix == "planar.tif" and channels > 1:
        tifffile.imwrite(
            path, np.moveaxis(values, -1, 0), planarconfig="separate", photometric="rgb"
        )
    elif suffix == "lzw.tif":
        Image.fromarray(flat).save(path, compression="tiff_lzw")
    elif suffix == "deflate.tif":
        tifffile.imwrite(path, flat, compression="zlib")
    else:
        iio.imwrite(path, flat)
    assert np.array_equal(read_picture(path), values)
    assert read_size(path) == (12, 16)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
def test_16_bit_tiffs_come_back(tmp_path: Path, channels: int, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    values = DEEP[..., :channels]
    flat = values[..., 0] if channels == 1 else values
    tifffile.imwrite(
        path, flat, compression=compression, photometric="minisblack" if channels == 1 else "rgb"
    )
    assert np.array_equal(read_picture(path), values)
    assert read_picture(path).dtype == np.uint16
    assert read_size(path) == (12, 16)


def test_a_16_bit_tiff_that_lost_values_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP[..., 0], compression="jpeg2000")
    with pytest.raises(ValueError, match=r"JPEG2000. Expected: none, LZW, Deflate, PackBits or Z"):
        read_picture(tmp_path / "a.tif")


def test_a_16_bit_grey_png_comes_back(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "a.png", DEEP[..., 0])
    assert np.array_equal(read_picture(tmp_path / "a.png"), DEEP[..., :1])


def test_a_palette_becomes_colours_and_a_jpeg_stays_near(tmp_path: Path) -> None:
    values = make.picture(1) // 64 * 64
    Image.fromarray(values).quantize(256).save(tmp_path / "a.gif")
    assert np.abs(read_picture(tmp_path / "a.gif").astype(int) - values).max() <= 8
    smooth = np.full((12, 16, 3), (200, 100, 50), np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg")
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - smooth).max() <= 3


def test_an_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(make.picture(2))
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png"), np.rot90(make.picture(2), -1))
    assert read_size(tmp_path / "a.png") == (16, 12)


def test_masks_of_0_and_1_and_of_0_and_255_are_the_same(tmp_path: Path) -> None:
    wanted = make.mask(1)[..., None] // 255
    for top in (1, 255):
        iio.imwrite(tmp_path / "m.png", make.mask(1) // 255 * top)
        assert np.array_equal(read_mask(tmp_path / "m.png"), wanted)
    Image.fromarray(make.mask(1)).save(tmp_path / "m.jpg", quality=60)  # blurs the edges
    assert np.array_equal(read_mask(tmp_path / "m.jpg"), wanted)
    black_and_white = Image.fromarray(make.mask(1)).convert("1")
    black_and_white.save(tmp_path / "m.tif")
    assert np.array_equal(read_mask(tmp_path / "m.tif"), wanted)


def test_classes_are_palette_indices(tmp_path: Path) -> None:
    indices = (make.picture(0, channels=1)[..., 0] % 4).astype(np.uint8)
    image = Image.fromarray(indices, mode=None).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png", "classes")[..., 0], indices)
    assert np.array_equal(read_mask(tmp_path / "m.png")[..., 0], indices > 0)


def test_shrinking_averages_areas_and_masks_keep_their_values(tmp_path: Path) -> None:
    values = make.picture(4, 12, 16)
    how = Conversion((4, 4))
    areas = values.reshape(4, 3, 4, 4, 3).mean((1, 3))
    assert np.abs(how.convert(values) - areas).max() <= 0.5 + 1e-3
    classes = (make.picture(4, 12, 16, 1) % 5).astype(np.uint8)
    for size in ((4, 4), (30, 40), (5, 33)):
        shrunk = Conversion(size).convert_mask(classes)
        assert shrunk.shape == (*size, 1)
        assert set(np.unique(shrunk)) <= set(np.unique(classes))


@pytest.mark.parametrize("channels", ["grey", "rgb", "rgba"])
@pytest.mark.parametrize("bits", [8, 16])
def test_white_stays_white_in_every_form(channels: str, bits: int) -> None:
    for dtype in (np.uint8, np.uint16):
        for received in (1, 3, 4):
            white = np.full((6, 6, received), np.iinfo(dtype).max, dtype)
            converted = Conversion((3, 9), channels, bits).convert(white)
            assert converted.dtype == f"uint{bits}"
            assert converted.min() == 2**bits - 1
    clear = np.zeros((2, 2, 4), np.uint8)
    assert Conversion(None, "rgb").convert(clear).min() == 255  # drawn over white


def test_every_depth_comes_to_0_to_1() -> None:
    for dtype, white in ((np.uint8, 255), (np.uint16, 65535), (np.float64, 1), (bool, 1)):
        scaled = unit_range(np.array([0, white]).astype(dtype))
        assert scaled.dtype == np.float32
        assert scaled.tolist() == [0, 1]
    with pytest.raises(ValueError, match="dtype int16"):
        unit_range(np.zeros(2, np.int16))


def png(path: Path) -> bytes:
    iio.imwrite(path, make.picture(0))
    return path.read_bytes()


def frames(path: Path) -> None:
    iio.imwrite(path, np.stack([make.picture(0), make.picture(1)]))


def bomb(path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(buffer, "PNG", compress_level=9)  # 24 kB, 196 MP
    path.write_bytes(buffer.getvalue())


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no picture": ("a.png", lambda p: p.write_text("hello"), "damaged or not a picture"),
    "empty": ("a.jpg", lambda p: p.write_bytes(b""), "damaged or not a picture"),
    "cut short": ("a.png", lambda p: p.write_bytes(png(p)[:60]), "damaged or not a picture"),
    "another format": (
        "a.png",
        lambda p: Image.new("L", (4, 4)).save(p, "BMP"),
        "damaged or not a picture",
    ),
    "absent": ("a.png", lambda _: None, "No such file"),
    "a folder": ("a.png", lambda p: p.mkdir(), "Is a directory"),
    "GIF of two frames": ("a.gif", frames, "with 2 frames. Expected: one"),
    "TIFF of two pages": ("a.tif", frames, "with 2 frames. Expected: one"),
    "deep TIFF of two pages": (
        "a.tif",
        lambda p: tifffile.imwrite(p, DEEP[None, ..., 0].repeat(2, 0), photometric="minisblack"),
        "with 2 frames. Expected: one",
    ),
    "floats": (
        "a.tif",
        lambda p: tifffile.imwrite(p, np.zeros((4, 4), np.float32)),
        "values of float32",
    ),
    "two channels": (
        "a.tif",
        lambda p: tifffile.imwrite(
            p, DEEP[..., :2], photometric="minisblack", planarconfig="contig"
        ),
        "with 2 channels",
    ),
    "turned deep TIFF": (
        "a.tif",
        lambda p: tifffile.imwrite(p, DEEP[..., 0], extratags=[(274, "H", 1, 6, True)]),
        "with EXIF orientation 6. Expected: 1; save it upright",
    ),
    "bomb": ("a.png", bomb, "of far more pixels. Expected: 1 to 80000000"),
    "large": ("a.png", lambda p: Image.new("1", (10_000, 9_000)).save(p), "of 10000 x 9000 pixels"),
    "deep bomb": (
        "a.tif",
        lambda p: tifffile.memmap(p, shape=(10_000, 10_000), dtype=np.uint16),
        "of 10000 x 10000 pixels",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unreadable_picture_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    name, write, message = REFUSED[case]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=r"^Received: .*Expected: ") as caught:
        read_picture(tmp_path / name)
    assert message in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_coloured_mask_has_no_classes(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "m.png", make.picture(0))
    with pytest.raises(ValueError, match=r"3 channels .*need mask_mode=binary"):
        read_mask(tmp_path / "m.png", "classes")


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "a.png", make.picture(0))
    iio.imwrite(tmp_path / "m.png", make.mask(0, 12, 17))
    with pytest.raises(
        ValueError, match=r"of 17 x 12 pixels for .* of 16 x 12. Expected: the same"
    ):
        Conversion().read(Sample(tmp_path / "a.png", tmp_path / "m.png"))


@pytest.mark.filterwarnings("ignore")  # a damaged file may warn before it is refused, or be whole
@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "tif", "deep.tif"])
def test_no_damage_escapes_as_another_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "deep.tif":
        tifffile.imwrite(path, DEEP[..., :3], photometric="rgb", compression="zlib")
    else:
        Image.fromarray(make.picture(0)).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for position in rng.integers(0, min(len(damaged), 300), 2):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_picture(path, 100_000).size <= 400_000
        except ValueError as error:
            assert str(error).startswith("Received: ")  # noqa: PT017
