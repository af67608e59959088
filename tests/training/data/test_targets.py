"""Samples of a plan: inputs and targets of different kinds at different paths, transformed, without validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.preprocessing import preprocessing_from_json
from ddl.data.source import Source
from ddl.training.data.outputs import check_outputs
from ddl.training.data.parts import open_part
from ddl.training.data.plan_preprocessing import plan_preprocessing
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.plan import Plan
from tests.data import make

VALUES: dict[str, Any] = {"targets": "values", "loss": "binary_crossentropy", "metric": ("mae",)}
CNN: dict[str, Any] = {
    "model": "simplecnn",
    "loss": "categorical_crossentropy",
    "metric": ("top_1",),
}
FIRST = {
    "data_option": {"format": "channels-first"},
    "target_data_option": {"format": "channels-first"},
}


def opened(folder: Path, **fields: Any) -> TrainingData:
    return open_data(plan(folder, **fields))


def plan(folder: Path, **fields: Any) -> Plan:
    given = {"model_option": {"depth": 2}} if "model" not in fields else {}
    return Plan(run_dir=folder / "run", **{**given, **fields})


def masks(folder: Path, count: int = 5, value: int = 255, colours: int = 0) -> Path:
    """Write the masks of `make.pictures`, as cell-0_mask.png, of 0 and one other value."""
    folder.mkdir()
    for index in range(count):
        mask = (make.mask(index) // 255 * value).astype(np.uint8)
        iio.imwrite(
            folder / f"cell-{index}_mask.png", np.stack([mask] * 3, -1) if colours else mask
        )
    return folder


def arrays(path: Path, channels: int) -> Path:
    with h5py.File(path, "w") as file:
        for index in range(5):
            file[f"s{index}"] = np.full((channels, 8, 4), index / 10, np.float32)
    return path


def test_masks_of_another_path(tmp_path: Path) -> None:
    source = make.pictures(tmp_path / "in", deep=False)
    data = opened(tmp_path, data=str(source), target_data=str(masks(tmp_path / "out")))
    batch = data.training.read([0, 1])
    assert batch["mask"].shape == (2, 12, 16, 1)
    assert set(np.unique(batch["mask"])) == {0, 1}
    assert data.training.describe() == "5 pictures with masks, 12x16 RGB"


def test_masks_are_normalized_on_what_is_stored_and_rounded(tmp_path: Path) -> None:
    data = opened(
        tmp_path,
        data=str(make.pictures(tmp_path / "in")),
        target_data=str(masks(tmp_path / "out", value=2)),
        transform=("normalize=0,0.003921568", "random_horizontal_flip=0.5"),
        classes=3,
    )
    batch = data.training.read([0, 1, 2])
    assert set(np.unique(batch["mask"])) == {0, 2}
    assert batch["image"].max() > 200  # inputs are multiplied, too, and not rounded
    assert (batch["image"] != np.rint(batch["image"])).any()


def test_class_numbers_in_floats_are_rounded_and_others_refused(tmp_path: Path) -> None:
    paths = {"data": str(arrays(tmp_path / "in.h5", 2)), "target_data": str(tmp_path / "out.h5")}
    for number in (1.9999, 1.5):
        with h5py.File(paths["target_data"], "w") as file:
            for index in range(5):
                file[f"s{index}"] = np.full((1, 8, 4), number, np.float32)
        if number == 1.5:
            with pytest.raises(ValueError, match=r"1\.5 in the mask of sample s"):
                opened(tmp_path, classes=3, **paths, **FIRST)
        else:
            batch = opened(tmp_path, classes=3, **paths, **FIRST).training.read([0])
            assert (batch["mask"] == 2).all()


def test_masks_in_colours_become_grey(tmp_path: Path) -> None:
    data = opened(
        tmp_path,
        data=str(make.pictures(tmp_path / "in")),
        target_data=str(masks(tmp_path / "out", value=2, colours=3)),
        target_data_option={"channels": "grey"},
        classes=3,
    )
    assert set(np.unique(data.training.read([0])["mask"])) == {0, 2}


def test_values_of_pictures_are_scaled_as_inputs_are(tmp_path: Path) -> None:
    source = str(make.pictures(tmp_path / "in"))
    data = opened(tmp_path, data=source, target_data=source, **VALUES)
    batch = data.training.read([0, 2])
    np.testing.assert_array_equal(batch["image"], batch["values"])
    assert (data.classes, batch["values"].max() <= 1) == (3, True)
    grey = opened(
        tmp_path, data=source, target_data=source, target_data_option={"channels": "grey"}, **VALUES
    )
    assert (grey.classes, grey.training.read([0])["image"].shape[-1]) == (1, 3)


def test_arrays_with_channels_first(tmp_path: Path) -> None:
    paths = {
        "data": str(arrays(tmp_path / "in.h5", 2)),
        "target_data": str(arrays(tmp_path / "out.h5", 1)),
    }
    data = opened(tmp_path, **paths, **FIRST, **VALUES)
    batch = data.training.read([1])
    assert (batch["image"].shape, batch["values"].shape) == ((1, 8, 4, 2), (1, 8, 4, 1))
    np.testing.assert_allclose(batch["image"][..., :1], batch["values"])


def test_pictures_have_arrays_of_their_names_as_targets(tmp_path: Path) -> None:
    source = make.pictures(tmp_path / "in")
    (tmp_path / "out").mkdir()
    for index in range(5):
        np.save(tmp_path / "out" / f"cell-{index}", np.full((1, 12, 16), index / 10))
    option = {"target_data_option": {"format": "channels-first"}}
    fields = {"validation_part": 0, **option, **VALUES}
    data = opened(tmp_path, data=str(source), target_data=str(tmp_path / "out"), **fields)
    assert [float(data.training.read([i])["values"].max()) for i in (1, 3)] == [
        np.float32(0.1),
        np.float32(0.3),
    ]


def test_folders_of_inputs_at_any_depth_are_no_classes(tmp_path: Path) -> None:
    source = str(make.pictures(tmp_path / "in", deep=True))
    data = opened(tmp_path, data=source, target_data=source, **VALUES)
    assert len(data.training) + len(data.held_out[0]) == 5


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
def test_one_array_holds_all_targets(tmp_path: Path, kind: str) -> None:
    source = make.npy(tmp_path / "in") / "images.npy"
    values, path = np.arange(10.0).reshape(5, 2), tmp_path / f"out.{kind}"
    if kind == "npy":
        np.save(path, values)
    elif kind == "npz":
        np.savez(path, anything=values)
    else:
        with h5py.File(path, "w") as file:
            file["anything"] = values
    fields = {**VALUES, "loss": "binary_crossentropy", "target_transform": ("normalize=0,10",)}
    data = opened(tmp_path, data=str(source), target_data=str(path), validation_part=0, **fields)
    np.testing.assert_allclose(data.training.read([1])["values"], [[0.2, 0.3]], rtol=1e-6)
    assert data.classes == 2


def test_mnist_is_its_own_target(tmp_path: Path) -> None:
    path = make.idx(tmp_path / "a")
    data = opened(tmp_path, data=str(path), target_data=str(path), validation_part=0, **VALUES)
    assert data.validation is None
    assert data.training.read([0])["values"].shape == (1, 12, 16, 1)


def test_colours_may_be_blue_first(tmp_path: Path) -> None:
    source = str(make.pictures(tmp_path / "in"))
    target = str(masks(tmp_path / "out"))
    plain, swapped, back = (
        opened(tmp_path, data=source, target_data=target, **more).training.read([1])["image"]
        for more in (
            {},
            {"data_option": {"colour_order": "bgr"}},
            {"data_option": {"colour_order": "bgr"}, "transform": ("convert_color=BGR2RGB",)},
        )
    )
    np.testing.assert_array_equal(swapped, plain[..., ::-1])
    np.testing.assert_array_equal(back, plain)


def test_pictures_of_different_sizes_are_resized_on_reading(tmp_path: Path) -> None:
    folder = make.pictures(tmp_path / "in", count=4)
    iio.imwrite(folder / "cell-9.png", make.picture(9, 20, 24))
    transform = ("convert_color=BGR2RGB", "resize=8x8", "random_rotate=5")
    data = opened(
        tmp_path, data=str(folder), target_data=str(folder), transform=transform, **VALUES
    )
    assert data.training.read([0, 1, 2, 3])["image"].shape == (4, 8, 8, 3)
    with pytest.raises(ValueError, match="Expected: one size"):
        opened(
            tmp_path,
            data=str(folder),
            target_data=str(folder),
            transform=("rotate=5", "resize=8x8"),
            **VALUES,
        )


def test_validation_labels_count_the_classes_of_training(tmp_path: Path) -> None:
    make.classes(tmp_path / "in")
    make.classes(tmp_path / "held")
    for file in (tmp_path / "held" / "cat").iterdir():
        file.unlink()
    (tmp_path / "held" / "cat").rmdir()
    fields = {"data": str(tmp_path / "in"), "validation_data": str(tmp_path / "held"), **CNN}
    data = opened(tmp_path, **fields)
    assert data.validation is not None
    assert set(data.validation.read([0, 1, 2])["label"].tolist()) == {1}  # dogs, as in training
    (tmp_path / "held" / "dog").rename(tmp_path / "held" / "emu")
    with pytest.raises(ValueError, match=r"class 'emu' in .*held, which the training samples lack"):
        opened(tmp_path, **fields)


def test_a_part_without_validation_is_refused(tmp_path: Path) -> None:
    made = plan(
        tmp_path, data="synthetic", data_option={"count": 4}, image_size=(16, 16), validation_part=0
    )
    data = open_data(made)
    assert (data.validation, len(data.training), data.held_out) == (None, 4, ())
    assert len(open_part(made, "all")) == 4
    with pytest.raises(ValueError, match="a run without validation"):
        open_part(made, "validation")
    with pytest.raises(ValueError, match="Expected: validation_part=0 in the plan"):
        data.check_parts(plan(tmp_path))
    with pytest.raises(ValueError, match="Expected: validation=None"):
        TrainingData(data.training, data.training, 1).check_parts(made)


@pytest.mark.parametrize(
    ("fields", "piece"),
    [
        ({"target_data": "out"}, "input cell-3.png and 1 more without a target"),
        ({"target_data": "nowhere"}, "nowhere, which does not exist"),
        ({**VALUES}, "for an autoencoder set target_data="),
        (
            {"target_data": "out", "target_data_option": {"bits": 8}},
            "target_data_option bits for masks",
        ),
        (
            {"target_data": "out", "data_option": {"format": "channels-first"}},
            "with no files of arrays",
        ),
    ],
)
def test_paths_that_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], piece: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make.pictures(Path("in"))
    masks(Path("out"), count=3)
    with pytest.raises(ValueError, match="Received: ") as raised:
        opened(tmp_path, data="in", **fields)
    assert piece in str(raised.value)


@pytest.mark.parametrize(
    ("output", "option", "piece"),
    [
        ((None, None, 3), {"output": "sigmoid"}, ""),
        ((12, 16, 1), {}, "with outputs of 12x16x1 for targets of 12x16x3"),
        ((12, 16), {}, "with outputs of 12x16 for targets"),
        ((12, 16, 3), {}, "whose softmax makes their sum 1"),
    ],
)
def test_a_model_has_the_shape_of_its_targets(
    tmp_path: Path, output: tuple[int | None, ...], option: dict[str, Any], piece: str
) -> None:
    source = str(make.pictures(tmp_path / "in"))
    made = plan(
        tmp_path, data=source, target_data=source, model_option={"depth": 2, **option}, **VALUES
    )
    training = open_data(made).training
    if not piece:
        check_outputs(made, output, training)
        return
    with pytest.raises(ValueError, match=piece):
        check_outputs(made, output, training)


def find_preprocessing(made: Plan) -> tuple[Any, Source]:
    data = open_data(made)
    how = plan_preprocessing(made, data.input_shape, data.classes, data.training)
    return preprocessing_from_json(how.to_json()), data.training


CASES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "values": lambda source: {"target_data": str(source), **VALUES, "transform": ("resize=8x8", "normalize=0.5,2")},
    "labels": lambda source: {**CNN, "transform": ("resize=12x12", "center_crop=8x8", "convert_color=RGB2GRAY")},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_preprocessing_repeats_what_training_did_to_inputs(tmp_path: Path, name: str) -> None:
    write = make.classes if name == "labels" else make.pictures
    source = write(tmp_path / "in")
    how, samples = find_preprocessing(plan(tmp_path, data=str(source), **CASES[name](source)))
    assert how.target == ("label" if name == "labels" else "values")
    file = source / samples.name_of(0)
    found = how.transformed(how.model_input(iio.imread(file)))
    np.testing.assert_allclose(found, samples.read([0])["image"][0], atol=1e-6)
    if name == "values":
        assert how.pixel_transforms == ("normalize=0.5,2",)
    else:
        assert (how.channels, how.model_channels) == (3, 1)
        with pytest.raises(ValueError, match="whose inputs go through center_crop=8x8"):
            _ = how.pixel_transforms
