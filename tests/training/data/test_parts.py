"""Training, validation and test samples of data with splits of their own; no sample is in two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.source import Source, Subset
from ddl.training.data.parts import open_part
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan
from tests.data import make
from tests.data.sources.array_files import cifar_files

RESNET = {"model": "resnet20", "loss": "categorical_crossentropy", "metric": ("top_1",)}


def mnist(folder: Path, train: int = 20, test: int = 6) -> Path:
    """Write MNIST's four files, every picture another one."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("t10k", test)):
        pictures = rng.integers(0, 256, (count, 16, 16), np.uint8)
        labels = (np.arange(count) % 2).astype(np.uint8)
        for name, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            (folder / f"{split}-{name}-ubyte").write_bytes(make.idx_bytes(array))
    return folder


def npz_folders(folder: Path) -> Path:
    """Write two archives of training data and one each of validation and test data, channels first, labels from 1."""
    rng = np.random.default_rng(0)
    for name in ("train/a", "train/b", "val/a", "test/a"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pictures = rng.integers(0, 256, (5, 3, 16, 16), np.uint8)
        np.savez(path, x=pictures, y=np.arange(5)[:, None] % 2 + 1)
    return folder


# name -> writes the data, their options, and the number of samples of training, validation and test.
SPLIT: dict[str, tuple[Callable[[Path], object], dict[str, Any], tuple[int, int, int]]] = {
    "idx": (lambda tmp: mnist(tmp / "mnist"), {}, (18, 2, 6)),
    "cifar": (lambda tmp: cifar_files.folder(tmp / "cifar"), {}, (18, 2, 4)),
    "cifar archive": (lambda tmp: cifar_files.archive(tmp / "cifar.tar.gz"), {}, (18, 2, 4)),
    "npz-folder": (
        lambda tmp: npz_folders(tmp / "npz"),
        {"channels_first": True, "label_base": 1},
        (10, 5, 5),
    ),
    "synthetic-labels": (lambda _: "synthetic-labels", {"count": 20}, (18, 2, 4)),
}


def plan_of(data: object, tmp: Path, **changes: Any) -> Plan:
    return Plan(run_dir=tmp / "run", data=str(data), **RESNET, **changes)


def pictures_of(source: Source) -> set[bytes]:
    """Return what identifies the samples: their pictures, all of which differ."""
    pictures = {picture.tobytes() for picture in source.read(range(len(source)))["image"]}
    assert len(pictures) == len(source)
    return pictures


@pytest.mark.parametrize("case", SPLIT)
def test_no_sample_is_in_two_parts(tmp_path: Path, case: str) -> None:
    write, options, counts = SPLIT[case]
    plan = plan_of(write(tmp_path), tmp_path, data_option=options)
    parts = [pictures_of(open_part(plan, part)) for part in ("train", "validation", "test")]
    assert tuple(map(len, parts)) == counts
    assert len(set.union(*parts)) == sum(counts)
    data = open_data(plan)
    assert (len(data.training), len(data.validation)) == counts[:2]


@pytest.mark.parametrize("seed", range(3))
def test_a_part_held_out_is_the_rest_of_the_indices(tmp_path: Path, seed: int) -> None:
    plan = plan_of(mnist(tmp_path / "mnist"), tmp_path, validation_part=0.3, seed=seed)
    training, validation = (open_part(plan, part) for part in ("train", "validation"))
    assert isinstance(training, Subset)
    assert isinstance(validation, Subset)
    indices = np.concatenate([training.indices, validation.indices])
    assert sorted(indices) == [*range(20)]
    assert len(validation.indices) == 6


@pytest.mark.parametrize("case", ["idx", "cifar", "cifar archive", "synthetic-labels"])
def test_the_same_data_for_validation_give_their_test_files(tmp_path: Path, case: str) -> None:
    write, options, counts = SPLIT[case]
    data = write(tmp_path)
    for option in (options, {**options, "split": "train"}):
        plan = plan_of(data, tmp_path, data_option=option, validation_data=str(data))
        training, validation = (pictures_of(open_part(plan, p)) for p in ("train", "validation"))
        assert (len(training), len(validation)) == (sum(counts[:2]), counts[2])
        assert training.isdisjoint(validation)
        assert validation == pictures_of(open_part(plan, "test"))


def test_a_named_split_is_trained_on_and_divided(tmp_path: Path) -> None:
    folder = npz_folders(tmp_path / "npz")
    options = {"channels_first": True, "label_base": 1, "split": "validation"}
    plan = plan_of(folder, tmp_path, data_option=options, validation_part=0.2)
    assert [len(open_part(plan, part)) for part in ("train", "validation", "test")] == [4, 1, 5]


def test_a_folder_of_test_files_alone_is_data_for_validation(tmp_path: Path) -> None:
    folder, other = mnist(tmp_path / "mnist"), mnist(tmp_path / "other", test=7)
    for path in other.glob("train-*"):
        path.unlink()
    plan = plan_of(folder, tmp_path, validation_data=str(other), data_option={"split": "train"})
    assert [len(open_part(plan, part)) for part in ("train", "validation")] == [20, 7]


def test_the_split_of_training_data_is_not_asked_of_other_data(tmp_path: Path) -> None:
    folder = mnist(tmp_path / "mnist")
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 16, 16, 1), np.uint8), y=np.zeros(3, np.uint8))
    plan = plan_of(folder, tmp_path, data_option={"split": "test"})
    plan = dataclasses.replace(plan, validation_data=str(tmp_path / "a.npz"))
    assert [len(open_part(plan, part)) for part in ("train", "validation")] == [6, 3]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "validation on what is trained on": (
        {"data_option": {"split": "test"}, "validation_data": "IN"},
        "validation",
        r"for validation, whose split=test is trained on\. Expected: split=train",
    ),
    "test of what is trained on": (
        {"data_option": {"split": "test"}},
        "test",
        r"part='test' of .*which is trained on with data_option split=test",
    ),
    "folds": ({"fold": 1}, "train", r"fold=1 of .*which has no folds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_share_samples_are_refused(tmp_path: Path, case: str) -> None:
    changes, part, message = REFUSED[case]
    folder = mnist(tmp_path / "mnist")
    changes = {name: str(folder) if value == "IN" else value for name, value in changes.items()}
    with pytest.raises(ValueError, match=message):
        open_part(plan_of(folder, tmp_path, **changes), part)


def test_a_fraction_of_data_with_validation_files_is_refused(tmp_path: Path) -> None:
    plan = plan_of(npz_folders(tmp_path / "npz"), tmp_path, validation_part=0.3)
    with pytest.raises(ValueError, match=r"validation_part=0.3 of .*which has splits of its own"):
        open_part(plan, "train")


def test_missing_test_files_are_named(tmp_path: Path) -> None:
    folder = mnist(tmp_path / "mnist")
    for path in folder.glob("t10k*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"part='test' of .*, whose splits are train\. Expected"):
        open_part(plan_of(folder, tmp_path), "test")
