"""Checks on the loss: not finite, diverging, rates, plateau. Each has a sister that is well."""

from __future__ import annotations

import math

import pytest

from tests.experiments.diagnosis.made import PLAN, found, history, probe

FALL = [2.0 * 0.8**n for n in range(20)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 20])
def test_a_loss_that_falls_is_well(count: int) -> None:
    assert found(history(loss=FALL[:count], val_loss=FALL[:count])) == {}


def test_nothing_is_known_of_a_run_without_epochs() -> None:
    assert found([]) == {}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_certain(bad: float) -> None:
    finding = found(history(loss=[1.0, 0.9, bad]))["loss not finite"]
    assert (finding.since, finding.sureness) == (3, "certain")
    assert finding.remedy == "--optimizer-option global_clipnorm=1"


def test_the_log_tells_of_a_loss_that_never_came_into_the_history() -> None:
    line = "The loss became NaN at step 3 of epoch 2 (batch 3, rank 0). There is no earlier checkpoint."
    line = line.replace("became NaN", "became NaN or infinite")
    assert found(history(loss=[1.0]), log=["INFO", line])["loss not finite"].since == 2


def test_the_exit_status_tells_it_too() -> None:
    assert found(history(loss=[1.0, 0.9]), status=4)["loss not finite"].since == 3


def test_a_high_rate_is_the_remedy_where_the_loss_is_no_number() -> None:
    plan = PLAN | {"learning_rate": 1.0}
    assert (
        found(history(loss=[math.nan]), plan=plan)["loss not finite"].remedy
        == "--learning-rate 0.001"
    )


def test_a_loss_that_grows_diverges() -> None:
    finding = found(history(loss=[1.0, 0.8, 1.5, 3.0, 6.0]))["diverging"]
    assert finding.since == 2
    assert finding.numbers["least"] == 0.8


def test_a_loss_that_comes_back_diverges() -> None:
    assert "diverging" in found(history(loss=[1.0, 0.3, 0.05, 0.2, 0.4]))


def test_noise_of_a_loss_that_is_solved_does_not_diverge() -> None:
    assert found(history(loss=[1.7, 0.2, 0.01, 0.003, 0.002, 0.009, 0.011])) == {}


def test_a_sawtooth_has_too_high_a_rate() -> None:
    loss = [1.0, 0.9, 0.5, 0.9, 0.5, 0.9, 0.5, 0.9, 0.5]
    finding = found(history(loss=loss))["rate too high"]
    assert finding.remedy == "--learning-rate 0.0001"
    assert finding.numbers["turns"] == 1.0


def test_updates_as_large_as_the_weights_have_too_high_a_rate() -> None:
    finding = found(history(loss=FALL[:6]), probe([1.0, 1.0, 1.0], ratio=0.3))["rate too high"]
    assert finding.sureness == "likely"


def test_a_rate_far_above_the_usual_one_explains_a_loss_that_does_not_fall() -> None:
    rows = history(loss=[1.80, 1.79, 1.80, 1.79])
    assert list(found(rows, plan=PLAN | {"learning_rate": 0.1})) == ["rate too high"]
    assert found(history(loss=FALL[:5]), plan=PLAN | {"learning_rate": 0.1}) == {}


def test_updates_too_small_to_matter_have_too_low_a_rate() -> None:
    rows = history(loss=[1.8, 1.799, 1.798, 1.797])
    finding = found(rows, probe([1.0, 1.0, 1.0], ratio=1e-7))["rate too low"]
    assert finding.remedy == "--learning-rate 0.01"
    assert found(rows, probe([1.0, 1.0, 1.0], ratio=1e-3)) == {}


def test_a_rate_far_below_the_usual_one_explains_it_too_but_not_of_a_start_from_weights() -> None:
    rows = history(loss=[1.8, 1.799, 1.798, 1.797])
    plan = PLAN | {"learning_rate": 1e-6}
    assert found(rows, plan=plan)["rate too low"].remedy == "--learning-rate 0.001"
    assert found(rows, plan=plan | {"init_weights": "a.keras"}) == {}


def test_a_foreign_loss_that_creeps_down_may_have_too_low_a_rate() -> None:
    rows = history(train_loss=[1.0 - 0.002 * n for n in range(10)])
    finding = found(rows, plan=None)["rate too low"]
    assert (finding.sureness, finding.remedy) == ("possible", "Multiply the learning rate by 10.")


def test_a_loss_that_stays_far_from_solved_is_on_a_plateau() -> None:
    loss = [2.0, 1.6, 1.3, 1.1, *[1.0, 1.01] * 10]
    finding = found(history(loss=loss, val_loss=loss))["plateau"]
    assert finding.remedy == "--plateau patience=5"
    assert finding.since == 15


@pytest.mark.parametrize(
    "series",
    [
        {"loss": [2.0, 0.6, *[0.3, 0.301] * 10]},
        {"loss": [2.0, 1.5, *[1.0, 1.01] * 10], "learning_rate": [1e-3] * 10 + [1e-6] * 12},
        {"loss": [2.0, 1.5, *[1.0, 1.01] * 10], "top_1": [0.5] * 10 + [0.99] * 12},
        {"loss": [2.0, 1.5, 1.2, *[1.0, 1.01] * 4]},
    ],
    ids=["solved", "rate decayed", "metric is good", "short"],
)
def test_what_stays_for_a_good_reason_is_no_plateau(series: dict[str, list[float]]) -> None:
    assert "plateau" not in found(history(**series))


def test_remedies_of_foreign_programs_speak_of_no_flag() -> None:
    loss = [1.0, 0.8, 1.5, 3.0, 6.0, math.nan]
    for count in (5, 6):
        for finding in found(history(loss=loss[:count]), plan=None).values():
            assert "--" not in finding.remedy
