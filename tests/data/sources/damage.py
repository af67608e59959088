"""Creates damaged data from intact ones."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as iio
import numpy as np

from tests.data import make


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def without(folder: Path, name: str) -> Path:
    (folder / name).unlink()
    return folder


def npy_file(path: Path, array: np.ndarray, **options: Any) -> Path:
    np.save(path, array, **options)
    return path


def h5_file(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def half(path: Path) -> Path:
    rewrite(path, lambda data: data[: len(data) // 2])
    return path


def two_sizes(folder: Path) -> Path:
    make.pairs(folder, 2)
    iio.imwrite(folder / "z.png", make.picture(0, 13, 16))
    iio.imwrite(folder / "z_mask.gif", make.mask(0, 13, 16))
    return folder


def second_picture(folder: Path) -> Path:
    make.pairs(folder, 2)
    iio.imwrite(folder / "cell-1.tif", make.picture(0))
    return folder


def empty_class(folder: Path) -> Path:
    (make.classes(folder) / "emu").mkdir()
    return folder


def broken_idx(folder: Path, change: Callable[[bytes], bytes], zipped: bool = False) -> Path:
    make.idx(folder, zipped)
    rewrite(next(folder.glob("train-images*")), change)
    return folder


def idx_of_other_labels(folder: Path) -> Path:
    make.idx(folder)
    (folder / "train-labels-idx1-ubyte").write_bytes(make.idx_bytes(np.arange(4, dtype=np.uint8)))
    return folder


def inflated(folder: Path) -> Path:
    """Return a gzipped file that contains more data than its header declares."""
    return broken_idx(
        folder, lambda data: gzip.compress(gzip.decompress(data) + bytes(1000)), zipped=True
    )


def undecodable_npz(path: Path, method: int) -> Path:
    """Return an archive whose member does not decompress."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("image.npy", np.random.default_rng(0).bytes(500))
    start = 30 + len("image.npy") + (9 if method == zipfile.ZIP_LZMA else 0)
    rewrite(path, lambda data: data[:start] + b"\xff" * 12 + data[start + 12 :])
    return path


def object_npz(path: Path) -> Path:
    np.savez(path, x=np.array([{}], dtype=object))
    return path
