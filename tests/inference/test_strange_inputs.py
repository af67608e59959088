"""Inputs of predictions from strangers: pipes do not hang, and a small file does not become a large picture."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from ddl.data.pictures.picture_file import read_picture, read_size
from ddl.data.pictures.picture_rows import open_rows
from ddl.data.preprocessing import Preprocessing
from ddl.inference.prediction.inputs import find_items
from ddl.inference.trained_model import find_model, read_form

PICTURES = Preprocessing(target="mask", channels=1, classes=1)
VOLUMES = Preprocessing(target="mask", channels=1, classes=1, axes=3)
LIMIT = 10**6


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy", "a.h5", "a.npz", "a.txt"])
def test_a_pipe_as_input_is_refused_before_it_is_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for how in (PICTURES, VOLUMES):
        with pytest.raises(ValueError, match="which is a named pipe"):
            find_items(tmp_path / name, how, LIMIT)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
@pytest.mark.parametrize("how", [PICTURES, VOLUMES])
def test_a_pipe_in_a_list_is_refused_when_its_turn_comes(
    tmp_path: Path, name: str, how: Preprocessing
) -> None:
    os.mkfifo(tmp_path / name)
    (tmp_path / "list.txt").write_text(f"{name}\n")
    (item,) = find_items(tmp_path / "list.txt", how, LIMIT)
    with pytest.raises(ValueError, match=r"named pipe|Expected: a multi-page TIFF"), item.open():
        pass


def test_a_picture_that_is_a_pipe_or_a_device_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png"):
        for read in (read_picture, read_size, lambda path: open_rows(path).__enter__()):
            with pytest.raises(ValueError, match="Expected: a regular file"):
                read(tmp_path / name)


def test_a_model_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    for name in ("model.keras", "a.onnx", "a.h5"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ValueError, match="named pipe"):
            find_model(tmp_path / name)
    (tmp_path / "b.xml").write_text("")
    os.mkfifo(tmp_path / "b.preprocessing.json")
    with pytest.raises(ValueError, match=r"b\.xml without b\.preprocessing\.json"):
        find_model(tmp_path / "b.xml")


def test_a_stack_that_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    tags = ((256, 60_000), (257, 60_000), (258, 16), (259, 8), (262, 1), (273, 8), (279, 8))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))
    (item,) = find_items(path, VOLUMES, LIMIT)
    with (
        pytest.raises(ValueError, match=r"not a complete TIFF \(7200000000 bytes, which"),
        item.open(),
    ):
        pass


def test_honest_stacks_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)
    for name, options in (("plain.tif", {}), ("small.tif", {"compression": "zlib"})):
        tifffile.imwrite(tmp_path / name, values, photometric="minisblack", **options)
        (item,) = find_items(tmp_path / name, VOLUMES, LIMIT)
        with item.open() as rows:
            assert np.array_equal(rows[0:4][..., 0], values)


@pytest.mark.parametrize(
    "config",
    ["[" * 100_000, "3", "[]", "{}", '{"config": 3}', '{"config": {"layers": [3]}}', "\ud800"],
)
def test_an_architecture_of_another_form_is_refused(tmp_path: Path, config: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", config.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match="whose architecture does not contain"):
        read_form(tmp_path / "a.keras")
