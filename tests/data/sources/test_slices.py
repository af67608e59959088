"""Slices of arrays in HDF5, `.npy` and `.npz` as samples: read by box, with targets from one or two files."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.data.slicing.slicer import parse_slicers
from ddl.data.source import Subset, origin_of
from ddl.data.sources.slices import open_slices, slices_of

VALUES = np.random.default_rng(0).random((2, 12, 10, 6)).astype(np.float32)
MASKS = (VALUES[:1] > 0.5).astype(np.uint8)
SETS = parse_slicers(["name=a sizes=4,4,1", "name=b sizes=1,4,4 strides=1,2,2"])


def hdf5(path: Path, **options: Any) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("input", data=VALUES, **options)
        file.create_dataset("target", data=MASKS, **options)
    return path.with_suffix(".h5")


def npz(path: Path, save: Callable[..., None] = np.savez) -> Path:
    save(path.with_suffix(".npz"), input=VALUES, target=MASKS)
    return path.with_suffix(".npz")


def npy(path: Path, values: np.ndarray) -> Path:
    np.save(path, values)
    return path


KINDS: dict[str, Callable[[Path], Path]] = {
    "hdf5": hdf5,
    "chunked": lambda path: hdf5(path, chunks=(1, 5, 3, 2), compression="gzip"),
    "npz": npz,
    "compressed": lambda path: npz(path, np.savez_compressed),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_gives_the_boxes_of_its_array(tmp_path: Path, kind: str) -> None:
    source = open_slices(KINDS[kind](tmp_path / "x"), SETS)
    slices, _ = slices_of(source)
    assert (len(source), source.fields["image"].shape) == (54 + 12 * 4 * 2, (4, 4, 2))
    batch = source.read([149, 0, 53])
    for row, number in enumerate([149, 0, 53]):
        one, inner = slices.find(number)
        box = one.box(inner)
        expected = np.moveaxis(VALUES[(slice(None), *box)], 0, -1)
        sides = expected.reshape(-1, 2).shape[0]
        assert batch["image"][row].reshape(-1, 2)[:sides].shape == (sides, 2)
        places = tuple(part.stop - part.start for part in box)
        kept = tuple(slice(0, places[axis]) for axis in one.slicer.kept_axes)
        assert (
            batch["image"][row][kept] == expected.reshape(batch["image"][row][kept].shape)
        ).all()
        mask = np.moveaxis(MASKS[(slice(None), *box)], 0, -1)
        assert (batch["mask"][row][kept] == mask.reshape(batch["mask"][row][kept].shape)).all()
    assert source.describe() == (
        "150 pictures with masks, 4x4 with 2 channels, float32, cut from 2x12x10x6: a (54), b (96)"
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">i2", "|u1"])
def test_mapped_arrays_of_any_order_and_type(tmp_path: Path, order: Any, dtype: str) -> None:
    values = np.asarray(VALUES * 99, dtype, order=order)
    source = open_slices(npy(tmp_path / "x.npy", values), parse_slicers(["sizes=12,10,6"]))
    (sample,) = source.read([0])["image"]
    assert sample.dtype == np.dtype(dtype).newbyteorder("=")
    assert (sample == np.moveaxis(values, 0, -1)).all()


def test_an_array_without_channels_has_one(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", VALUES[0])
    source = open_slices(path, parse_slicers(["sizes=4,5,6"]))
    assert (len(source), [*source.fields]) == (6, ["image"])
    assert (source.read([1])["image"][0, ..., 0] == VALUES[0, :4, 5:]).all()


def test_one_dimensional_arrays(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", np.arange(20.0))
    source = open_slices(path, parse_slicers(["sizes=8 strides=4"]))
    assert source.read([3])["image"][0, :, 0].tolist() == [*range(12, 20)]


def test_targets_from_another_file_of_another_format(tmp_path: Path) -> None:
    inputs, targets = npy(tmp_path / "x.npy", VALUES), npy(tmp_path / "y.npy", MASKS[0])
    source = open_slices(inputs, SETS, target_path=targets, target="values")
    assert [*source.fields] == ["image", "values"]
    both = open_slices(npz(tmp_path / "z"), SETS)
    assert (source.read([7, 9])["values"] == both.read([7, 9])["mask"]).all()


def test_the_only_array_may_be_its_own_target(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", VALUES)
    batch = open_slices(path, SETS, target_path=path, target="values").read([3])
    assert (batch["image"] == batch["values"]).all()


def test_names_of_ones_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", raw=VALUES, seg=MASKS, other=VALUES)
    source = open_slices(tmp_path / "x.npz", SETS, keys=("raw", "seg"))
    assert source.fields["mask"].dtype == np.uint8
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["volume/raw"], file["volume/seg"] = VALUES, MASKS
    assert len(open_slices(tmp_path / "x.h5", SETS, keys=("volume/raw",)).fields) == 1
    two = open_slices(
        tmp_path / "x.h5", SETS, keys=("volume/raw",), target_path=tmp_path / "x.npz",
        target_keys=("seg",),
    )  # fmt: skip
    assert [*two.fields] == ["image", "mask"]


def test_a_range_scales_what_is_cut(tmp_path: Path) -> None:
    path = npy(tmp_path / "x.npy", (VALUES * 100).astype(np.int16))
    source = open_slices(path, parse_slicers(["sizes=12,10,6"]), range="0,50")
    assert source.value_range == (0, 50)
    assert source.read([0])["image"].max() == 1


def test_samples_know_their_slices_through_views(tmp_path: Path) -> None:
    source = open_slices(npz(tmp_path / "x"), SETS, range="0,1")
    part = Subset(Subset(source, [5, 9, 60]), [2, 0])
    assert slices_of(part)[1].tolist() == [60, 5]
    assert part.name_of(0) == "b[0:1, 6:10, 0:4]"


def test_threads_and_other_processes_read_alike(tmp_path: Path) -> None:
    source = open_slices(KINDS["chunked"](tmp_path / "x"), SETS)
    expected = source.read(range(100))["image"]
    copy, results = pickle.loads(pickle.dumps(source)), {}  # noqa: S301

    def read(start: int) -> None:
        results[start] = copy.read(range(start, start + 25))["image"]

    threads = [threading.Thread(target=read, args=(start,)) for start in range(0, 100, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (np.concatenate([results[start] for start in sorted(results)]) == expected).all()
    source.close()
    source.close()
    assert (source.read([3])["image"] == expected[3]).all()


def test_counting_tens_of_gigabytes_reads_nothing(tmp_path: Path) -> None:
    """Neither a file of holes nor a declaration of places that were never written."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("input", (1, 4096, 2048, 2048), "f4")
        file.create_dataset("target", (1, 4096, 2048, 2048), "u1", chunks=(1, 64, 64, 64))
    with h5py.File(tmp_path / "y.h5", "w") as file:
        holes = file.create_dataset("input", (4096, 2048, 1024), "f4")
        holes[-1, -1, -1] = 7
    (tmp_path / "z.npy").touch()
    mapped = np.lib.format.open_memmap(tmp_path / "z.npy", "w+", "f4", (3, 2048, 1024, 1024))
    del mapped
    cube = parse_slicers(["sizes=64,64,64 strides=32,32,32"])
    counts = {}
    for name in ("x.h5", "y.h5", "z.npy"):
        source = open_slices(tmp_path / name, cube)
        counts[name] = len(source)
        last = source.read([len(source) - 1])["image"]
        assert last[0, -1, -1, -1, 0] == (7 if name == "y.h5" else 0)
        source.close()
    assert counts == {"x.h5": 127 * 63 * 63, "y.h5": 127 * 63 * 31, "z.npy": 63 * 31 * 31}
    assert sum(path.stat().st_blocks for path in tmp_path.iterdir()) * 512 < 1 << 20


