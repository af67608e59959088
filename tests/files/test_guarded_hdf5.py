"""HDF5 from strangers: nothing outside the file is touched, and no chunk hands out memory or crashes the process."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.files.guarded_hdf5 import GuardedFile, Refusal
from ddl.files.hdf5_chunks import DamagedChunk

VALUES = np.random.default_rng(0).integers(0, 9, (10, 20, 20)).astype("u2")
Make = Callable[[h5py.File], object]


def written(path: Path, make: Make) -> Path:
    with h5py.File(path, "w") as file:
        make(file)
    return path


def chunk(stored: bytes, mask: int = 0, side: int = 100, **options: Any) -> Make:
    """Write a data set whose first chunk, of `side` bytes, is stored as these bytes."""

    def make(file: h5py.File) -> None:
        chunked = file.create_dataset("x", (4, side), "u1", chunks=(1, side), **options)
        chunked.id.write_direct_chunk((0, 0), stored, mask)

    return make


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (3, 7, 20)},
        {"compression": "gzip"},
        {"compression": "lzf"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (3, 20, 7)},
        {"compression": "lzf", "shuffle": True, "fletcher32": True},
        {"fletcher32": True},
    ],
)
def test_honest_values_are_read_as_h5py_reads_them(tmp_path: Path, options: Any) -> None:
    path = written(tmp_path / "a.h5", lambda file: file.create_dataset("x", data=VALUES, **options))
    with GuardedFile(path) as file:
        dataset = file["x"]
        for selection in (3, -1, slice(2, 9), slice(None), (), (slice(1, 3), 4), [1, 5], ...):
            assert np.array_equal(dataset[selection], VALUES[selection])
        assert np.array_equal(np.asarray(file.get("x")), VALUES)
        file.check_all()


def test_values_that_do_not_compress_are_read(tmp_path: Path) -> None:
    """LZF leaves such chunks as they are, and says so in the chunk's mask."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 100), np.uint8)
    path = written(
        tmp_path / "a.h5", lambda file: file.create_dataset("x", data=noise, compression="lzf")
    )
    with GuardedFile(path) as file:
        assert np.array_equal(file["x"][()], noise)


def test_texts_and_truth_values_in_chunks_are_read(tmp_path: Path) -> None:
    def make(file: h5py.File) -> None:
        options = {"chunks": (2,), "compression": "gzip", "maxshape": (None,)}
        file.create_dataset("names", data=["a", "bcd", ""], dtype=h5py.string_dtype(), **options)
        file.create_dataset("truth", data=np.array([True, False, True]), **options)

    with GuardedFile(written(tmp_path / "a.h5", make)) as file:
        assert list(file["names"].asstr()[()]) == ["a", "bcd", ""]
        assert list(file["truth"][()]) == [True, False, True]
        file.check_all()


def test_contents_in_memory_are_read_like_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", lambda file: file.create_dataset("g/x", data=VALUES))
    for _ in range(3):
        with GuardedFile(path.read_bytes(), origin="inner.h5") as file:
            assert np.array_equal(file["g"]["x"][()], VALUES)
        with pytest.raises(OSError, match="it is not an HDF5 file"):
            GuardedFile(b"no HDF5", origin="inner.h5")
    make, message = REACHING_OUT["external link below"]
    with pytest.raises(Refusal, match=message):
        GuardedFile(written(tmp_path / "b.h5", make).read_bytes(), origin="inner.h5")


SHORT = zlib.compress(bytes(50))
CHUNKS: dict[str, tuple[Make, str]] = {
    "fewer bytes, gzip": (chunk(SHORT, compression="gzip"), "decodes to 50 bytes instead of 100"),
    "more bytes, gzip": (chunk(zlib.compress(bytes(500)), compression="gzip"), "decodes to more"),
    "no stream": (chunk(b"xyz", compression="gzip"), "cannot be decoded"),
    "a stream cut short": (
        chunk(zlib.compress(bytes(range(100)))[:30], compression="gzip"),
        "it is cut short",
    ),
    "fewer bytes, lzf": (chunk(b"\5abcdef", compression="lzf"), "decodes to 6 bytes instead of"),
    "no lzf": (chunk(b"\0", compression="lzf"), "cannot be decoded"),
    "fewer bytes, shuffled": (chunk(SHORT, compression="gzip", shuffle=True), "decodes to 50 by"),
    "fewer bytes, with a checksum": (chunk(bytes(60), fletcher32=True), "decodes to 56 bytes"),
    "too short for a checksum": (chunk(b"ab", fletcher32=True), "no room for its checksum"),
    "fewer bytes, plain": (chunk(bytes(50)), "has 50 bytes instead of 100"),
    "its filter left out": (chunk(bytes(50), 1, compression="gzip"), "has 50 bytes instead of 100"),
}


@pytest.mark.parametrize("case", CHUNKS)
def test_a_chunk_of_another_size_than_declared_is_refused_before_hdf5_reads_it(
    tmp_path: Path, case: str
) -> None:
    make, message = CHUNKS[case]
    with GuardedFile(written(tmp_path / "a.h5", make)) as file:
        for _ in range(2):
            with pytest.raises(DamagedChunk, match=message):
                file["x"][0]
        assert not file["x"][1].any()  # never written: the fill value
        with pytest.raises(DamagedChunk):
            file.check_all()


