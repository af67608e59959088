"""Checks on validation and metrics: overfitting, trivial answers, odd validations. Each has a sister that is well."""

from __future__ import annotations

import math

import pytest

from tests.experiments.diagnosis.made import PLAN, found, history

TRAIN = [2.0 * 0.8**n for n in range(14)]


def test_a_validation_that_rises_while_training_falls_is_overfitting() -> None:
    held = [2.0, 1.5, 1.2, 1.1, 1.0, 1.02, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.4, 1.5]
    finding = found(history(loss=TRAIN, val_loss=held))["overfitting"]
    assert finding.since == 5
    assert finding.remedy.startswith("--early-stopping-patience 5")


@pytest.mark.parametrize("name", ["valid_loss", "validation_loss", "eval_loss", "test_loss"])
def test_other_names_of_a_validation_are_known(name: str) -> None:
    held = [2.0, 1.5, 1.2, 1.1, 1.0, 1.02, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.4, 1.5]
    rows = history(**{"train_loss": TRAIN, name: held})
    finding = found(rows, plan=None)["overfitting"]
    assert "--" not in finding.remedy


def test_a_gap_between_metrics_is_overfitting_too() -> None:
    train = [0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.99, 0.99, 0.99]
    held = [0.5, 0.6, 0.65, 0.64, 0.63, 0.64, 0.62, 0.63, 0.64, 0.62]
    rows = history(
        loss=TRAIN[:10], val_loss=[1.0] * 3 + [0.99, 1.0] * 3 + [1.0], dice=train, val_dice=held
    )
    assert found(rows)["overfitting"].since == 3


@pytest.mark.parametrize(
    "held",
    [
        [value + 0.05 for value in TRAIN],
        [*TRAIN[:9], 0.26, 0.3, 0.25, 0.24, 0.23],
        [2.0, 0.1, 0.01, 0.002, 0.001, 0.0012, 0.0015, 0.002, 0.002, 0.002, 0.003, 0.003, 0.003, 0.003],
    ],
    ids=["near", "one jump", "solved"],
)  # fmt: skip
def test_a_validation_that_follows_training_is_well(held: list[float]) -> None:
    assert "overfitting" not in found(history(loss=TRAIN, val_loss=held))


def test_a_dice_of_0_finds_nothing() -> None:
    loss = [0.6, 0.4, 0.2, 0.1, 0.08, 0.07]
    rows = history(
        loss=loss, val_loss=loss, dice=[0.02, 0, 0, 0, 0, 0], val_dice=[0.01, 0, 0, 0, 0, 0]
    )
    finding = found(rows)["stuck at the trivial answer"]
    assert (finding.since, finding.remedy, finding.sureness) == (1, "--loss dice", "likely")


def test_a_dice_that_begins_to_rise_is_well() -> None:
    dice = [0.001, 0.001, 0.002, 0.008, 0.012, 0.018]
    assert found(history(loss=TRAIN[:6], dice=dice, val_dice=dice)) == {}


def test_one_class_for_everything_is_trivial() -> None:
    rows = history(
        loss=[0.5, 0.33, 0.33, 0.33, 0.33], top_1=[0.8, 0.9, 0.9, 0.9, 0.9], val_top_1=[0.9] * 5
    )
    finding = found(rows)["stuck at the trivial answer"]
    assert finding.remedy == "--class-weight balanced"
    assert finding.numbers["top_1"] == 0.9


def test_equal_scores_of_all_classes_are_trivial() -> None:
    rows = history(loss=[2.35, 2.31, 2.304, 2.303, 2.303], top_1=[0.1, 0.11, 0.1, 0.09, 0.1])
    finding = found(rows, classes=10)["stuck at the trivial answer"]
    assert finding.numbers["chance"] == pytest.approx(math.log(10))
    assert found(rows, classes=500) == {}


def test_a_metric_that_is_perfect_may_stay() -> None:
    rows = history(loss=[1e-3] * 6, val_loss=[1e-3] * 6, top_1=[1.0] * 6, val_top_1=[1.0] * 6)
    assert "stuck at the trivial answer" not in found(rows)


def test_a_validation_that_never_changes_is_odd() -> None:
    held = [1.5, 1.4, 1.4, 1.4, 1.4, 1.4]
    assert found(history(loss=TRAIN[:6], val_loss=held))["validation odd"].since == 3


def test_a_metric_that_has_settled_is_not_odd_but_may_be_overfitting() -> None:
    rows = history(
        loss=TRAIN[:12], val_loss=[2.0, 1.5, 1.4, *[1.6, 1.61, 1.62] * 3],
        top_1=[0.1, 0.4, 0.8, 0.9, *[1.0] * 8], val_top_1=[0.1, 0.3, 0.4, *[0.5] * 9],
    )  # fmt: skip
    assert list(found(rows)) == ["overfitting"]


def test_a_metric_that_never_changes_while_training_learns_is_odd() -> None:
    rows = history(
        loss=TRAIN[:6], val_loss=[1.8, 1.8, 1.81, 1.82, 1.8, 1.83],
        top_1=[0.2, 0.4, 0.5, 0.6, 0.7, 0.8], val_top_1=[0.167] * 6,
    )  # fmt: skip
    assert list(found(rows)) == ["validation odd"]


def test_a_validation_far_better_than_training_is_odd() -> None:
    held = [value * 0.4 for value in TRAIN[:8]]
    finding = found(history(loss=TRAIN[:8], val_loss=held))["validation odd"]
    assert (finding.remedy, finding.sureness) == ("--validation-data PATH", "likely")


def test_much_dropout_explains_it() -> None:
    held = [value * 0.4 for value in TRAIN[:8]]
    plan = PLAN | {"model_option": {"dropout": 0.8}}
    finding = found(history(loss=TRAIN[:8], val_loss=held), plan=plan)["validation odd"]
    assert (finding.remedy, finding.sureness) == ("--model-option dropout=0.3", "possible")


def test_usual_dropout_may_make_training_harder() -> None:
    held = [value * 0.4 for value in TRAIN[:8]]
    rows = history(loss=TRAIN[:8], val_loss=held)
    assert found(rows, plan=PLAN | {"model_option": {"dropout": 0.5}}) == {}
    assert found(rows, drops=True) == {}


@pytest.mark.parametrize("field", ["mix", "augment"])
def test_training_on_changed_samples_may_be_harder(field: str) -> None:
    held = [value * 0.4 for value in TRAIN[:8]]
    plan = PLAN | {field: {"mixup": 0.2}}
    assert found(history(loss=TRAIN[:8], val_loss=held), plan=plan) == {}


def test_a_validation_is_compared_with_the_epoch_after_it() -> None:
    steep = [2.0 * 0.3**n for n in range(8)]  # the mean over an epoch lags behind its end
    assert found(history(loss=steep, val_loss=[0.3 * value for value in steep])) == {}


def test_epochs_without_validation_are_left_out() -> None:
    held = [None if n % 2 else value for n, value in enumerate(TRAIN)]
    assert found(history(loss=TRAIN, val_loss=held)) == {}
