"""A plan that cannot be trained is refused before anything starts, and says everything as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan, plan_from_dict


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, r"epochs=0 for training. Expected: at least 1"),
        ("warmup_epochs", -0.5, r"warmup_epochs=-0.5 for training. Expected: at least 0"),
        ("learning_rate", 0.0, r"learning_rate=0.0 for training. Expected: above 0"),
        ("learning_rate", float("nan"), r"learning_rate=nan for training. Expected: above 0"),
        ("learning_rate", float("inf"), r"learning_rate=inf"),
        (
            "validation_part",
            1.0,
            r"validation_part=1.0 for training. Expected: at least 0, below 1",
        ),
        ("compression", "zip", r"Expected one of: none, fp16, bf16"),
        ("image_size", (64,), r"image_size=\(64,\). Expected: a height and a width"),
        ("model", "unets", r"Unknown model. Received: 'unets'. Expected one of: unet,"),
        (
            "model_option",
            {"norm": "layer"},
            r"Received: norm='layer'. Expected one of: sync, batch",
        ),
        ("model_option", {"wide": 3}, r"Unknown option of model unet. Received: 'wide'"),
        ("loss", "hinge", r"Unknown loss"),
        ("optimizer", "adamm", r"Unknown optimizer"),
        ("optimizer_option", {"clipnorm": -1.0}, r"clipnorm"),
        ("schedule", "linear", r"Unknown schedule"),
        ("schedule_option", {"factor": 2.0}, r"Unknown option of schedule constant"),
        ("metric", ("accuracy",), r"Unknown metric. Received: 'accuracy'"),
        ("metric", ("confusion_matrix",), r"not a single number"),
        ("metric_option", {"iou": {}}, r"metric_option for 'iou'"),
        ("monitor", "val_iou", r"monitor='val_iou'. Expected one of: val_loss, val_dice, loss"),
        ("augment", {"flop": True}, r"Unknown option of augmentation"),
        ("augment", {"zoom": 3.0}, r"zoom=3.0 for augmentation. Expected: at least 0, at most 0.9"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(run_dir=tmp_path, **{field: value})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"validation_part": 0.0}, r"epochs=0 with validation_part=0.* Expected: validation_data"),
        ({"restore_best": True}, r"epochs=0 with evaluate or restore_best"),
        (
            {"loss": "none", "metric": (), "epochs": 3},
            r"loss=none with epochs=3. Expected: another",
        ),
    ],
)
def test_a_plan_without_epochs_validates_a_model_once(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    plan: dict[str, Any] = {"run_dir": tmp_path, "epochs": 0, "init_weights": "model.keras"}
    assert Plan(**plan).schedule_length == 1
    with pytest.raises(ValueError, match=message):
        Plan(**plan | fields)


def test_the_plan_says_everything_as_json(tmp_path: Path) -> None:
    plan = Plan(
        run_dir=tmp_path / "run",
        epochs=7,
        image_size=(96, 128),
        model_option={"width": (8, 16, 32), "depth": 2},
        metric=("dice", "hausdorff_95"),
        metric_option={"hausdorff_95": {"spacing": (1.0, 0.5)}},
        augment={"flip": True, "crop_size": (64, 64)},
        freeze=("down_*",),
        init_weights=tmp_path / "old.keras",
    )
    assert plan_from_dict(json.loads(plan.to_json())) == plan


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown field of a plan. Received: 'epoch'"):
        plan_from_dict({"run_dir": str(tmp_path), "epoch": 3})


def test_what_is_good_follows_from_the_name(tmp_path: Path) -> None:
    assert Plan(run_dir=tmp_path).mode == "min"
    assert Plan(run_dir=tmp_path, monitor="val_dice").mode == "max"
    assert Plan(run_dir=tmp_path, monitor="val_dice", monitor_mode="min").mode == "min"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", "five", r"epochs='five'. Expected: a whole number"),
        ("epochs", 2.5, r"epochs=2.5. Expected: a whole number"),
        ("epochs", True, r"epochs=True. Expected: a whole number"),
        ("epochs", None, r"epochs=None. Expected: a whole number"),
        ("learning_rate", "fast", r"learning_rate='fast'. Expected: a number"),
        ("learning_rate", False, r"learning_rate=False. Expected: a number"),
        ("learning_rate", 10**400, r"Expected: a number"),
        ("learning_rate", float("nan"), r"learning_rate=nan for training. Expected: above 0"),
        ("tensorboard", 1, r"tensorboard=1. Expected: true or false"),
        ("tensorboard", "yes", r"tensorboard='yes'. Expected: true or false"),
        ("metric", "dice", r"metric='dice'. Expected: a list of texts"),
        ("metric", [1], r"metric=\[1\]. Expected: a list of texts"),
        ("freeze", {"a": 1}, r"Expected: a list of texts"),
        ("image_size", 128, r"image_size=128. Expected: a list of whole numbers, or none"),
        ("image_size", [64.0, 64.0], r"Expected: a list of whole numbers, or none"),
        ("run_dir", None, r"run_dir=None. Expected: a path"),
        ("run_dir", 3, r"run_dir=3. Expected: a path"),
        ("data", None, r"data=None. Expected: a text"),
        ("data", ["a"], r"Expected: a text"),
        ("resume", 40, r"resume=40. Expected: a text, or none"),
        ("fold", "1", r"fold='1'. Expected: a whole number, or none"),
        (
            "model_option",
            "width=3",
            r"model_option='width=3'. Expected: a mapping of names to values",
        ),
        ("model_option", {"width": "3"}, r"width='3'. Expected: a whole number, or a list"),
        ("model_option", {"depth": 2.0}, r"depth=2.0. Expected: a whole number"),
        ("model_option", {"dropout": None}, r"dropout=None. Expected: a number"),
        ("loss_option", {"smooth": "1"}, r"smooth='1'. Expected: a number"),
        ("loss_option", {"name": "x"}, r"Unknown option of loss"),
        ("metric_option", {"dice": 3}, r"Expected: a mapping of names to mappings"),
        ("optimizer_option", {"amsgrad": 1}, r"amsgrad=1. Expected: true or false"),
        ("optimizer_option", {"name": "x"}, r"Unknown option of optimizer"),
        ("augment", {"flip": 1}, r"flip=1. Expected: true or false"),
        ("augment", {"crop_size": "64"}, r"crop_size='64'. Expected: a whole number, or a list"),
    ],
)
def test_json_of_another_type_is_refused(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    values = Plan(run_dir=tmp_path).to_dict() | {field: value}
    with pytest.raises(ValueError, match=message) as caught:
        plan_from_dict(values)
    assert "\n" not in str(caught.value)


def test_values_get_their_type_whoever_gives_them() -> None:
    plan = plan_from_dict(
        {
            "run_dir": "runs/a",
            "learning_rate": 1,
            "image_size": [64, 96],
            "freeze": ["down_*"],
            "model_option": {"width": [8, 16, 32], "depth": 2, "dropout": 0},
            "augment": {"crop_size": [32, 32], "zoom": 0},
            "metric": ["dice", "hausdorff_95"],
            "metric_option": {"hausdorff_95": {"spacing": [1, 2]}},
        }
    )
    assert plan.run_dir == Path("runs/a")
    assert type(plan.learning_rate) is float
    assert plan.image_size == (64, 96)
    assert plan.freeze == ("down_*",)
    assert plan.model_option == {"width": (8, 16, 32), "depth": 2, "dropout": 0.0}
    assert type(plan.model_option["dropout"]) is float
    assert plan.augment == {"crop_size": (32, 32), "zoom": 0.0}
    assert plan.metric_option == {"hausdorff_95": {"spacing": (1.0, 2.0)}}


@pytest.mark.parametrize("values", [[], "plan", None, {}])
def test_what_is_no_plan_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"Received: .*Expected: "):
        plan_from_dict(values)
