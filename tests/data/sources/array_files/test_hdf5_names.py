"""HDF5 and .npz files with names of one's own, also in groups, open by these names everywhere."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from ddl.data.preprocessing import Preprocessing
from ddl.data.sources import open_source
from ddl.data.sources.array_files.hdf5 import has_splits
from ddl.inference.prediction.inputs import find_items
from ddl.training.data.parts import open_part
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan

PICTURES = np.arange(8 * 16 * 16, dtype=np.uint8).reshape(8, 16, 16, 1)
MASKS = (PICTURES > 100).astype(np.uint8)
HOW = Preprocessing(target="mask", channels=1, classes=1)


def own_file(path: Path, inputs: str = "raw", targets: str = "seg", splits: bool = False) -> Path:
    with h5py.File(path, "w") as file:
        file[inputs], file[targets] = PICTURES, MASKS
        if splits:
            file["split"] = np.array([0, 0, 0, 0, 0, 1, 1, 2], np.uint8)
    return path


@pytest.mark.parametrize("names", [("raw", "seg"), ("volume/raw", "volume/labels/seg")])
@pytest.mark.parametrize("splits", [False, True])
def test_hdf5_with_names_of_ones_own_trains(
    tmp_path: Path, names: tuple[str, str], splits: bool
) -> None:
    path = own_file(tmp_path / "a.h5", *names, splits=splits)
    plan = Plan(
        run_dir=tmp_path / "run",
        data=str(path),
        data_option={"keys": names},
        model_option={"depth": 2},
    )
    data = open_data(plan)
    assert (len(data.training), len(data.validation)) == ((5, 2) if splits else (7, 1))
    assert len(open_part(plan, "all")) == 8
    if splits:
        assert len(open_part(plan, "test")) == 1
    assert has_splits(path, names) is splits


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (("raw", "seg"), "a.h5 with raw, seg. Expected: image, mask or"),
        (("a/raw", "b/c/seg"), "a.h5 with a/raw, b/c/seg. Expected: image, mask or"),
    ],
)
def test_the_message_that_recommends_keys_lists_groups_too(
    tmp_path: Path, names: tuple[str, str], listed: str
) -> None:
    path = own_file(tmp_path / "a.h5", *names)
    with pytest.raises(ValueError, match=r"as in keys=") as caught:
        open_source(path)
    assert listed in str(caught.value)
    assert f"as in keys={','.join(names)}." in str(caught.value)
    assert len(open_source(path, keys=names)) == 8


def test_a_file_of_many_data_sets_lists_the_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(150):
            file[f"group/{number:03d}"] = [0]
    with pytest.raises(ValueError, match=r"group/000, .* and more. Expected") as caught:
        open_source(tmp_path / "a.h5")
    assert len(str(caught.value)) < 700


def test_known_names_in_the_file_go_before_groups(tmp_path: Path) -> None:
    path = own_file(tmp_path / "a.h5", "image", "mask")
    with h5py.File(path, "a") as file:
        file["more/image"] = PICTURES[:3]
    assert len(open_source(path)) == 8


def test_predict_takes_names_of_ones_own_too(tmp_path: Path) -> None:
    path = own_file(tmp_path / "a.h5")
    items = find_items(path, HOW, 10**6, ("raw",))
    assert len(items) == 8
    with items[3].open() as rows:
        np.testing.assert_array_equal(rows[0:16], PICTURES[3])
    np.savez(tmp_path / "a.npz", raw=PICTURES)
    assert len(find_items(tmp_path / "a.npz", HOW, 10**6, ("raw",))) == 8
    with pytest.raises(ValueError, match=r"keys=raw for .*Expected: an HDF5 or .npz file"):
        find_items(tmp_path, HOW, 10**6, ("raw",))
