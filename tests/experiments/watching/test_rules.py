"""Which rules fire over a history that grows."""

from __future__ import annotations

import json
import math
import time

import pytest

from ddl.experiments.watching.condition.directions import direction_of
from ddl.experiments.watching.history import History
from ddl.experiments.watching.rule_text import parse_rule
from ddl.experiments.watching.rules import Watch
from ddl.training.optimization.monitor import better_is

START = 1_790_000_000.0


def rows_of(losses, name="loss", *, first=1, every_s=60.0):
    return [
        {"epoch": number, "time": START + number * every_s, name: value}
        for number, value in enumerate(losses, first)
    ]


def watch(*texts):
    return Watch([parse_rule(f"r{number}", text) for number, text in enumerate(texts)])


def fired(rules, rows, *, now=None, progress=None, **more):
    """Return (rule, epoch) of what fires when the rows come one after the other."""
    found = []
    for count in range(1, len(rows) + 1):
        at = rows[count - 1]["time"] + 1 if now is None else now
        last = at if progress is None else progress
        firings = rules.evaluate(rows[:count], at, START, last, **more)
        found += [(firing.rule, firing.epoch) for firing in firings]
    return found


def test_a_rule_fires_at_the_first_row_of_its_condition():
    assert fired(watch("loss > 3 -> stop"), rows_of([1, 2, 4])) == [("r0", 3)]


def test_a_rule_fires_once_until_its_condition_was_false():
    rows = rows_of([4, 5, 1, 6, 7])
    assert fired(watch("loss > 3 -> stop"), rows) == [("r0", 1), ("r0", 4)]


def test_a_rule_looks_at_nothing_before_after():
    rows = rows_of([4] * 5)
    assert fired(watch("loss > 3 after 4 epochs -> stop"), rows) == [("r0", 4)]


def test_epochs_that_are_counted_from_zero_are_one_more_done():
    rows = rows_of([4] * 5, first=0)
    assert fired(watch("loss > 3 after 4 epochs -> stop"), rows) == [("r0", 3)]


def test_for_wants_so_many_epochs_in_a_row():
    rows = rows_of([4, 4, 1, 4, 4, 4])
    assert fired(watch("loss > 3 for 3 epochs -> stop"), rows) == [("r0", 6)]


def test_for_minutes_counts_the_clock_without_new_rows():
    rules, rows = watch("loss > 3 for 10 min -> stop"), rows_of([4])
    assert rules.evaluate(rows, START + 61, START, START) == []
    assert rules.evaluate(rows, START + 650, START, START) == []
    assert [f.rule for f in rules.evaluate(rows, START + 662, START, START)] == ["r0"]
    assert rules.evaluate(rows, START + 900, START, START) == []


def test_no_progress_fires_by_the_clock_once():
    rules = watch("no progress in 20 min -> mail")
    assert rules.evaluate([], START + 1199, START, START) == []
    assert len(rules.evaluate([], START + 1200, START, START)) == 1
    assert rules.evaluate([], START + 1300, START, START) == []
    assert rules.evaluate([], START + 1400, START, START + 1390) == []
    assert len(rules.evaluate([], START + 2600, START, START + 1390)) == 1


def test_no_best_counts_epochs_since_the_best():
    rows = rows_of([3, 2, 1, 2, 2, 2, 0.5], "val_loss")
    assert fired(watch("no best(val_loss) in 3 epochs -> warn"), rows) == [("r0", 6)]


@pytest.mark.parametrize(
    ("condition", "epochs"),
    [
        ("loss > 3 * best(loss)", [4]),
        ("loss >= worst(loss)", [1, 4]),
        ("mean(loss, 2) < 1.6", [3]),
        ("median(loss, 3) < 2", []),
        ("slope(loss, 3) < -0.9", [3]),
        ("max(loss, 2) < 3", [3]),
        ("min(loss) < 2", [3]),
        ("last(loss) == 1", [3]),
        ("abs(loss - 3) < 0.5", [1]),
        ("loss / 0 > 1", []),
        ("epoch > 2 and loss > 1", [4]),
        ("loss > 4 or epoch == 2", [2, 4]),
        ("not loss < 5", [4]),
        ("loss != 3", [2]),
    ],
)
def test_conditions(condition, epochs):
    rows = rows_of([3.0, 2.0, 1.0, 5.0])
    assert fired(watch(f"{condition} -> warn"), rows) == [("r0", epoch) for epoch in epochs]