def test_only_the_chunks_of_a_box_are_read(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "x", chunks=(1, 6, 5, 3), fletcher32=True)
    with h5py.File(path) as file:
        place = file["input"].id.get_chunk_info_by_coord((0, 6, 5, 3)).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 3] ^= 255
    path.write_bytes(data)
    source = open_slices(path, parse_slicers(["sizes=6,5,3"]))
    assert np.isfinite(source.read(range(7))["image"]).all()
    with pytest.raises(ValueError, match=r"input of .*x.h5, which is damaged \("):
        source.read([7])


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def of_objects(path: Path) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["input"] = ["text"] * 12
    return path.with_suffix(".h5")


def huge_chunks(path: Path) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("input", (1 << 29, 4, 4), "f4", chunks=(1 << 28, 2, 1))
    return path.with_suffix(".h5")


BAD: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "no file": (lambda path: path, {}, "x, which does not exist. Expected: a file with an array"),
    "folder": (lambda path: path.parent, {}, "to cut slices from. Expected: one file with an array"),
    "cut HDF5": (lambda path: truncated(hdf5(path)), {}, r"x.h5, which is damaged \("),
    "cut npz": (lambda path: truncated(npz(path)), {}, r"x.npz, which is damaged \("),
    "cut npy": (lambda path: truncated(npy(path.with_suffix(".npy"), VALUES)), {}, "not an intact .npy"),
    "text": (of_objects, {}, "dtype object. Expected: integers or floats"),
    "complex": (lambda path: npy(path.with_suffix(".npy"), VALUES * 1j), {}, "dtype complex64"),
    "chunks": (huge_chunks, {}, "has chunks of 2147483648 bytes"),
    "no such key": (npz, {"keys": ("raw",)}, "keys with raw for .*, which has input, target"),
    "three keys": (npz, {"keys": ("a", "b", "c")}, "keys=a,b,c. Expected: the name of the inputs"),
    "axes": (npz, {"slicers": parse_slicers(["sizes=4,4"])}, "input of .* of shape 2x12x10x6, and slicers"),
    "large": (
        lambda path: npy(path.with_suffix(".npy"), np.lib.stride_tricks.as_strided(np.zeros(1), (1, 4), (0, 0))),
        {"slicers": parse_slicers(["sizes=2,4 padded_sizes=60000,60000"])},
        "slices of 60000x60000x1 from .*. Expected: at most 1 GiB",
    ),
    "memory": (KINDS["compressed"], {"memory_limit": 99}, "bytes decompressed. Expected: at most 99"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_cut_is_refused(tmp_path: Path, name: str) -> None:
    make, options, problem = BAD[name]
    path = make(tmp_path / "x")
    with pytest.raises(ValueError, match=problem):
        open_slices(path, **{"slicers": SETS, **options})


def test_several_unknown_arrays_need_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=VALUES, b=VALUES)
    with pytest.raises(ValueError, match=r"x.npz with a, b, for inputs .*keys=INPUTS,TARGETS"):
        open_slices(tmp_path / "x.npz", SETS)


def test_targets_of_other_sides_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", input=VALUES, target=MASKS[:, :-1])
    problem = r"input of .* of shape 2x12x10x6, with targets of 1x11x10x6.*only channels may differ"
    with pytest.raises(ValueError, match=problem):
        open_slices(tmp_path / "x.npz", SETS)


def test_the_origin_is_not_slices(tmp_path: Path) -> None:
    from ddl.data.inputs_and_targets import ArraySamples

    samples = ArraySamples(np.zeros((2, 4, 4, 1)), np.zeros(2, int))
    with pytest.raises(ValueError, match="samples of class ArraySamples, to assemble"):
        slices_of(samples)
    assert origin_of(samples) is samples
