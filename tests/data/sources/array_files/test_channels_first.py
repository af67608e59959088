"""Arrays with the channels first: one sample a file, an archive's array or a data set; forms from headers alone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ddl.data.sources import open_source

RANDOM = np.random.default_rng(0)
SAMPLES = RANDOM.normal(size=(4, 2, 6, 5)).astype(np.float32)


def npy(folder: Path) -> Path:
    (folder / "more").mkdir(parents=True)
    for index, name in enumerate(("a", "b", "c", "more/a")):
        np.save(folder / name, SAMPLES[index])
    return folder


def npz(folder: Path) -> Path:
    folder.mkdir()
    np.savez(folder / "all.npz", **dict(zip("abcd", SAMPLES, strict=True)))
    return folder / "all.npz"


def hdf5(folder: Path) -> Path:
    folder.mkdir()
    with h5py.File(folder / "all.h5", "w") as file:
        for name, sample in zip(("a", "b", "c", "more/a"), SAMPLES, strict=True):
            file[name] = sample
    return folder / "all.h5"


def hdf5_files(folder: Path) -> Path:
    folder.mkdir()
    for name, sample in zip("abcd", SAMPLES, strict=True):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["input"] = sample
    return folder


@pytest.mark.parametrize(
    ("write", "last"), [(npy, "more/a"), (npz, "d"), (hdf5, "more/a"), (hdf5_files, "d")]
)
def test_one_array_is_one_sample(tmp_path: Path, write: Callable[[Path], Path], last: str) -> None:
    source = open_source(write(tmp_path / "data"), "channels-first")
    assert (len(source), source.name_of(3)) == (4, last)
    assert source.fields["image"].shape == (6, 5, 2)
    batch = source.read([3, 1])["image"]
    np.testing.assert_array_equal(batch, np.moveaxis(SAMPLES[[3, 1]], 1, -1))
    again = pickle.loads(pickle.dumps(source))  # noqa: S301
    np.testing.assert_array_equal(again.read([0])["image"][0], np.moveaxis(SAMPLES[0], 0, -1))


@pytest.mark.parametrize(
    ("shape", "options", "sample"),
    [
        ((6, 5), {}, (6, 5, 1)),
        ((3, 6, 5), {}, (6, 5, 3)),
        ((3, 6, 5, 4), {}, (6, 5, 4, 3)),
        ((6, 5, 4), {"axes": 3}, (6, 5, 4, 1)),
        ((3, 6, 5, 4), {"axes": 3}, (6, 5, 4, 3)),
        ((7, 3, 6, 5), {"stacked": True}, (6, 5, 3)),
    ],
)
def test_axes_are_channels_first(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, object], sample: tuple[int, ...]
) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
    source = open_source(tmp_path / "a.npy", "channels-first", **options)
    assert source.fields["image"].shape == sample
    assert source.read([0])["image"].shape == (1, *sample)
    assert len(source) == (shape[0] if options.get("stacked") else 1)


def test_the_only_array_of_a_file_has_its_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["x"] = SAMPLES[0]
    assert open_source(tmp_path / "in.h5", "channels-first").name_of(0) == "in"


@pytest.mark.parametrize(
    ("files", "piece"),
    [
        ({}, "with no files of arrays"),
        ({"a.npy": SAMPLES[0], "b.npy": SAMPLES[0][:1]}, "Expected: one shape and one dtype"),
        ({"a.npy": SAMPLES[0], "b.npz": SAMPLES[0]}, "with npy and npz files of arrays"),
        ({"a.npy": SAMPLES[0].astype(complex)}, "Expected: integers or floats"),
        ({"a.npy": np.zeros(3, np.float32)}, "Expected: (height, width, channels)"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, files: dict[str, np.ndarray], piece: str) -> None:
    for name, values in files.items():
        save = np.save if name.endswith("npy") else np.savez
        save(tmp_path / name, values)
    with pytest.raises(ValueError, match="Received: ") as raised:
        open_source(tmp_path, "channels-first")
    assert piece in str(raised.value)


def test_folders_of_arrays_may_be_classes(tmp_path: Path) -> None:
    for index, name in enumerate(("dog/a", "cat/b", "dog/more/c")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / name, SAMPLES[index])
    source = open_source(tmp_path, "channels-first", class_folders=True)
    assert (
        source.describe() == "2 classes: cat (1), dog (2); pictures of 6x5 with 2 channels, float32"
    )
    assert source.read([0, 2])["label"].tolist() == [0, 1]
    np.save(tmp_path / "alone", SAMPLES[0])
    with pytest.raises(ValueError, match="arrays in no folder"):
        open_source(tmp_path, "channels-first", class_folders=True)


def test_several_arrays_are_not_stacked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"stacked=true for .* with 4 arrays"):
        open_source(npz(tmp_path / "data"), "channels-first", stacked=True)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "data")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"all\.h5"):
        open_source(path, "channels-first")
