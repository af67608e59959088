"""Reads a picture file into an array: GIF, JPEG, PNG, TIFF; 8 or 16 bits; grey, RGB, RGBA."""

from __future__ import annotations

import logging
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.files import check_regular
from ddl.ranges import check_choice

SUFFIXES = (".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
PIXEL_LIMIT = 80_000_000
MASK_MODES = ("binary", "classes")

_FORMATS = ("GIF", "JPEG", "PNG", "TIFF")
# Pillow's decoders raise any of these for a damaged file.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, AttributeError),
    *(OverflowError, NotImplementedError, ZeroDivisionError, AssertionError, RuntimeError),
    *(struct.error, zlib.error, MemoryError),
)
_COLOUR_MODES = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "LA": "RGBA", "PA": "RGBA"}
_OPENING = threading.Lock()  # Pillow's limit and warning filters are global to the process
# Lossless TIFF compressions, by their numbers in the header: none, LZW, Deflate (two), PackBits, Zstandard.
LOSSLESS_TIFF = (1, 5, 8, 32946, 32773, 50000)


class _Refusal(ValueError):
    """A ValueError raised here, to distinguish it from those of the decoders."""


@dataclass(frozen=True)
class PictureForm:
    """What the header of a picture says: the array that `read_picture` returns.

    Attributes:
        size: height and width.
        channels: 1, 3 or 4.
        bits: 8 or 16 per channel.
    """

    size: tuple[int, int]
    channels: int
    bits: int


def read_form(path: Path, pixel_limit: int = PIXEL_LIMIT) -> PictureForm:
    """Return size, channels and depth from the header, without decoding the picture."""
    check_regular(path)
    try:
        deep = _read_deep_tiff(path, pixel_limit, header_only=True)
        if deep is not None:
            return PictureForm((deep.shape[0], deep.shape[1]), deep.shape[2], 16)
        with _open(path, pixel_limit) as image:
            _check(path, image, pixel_limit)
            turned = _orientation(image) in (5, 6, 7, 8)
            size = (image.width, image.height) if turned else (image.height, image.width)
            is_deep = _is_deep_png(path) or image.mode.startswith("I")
            return PictureForm(size, _plain_channels(image), 16 if is_deep else 8)
    except _Refusal:
        raise
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def read_size(path: Path, pixel_limit: int = PIXEL_LIMIT) -> tuple[int, int]:
    """Return height and width from the header, without decoding the picture."""
    return read_form(path, pixel_limit).size


def read_picture(path: Path, pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Return the picture as uint8 or uint16 of shape (height, width, channels), channels 1, 3 or 4.

    A palette becomes colours, CMYK becomes RGB, and EXIF orientation is applied.

    Raises:
        ValueError: the picture is not readable, or has more than `pixel_limit` pixels or more than one frame.
    """
    return _read(path, pixel_limit, keep_palette=False)


def read_mask(path: Path, mode: str = "binary", pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Return the mask as uint8 of shape (height, width, 1).

    In mode "binary" it is 1 where the file is not black (in a JPEG, which blurs edges: at least half of white). In mode
    "classes" the palette index or grey value is the class.
    """
    check_choice("mask_mode", mode, MASK_MODES)
    mask = _read(path, pixel_limit, keep_palette=mode == "classes")
    if mode == "binary":
        lossy = path.suffix.lower() in (".jpg", ".jpeg")
        least = (np.iinfo(mask.dtype).max + 1) // 2 if lossy else 1
        return np.asarray(mask[..., :3].max(axis=-1, keepdims=True) >= least, np.uint8)
    if mask.shape[-1] != 1 or mask.max(initial=0) > 255:
        raise ValueError(
            f"Received: {path} with {mask.shape[-1]} channels and values up to {mask.max()}. Expected: a grey "
            "or palette picture with classes from 0 to 255; colours need mask_mode=binary."
        )
    return mask.astype(np.uint8)


def _read(path: Path, pixel_limit: int, keep_palette: bool) -> np.ndarray:
    from PIL import ImageOps

    check_regular(path)
    try:
        deep = _read_deep_tiff(path, pixel_limit)
        if deep is not None:
            return deep
        with _open(path, pixel_limit) as opened:
            _check(path, opened, pixel_limit)
            if _is_deep_png(path):
                _refuse_turned(path, _orientation(opened))
                return _read_deep_png(path)
            opened.load()
            image = ImageOps.exif_transpose(opened)
        array = np.asarray(_plain(image, keep_palette))
    except _Refusal:
        raise
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    if array.dtype not in (np.uint8, np.uint16):
        if array.dtype != np.int32 or array.min() < 0 or array.max() > 65535:
            raise _wrong_depth(path, str(array.dtype))
        array = array.astype(np.uint16)  # Pillow's mode I stores 16 bits in 32
    return np.ascontiguousarray(array[..., None] if array.ndim == 2 else array)


def _open(path: Path, pixel_limit: int) -> Any:
    """Open the picture with Pillow, and raise Pillow's pixel limit if the caller's is higher."""
    from PIL import Image

    try:
        with _OPENING, warnings.catch_warnings():
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or pixel_limit, pixel_limit)
            # `_check` compares the size with our own limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path, "far more", pixel_limit) from error


def _plain(image: Any, keep_palette: bool) -> Any:
    """Convert the picture to a mode that NumPy can read: grey, RGB or RGBA."""
    if image.mode == "P":
        if keep_palette:
            return image
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image.convert(_COLOUR_MODES[image.mode]) if image.mode in _COLOUR_MODES else image


