"""Folders of `.npz` archives, as PyDTNN keeps ImageNet: channels first, labels from 1, in columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.sources import detect_format, open_source, splits_of
from tests.data import make

PYDTNN = {"channels_first": True, "label_base": 1}


def archive(path: Path, indices: range, save: Callable[..., None] = np.savez, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.stack([make.picture(index).transpose(2, 0, 1) for index in indices])
    y = np.array([[index % 3 + 1] for index in indices])
    save(path, **{"x": x, "y": y} | more)
    return path


def folder(path: Path, **more: Any) -> Path:
    """Write two archives, of 4 and of 3 samples."""
    archive(path / "a.npz", range(4))
    archive(path / "b.npz", range(4, 7), **more)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_are_joined(tmp_path: Path, save: Callable[..., None]) -> None:
    path = folder(tmp_path / "in", save=save)
    assert (detect_format(path), splits_of(path)) == ("npz-folder", ())
    source = open_source(path, **PYDTNN)
    assert len(source) == 7
    wanted = [6, 0, 3, 6, 4]
    batch = source.read(wanted)
    assert np.array_equal(batch["image"], np.stack([make.picture(n) for n in wanted]))
    assert batch["label"].tolist() == [0, 0, 0, 0, 1]
    assert source.name_of(5) == f"1 of {path / 'b.npz'}"


def test_no_archive_stays_open(tmp_path: Path) -> None:
    """PyDTNN's ImageNet has more archives than a process may have open files."""
    before = len([*Path("/proc/self/fd").iterdir()])
    for number in range(30):
        archive(tmp_path / f"{number:02d}.npz", range(number, number + 1))
    source = open_source(tmp_path, **PYDTNN)
    source.read(range(30))
    assert len([*Path("/proc/self/fd").iterdir()]) <= before + 2


def test_folders_of_splits(tmp_path: Path) -> None:
    archive(tmp_path / "train/a.npz", range(4))
    archive(tmp_path / "val/a.npz", range(4, 6))
    assert splits_of(tmp_path) == ("train", "validation")
    lengths = [len(open_source(tmp_path, split=s, **PYDTNN)) for s in ("train", "validation")]
    assert lengths == [4, 2]


def test_one_archive_takes_the_same_options(tmp_path: Path) -> None:
    source = open_source(archive(tmp_path / "a.npz", range(4)), **PYDTNN)
    batch = source.read([2])
    assert np.array_equal(batch["image"][0], make.picture(2))
    assert batch["image"].flags.c_contiguous
    assert batch["label"].tolist() == [2]


PICTURES = np.zeros((3, 3, 12, 16), np.uint8)
BAD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "objects": ({"x": np.array([{}, {}, {}])}, {}, "x.npy in "),
    "fewer labels": ({"y": np.array([1])}, {}, "b.npz with 3 of image, 1 of label"),
    "another size": ({"x": PICTURES[:, :, :8]}, {}, "(8, 16, 3) per sample in "),
    "another dtype": ({"x": PICTURES.astype(np.float32)}, {}, "image of dtype float32 in "),
    "a mask": ({"x": PICTURES, "y": PICTURES}, {}, "channels_first=true for "),
    "no label": ({"y": np.zeros((3, 1))}, {}, "label_base=1 for "),
    "no such split": ({}, {"split": "test"}, "split='test' for "),
    "compressed, too large": (
        {"save": np.savez_compressed},
        {"memory_limit": 100},
        "1728 bytes decompressed. Expected: at most",
    ),
    "other names": ({}, {"keys": ("images", "labels")}, "with x, y. Expected: images, labels"),
}


@pytest.mark.parametrize("case", BAD)
def test_archives_that_do_not_fit_get_one_line(tmp_path: Path, case: str) -> None:
    changes, options, message = BAD[case]
    path = folder(tmp_path / "in", **changes)
    with pytest.raises(ValueError, match=r"^Received: .*Expected") as caught:
        open_source(path, **PYDTNN | options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
