"""Weights of Keras 2 are read by the names of layers, from files of strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.models.network.old_weights import is_old_weights, matched, read_old_weights

KERNEL, BIAS = np.arange(12.0).reshape(3, 4).astype("f4"), np.ones(4, "f4")


def write(path: Path, root: str = "", cut: bool = False, version: Any = "2.8.0") -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group(root) if root else file
        if version:
            group.attrs["keras_version"] = version
        names = np.array([b"input_1", b"block/fc1", b"relu"])
        for number, piece in enumerate(np.array_split(names, 2) if cut else [names]):
            group.attrs[f"layer_names{number}" if cut else "layer_names"] = piece
        for name in names.astype(str):
            group.create_group(name).attrs["weight_names"] = np.array([], "S1")
        layer = group["block/fc1"]
        layer.attrs["weight_names"] = [b"block/fc1/kernel:0", b"block/fc1/bias:0"]
        layer["block/fc1/kernel:0"], layer["block/fc1/bias:0"] = KERNEL, BIAS
    return path


@pytest.mark.parametrize("root", ["", "model_weights"])
@pytest.mark.parametrize("cut", [False, True])
def test_layers_are_found_by_their_names(tmp_path: Path, root: str, cut: bool) -> None:
    path = write(tmp_path / "old.h5", root, cut)
    assert is_old_weights(path)
    found = read_old_weights(path)
    assert list(found) == ["block_fc1"]
    (kernel, values), (bias, _) = found["block_fc1"]
    assert (kernel, bias) == ("kernel", "bias")
    np.testing.assert_array_equal(values, KERNEL)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    text, other = tmp_path / "text.h5", tmp_path / "other.h5"
    text.write_text("no")
    with h5py.File(other, "w") as file:
        file["images"] = np.zeros((2, 3))
    assert not is_old_weights(text)
    assert not is_old_weights(other)
    assert not is_old_weights(tmp_path / "none.h5")
    assert not is_old_weights(tmp_path)
    assert not is_old_weights(write(tmp_path / "new.h5", version="3.15.1"))
    assert is_old_weights(write(tmp_path / "unversioned.h5", version=None))
    assert is_old_weights(write(tmp_path / "bytes.h5", version=np.bytes_(b"2.1.5")))


def cut_short(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def without_a_layer(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["relu"]


def without_a_weight(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["block/fc1/block/fc1/bias:0"]


def with_text(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["block/fc1/block/fc1/bias:0"]
        file["block/fc1/block/fc1/bias:0"] = np.array([b"a"] * 4)


def with_a_group(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["block/fc1"].attrs["weight_names"] = [b"block"]


def with_a_link(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/other.h5", "/x")


@pytest.mark.parametrize(
    "spoil",
    [cut_short, without_a_layer, without_a_weight, with_text, with_a_group, with_a_link],
)
def test_a_spoiled_file_is_one_line(tmp_path: Path, spoil: Any) -> None:
    path = write(tmp_path / "old.h5")
    spoil(path)
    with pytest.raises(ValueError, match=f"Received: {path}") as caught:
        read_old_weights(path)
    assert "\n" not in str(caught.value)


def test_a_model_in_the_model_gives_its_layers_too(tmp_path: Path) -> None:
    path = tmp_path / "nested.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"vgg", b"fc"]
        for name, owners in (("vgg", ("conv1", "conv2")), ("fc", ("fc",))):
            layer = file.create_group(name)
            paths = [f"{owner}/{part}:0" for owner in owners for part in ("kernel", "bias")]
            layer.attrs["weight_names"] = [path.encode() for path in paths]
            for number, path_inside in enumerate(paths):
                layer[path_inside] = np.full(3, number)
    found = read_old_weights(path)
    assert set(found) == {"vgg", "fc", "conv1", "conv2"}
    assert [(name, values[0]) for name, values in found["conv2"]] == [("kernel", 2), ("bias", 3)]


WANTED = {"kernel": (3, 4), "bias": (4,)}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([("kernel", KERNEL), ("bias", BIAS)], ""),
        ([("bias", BIAS), ("kernel", KERNEL)], ""),
        ([("w", KERNEL), ("b", BIAS)], ""),
        ([("kernel", KERNEL)], "fc: the file has kernel; the model has kernel, bias"),
        ([("kernel", KERNEL.T), ("bias", BIAS)], "fc: kernel is 4x3 in the file, 3x4 in the model"),
        ([("kernel", KERNEL * np.nan), ("bias", BIAS)], "NaN or infinite"),
        ([("w", BIAS), ("b", KERNEL)], "fc: kernel is 4 in the file"),
    ],
)
def test_a_layer_fits_by_names_else_by_order(given: Any, reason: str) -> None:
    values, told = matched("fc", WANTED, given)
    assert reason in told
    assert bool(values) == (not reason)
    if values:
        np.testing.assert_array_equal(values[0], KERNEL)
        np.testing.assert_array_equal(values[1], BIAS)
