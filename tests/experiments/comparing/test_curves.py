"""Curves of experiments over epochs, updates and seconds."""

from __future__ import annotations

import math

import pytest

from ddl.experiments.comparing.curves import Curve, Panel, panels_of
from ddl.experiments.watching.history import read_history
from tests.experiments.made_store import MadeStore

LOG = """\
2026-11-27 10:02:05,530  INFO  27 training and 18 validation samples, unet with 513 weights, 1 rank(s), \
9 steps an epoch; results in /x.
2026-11-27 10:02:12,386  INFO  epoch 1/3  dice 0.3070  loss 1.3581  6.3 samples/s  5.4 s  (0:00:13 left)
2026-11-27 10:02:12,745  INFO  epoch 2/3  dice 0.3185  loss 1.3271  145.4 samples/s  0.3 s
"""


@pytest.fixture
def made(tmp_path):
    return MadeStore(tmp_path / "store")


def panels(made, variables, by="epoch"):
    items = made.view().experiments
    rows = [read_history(item.folder.history)["rows"] for item in items]
    return panels_of(items, rows, variables, by)


def row(number, **values):
    return {"epoch": number, "time": 1e9 + number, "attempt": 1, **values}


def test_a_curve_has_the_rows_that_have_its_variable(made):
    folder = made.experiment("finished")
    made.history(folder, [row(1, loss=3), row(2, acc=1), row(3, loss="NaN")])
    (panel,) = panels(made, ["loss"])
    assert panel.curves[0].xs == (1, 3)
    assert panel.curves[0].ys[0] == 3
    assert math.isnan(panel.curves[0].ys[1])


def test_an_experiment_without_the_variable_has_no_curve(made):
    made.history(made.experiment("finished"), [row(1, loss=3)])
    made.history(made.experiment("finished"), [row(1, acc=3)])
    made.experiment("planned")
    assert len(panels(made, ["loss"])[0].curves) == 1


def test_updates_are_the_steps_of_the_rows(made):
    made.history(made.experiment("finished"), [row(1, step=100, loss=3), row(2, step=200, loss=2)])
    assert panels(made, ["loss"], "step")[0].curves[0].xs == (100, 200)


def test_updates_of_ddl_are_those_that_its_log_says(made):
    folder = made.experiment("finished")
    made.history(folder, [row(1, loss=3), row(2, loss=2)])
    folder.run_dir.mkdir()
    (folder.run_dir / "log.txt").write_text(LOG)
    assert panels(made, ["loss"], "step")[0].curves[0].xs == (9, 18)


def test_seconds_of_ddl_are_those_of_its_epochs(made):
    made.history(
        made.experiment("finished"), [row(1, seconds=5, loss=3), row(2, seconds=2, loss=2)]
    )
    assert panels(made, ["loss"], "seconds")[0].curves[0].xs == (5, 7)


def test_seconds_of_others_leave_out_the_queue(made):
    folder = made.plain()
    made.want(folder)
    made.attempt(folder, "continue", age_s=5000)
    made.attempt(folder, "running", age_s=600)
    first, second = made.now - 5000, made.now - 600
    made.history(
        folder,
        [
            {"epoch": 1, "time": first + 10, "attempt": 1, "loss": 3},
            {"epoch": 2, "time": first + 30, "attempt": 1, "loss": 3},
            {"epoch": 3, "time": second + 25, "attempt": 2, "loss": 3},
        ],
    )
    assert panels(made, ["loss"], "seconds")[0].curves[0].xs == pytest.approx((10, 30, 55))


def test_an_unknown_variable_names_the_near_one(made):
    made.history(made.experiment("finished"), [row(1, val_dice=3)])
    with pytest.raises(ValueError, match=r"variable val_dise.* Did you mean 'val_dice'"):
        panels(made, ["val_dise"])


def test_without_any_values_there_is_no_picture(made):
    made.experiment("planned")
    with pytest.raises(ValueError, match="without any values yet"):
        panels(made, ["loss"])


def test_an_axis_that_nobody_knows_is_refused(made):
    made.history(made.experiment("finished"), [row(1, loss=3)])
    with pytest.raises(ValueError, match="by=step, which no row says"):
        panels(made, ["loss"], "step")


@pytest.mark.parametrize(
    ("variable", "order"), [("loss", ["b", "a", "c"]), ("val_dice", ["a", "b", "c"])]
)
def test_the_best_curve_comes_first_and_one_without_a_number_last(variable, order):
    curves = [
        Curve("c", "c", (1.0,), (math.nan,)),
        Curve("a", "a", (1.0, 2.0), (3.0, 2.0)),
        Curve("b", "b", (1.0,), (1.0,)),
    ]
    assert [curve.name for curve in Panel(variable, tuple(curves)).ranked()] == order
