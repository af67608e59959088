"""Data from strangers: crafted headers, pipes and huge numbers are refused in one line, by every format."""

from __future__ import annotations

import json
import os
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.data.sources import open_source
from ddl.data.sources.array_files import hdf5
from tests.data import make

PICTURES, MASKS = make.arrays()


def h5(**contents: Any) -> Callable[[Path], Path]:
    """Write a prepared file with some of its parts replaced; a string is stored as text, a dictionary as a group."""

    def given(tmp: Path) -> Path:
        parts = {"image": PICTURES, "mask": MASKS, "split": np.zeros(len(PICTURES), np.uint8)}
        with h5py.File(tmp / "a.h5", "w") as file:
            for name, values in (parts | contents).items():
                if isinstance(values, dict):
                    file.create_group(name)
                else:
                    file[name] = values
        return tmp / "a.h5"

    return given


def npy_bytes(header: str) -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(padded)) + padded + bytes(64)


def npy(shape: str, descr: str = "'|u1'", fortran: str = "False") -> Callable[[Path], Path]:
    header = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"

    def given(tmp: Path) -> Path:
        (tmp / "a.npy").write_bytes(npy_bytes(header))
        return tmp / "a.npy"

    return given


def npz(
    shape: str, descr: str = "'|u1'", method: int = zipfile.ZIP_STORED
) -> Callable[[Path], Path]:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"

    def given(tmp: Path) -> Path:
        with zipfile.ZipFile(tmp / "a.npz", "w", method) as archive:
            archive.writestr("image.npy", npy_bytes(header))
        return tmp / "a.npz"

    return given


