"""Checks on a probe: exploding, vanishing, dead. Each has a sister that is well."""

from __future__ import annotations

import pytest

from tests.experiments.diagnosis.made import PLAN, found, history, probe

ROWS = history(loss=[2.0, 1.6, 1.3, 1.1, 1.0])


def test_layers_that_are_well_are_left_alone() -> None:
    assert found(ROWS, probe([0.5, 0.4, 0.6], dead=0.3)) == {}


def test_a_jump_of_the_gradient_explodes() -> None:
    rows = [*probe([0.5, 0.4, 0.6], epochs=4), *probe([90.0, 80.0, 60.0], epochs=1)]
    rows[4]["epoch"] = 5
    finding = found(ROWS, rows)["exploding gradients"]
    assert (finding.since, finding.remedy) == (5, "--optimizer-option global_clipnorm=1")


def test_gradients_that_shrink_as_training_converges_did_not_explode() -> None:
    rows = [row for n in range(5) for row in probe([0.5 * 0.1**n] * 3, epochs=1)]
    assert found(ROWS, rows) == {}


def test_the_history_tells_a_jump_without_a_probe() -> None:
    rows = history(loss=[2.0, 1.6, 1.3, 1.1, 1.0], gradient_norm=[0.5, 0.6, 0.5, 0.5, 200.0])
    assert found(rows)["exploding gradients"].since == 5


def test_gradients_that_grow_on_their_way_back_explode() -> None:
    assert "exploding gradients" in found(ROWS, probe([900.0, 30.0, 1.0]))
    assert "exploding gradients" in found(ROWS, probe([5e3, 1.0, 1.0]))
    assert found(ROWS, probe([10.0, 5.0, 1.0])) == {}


def test_gradients_that_do_not_arrive_vanish() -> None:
    finding = found(ROWS, probe([1e-6, 1e-3, 1.0]))["vanishing gradients"]
    assert finding.numbers["first_over_last"] == pytest.approx(1e-6)


def test_a_layer_of_which_most_units_are_0_is_dead() -> None:
    finding = found(ROWS, probe([0.5, 0.4, 0.6], dead=0.75))["dead units"]
    assert (finding.since, finding.text) == (
        1,
        "75% of the units of dense_1 are 0 for all probed samples.",
    )


def test_dead_units_of_a_fast_run_want_a_lower_rate() -> None:
    rows = probe([0.5, 0.4, 0.6], dead=0.75)
    assert found(ROWS, rows)["dead units"].remedy == "--model-option norm=sync"
    fast = found(ROWS, rows, plan=PLAN | {"learning_rate": 0.03})
    assert fast["dead units"].remedy == "--learning-rate 0.001"


def test_a_few_of_few_units_may_be_0() -> None:
    assert found(ROWS, probe([0.5, 0.4, 0.6], dead=0.75, units=4)) == {}
    assert "dead units" in found(ROWS, probe([0.5, 0.4, 0.6], dead=1.0, units=4))


def test_dead_units_explain_gradients_that_do_not_arrive() -> None:
    assert list(found(ROWS, probe([0.0, 0.0, 0.6], dead=1.0))) == ["dead units"]
