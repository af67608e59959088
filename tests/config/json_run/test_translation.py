"""What each key of a config becomes: fields of a plan, and lines on keys without effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddl.config.json_run.translation.draft import Draft, NetworkForm
from ddl.config.json_run.translation.run import translate
from tests.config.json_run.good_configs import (
    BLOCKS,
    CLASSES,
    EQUATION,
    INFERENCE,
    changed,
    settings_of,
)


def draft_of(folder: Path, text: str, *changes: str, form: NetworkForm | None = None) -> Draft:
    return translate(settings_of(folder, text, *changes), form)


def fields_of(
    folder: Path, text: str, *changes: str, form: NetworkForm | None = None
) -> dict[str, Any]:
    return draft_of(folder, text, *changes, form=form).fields


def test_pictures_in_class_folders(here: Path) -> None:
    assert fields_of(here, CLASSES) == {
        "model": "network",
        "model_option": {"file": "net.json", "batch_norm_affine": "keras"},
        "epoch_log": "out",
        "epochs": 3,
        "checkpoint_copies": "models/",
        "copy_every_epochs": 2,
        "data": "train/",
        "validation_data": "test/",
        "targets": "label",
        "global_batch_size": 16,
        "cache": "memory",
        "data_option": {"format": "classes", "colour_order": "bgr", "resampling": "bilinear"},
        "transform": ("resize=16x16", "normalize=0.5,0.25", "random_horizontal_flip=0.5"),
        "prediction_output": "outputs/",
        "metric": ("top_1",),
        "loss": "nll",
        "loss_option": {"source": "softmax"},
        "optimizer": "torch_sgd",
        "optimizer_option": {
            "momentum": 0.9,
            "weight_decay": 0.0,
            "dampening": 0.0,
            "nesterov": False,
        },
        "learning_rate": 0.1,
        "learning_rate_scaling": "none",
        "warmup_epochs": 0.0,
        "schedule": "exponential",
        "schedule_option": {"factor": 0.5, "staircase": True},
    }


def test_defaults_are_those_of_configs_not_of_flags(here: Path) -> None:
    text = changed(CLASSES, num_epochs=None, optimizer={"type": "Adam"})
    fields = fields_of(here, text, "data.batch_size=null", "data.preload=null")
    assert fields["epochs"] == 1
    assert (fields["learning_rate"], fields["global_batch_size"], fields["cache"]) == (
        0.01,
        64,
        "none",
    )
    assert fields["optimizer_option"] == {
        "weight_decay": 0.0,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "amsgrad": False,
    }


def test_without_test_data_nothing_is_validated(here: Path) -> None:
    fields = fields_of(here, CLASSES, "data.test_input_path=null", "data.test_output_path=null")
    assert fields["validation_part"] == 0
    assert "validation_data" not in fields


@pytest.mark.parametrize(
    ("kind", "sides", "options"),
    [
        ("numpy", (8, 8, 8), {"format": "channels-first", "axes": 3}),
        ("numpy", (8, 8), {"format": "channels-first"}),
        ("mnist", (28, 28), {"format": "idx"}),
    ],
)
def test_formats_follow_from_type_and_network(
    here: Path, kind: str, sides: tuple[int, ...], options: dict[str, Any]
) -> None:
    data = {"type": kind, "input_path": "train/", "target_path": "test/"}
    text = json.dumps({"neural_network": {**json.loads(BLOCKS)["neural_network"], "data": data}})
    if kind == "mnist":
        text = text.replace('"target_path": "test/"', '"preload": true').replace('"Dice"', '"NLL"')
    form = NetworkForm((*sides, 1), (*sides, 1))
    fields = fields_of(here, text, form=form)
    assert fields["data_option"] == options
    if kind == "numpy":
        assert fields["target_data_option"] == options


def test_labels_of_arrays_are_their_folders(here: Path) -> None:
    changes = ("data.input_type=numpy", "data.transforms=null")
    options = fields_of(here, CLASSES, *changes)["data_option"]
    assert options == {"format": "channels-first", "class_folders": True}


def test_the_axes_of_arrays_can_be_said(here: Path) -> None:
    data = {"type": "numpy", "input_path": "train/", "target_path": "test/"}
    own = {"data_option": {"axes": 2}, "target_data_option": {"axes": 2}}
    run = {**json.loads(BLOCKS)["neural_network"], "data": data, "ddl": own}
    form = NetworkForm((8, 8, 8, 1), (8, 8, 8, 1))
    draft = draft_of(here, json.dumps({"neural_network": run}), form=form)
    assert draft.problems == []
    assert draft.fields["data_option"]["axes"] == draft.fields["target_data_option"]["axes"] == 2


def test_blocks_of_an_array(here: Path) -> None:
    fields = fields_of(here, BLOCKS)
    assert fields["slicer"] == (
        "name=a sizes=8,8,1 padding=1,1,0 strides=4,8,1 transpose=true",
        "name=b sizes=8,8,8 padded_sizes=9,9,9 discard_remainders=true",
    )
    assert (fields["assembled_output"], fields["assembled_precision"]) == ("all.h5", "half")
    assert (fields["data"], fields["target_data"]) == ("train/", "test/")
    assert (fields["targets"], fields["metric"]) == ("mask", ("dice",))
    assert fields["loss_option"] == {"smooth": 1e-7}


def test_an_equation(here: Path) -> None:
    fields = fields_of(here, EQUATION)
    assert fields["data"] == "burgers"
    assert fields["data_option"] == {
        "domain_size": 32,
        "count": 8,
        "bc_frequency": (1.0, 4.0),
        "bc_type": "fixed_uniform",
        "validation_count": 4,
    }
    assert (fields["loss"], fields["metric"]) == ("burgers", ())
    assert fields["loss_option"] == {"diffusion_coeff": 0.01, "boundary_factor": 64.0}
    assert fields["optimizer"] == "hessian"
    assert fields["optimizer_option"]["max_iterations"] == 20
    assert "learning_rate" not in fields


def test_an_inference_opens_the_test_data_alone(here: Path) -> None:
    fields = fields_of(here, INFERENCE)
    assert (fields["data"], fields["validation_data"]) == ("test/", "test/")
    assert fields["epochs"] == 0
    assert fields["init_weights"] == "models/model_checkpoint_3.pt"
    assert fields["prediction_output"] == "outputs/"
    assert fields["global_batch_size"] == 4


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ('{"type": "Step", "step_size": 2}', ("step", {"factor": 0.1, "every": 2.0})),
        (
            '{"type": "multistep", "milestones": [2, 5], "gamma": 0.5}',
            ("step", {"factor": 0.5, "milestones": (2.0, 5.0)}),
        ),
        ('{"type": "Exponential", "gamma": 1}', (None, None)),
    ],
)
def test_schedulers(here: Path, kind: str, fields: tuple[Any, Any]) -> None:
    found = fields_of(here, CLASSES, f"optimizer.lr_scheduler={kind}")
    assert (found.get("schedule"), found.get("schedule_option")) == fields


def test_a_warm_up_is_a_staircase_from_a_factor(here: Path) -> None:
    kind = '{"type": "Warmup", "num_epochs": 4, "start_factor": 0.25}'
    found = fields_of(here, CLASSES, f"optimizer.lr_scheduler={kind}")
    names = ("warmup_epochs", "warmup_from", "warmup_shape")
    assert [found[name] for name in names] == [4.0, 0.025, "staircase"]


PICTURES = json.loads(CLASSES)["neural_network"]["data"] | {
    "target_type": "images",
    "target_path": "test/",
    "test_target_path": "test/",
    "transforms": [],
}


VALUES = {"format": "pictures", "colour_order": "bgr", "resampling": "bilinear"}
GREY = {"format": "pictures", "channels": "grey", "resampling": "bilinear"}


@pytest.mark.parametrize(
    ("loss", "changes", "output", "targets", "option"),
    [
        ("BCE", [], (16, 16, 3), "values", VALUES),
        ("BCE", ["data.target_grayscale=true"], (16, 16, 1), "values", GREY),
        ("BCE", ["data.target_is_mask=true"], (16, 16, 1), "mask", {"format": "pictures"}),
        ("Dice", [], (16, 16, 1), "mask", {"format": "pictures"}),
        ("NLL", [], (16, 16, 5), "mask", {"format": "pictures", "mask_mode": "classes"}),
        ("BCE", ["data.target_path=train/"], (16, 16, 3), "values", None),
    ],
)  # fmt: skip
def test_what_targets_are(
    here: Path, loss: str, changes: list[str], output: tuple[int, ...], targets: str, option: Any
) -> None:
    text = changed(CLASSES, data=PICTURES, loss={"function": loss})
    fields = fields_of(here, text, *changes, form=NetworkForm((16, 16, 3), output))
    assert (fields["targets"], fields.get("target_data_option")) == (targets, option)


@pytest.mark.parametrize(
    ("sides", "network", "found"),
    [
        ([16, 16], None, "resize=16x16"),
        ([16, 32], (32, 16, 3), "resize=32x16"),
        ([32, 16], (32, 16, 3), "resize=32x16"),
        ([16, 32], (None, None, 3), "resize=32x16"),
    ],
)
def test_sides_take_the_order_that_fits_the_network(
    here: Path, sides: list[int], network: tuple[int | None, ...] | None, found: str
) -> None:
    form = None if network is None else NetworkForm(network, (2,))
    change = f'data.transforms=[{{"resize": {sides}}}]'
    assert fields_of(here, CLASSES, change, form=form)["transform"] == (found,)


@pytest.mark.parametrize("network", [None, (64, 64, 3)])
def test_sides_that_fit_in_no_order_are_refused(here: Path, network: Any) -> None:
    form = None if network is None else NetworkForm(network, (2,))
    draft = draft_of(here, CLASSES, 'data.transforms=[{"resize": [16, 32]}]', form=form)
    (problem,) = draft.problems
    assert "data.transforms.0.resize: Received: [16, 32]" in str(problem)


@pytest.mark.parametrize(
    ("text", "change", "note"),
    [
        (
            CLASSES,
            "debug_interval=2",
            "debug_interval: without effect: the network does not change",
        ),
        (CLASSES, "data.test_batch_size=2", "data.test_batch_size: without effect: tests during"),
        (CLASSES, "data.test_tag=x", None),
        (
            CLASSES,
            "data.target_is_mask=true",
            "data.target_is_mask: without effect: targets are no pictures",
        ),
        (CLASSES, "checkpoints.save=null", "checkpoints.interval: without effect: there is no"),
        (CLASSES, "data.target_path=train/", "data.target_path: without effect: labels come with"),
        (
            changed(BLOCKS, loss={"function": "Poisson3D_PDE"})
            .replace('"target_path": "test/",', "")
            .replace('"test_target_path": "test/",', ""),
            'data.target_transforms=[{"rotate":5}]',
            "data.target_transforms: without effect: Poisson3D_PDE has no targets",
        ),
        (INFERENCE, "num_epochs=3", "num_epochs: without effect: without data.input_path nothing"),
        (INFERENCE, 'optimizer={"type":"sgd"}', "optimizer: without effect: without data.input"),
        (
            INFERENCE,
            'data.transforms=[{"random_rotate":5}]',
            "data.transforms.0.random_rotate: without effect: it changes training samples only",
        ),
        (BLOCKS, "data.grayscale=true", "data.grayscale: without effect: inputs are hdf5"),
        (BLOCKS, "data.training_tag=a", "data.training_tag: without effect: targets are hdf5"),
    ],
)
def test_keys_without_effect_are_named(
    here: Path, text: str, change: str, note: str | None
) -> None:
    notes = [str(one) for one in draft_of(here, text, change).notes]
    assert len(notes) == (note is not None)
    assert all(f": {note}" in one for one in notes)


def test_fields_of_a_plan_have_a_section_of_their_own(here: Path) -> None:
    draft = draft_of(here, CLASSES, "ddl.seed=3", 'ddl.loss_option={"source":"softmax"}')
    assert draft.fields["seed"] == 3
    assert [str(problem).split(": ", 2)[2] for problem in draft.problems] == [
        "source, which another key of the config sets. Expected: one of them."
    ]
