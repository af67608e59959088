"""A file on a full disk is closed by HDF5 in peace, and says afterwards what was wrong."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ddl.files.closable_file import ClosableFile
from tests.small_files import limited_files


def test_what_is_written_is_there(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (50, 1000), np.uint8)
    with ClosableFile(tmp_path / "a.h5") as output:
        with h5py.File(output, "w") as file:
            file.create_dataset("a", data=values, chunks=(1, 1000), fletcher32=True)
        output.check()
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["a"][()], values)


@pytest.mark.parametrize("room", [0, 100, 5_000, 60_000])
def test_a_full_disk_is_reported_after_hdf5_has_closed(tmp_path: Path, room: int) -> None:
    output = ClosableFile(tmp_path / "a.h5")
    with limited_files(room), h5py.File(output, "w") as file:
        dataset = file.create_dataset("a", (100, 1000), "u1", chunks=(1, 1000), fletcher32=True)
        for row in range(100):
            dataset[row] = row
    with pytest.raises(OSError, match="File too large"):
        output.check()
    assert output.seek(0, 2) <= room
    output.close()


def test_the_disk_s_error_goes_before_what_hdf5_makes_of_it(tmp_path: Path) -> None:
    def write_and_stumble() -> None:
        with limited_files(0), ClosableFile(tmp_path / "a.h5") as output:
            output.write(b"x")
            raise OSError(
                "Can't synchronously write data (address of object past end of allocation)"
            )

    with pytest.raises(OSError, match="File too large"):
        write_and_stumble()