@pytest.mark.parametrize("comparison", ["<", "<=", ">", ">=", "==", "!="])
def test_nan_compares_as_false(comparison):
    assert fired(watch(f"loss {comparison} 1 -> stop"), rows_of([math.nan])) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_finite_sees_what_is_not(value):
    assert fired(watch("not finite(loss) -> stop"), rows_of([1, value])) == [("r0", 2)]


def test_best_passes_over_nan_and_infinity():
    rows = rows_of([math.nan, math.inf, 1, 4])
    assert fired(watch("loss > 3 * best(loss) -> stop"), rows) == [("r0", 4)]


def test_the_group_is_asked_for_the_last_values_of_others():
    rules = watch("loss > 2 * median(group, loss) -> mail")
    asked = []

    def group(name):
        asked.append(name)
        return [1.0, math.nan, 2.0, 9.0]

    assert fired(rules, rows_of([3, 4.5]), group=group) == [("r0", 2)]
    assert set(asked) == {"loss"}


def test_an_empty_group_fires_nothing():
    assert fired(watch("loss > 2 * median(group, loss) -> mail"), rows_of([3, 4])) == []


def test_rows_without_the_variable_are_passed_over():
    rows = rows_of([0.5, 0.5, 0.5, 0.5], "val_dice")
    del rows[1]["val_dice"]
    assert fired(watch("val_dice < 0.6 for 3 epochs -> stop"), rows) == [("r0", 3)]
    assert fired(watch("not val_dice > 0.6 -> stop"), [rows[1], rows[2]]) == [("r0", 3)]


def test_a_last_row_is_seen_once_it_has_the_variables():
    rules, row = watch("val_loss > 3 -> stop"), {"epoch": 1, "time": START, "loss": 1.0}
    assert rules.evaluate([row], START + 1, START, START) == []
    whole = {**row, "val_loss": 4.0}
    assert [f.epoch for f in rules.evaluate([whole], START + 2, START, START)] == [1]
    assert rules.evaluate([whole, {**row, "epoch": 2}], START + 2, START, START) == []


def test_each_epoch_is_seen_once_also_by_a_later_attempt():
    first = watch("loss > 3 -> stop")
    rows = rows_of([1, 4, 4])
    assert fired(first, rows) == [("r0", 2)]
    state = json.loads(json.dumps(first.to_json()))
    later = watch("loss > 3 -> stop")
    later.from_json(state)
    again = rows_of([1, 1, 4, 4, 1, 4])
    assert fired(later, again) == [("r0", 6)]


def test_a_restored_rule_goes_on_counting_its_epochs():
    text = "loss > 3 for 3 epochs -> stop"
    first = watch(text)
    assert fired(first, rows_of([1, 4, 4])) == []
    later = watch(text)
    later.from_json(first.to_json())
    assert fired(later, rows_of([1, 4, 4, 4])) == [("r0", 4)]


@pytest.mark.parametrize("text", ["loss > 3 for 10 min", "no best(loss) in 10 min"])
def test_time_between_attempts_does_not_count(text):
    rows = rows_of([4, 4])
    first, later = watch(f"{text} -> stop"), watch(f"{text} -> stop")
    assert fired(first, rows) == []
    later.from_json(first.to_json())
    again = START + 50_000  # hours in a queue
    assert later.evaluate(rows, again + 590, again, again) == []
    assert len(later.evaluate(rows, again + 601, again, again)) == 1


@pytest.mark.parametrize(
    "state",
    [{}, {"rules": 3, "told": 3}, {"rules": {"r0": {"text": "loss > 3 -> stop", "seen": 3}}}],
)
def test_a_damaged_state_starts_anew(state):
    rules = watch("loss > 3 -> stop")
    rules.from_json(state)
    assert fired(rules, rows_of([4])) == [("r0", 1)]


