"""A file of samples by name: groups for folders, channels first, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from ddl.training.outputs.sample_file import SampleFile, channel_first, check_names, data_set_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat_1.jpg", "cat_1.jpg"),
        ("/data/cats/cat_1.jpg", "data/cats/cat_1.jpg"),
        ("../x/./y.png", "__/x/_/y.png"),
        ("a//b", "a/b"),
        ("/", "_"),
        ("ü 1.png", "ü 1.png"),
    ],
)
def test_a_name_is_one_that_hdf5_takes(tmp_path: Path, name: str, expected: str) -> None:
    assert data_set_name(name) == expected
    with SampleFile(tmp_path / "a.h5") as file:
        file.write(data_set_name(name), np.ones(2))
        file.finish()
    with h5py.File(tmp_path / "a.h5") as found:
        assert found[expected][()].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("names", "received"),
    [(["a", "b", "a"], "two samples named 'a'"), (["a/b", "a"], "named 'a' and 'a/b'")],
)
def test_names_that_meet_are_refused(names: list[str], received: str) -> None:
    with pytest.raises(ValueError, match=received):
        check_names(names)


def test_channels_come_first() -> None:
    values = np.arange(24).reshape(2, 3, 4)
    assert channel_first(values)[1, 0, 2] == values[0, 2, 1]
    assert channel_first(np.arange(3)).tolist() == [0, 1, 2]


def test_without_its_end_nothing_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.h5"
    with SampleFile(path) as file:
        file.write("x", np.ones(3))
    assert list(path.parent.iterdir()) == []
    path.write_text("earlier")
    with contextlib.suppress(RuntimeError), SampleFile(path) as file:
        file.write("x", np.ones(3))
        raise RuntimeError
    assert [entry.name for entry in path.parent.iterdir()] == ["a.h5"]
    assert path.read_text() == "earlier"


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_text("earlier")
    with SampleFile(path) as file:
        file.write("x", np.ones(3))
        file._raw._error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            file.write("y", np.ones(3))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.h5"]
    assert path.read_text() == "earlier"


def test_the_bytes_depend_on_names_and_values_alone(tmp_path: Path) -> None:
    contents = []
    for name in ("a.h5", "b.h5"):
        with SampleFile(tmp_path / name) as file:
            for number in range(40):
                file.write(f"{number % 3}/{number}.jpg", np.full((2, 3), number, np.float32))
            file.finish()
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
