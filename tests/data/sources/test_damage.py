"""A source of a damaged file returns samples or raises the one-line error, never another error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ddl.data.sources import open_source
from tests.data import make

# The data, and the file to damage.
FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "hdf5": (lambda tmp: make.hdf5(tmp / "a.h5"), ""),
    "npz": (lambda tmp: make.npz(tmp / "a.npz"), ""),
    "npz compressed": (lambda tmp: make.npz(tmp / "a.npz", compressed=True), ""),
    "npy": (lambda tmp: make.npy(tmp / "a"), "images.npy"),
    "idx": (lambda tmp: make.idx(tmp / "a"), "train-images-idx3-ubyte"),
    "idx gzipped": (lambda tmp: make.idx(tmp / "a", zipped=True), "train-images-idx3-ubyte.gz"),
}


@pytest.mark.parametrize("case", FILES)
def test_damaged_files_are_refused_in_one_line_or_still_readable(tmp_path: Path, case: str) -> None:
    write, name = FILES[case]
    opened = write(tmp_path)
    path = opened / name if name else opened
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(150):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)] if trial % 3 == 0 else whole)
        reach = min(len(damaged), 400) if trial % 2 else len(damaged)
        for position in rng.integers(0, reach, 3):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            source = open_source(opened)
            assert len(source.read([0])["image"]) == 1
            source.close()
        except ValueError as error:
            assert str(error).startswith("Received: ")  # noqa: PT017
            refused += 1
    assert refused >= 50  # at least all truncated files