def test_a_rule_whose_text_was_changed_starts_anew():
    first = watch("loss > 3 -> stop")
    fired(first, rows_of([4]))
    other = watch("loss > 2 -> stop")
    other.from_json(first.to_json())
    assert fired(other, rows_of([4])) == [("r0", 1)]


def test_an_unknown_name_is_said_once_with_the_near_one():
    rules = watch("val_dise < 0.6 -> stop")
    rows = rows_of([0.7, 0.7, 0.7], "val_dice")
    firings = [rules.evaluate(rows[:n], START + 999, START, START) for n in (1, 2, 3)]
    assert [len(each) for each in firings] == [1, 0, 0]
    assert firings[0][0].actions == ("warn",)
    assert "no variable val_dise so far, the nearest is val_dice" in firings[0][0].text


def test_a_first_row_may_get_more_variables_before_names_are_called_unknown():
    rules, rows = watch("val_loss > 3 -> stop"), rows_of([1, 1])
    assert rules.evaluate(rows[:1], rows[0]["time"] + 5, START, START) == []
    assert len(rules.evaluate(rows[:1], rows[0]["time"] + 11, START, START)) == 1


def test_a_name_with_a_slash_is_offered_in_quotes():
    rules = watch("loss > 3 -> stop")
    firings = rules.evaluate(rows_of([1], "train/loss"), START + 999, START, START)
    assert '"train/loss"' in firings[0].text


def test_a_value_that_comes_late_for_an_earlier_row_is_seen(tmp_path):
    history, rules = History(tmp_path / "history.json"), watch("val_loss > 3 -> stop")
    fired_at = []
    for row in ({"epoch": 1, "loss": 1}, {"epoch": 2, "loss": 1}, {"epoch": 1, "val_loss": 4}):
        history.merge([{"time": START, **row}], 1)
        firings = rules.evaluate(history.rows, START, START, START)
        fired_at += [firing.epoch for firing in firings if firing.actions == ("stop",)]
    assert fired_at == [1]


@pytest.mark.parametrize(
    "name",
    [
        "dice",
        "val_iou",
        "precision",
        "recall",
        "top_1",
        "top_5",
        "accuracy",
        "loss",
        "val_dice_loss",
    ],
)
def test_best_agrees_with_what_ddl_monitors(name):
    assert {"max": "large", "min": "small"}[better_is(name)] == direction_of(name)


def test_a_firing_says_rule_epoch_values_and_actions():
    rules = watch("loss > 3 -> stop, mail")
    (firing,) = rules.evaluate(rows_of([4.25]), START + 61, START, START)
    assert firing.text == "r0 at epoch 1: loss > 3 -> stop, mail (loss 4.25)"
    assert firing.actions == ("stop", "mail")
    assert firing.values == {"loss": 4.25}
    assert firing.time == START + 61


def test_values_of_a_firing_are_json():
    (firing,) = watch("not finite(loss) -> stop").evaluate(
        rows_of([math.nan]), START + 61, START, START
    )
    assert json.loads(json.dumps(firing.values, allow_nan=False)) == {"loss": "NaN"}


def test_steps_are_those_of_the_rows():
    rows = [{"step": s, "time": START + s, "loss": 4.0} for s in (100, 200, 300, 400)]
    assert fired(watch("loss > 3 after 250 steps -> stop"), rows) == [("r0", 300)]
    assert fired(watch("loss > 3 for 200 steps -> stop"), rows) == [("r0", 300)]


def test_ten_thousand_rows_one_after_the_other_take_less_than_two_seconds():
    rules = watch(
        "loss > 3 * best(loss) for 3 epochs -> stop", "no best(loss) in 9999 epochs -> warn"
    )
    rows = rows_of([1.0] * 10_000)
    begin = time.process_time()
    for count in range(1, 10_001, 100):
        rules.evaluate(rows[:count], START, START, START)
    assert time.process_time() - begin < 2
