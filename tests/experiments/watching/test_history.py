"""history.json: rows over attempts."""

from __future__ import annotations

import json
import math

import pytest

from ddl.experiments.watching import history as history_module
from ddl.experiments.watching.history import History, read_history

NOW = 1_790_000_000.0


def row(epoch, loss, **more):
    return {"epoch": epoch, "time": NOW + epoch, "loss": loss, **more}


def losses(history):
    return [(each["epoch"], each["loss"]) for each in history.rows]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.json"


def test_rows_are_written_and_read_again(path):
    history = History(path, clock=lambda: NOW)
    history.merge([row(1, math.nan), row(2, -math.inf, val_loss=0.5)], 1)
    assert history.write()
    content = json.loads(path.read_text())
    assert content["format"] == 1
    assert content["variables"] == ["epoch", "loss", "val_loss"]
    assert content["updated"] == NOW
    assert content["rows"][0] == {"epoch": 1, "time": NOW + 1, "loss": "NaN", "attempt": 1}
    again = read_history(path)["rows"]
    assert math.isnan(again[0]["loss"])
    assert again[1]["loss"] == -math.inf


def test_nothing_is_written_without_a_change(path):
    history = History(path)
    assert not history.write()
    assert not path.exists()
    history.merge([row(1, 1.0)], 1)
    assert history.write()
    assert history.merge([row(1, 1.0)], 1) == []
    assert not history.write()


def test_no_partial_file_is_left(path):
    history = History(path)
    history.merge([row(1, 1.0)], 1)
    history.write()
    assert [each.name for each in path.parent.iterdir()] == ["history.json"]


def test_a_row_gets_more_variables_and_keeps_its_time(path):
    history = History(path)
    history.merge([row(1, 1.0)], 1)
    (changed,) = history.merge([{"epoch": 1, "time": NOW + 9, "val_loss": 2.0}], 1)
    assert changed["loss"] == 1.0
    assert changed["val_loss"] == 2.0
    assert changed["time"] == NOW + 1


def test_a_row_that_changes_is_another_object(path):
    history = History(path)
    history.merge([row(1, 1.0)], 1)
    before = history.rows[0]
    history.merge([row(1, 2.0)], 1)
    assert before["loss"] == 1.0
    assert history.rows[0] is not before


def test_rows_stand_in_the_order_of_epochs(path):
    history = History(path)
    history.merge([row(3, 3.0), row(1, 1.0), row(2, 2.0)], 1)
    assert losses(history) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_the_same_nan_again_is_no_change(path):
    history = History(path)
    history.merge([row(1, math.nan)], 1)
    assert history.merge([row(1, float("nan"))], 1) == []


def resumed(path, *rows):
    """Return the history of a second process that reads rows after a first had epochs 1 to 5."""
    first = History(path)
    first.merge([row(epoch, float(epoch)) for epoch in range(1, 6)], 1)
    first.write()
    second = History(path)
    for each in rows:
        second.merge([each], 2)
    return second


def test_rows_of_an_earlier_attempt_that_come_again_stay_its_own(path):
    history = resumed(path, *(row(epoch, float(epoch)) for epoch in range(1, 6)), row(6, 6.0))
    assert [each["attempt"] for each in history.rows] == [1, 1, 1, 1, 1, 2]


def test_an_attempt_that_begins_before_takes_the_place_of_later_rows(path):
    history = resumed(path, row(3, 3.5))
    assert losses(history) == [(1, 1.0), (2, 2.0), (3, 3.5)]
    assert [each["attempt"] for each in history.rows] == [1, 1, 2]


def test_a_replaced_row_keeps_nothing_of_the_earlier_one(path):
    first = History(path)
    first.merge([row(1, 1.0, val_loss=7.0)], 1)
    first.write()
    second = History(path)
    second.merge([row(1, 2.0)], 2)
    assert "val_loss" not in second.rows[0]


def test_counted_rows_know_their_attempt(path):
    history = History(path)
    history.merge([{"row": 1, "time": NOW, "loss": 1.0}, {"row": 2, "time": NOW, "loss": 1.0}], 1)
    history.merge([{"row": 3, "time": NOW, "loss": 1.0}], 2)
    assert history.counted(2) == 2
    assert history.counted(1) == 0
    assert history.counted(3) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"rows": 3}', "\x00\xff", "[" * 100_000])
def test_a_damaged_file_counts_as_none(path, text):
    path.write_text(text)
    history = History(path)
    assert history.rows == []
    history.merge([row(1, 1.0)], 1)
    assert history.write()
    assert len(read_history(path)["rows"]) == 1


def test_rows_of_a_stranger_that_are_no_rows_are_left_out(path):
    path.write_text(json.dumps({"rows": [3, {}, {"loss": 1}, {"epoch": 1, "loss": [1], "x": "y"}]}))
    assert read_history(path)["rows"] == [{"epoch": 1}]


def test_a_history_that_grows_too_large_is_thinned_where_it_is_old(path, monkeypatch):
    monkeypatch.setattr(history_module, "MOST_CELLS", 400)
    history = History(path)
    for step in range(1, 1001):
        history.merge([{"step": step, "time": NOW, "loss": 1.0}], 1)
    steps = [each["step"] for each in history.rows]
    assert history.is_thinned
    assert len(steps) * 4 <= 400
    assert steps[-10:] == list(range(991, 1001))
    assert steps[0] == 1
