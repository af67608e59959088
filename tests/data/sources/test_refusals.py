"""Data that no source can read are refused in one line."""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.sources import open_source
from tests.data import make
from tests.data.sources.damage import (
    broken_idx,
    empty_class,
    h5_file,
    half,
    idx_of_other_labels,
    inflated,
    npy_file,
    object_npz,
    rewrite,
    second_picture,
    two_sizes,
    undecodable_npz,
    without,
)

PICTURES, MASKS = make.arrays()
ROWS: dict[str, tuple[Callable[[Path], Path | str], dict[str, Any], str]] = {
    "absent": (lambda t: t / "none", {}, "which does not exist"),
    "absent, format named": (lambda t: t / "none.h5", {"format": "hdf5"}, "which does not exist"),
    "empty folder": (lambda t: t, {}, "which is an empty folder. Expected: hdf5: NAME.h5; npz: "),
    "empty folder as pairs": (lambda t: t, {"format": "pairs"}, "which has no pictures"),
    "unknown format": (
        lambda t: t,
        {"format": "zarr"},
        "format='zarr'. Expected one of: auto, synth",
    ),
    "unknown option": (
        lambda t: make.npz(t / "a.npz"),
        {"size": 3},
        "Unknown option of data format npz. Received: 'size'. Expected: keys, range, channels_first, ",
    ),
    "pairs: no mask": (
        lambda t: without(make.pairs(t), "cell-1_mask.gif"),
        {},
        "cell-1.png without a mask",
    ),
    "pairs: no picture": (
        lambda t: without(make.pairs(t), "cell-1.png"),
        {},
        "cell-1_mask.gif without a picture",
    ),
    "pairs: two of a name": (second_picture, {}, "one picture and one mask per name"),
    "pairs: two sizes": (two_sizes, {}, "Expected: one size; or give image_size"),
    "pairs: bad channels": (
        make.pairs,
        {"channels": "cmyk"},
        "Expected one of: grey, rgb, rgba",
    ),
    "pairs: bad mask mode": (make.pairs, {"mask_mode": "soft"}, "one of: binary, classes"),
    "pairs: bad size": (
        make.pairs,
        {"image_size": (0, 5)},
        "image_size=(0, 5) for pictures. Expected: at least 1",
    ),
    "folders: no masks": (
        lambda t: make.folders(t / "a") and (t / "a" / "masks").rename(t / "b") and t / "a",
        {},
        "without a folder of masks. Expected: one of the name masks, mask, labels",
    ),
    "folders: a mask less": (
        lambda t: without(make.folders(t), "masks/2.png"),
        {},
        "2.tif without a mask",
    ),
    "classes: an empty one": (empty_class, {}, "emu without a picture"),
    "npy: text": (
        lambda t: (t / "a.npy").write_text("1 2 3") and t / "a.npy",
        {},
        "not an intact .npy array",
    ),
    "npy: cut short": (
        lambda t: half(npy_file(t / "a.npy", PICTURES)),
        {},
        "not an intact .npy array",
    ),
    "npy: objects": (
        lambda t: npy_file(t / "a.npy", np.array([{}], dtype=object)),
        {},
        "not an intact .npy array",
    ),
    "npy: text values": (
        lambda t: npy_file(t / "a.npy", np.full((2, 4, 4, 1), "a")),
        {},
        "Expected: integers or floats",
    ),
    "npy: complex": (
        lambda t: npy_file(t / "a.npy", np.zeros((2, 4, 4, 1), complex)),
        {},
        "Expected: integers or floats",
    ),
    "npy: no channels": (
        lambda t: npy_file(t / "a.npy", np.zeros((2, 4, 4))),
        {},
        "add an axis for a single channel",
    ),
    "npy: one value": (
        lambda t: npy_file(t / "a.npy", np.float64(1)),
        {},
        "of shape () per sample",
    ),
    "npy: no samples": (lambda t: npy_file(t / "a.npy", PICTURES[:0]), {}, "0 of image"),
    "npy: folder without targets": (
        lambda t: without(make.npy(t / "a"), "masks.npy"),
        {},
        "with 0 of masks.npy and labels.npy",
    ),
    "npy: fewer masks": (
        lambda t: npy_file(make.npy(t / "a") / "masks.npy", MASKS[:3]).parent,
        {},
        "5 of image, 3 of mask. Expected: the same number",
    ),
    "npz: no archive": (
        lambda t: (t / "a.npz").write_text("no") and t / "a.npz",
        {},
        "not an intact .npz archive",
    ),
    "npz: cut short": (lambda t: half(make.npz(t / "a.npz")), {}, "not an intact .npz archive"),
    **{
        f"npz: damaged {method}": (
            functools.partial(lambda method, t: undecodable_npz(t / "a.npz", method), method),
            {},
            "which is not an intact .npz archive",
        )
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    },
    "npz: objects": (lambda t: object_npz(t / "a.npz"), {}, "of Python objects"),
    "npz: other keys": (
        lambda t: make.npz(t / "a.npz"),
        {"keys": ("x", "y")},
        "with images, masks. Expected: x, y",
    ),
    "npz: a bomb": (
        lambda t: make.npz(t / "a.npz", compressed=True),
        {"memory_limit": 1000},
        "2880 bytes decompressed. Expected: at most 1000",
    ),
    "hdf5: no file of it": (
        lambda t: (t / "a.h5").write_text("no") and t / "a.h5",
        {},
        "not an intact HDF5 file",
    ),
    "hdf5: cut short": (lambda t: half(make.hdf5(t / "a.h5")), {}, "not an intact HDF5 file"),
    "hdf5: other names": (
        lambda t: h5_file(t / "a.h5", foo=PICTURES, oof=MASKS),
        {},
        "with foo, oof. Expected: image, mask or",
    ),
    "hdf5: empty": (lambda t: h5_file(t / "a.h5"), {}, "with nothing"),
    "hdf5: fewer masks": (
        lambda t: h5_file(t / "a.h5", image=PICTURES, mask=MASKS[:2]),
        {},
        "5 of image, 2 of mask",
    ),
    "hdf5: text": (
        lambda t: h5_file(t / "a.h5", image=np.full((2, 4, 4, 1), b"a")),
        {},
        "Expected: integers or floats",
    ),
    "hdf5: no channels": (
        lambda t: h5_file(t / "a.h5", image=np.zeros((2, 4, 4))),
        {},
        "add an axis for a single channel",
    ),
    "hdf5: no splits": (
        lambda t: make.hdf5(t / "a.h5"),
        {"split": "train"},
        "without splits",
    ),
    "hdf5: unknown split": (
        lambda t: make.hdf5(t / "a.h5"),
        {"split": "val"},
        "Expected one of: train, validation, test",
    ),
    "idx: cut short": (
        lambda t: broken_idx(t / "a", lambda data: data[:-7]),
        {},
        "with 953 bytes of data. Expected: 960, as in its header",
    ),
    "idx: too long": (
        lambda t: broken_idx(t / "a", lambda data: data + b"1"),
        {},
        "more than 960 bytes",
    ),
    "idx: gzip cut short": (
        lambda t: broken_idx(t / "a", lambda data: data[:-9], zipped=True),
        {},
        "damaged or cut short",
    ),
    "idx: gzip that swells": (lambda t: inflated(t / "a"), {}, "more than 960 bytes"),
    "idx: gzip too large": (
        lambda t: make.idx(t / "a", zipped=True),
        {"memory_limit": 900},
        "960 bytes when decompressed. Expected: at most 900",
    ),
    "idx: other magic": (
        lambda t: broken_idx(t / "a", lambda data: b"\x01" + data[1:]),
        {},
        "starts with 01000803",
    ),
    "idx: header cut short": (
        lambda t: broken_idx(t / "a", lambda data: data[:9]),
        {},
        "cut short in its header",
    ),
    "idx: no labels": (
        lambda t: without(make.idx(t / "a"), "train-labels-idx1-ubyte"),
        {},
        "0 files train-labels",
    ),
    "idx: other labels": (lambda t: idx_of_other_labels(t / "a"), {}, "5 of image, 4 of label"),
    "idx: unknown split": (
        lambda t: make.idx(t / "a"),
        {"split": "val"},
        "Expected one of: train, test",
    ),
    "synthetic: no samples": (
        lambda _: "synthetic",
        {"count": 0},
        "count=0 for synthetic data. Expected: at least 1",
    ),
    "synthetic: tiny": (
        lambda _: "synthetic-3d",
        {"size": 4},
        "size=4 for synthetic volumes. Expected: at least 8",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_bad_data_get_one_line(tmp_path: Path, case: str) -> None:
    write, options, message = ROWS[case]
    path = write(tmp_path)
    with pytest.raises(ValueError, match=r"Received: .*Expected") as caught:
        open_source(path, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("indices", [[5], [-1], [0.5], [[0]], ["a"]])
def test_bad_indices_get_one_line(tmp_path: Path, indices: list[Any]) -> None:
    for source in (
        open_source(make.npy(tmp_path / "a")),
        open_source(make.hdf5(tmp_path / "a.h5")),
    ):
        with pytest.raises(ValueError, match=r"Received: ind.*Expected: "):
            source.read(indices)
        source.close()


def test_a_damaged_chunk_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = make.hdf5(tmp_path / "a.h5")
    chunk = make.picture(3).tobytes()
    rewrite(path, lambda data: data.replace(chunk, chunk[:-1] + b"?"))
    source = open_source(path)
    source.read([2])
    with pytest.raises(ValueError, match=r"a\.h5, damaged in image, sample 3 .*create it again"):
        source.read([3])
    source.close()
