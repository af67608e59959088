"""A plan says what its targets are, and refuses what they do not fit; without validation it watches the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan, plan_from_dict
from ddl.training.plan.plan_flags import plan_from_flags, plan_to_flags
from ddl.training.train_command import training_parser

VALUES: dict[str, Any] = {
    "targets": "values",
    "loss": "binary_crossentropy",
    "metric": ("mae",),
    "target_data": "a",
    "data": "a",
}
CNN: dict[str, Any] = {"model": "cnn", "loss": "categorical_crossentropy", "metric": ("top_1",)}


def plan(**fields: Any) -> Plan:
    return Plan(run_dir=Path("run"), **fields)


@pytest.mark.parametrize(
    ("fields", "predicts"),
    [({}, "mask"), (CNN, "label"), (VALUES, "values"), ({"targets": "mask"}, "mask")],
)
def test_targets_follow_the_model_unless_they_are_given(
    fields: dict[str, Any], predicts: str
) -> None:
    assert plan(**fields).predicts == predicts


@pytest.mark.parametrize(
    ("fields", "piece"),
    [
        ({"targets": "label"}, "targets=label for model unet, which predicts a mask"),
        ({**CNN, "targets": "mask"}, "targets=mask for model cnn, which predicts a label"),
        ({**CNN, "targets": "values"}, "whose outputs are the probabilities of classes"),
        ({"targets": "vectors"}, "Expected one of: auto, mask, label, values"),
        ({**VALUES, "metric": ("dice",)}, "metric=dice for targets that are values. Expected one of: mae, mse"),
        ({"metric": ("mae",)}, "metric=mae for model unet, which predicts a mask"),
        ({**VALUES, "loss": "dice_crossentropy"}, "loss=dice_crossentropy for targets that are values"),
        ({**VALUES, "classes": 3}, "classes=3 for targets that are values"),
        ({**VALUES, "mix": {"mixup": 0.2}}, "for model unet, which predicts values"),
        ({**VALUES, "augment": {"randaugment": (2, 9)}}, "randaugment for samples with masks"),
        ({"target_data": "b", "data": "a", "validation_data": "c"}, "validation_data=c without validation_target_data"),
        ({"target_data": "b", "data": "a", "test_data": "c", "evaluate": True}, "test_data=c without test_target_data"),
        ({"validation_target_data": "c"}, "validation_target_data=c without validation_data"),
        ({"target_data_option": {"channels": "grey"}}, "target_data_option without target_data"),
        ({"transform": ("resize=8x8",), "image_size": (8, 8)}, "image_size=8x8 with a resize in transform"),
        ({"transform": ("shrink=8x8",)}, "Received: transform 'shrink'"),
        ({"transform": ("random_patches=1,2",)}, "Expected: in transform, with targets=values"),
        ({**CNN, "augment": {"central_crop": 0.5}, "transform": ("rotate=5",)}, "augment central_crop with transform"),
        ({"validation_part": 0, "monitor": "val_dice"}, "monitor=val_dice with validation_part=0"),
        ({"validation_part": 0, "target": "val_dice=0.9"}, "target=val_dice=0.9 with validation_part=0"),
        ({"validation_part": 0, "validate_every_epochs": 2}, "validate_every_epochs=2 with validation_part=0"),
        ({"validation_part": 0, "fold": 1}, "fold=1 with validation_part=0"),
        ({"validation_part": 0, "validation_data": "b"}, "validation_part=0.0 with validation_data=b"),
        ({"validation_part": 0, "plateau": {"monitor": "val_loss"}, "schedule": "cosine"}, "plateau monitor=val_loss"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(fields: dict[str, Any], piece: str) -> None:
    with pytest.raises(ValueError, match="Received: ") as raised:
        plan(**fields)
    assert piece in str(raised.value)


def test_without_validation_the_loss_is_watched() -> None:
    assert (plan(validation_part=0).monitor, plan(validation_part=0).mode) == ("loss", "min")
    assert plan(validation_part=0, monitor="dice").monitor == "dice"
    assert plan().monitor == "val_loss"


def test_the_flags_of_a_plan_give_it_again() -> None:
    made = plan(
        **VALUES,
        validation_part=0,
        transform=("resize=8x8", "random_patches=1,2"),
        input_transform=("normalize=-0.5,2",),
        monitor="mae",
    )
    words = plan_to_flags(made)
    parser = training_parser("train_unet", "Train.", {"model": "unet"})
    parsed = vars(parser.parse_args(words))
    parsed.pop("dry_run")
    assert plan_from_flags(parsed, {"model": "unet"}) == made
    assert plan_from_dict(made.to_dict()) == made


def test_values_have_a_loss_and_a_metric_of_their_own() -> None:
    defaults = {"run_dir": Path("run"), "loss": "dice_crossentropy", "metric": ("dice",)}
    given = {"targets": "values", "loss": "binary_crossentropy"}
    assert plan_from_flags(given, defaults).metric == ("mae",)
    resumed = {**defaults, "targets": "values", "loss": "binary_crossentropy", "metric": ("mse",)}
    assert plan_from_flags({"targets": "values"}, resumed).loss == "binary_crossentropy"


def test_a_given_monitor_of_a_missing_validation_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected: monitor=loss"):
        plan_from_flags({"validation_part": 0.0, "monitor": "val_loss"}, {"run_dir": Path("run")})
