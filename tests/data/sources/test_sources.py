"""Every format returns the stored samples, in any order, also in another process."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from ddl.data.source import Subset
from ddl.data.sources import FORMATS, detect_format, open_source
from tests.data import make

PICTURES, MASKS = make.arrays()
WITH_MASKS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "pairs": ("pairs", lambda tmp: make.pairs(tmp / "pairs")),
    "folders": ("folders", lambda tmp: make.folders(tmp / "folders")),
    "npy": ("npy", lambda tmp: make.npy(tmp / "npy")),
    "npz": ("npz", lambda tmp: make.npz(tmp / "a.npz")),
    "npz compressed": ("npz", lambda tmp: make.npz(tmp / "a.npz", compressed=True)),
    "hdf5": ("hdf5", lambda tmp: make.hdf5(tmp / "a.h5")),
}


@pytest.mark.parametrize("case", WITH_MASKS)
def test_pictures_and_masks_come_back_in_the_order_asked_for(tmp_path: Path, case: str) -> None:
    name, write = WITH_MASKS[case]
    path = write(tmp_path)
    assert detect_format(path) == name
    source = open_source(path)
    assert len(source) == 5
    assert list(source.fields) == ["image", "mask"]
    for wanted in ([0, 1, 2, 3, 4], [3, 0, 3, 4], [], [2]):
        batch = source.read(wanted)
        assert np.array_equal(batch["image"], PICTURES[wanted])
        assert np.array_equal(batch["mask"], MASKS[wanted])
        for field, array in batch.items():
            assert array.shape == (len(wanted), *source.fields[field].shape)
            assert array.dtype == source.fields[field].dtype
    source.close()
    source.close()
    assert np.array_equal(source.read([1])["image"], PICTURES[[1]])  # opens again
    source.close()


def test_class_folders_give_labels_by_sorted_name(tmp_path: Path) -> None:
    source = open_source(make.classes(tmp_path))
    assert source.class_names == ("cat", "dog")
    batch = source.read([4, 0])
    assert batch["label"].tolist() == [1, 0]
    assert np.array_equal(batch["image"][0], make.picture(12))


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_idx_files(tmp_path: Path, zipped: bool, split: str) -> None:
    source = open_source(make.idx(tmp_path / "mnist", zipped), split=split)
    assert source.fields["image"].shape == (12, 16, 1)
    batch = source.read([4, 2])
    assert np.array_equal(batch["image"][0], make.picture(4, channels=1))
    assert batch["label"].tolist() == [4, 2]


@pytest.mark.parametrize(("name", "axes"), [("synthetic", 2), ("synthetic-3d", 3)])
def test_synthetic_samples_come_from_seed_and_index_alone(name: str, axes: int) -> None:
    source = open_source(name, count=4, size=24, seed=1)
    batch = source.read([3, 1])
    assert np.array_equal(batch["image"][0], source.read([3])["image"][0])
    assert not np.array_equal(batch["image"][0], batch["image"][1])
    other = open_source(name, count=4, size=24, seed=2)
    assert not np.array_equal(batch["image"], other.read([3, 1])["image"])
    assert batch["mask"].shape == (2, *(24,) * axes, 1)
    assert set(np.unique(batch["mask"])) == {0.0, 1.0}
    for image, mask in zip(batch["image"], batch["mask"], strict=True):
        assert 0 <= image.min() <= image.max() <= 1
        # Cells are stained: dark on the bright field in 2D, bright in 3D.
        difference = image.mean(-1)[mask[..., 0] == 1].mean() - image[mask[..., 0] == 0].mean()
        assert difference < -0.05 if axes == 2 else difference > 0.1


def test_differing_sizes_are_resized_to_the_size_asked_for(tmp_path: Path) -> None:
    make.pairs(tmp_path, count=2)
    make.pairs(tmp_path / "more", count=1, height=30, width=20)
    for name in ("cell-0.png", "cell-0_mask.gif"):
        (tmp_path / "more" / name).rename(tmp_path / name.replace("0", "9"))
    source = open_source(tmp_path, "pairs", image_size=(6, 8), channels="grey")
    batch = source.read([0, 2])
    assert batch["image"].shape == batch["mask"].shape == (2, 6, 8, 1)
    assert set(np.unique(batch["mask"])) == {0, 1}


def test_16_bits_and_the_pixel_limit_are_options(tmp_path: Path) -> None:
    source = open_source(make.folders(tmp_path), bits=16)
    assert source.fields["image"].dtype == np.uint16
    assert np.array_equal(source.read([2])["image"], PICTURES[[2]].astype(np.uint16) * 257)
    with pytest.raises(ValueError, match=r"16 x 12 pixels\. Expected: 1 to 100; raise pixel_limit"):
        open_source(tmp_path, pixel_limit=100)


def test_a_subset_renumbers(tmp_path: Path) -> None:
    subset = Subset(open_source(make.npy(tmp_path / "npy")), [4, 2])
    assert len(subset) == 2
    assert np.array_equal(subset.read([1, 0])["image"], PICTURES[[2, 4]])
    with pytest.raises(ValueError, match=r"index 2. Expected: 0 to 1"):
        subset.read([2])


ANOTHER_PROCESS = """
import multiprocessing, sys
from ddl.data.sources import open_source

def first_pixel(source, index):
    return int(source.read([index])["image"][0, 0, 0, 0])

if __name__ == "__main__":
    source = open_source(sys.argv[1])
    source.read([0])
    with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
        print(pool.apply(first_pixel, (source, 3)), first_pixel(source, 4))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_open_hdf5_source_goes_to_another_process(tmp_path: Path, method: str) -> None:
    # From a process of its own: a fork of this one, in which TensorFlow has threads, may wait forever for a lock.
    program = tmp_path / "program.py"
    program.write_text(ANOTHER_PROCESS)
    command = [sys.executable, program, make.hdf5(tmp_path / "a.h5"), method]
    root = Path(__file__).resolve().parents[3]
    result = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.split() == [str(PICTURES[n, 0, 0, 0]) for n in (3, 4)], result.stderr


@pytest.mark.parametrize("case", ["pairs", "folders", "npz", "hdf5"])
def test_threads_may_read_at_once(tmp_path: Path, case: str) -> None:
    source = open_source(WITH_MASKS[case][1](tmp_path))
    source.close()  # so that they also open it at once

    def reads_right(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        for _ in range(20):
            wanted = rng.integers(0, 5, 3)
            batch = source.read(wanted)
            if not np.array_equal(batch["image"], PICTURES[wanted]):
                return False
            if not np.array_equal(batch["mask"], MASKS[wanted]):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(reads_right, range(8)))
    source.close()


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    pictures = np.zeros((64, 128, 128, 8), np.uint8)  # 8 MiB
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, pictures)
    elif kind == "npz":
        np.savez(path, x=pictures)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("image", data=pictures, chunks=(1, 128, 128, 8))
    tracemalloc.start()
    source = open_source(path)
    for index in range(64):
        source.read([index])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    source.close()
    assert peak < 3 << 20


def test_every_format_has_a_test() -> None:
    tested = {name for name, _ in WITH_MASKS.values()} | {"idx", "classes"}
    elsewhere = {
        "pictures",
        "tagged",
        "channels-first",
        "cifar",
        "npz-folder",
        "split-classes",
        "synthetic-labels",
        "synthetic-boxes",
        "coco",
        "yolo",
        "voc",
        "tfrecord",
        "diffusion-maps",
        "diffusion-maps-3d",
        "burgers",
        "delimited",
    }
    assert set(FORMATS) == tested | elsewhere | {"synthetic", "synthetic-3d", "faces"}