def _plain_channels(image: Any) -> int:
    """Return the channels of what `_plain` would make of the picture."""
    if image.mode == "P":
        return 4 if "transparency" in image.info else 3
    mode = _COLOUR_MODES.get(image.mode, image.mode)
    return {"RGB": 3, "RGBA": 4}.get(mode, 1)


def _check(path: Path, image: Any, pixel_limit: int) -> None:
    """Refuse a picture whose header says that it is too large or has several frames."""
    check_pixels(path, image.width, image.height, pixel_limit)
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        raise _too_many_frames(path, frames)


def _orientation(image: Any) -> int:
    """Return the EXIF orientation, 1 without one. Pillow decodes a PNG without EXIF data if asked for them."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    return int(image.getexif().get(0x0112, 1))


def _refuse_turned(path: Path, orientation: int) -> None:
    """Refuse a rotated picture that Pillow cannot rotate upright."""
    if orientation != 1:
        raise _Refusal(
            f"Received: {path} of 16 bits with EXIF orientation {orientation}. Expected: 1; save it upright."
        )


def _is_deep_png(path: Path) -> bool:
    """Return whether this is a 16-bit PNG with several channels, which Pillow reduces to 8 bits."""
    with path.open("rb") as file:
        depth_and_colour = file.read(26)[24:]
    return depth_and_colour in (b"\x10\2", b"\x10\4", b"\x10\6")  # RGB, grey with alpha, RGBA


def _read_deep_png(path: Path) -> np.ndarray:
    """Return uint16 of shape (height, width, 3 or 4); grey with alpha becomes RGBA. The caller has checked its size."""
    import imagecodecs  # takes 0.2 s, and other pictures do not need it

    values: np.ndarray = imagecodecs.png_decode(path.read_bytes())
    return values[..., [0, 0, 0, 1]] if values.shape[-1] == 2 else values


def _read_deep_tiff(path: Path, pixel_limit: int, header_only: bool = False) -> np.ndarray | None:
    """Return a TIFF with more than 8 bits per channel, which Pillow cannot read in colour; None for other files.

    With `header_only`, only the shape of the result is valid.
    """
    with path.open("rb") as file:
        if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return None
        file.seek(0)
        tiff = load_tifffile().TiffFile(file)  # not the path, whose folder tifffile would look up
        page = tiff.pages[0].aspage()
        if page.dtype is None or page.dtype.itemsize == 1:
            return None
        check_pixels(path, page.imagewidth, page.imagelength, pixel_limit)
        if len(tiff.pages) != 1:
            raise _too_many_frames(path, len(tiff.pages))
        if page.dtype != np.uint16:
            raise _wrong_depth(path, str(page.dtype))
        if page.compression not in LOSSLESS_TIFF:
            name = getattr(page.compression, "name", page.compression)
            raise _Refusal(
                f"Received: {path}, a 16-bit TIFF with compression {name}. "
                "Expected: none, LZW, Deflate, PackBits or Zstandard; save it with one of these."
            )
        orientation = page.tags.get(274)
        _refuse_turned(path, 1 if orientation is None else int(orientation.value))
        header = _channels_last(np.broadcast_to(np.uint16(0), page.shape), page.planarconfig)
        if header.ndim != 3 or header.shape[-1] not in (1, 3, 4):
            raise _Refusal(
                f"Received: {path} with {header.shape[-1]} channels. Expected: 1, 3 or 4."
            )
        if header_only:
            return header
        return np.ascontiguousarray(_channels_last(page.asarray(), page.planarconfig))


def silence_decoders() -> None:
    """Turn off what tifffile and Pillow say on damaged files: our errors report the same problems, in one line."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def load_tifffile() -> Any:
    """Return tifffile, without its own lines on damaged files."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    return tifffile


def _channels_last(values: np.ndarray, planar_configuration: int) -> np.ndarray:
    """Return a TIFF's grey values, or its contiguous (1) or separate (2) channels, as (height, width, channels)."""
    if values.ndim == 2:
        return values[..., None]
    return np.moveaxis(values, 0, -1) if planar_configuration == 2 else values


def check_pixels(path: Path, width: int, height: int, pixel_limit: int) -> None:
    """Refuse a picture without pixels or with more than the limit."""
    if width < 1 or height < 1 or width * height > pixel_limit:
        raise _too_large(path, f"{width} x {height}", pixel_limit)


def _too_large(path: Path, pixels: str, pixel_limit: int) -> ValueError:
    return _Refusal(
        f"Received: {path} of {pixels} pixels. Expected: 1 to {pixel_limit}; "
        "raise pixel_limit if you trust the picture."
    )


def _too_many_frames(path: Path, frames: int) -> ValueError:
    return _Refusal(
        f"Received: {path} with {frames} frames. Expected: one; save each frame as a separate file."
    )


def _wrong_depth(path: Path, dtype: str) -> ValueError:
    return _Refusal(f"Received: {path} with values of {dtype}. Expected: 8 or 16 bits per channel.")


def _unreadable(path: Path, error: BaseException) -> ValueError:
    if isinstance(error, OSError) and error.errno is not None:
        return ValueError(
            f"Received: {path}, which cannot be read ({error.strerror}). Expected: a picture."
        )
    return ValueError(
        f"Received: {path}, which is damaged or not a picture ({one_line(error)}). "
        f"Expected: {', '.join(_FORMATS)}; replace or remove it."
    )


def one_line(error: BaseException) -> str:
    """Return an error's message in one line of at most 200 characters, or the error's type if it has no message."""
    return " ".join(str(error).split())[:200] or type(error).__name__
