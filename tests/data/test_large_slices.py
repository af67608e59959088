"""Memory does not grow with the array that slices are cut from. Its smaller sister is in `sources/test_slices.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import pytest


@pytest.mark.proof
@pytest.mark.parametrize("chunks", [None, (1, 64, 128, 128)])
def test_ten_gigabytes_pass_through_1200_mebibytes(
    tmp_path: Path, chunks: tuple[int, ...] | None
) -> None:
    path, shape = tmp_path / "x.h5", (1, 2560, 1024, 1024)
    with h5py.File(path, "w") as file:
        images = file.create_dataset("input", shape, "f4", chunks=chunks)
        file.create_dataset("target", shape, "u1", chunks=chunks)
        images[0, -1, -1, -1] = 0.5
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.large_slices", str(path)],
        capture_output=True, text=True, check=True, timeout=280,
    )  # fmt: skip
    count, read, peak_mib = done.stdout.split()
    assert (count, read) == ("1280", "320")  # 3.3 GB of 13
    assert int(peak_mib) < 1200
    assert path.stat().st_blocks * 512 < 64 << 20
