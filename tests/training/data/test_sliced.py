"""Data of a plan with slicers: inputs and targets from one or two files, for training and for inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.data.source import Source
from ddl.training.data.parts import open_part
from ddl.training.data.training_data import TrainingData, as_inputs, open_data
from ddl.training.plan.plan import Plan
from ddl.training.plan.plan_flags import plan_from_flags, plan_to_flags

VALUES = np.random.default_rng(0).random((1, 16, 24, 4)).astype(np.float32)
SLICER = ("sizes=8,8,1", "name='second set' sizes=8,8,1 strides=4,4,1 discard_remainders=true")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "both.h5", "w") as file:
        file["input"], file["target"] = VALUES, (VALUES > 0.5).astype(np.uint8)
    np.save(tmp_path / "inputs.npy", VALUES)
    np.savez(tmp_path / "targets.npz", seg=VALUES > 0.5, other=VALUES)
    return tmp_path


def plan(folder: Path, **fields: Any) -> Plan:
    paths = {
        name: str(folder / value)
        for name, value in fields.items()
        if name.endswith("data") and isinstance(value, str)
    }
    options = {"model_option": {"depth": 2}, "slicer": SLICER, "run_dir": folder / "run"}
    return Plan(**{**options, **fields, **paths})


def test_a_part_of_the_slices_is_held_out(files: Path) -> None:
    data = open_data(plan(files, data="both.h5"))
    assert data.validation is not None
    assert (len(data.training), len(data.validation)) == (76, 8)  # 24 and 60 slices
    assert data.training.fields["image"].shape == (8, 8, 1)


def test_targets_from_another_file_are_the_same(files: Path) -> None:
    one = open_data(plan(files, data="both.h5"))
    two = open_data(
        plan(
            files, data="inputs.npy", target_data="targets.npz",
            target_data_option={"keys": ("seg",)},
        )
    )  # fmt: skip
    for name in ("image", "mask"):
        assert (one.training.read([3, 70])[name] == two.training.read([3, 70])[name]).all()


def test_validation_on_another_array(files: Path) -> None:
    np.save(files / "other.npy", VALUES[:, :8])
    np.save(files / "masks.npy", VALUES[0, :8] > 0.5)
    data = open_data(
        plan(
            files, data="both.h5", validation_data="other.npy", validation_target_data="masks.npy"
        )
    )  # fmt: skip
    assert data.validation is not None
    assert (len(data.training), len(data.validation)) == (84, 32)
    assert "volumes" not in " ".join(data.describe(plan(files, data="both.h5")))


def test_an_autoencoder_of_slices(files: Path) -> None:
    data: TrainingData = open_data(
        plan(
            files, data="inputs.npy", target_data="inputs.npy", targets="values",
            loss="binary_crossentropy", metric=("mae",),
        )
    )  # fmt: skip
    batch = data.training.read([1, 2])
    assert (batch["image"] == batch["values"]).all()


def test_other_channels_and_sides_of_validation_are_refused(files: Path) -> None:
    np.savez(files / "other.npz", input=np.repeat(VALUES, 3, 0), target=VALUES > 0.5)
    with pytest.raises(ValueError, match="of 8x8x1, validation samples of 8x8x3"):
        open_data(plan(files, data="both.h5", validation_data="other.npz"))


def test_inputs_alone_have_the_transforms_of_inputs(files: Path) -> None:
    changed = plan(files, data="inputs.npy", transform=("normalize=0.5,0.25",), targets="values",
                   target_transform=("normalize=1,1",), loss="binary_crossentropy", metric=("mae",))  # fmt: skip
    source: Source = open_part(changed, "all", needs_target=False)
    assert [*source.fields] == ["image"]
    inputs = as_inputs(source, changed)
    assert [*inputs.fields] == ["image"]
    expected = (source.read([5])["image"] - 0.5) / 0.25
    assert np.abs(inputs.read([5])["image"] - expected).max() < 1e-6


def test_flags_give_the_plan_back(files: Path) -> None:
    before = plan(files, data="both.h5", assembled_output=files / "o.h5")
    words = plan_to_flags(before)
    start = words.index("--slicer") + 1
    assert tuple(words[start : start + 2]) == SLICER
    given = {"slicer": [*SLICER], "data": before.data, "assembled_output": files / "o.h5"}
    after = plan_from_flags(
        {**given, "model_option": ["depth=2"]}, {"run_dir": before.run_dir, "model": "unet"}
    )
    assert after == before