def test_a_3_gb_chunk_of_100_bytes_is_refused_and_does_not_crash(tmp_path: Path) -> None:
    """In a process of its own: HDF5 would end it with SIGSEGV."""
    path = written(tmp_path / "a.h5", chunk(SHORT, side=3_000_000_000, compression="gzip"))
    code = (
        "import sys, pathlib; from ddl.files.guarded_hdf5 import GuardedFile\n"
        "GuardedFile(pathlib.Path(sys.argv[1]))['x'][0, :5]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "declares 12000000000 bytes, which" in done.stderr


def test_a_large_chunk_in_a_large_file_is_refused(tmp_path: Path) -> None:
    """The file could hold it, but not in the bytes that the chunk has."""

    def make(file: h5py.File) -> None:
        file["ballast"] = np.zeros(1_000_000, np.uint8)
        chunk(SHORT, side=200_000_000, compression="gzip")(file)

    with (
        GuardedFile(written(tmp_path / "a.h5", make)) as file,
        pytest.raises(DamagedChunk, match="bytes for 200000000"),
    ):
        file["x"][0, :5]


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 2), "u1")
    layout[:] = h5py.VirtualSource("/tmp/elsewhere.h5", "x", (4, 2))
    file.create_virtual_dataset("x", layout)


def nested(link: object) -> Make:
    return lambda file: file.create_group("a/b").__setitem__("x", link)


REACHING_OUT: dict[str, tuple[Make, str]] = {
    "external link": (
        lambda file: file.__setitem__("x", h5py.ExternalLink("b.h5", "/x")),
        "where x is a link to another file",
    ),
    "external link below": (nested(h5py.ExternalLink("b", "/x")), "where a/b/x is a link to an"),
    "soft link": (lambda file: file.__setitem__("x", h5py.SoftLink("/y")), "where x is a symb"),
    "soft link below": (nested(h5py.SoftLink("/y")), "where a/b/x is a symbolic link"),
    "virtual": (virtual, "x is virtual: its values are in other files"),
    "external storage": (
        lambda file: file.create_dataset("x", (4, 2), "u1", external=[("/etc/passwd", 0, 8)]),
        "x has external storage",
    ),
}


@pytest.mark.parametrize("case", REACHING_OUT)
def test_links_external_and_virtual_storage_are_refused_when_the_file_is_opened(
    tmp_path: Path, case: str
) -> None:
    make, message = REACHING_OUT[case]
    with pytest.raises(Refusal, match=message):
        GuardedFile(written(tmp_path / "a.h5", make))


def test_an_external_link_to_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    link = h5py.ExternalLink(str(tmp_path / "pipe.h5"), "/x")
    with pytest.raises(Refusal, match="a link to another file"):
        GuardedFile(written(tmp_path / "a.h5", lambda file: file.__setitem__("x", link)))


DECLARATIONS: dict[str, tuple[Make, str]] = {
    "10^12 samples in chunks": (
        lambda file: file.create_dataset("x", (10**12, 2), "u1", chunks=(1, 2)),
        "declares 2000000000000 bytes",
    ),
    "10^12 samples": (
        lambda file: file.create_dataset("x", (10**12,), "u1"),
        "declares 1000000000000 bytes",
    ),
    "more chunks than bytes": (
        lambda file: file.create_dataset("x", (10**5,), "u1", chunks=(1,)),
        "declares 100000 chunks",
    ),
    "another filter": (
        lambda file: file.create_dataset("x", data=VALUES, scaleoffset=0),
        "has the filter scaleoffset",
    ),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_declaration_that_the_file_cannot_hold_is_refused_before_its_shape_is_told(
    tmp_path: Path, case: str
) -> None:
    make, message = DECLARATIONS[case]
    with (
        GuardedFile(written(tmp_path / "a.h5", make)) as file,
        pytest.raises(Refusal, match=message),
    ):
        _ = file["x"].shape


@pytest.mark.parametrize("number", [32001, 32015, 40000])
def test_a_filter_that_loads_a_plug_in_is_refused(tmp_path: Path, number: int) -> None:
    """The number of the filter is changed in the file, since no such plug-in is needed to do so."""
    path = written(tmp_path / "a.h5", chunk(b"\5abcdef", compression="lzf"))
    data = path.read_bytes()
    assert data.count((32000).to_bytes(2, "little")) == 1
    path.write_bytes(data.replace((32000).to_bytes(2, "little"), number.to_bytes(2, "little")))
    with GuardedFile(path) as file, pytest.raises(Refusal, match="has the filter"):
        file["x"][0]


def test_groups_in_a_circle_and_a_group_in_place_of_a_data_set(tmp_path: Path) -> None:
    def make(file: h5py.File) -> None:
        file.create_group("g")["again"] = file["/"]
        file["g/x"] = VALUES

    with GuardedFile(written(tmp_path / "a.h5", make)) as file:
        assert np.array_equal(file["g/again/g/x"][()], VALUES)
        file.check_all()
        with pytest.raises(Refusal, match=r"where /g is a group. Expected: a data set"):
            file["g"][()]


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_file_that_is_a_pipe_or_a_device_is_refused_before_it_is_opened(
    tmp_path: Path, kind: str
) -> None:
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "a.h5"
        os.mkfifo(path)
    with pytest.raises(ValueError, match="Expected: a regular file"):
        GuardedFile(path)
