"""Which variable tells most, and its best value."""

from __future__ import annotations

import math

import pytest

from ddl.experiments.results import best_of, main_variable, read_rows, value_of, with_numbers
from tests.experiments.made_store import MadeStore

ROWS = [
    {"epoch": 1, "loss": 2.0, "val_dice": 0.5},
    {"epoch": 2, "loss": "NaN", "val_dice": 0.7},
    {"epoch": 3, "loss": 1.0, "val_dice": "Infinity"},
    {"epoch": 4, "loss": 1.5, "note": "x", "flag": True},
]


@pytest.mark.parametrize(
    ("names", "main"),
    [
        (["loss", "val_loss", "val_dice"], "val_dice"),
        (["loss", "val_loss"], "val_loss"),
        (["loss", "accuracy"], "accuracy"),
        (["seconds", "learning_rate", "loss"], "loss"),
        (["seconds", "learning_rate"], None),
        ([], None),
    ],
)
def test_a_validation_metric_tells_most(names, main):
    assert main_variable([dict.fromkeys(names, 1.0)]) == main


def test_a_text_is_no_variable():
    assert main_variable([{"note": "x", "loss": 1.0}]) == "loss"


def test_the_best_loss_is_the_smallest_and_the_best_metric_the_largest():
    assert best_of(ROWS, "loss") == (1.0, 3)
    assert best_of(ROWS, "val_dice") == (0.7, 2)
    assert best_of(ROWS, "note") is None
    assert best_of([], "loss") is None


def test_values_that_are_no_numbers():
    assert math.isnan(value_of(ROWS[1], "loss"))
    assert value_of(ROWS[2], "val_dice") == math.inf
    assert (value_of(ROWS[3], "note"), value_of(ROWS[3], "flag"), value_of({}, "x")) == (None,) * 3
    assert with_numbers(ROWS[2])["val_dice"] == math.inf


@pytest.mark.parametrize("text", ["", "[]", '{"rows": 5}', '{"rows": [3, null]}'])
def test_a_damaged_history_has_no_rows(tmp_path, text):
    folder = MadeStore(tmp_path / "store").plain()
    folder.history.write_text(text)
    assert read_rows(folder) == []