def idx(*sizes: int, kind: int = 8) -> Callable[[Path], Path]:
    def given(tmp: Path) -> Path:
        make.idx(tmp / "in")
        header = bytes([0, 0, kind, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)
        (tmp / "in" / "train-images-idx3-ubyte").write_bytes(header + bytes(1000))
        return tmp / "in"

    return given


DEEP = "[" * 100_000
SHAPES = ("(-1, 4, 4, 1)", "(True, 4, 4, 1)", "(4, -4, -4, 1)", "(9999999999999999999999, 4)", "4")
OPENED: dict[str, Callable[[Path], Path]] = {
    **{f"npy of shape {shape}": npy(shape) for shape in SHAPES},
    "npy of 200 axes": npy(str((1,) * 200)),
    "npy of objects": npy("(4, 2, 2, 1)", "'|O'"),
    "npy of nested brackets": npy("(" * 50 + ")" * 50),
    "npy of another type": npy("(4, 2, 2, 1)", "'nonsense'"),
    "npy of wide numbers": npy("(1, 2, 2, 1)", "'<f16'"),
    "npy of code": npy("__import__('os').abort()"),
    "npy of empty pictures": npy("(4, 0, 0, 1)"),
    **{f"npz of shape {shape}": npz(shape) for shape in SHAPES},
    "npz of objects": npz("(4, 2, 2, 1)", "'|O'", zipfile.ZIP_DEFLATED),
    "idx of 255 axes": idx(*[1] * 255),
    "idx of 2^32 pictures": idx(2**32 - 1, 2**32 - 1, 2**32 - 1),
    "idx of empty pictures": idx(5, 0, 16),
    "idx without axes": idx(),
    "hdf5 of groups": h5(image={}),
    "hdf5 of text": h5(image="a picture"),
    "hdf5 of one number": h5(image=3),
    "hdf5 of nothing": h5(image=h5py.Empty("f4"), mask=h5py.Empty("f4")),
    "hdf5 of references": h5(image=np.zeros((5, 2), "S3")),
    "hdf5 of empty pictures": h5(image=np.zeros((5, 0, 0, 1)), mask=np.zeros((5, 0, 0, 1))),
    "hdf5 of records": h5(image=np.zeros((5, 2, 2, 1), [("a", "f4"), ("b", "u1")])),
    "hdf5 of complex numbers": h5(image=np.zeros((5, 2, 2, 1), complex)),
}


@pytest.mark.parametrize("case", OPENED)
def test_crafted_headers_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    with pytest.raises(ValueError, match=r"^Received: [^\n]*$"):
        open_source(OPENED[case](tmp_path)).read([0])


def test_hdf5_of_10_to_the_12_samples_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("image", "mask"):
            file.create_dataset(name, (10**12, 2, 2, 1), "u1", chunks=(1, 2, 2, 1))
    with pytest.raises(ValueError, match="where /image declares 4000000000000 bytes"):
        open_source(tmp_path / "a.h5")


def test_10_to_the_12_samples_in_a_file_of_holes_are_refused(tmp_path: Path) -> None:
    """Such a file says that it holds them all."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 1, 1, 1)}"
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", 118) + header.ljust(117) + b"\n")
        file.truncate(128 + 10**12)
    with pytest.raises(ValueError, match=r"1000000000000 samples. Expected: at most 2147483648"):
        open_source(tmp_path / "a.npy")


SPLITS: dict[str, Any] = {
    "a group": {},
    "text": "train",
    "one number": 1,
    "too short": np.zeros(2, np.uint8),
    "too long": np.zeros(99, np.uint8),
    "fractions": np.full(5, 0.5),
    "not a number": np.full(5, np.nan),
    "two axes": np.zeros((5, 5), np.uint8),
    "nothing": h5py.Empty("u1"),
}


@pytest.mark.parametrize("case", SPLITS)
@pytest.mark.parametrize("name", ["split", "fold"])
def test_a_split_that_is_a_group_or_no_list_of_integers_is_refused(
    tmp_path: Path, name: str, case: str
) -> None:
    path = h5(**{name: SPLITS[case]})(tmp_path)
    options = {"split": "train"} | ({"fold": 0} if name == "fold" else {})
    with pytest.raises(ValueError, match=r"^Received: [^\n]*$"):
        open_source(path, **options)


MANIFESTS: dict[str, Any] = {
    "a group": {},
    "a number": 3,
    "no JSON": "{",
    "a list": "[1]",
    "nested brackets": DEEP,
    "nested objects": '{"a":' * 100_000,
    "class_names of a number": json.dumps({"class_names": 3}),
    "class_names of objects": json.dumps({"class_names": [{}]}),
    "samples of text": json.dumps({"samples": "abc"}),
    "samples of numbers": json.dumps({"samples": [1]}),
    "options of a list": json.dumps({"options": [1]}),
    "bytes that are no text": np.frombuffer(b"\xff\xfe\0", "S3")[0],
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_of_another_form_is_refused(tmp_path: Path, case: str) -> None:
    source = open_source(h5(manifest=MANIFESTS[case])(tmp_path))
    with pytest.raises(ValueError, match=r"^Received: [^\n]*$"):
        _ = source.class_names
    source.close()


@pytest.mark.parametrize("link", [h5py.SoftLink("/mask"), h5py.ExternalLink("b.h5", "/x")])
@pytest.mark.parametrize("call", [open_source, hdf5.has_splits])
def test_hdf5_with_links_is_refused(
    tmp_path: Path, call: Callable[[Path], object], link: object
) -> None:
    path = h5(other=link)(tmp_path)
    with pytest.raises(ValueError, match=r"where other is a .*link.* Expected: values stored in"):
        call(path)


def test_a_damaged_chunk_names_its_sample(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunks = {"chunks": (1, 12, 16, 3), "compression": "gzip"}
        file.create_dataset("image", data=PICTURES, **chunks).id.write_direct_chunk(
            (2, 0, 0, 0), b"no stream"
        )
        file["mask"] = MASKS
    source = open_source(tmp_path / "a.h5")
    source.read([0, 1])
    with pytest.raises(ValueError, match=r"damaged in image, sample 2 \(the chunk at \(2, 0, 0, 0"):
        source.read([0, 2])
    source.close()


@pytest.fixture(params=["a pipe", "a socket", "a device"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Something that is no regular file; opening a pipe would hang."""
    path = tmp_path / "special"
    if request.param == "a pipe":
        os.mkfifo(path)
    elif request.param == "a device":
        path.symlink_to("/dev/zero")
    else:
        os.chdir(tmp_path)  # the path of a socket must be short
        listening = socket.socket(socket.AF_UNIX)
        listening.bind("special")
        listening.close()
    return path


@pytest.mark.parametrize("name", ["a.h5", "a.npz", "a.npy", "a.png", "a"])
def test_data_that_are_no_regular_file_are_refused_before_opening(
    no_file: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = no_file.rename(tmp_path / name)
    with pytest.raises(ValueError, match="Expected: a regular file"):
        open_source(path)


def test_pipes_within_a_folder_of_data_are_refused_before_opening(tmp_path: Path) -> None:
    folder = make.idx(tmp_path / "idx")
    (folder / "train-labels-idx1-ubyte").unlink()
    os.mkfifo(folder / "train-labels-idx1-ubyte")
    with pytest.raises(ValueError, match="which is a named pipe"):
        open_source(folder)
