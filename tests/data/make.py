"""Small data sets of every format, for the tests."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import tifffile

from ddl.data.pictures.synthetic_picture import microscope_picture


def picture(index: int, height: int = 12, width: int = 16, channels: int = 3) -> np.ndarray:
    """Return a smooth picture, uint8, that no other index gives."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [(rows * 7 + columns * 3 * (c + 1) + 37 * index) % 256 for c in range(channels)]
    return np.stack(planes, -1).astype(np.uint8)


def mask(index: int, height: int = 12, width: int = 16) -> np.ndarray:
    """Return a mask of 0 and 255, uint8, of two axes."""
    values = np.zeros((height, width), np.uint8)
    values[2 : 4 + index % 5, 3:9] = 255
    return values


def microscope_pictures(count: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` synthetic pictures and their masks, stacked."""
    pairs = [microscope_picture(index, size, seed) for index in range(count)]
    pictures, masks = zip(*pairs, strict=True)
    return np.stack(pictures), np.stack(masks)


def pairs(folder: Path, count: int = 5, **shape: int) -> Path:
    """Write `cell-0.png` and `cell-0_mask.gif`, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        iio.imwrite(folder / f"cell-{index}.png", picture(index, **shape))
        iio.imwrite(folder / f"cell-{index}_mask.gif", mask(index, **shape))
    return folder


def pictures(folder: Path, count: int = 5, *, deep: bool = False, **shape: int) -> Path:
    """Write `cell-0.png` and so on, without masks; if `deep`, every other one in a folder below."""
    for index in range(count):
        place = folder / "more" if deep and index % 2 else folder
        place.mkdir(parents=True, exist_ok=True)
        iio.imwrite(place / f"cell-{index}.png", picture(index, **shape))
    return folder


def folders(folder: Path, count: int = 5) -> Path:
    """Write `images/0.tif` and `masks/0.png`, and so on."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        tifffile.imwrite(folder / "images" / f"{index}.tif", picture(index))
        iio.imwrite(folder / "masks" / f"{index}.png", mask(index))
    return folder


def classes(folder: Path) -> Path:
    """Write two cats and three dogs."""
    for label, (name, count) in enumerate((("cat", 2), ("dog", 3))):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            iio.imwrite(folder / name / f"{index}.png", picture(10 * label + index))
    return folder


def arrays(count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures and masks (0 and 1)."""
    pictures = np.stack([picture(index) for index in range(count)])
    masks = np.stack([mask(index)[..., None] // 255 for index in range(count)])
    return pictures, masks


def npy(folder: Path) -> Path:
    """Write `images.npy` and `masks.npy`."""
    folder.mkdir()
    for name, array in zip(("images", "masks"), arrays(), strict=True):
        np.save(folder / f"{name}.npy", array)
    return folder


def npz(path: Path, compressed: bool = False) -> Path:
    """Write an archive of images and masks."""
    save = np.savez_compressed if compressed else np.savez
    pictures, masks = arrays()
    save(path, images=pictures, masks=masks)
    return path


def hdf5(path: Path) -> Path:
    """Write data sets `image` and `mask`, chunked."""
    with h5py.File(path, "w") as file:
        for name, array in zip(("image", "mask"), arrays(), strict=True):
            file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]), fletcher32=True)
    return path


def idx_bytes(array: np.ndarray) -> bytes:
    """Return a uint8 array in IDX form."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx(folder: Path, zipped: bool = False) -> Path:
    """Write MNIST's four files, small."""
    folder.mkdir()
    for split in ("train", "t10k"):
        pictures = np.stack([picture(index, channels=1)[..., 0] for index in range(5)])
        labels = np.arange(5, dtype=np.uint8)
        for name, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            data = idx_bytes(array)
            path = folder / f"{split}-{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(data) if zipped else data)
    return folder
