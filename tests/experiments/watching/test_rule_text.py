"""Watch rules as text: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from ddl.experiments.watching.condition.tree import (
    Arithmetic,
    Comparison,
    Constant,
    Logic,
    NoBest,
    NoProgress,
    OfGroup,
    Span,
    Statistic,
    Variable,
)
from ddl.experiments.watching.rule_text import parse_rule


def condition(text: str):
    return parse_rule("r", f"{text} -> warn").condition


def test_a_rule_has_a_condition_spans_and_actions():
    rule = parse_rule(
        "hopeless", "val_dice < 0.6 after 20 epochs for 10 min -> stop, mail, command page"
    )
    assert rule.name == "hopeless"
    assert rule.condition == Comparison("<", Variable("val_dice"), Constant(0.6))
    assert rule.after == Span(20, "epochs")
    assert rule.lasting == Span(600, "s")
    assert rule.actions == ("stop", "mail", "command page")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("no progress in 20 min", NoProgress(Span(1200, "s"))),
        ("no best(val_loss) in 15 epochs", NoBest("val_loss", "small", Span(15, "epochs"))),
        ("finite(loss)", Statistic("finite", "loss")),
        ("x < 2 h", Comparison("<", Variable("x"), Constant(7200))),
        ("x < 5%", Comparison("<", Variable("x"), Constant(0.05))),
        (
            "x < median(group, y)",
            Comparison("<", Variable("x"), OfGroup("median", "y")),
        ),
        (
            "x < mean('train/loss', 5)",
            Comparison("<", Variable("x"), Statistic("mean", "train/loss", 5)),
        ),
        (
            "not a < 1 and b < 1 or c < 1",
            Logic(
                "or",
                Logic(
                    "and",
                    Logic("not", Comparison("<", Variable("a"), Constant(1))),
                    Comparison("<", Variable("b"), Constant(1)),
                ),
                Comparison("<", Variable("c"), Constant(1)),
            ),
        ),
        (
            "x > 1 - 2 - 3 * -y",
            Comparison(
                ">",
                Variable("x"),
                Arithmetic(
                    "-",
                    Arithmetic("-", Constant(1), Constant(2)),
                    Arithmetic("*", Constant(3), Arithmetic("neg", Variable("y"))),
                ),
            ),
        ),
    ],
)
def test_a_condition_becomes_a_tree(text, tree):
    assert condition(text) == tree


@pytest.mark.parametrize("name", ["page", "page-me", "tools/page.sh", "page-2", "p_1"])
def test_a_command_may_be_called_as_files_are(name):
    assert parse_rule("r", f"x > 1 -> command {name}, stop").actions == (f"command {name}", "stop")
    assert parse_rule("r", f'x > 1 -> command "{name}"').actions == (f"command {name}",)


def test_a_variable_may_be_called_as_a_unit():
    assert condition("min > 3 min") == Comparison(">", Variable("min"), Constant(180))


@pytest.mark.parametrize(
    ("name", "wants"),
    [
        ("loss", "small"),
        ("val_dice_loss", "small"),
        ("rmse", "small"),
        ("validation_0.logloss", "small"),
        ("topError", "small"),
        ("val_dice", "large"),
        ("accuracy", "large"),
        ("top_5_accuracy", "large"),
        ("iou", "large"),
        ("roc_auc", "large"),
        ("samples_per_s", "large"),
        ("valAccuracy", "large"),
    ],
)
def test_best_knows_by_the_name_which_values_are_good(name, wants):
    assert condition(f"1 < best({name})").right.wants == wants
    assert condition(f"1 < worst({name})").right.wants != wants


WRONG = {
    "": "character 1",
    "   ": "character 4",
    "-> stop": "character 1",
    "loss > 3": "character 9",
    "loss > -> stop": "character 8",
    "loss -> stop": "a comparison such as loss > 3",
    "3 -> stop": "a comparison such as loss > 3",
    "loss = 3 -> stop": "Expected: ==",
    "loss > 3 && x > 2 -> stop": "Expected: and",
    "loss ** 2 > 3 -> stop": "character 7",
    "loss > 3 -> stopp": "warn, mail, stop, kill, pause or command NAME",
    "loss > 3 -> stop mail": "a comma",
    "loss > 3 -> stop,": "an action",
    "loss > 3 -> command": "the name of a command",
    "loss > 3 -> command /bin/sh": "the name of a command",
    "loss > 3 -> command page me": "a comma",
    "loss > 3 after 20 -> stop": "after 20 epochs",
    "loss > 3 for three epochs -> stop": "for 20 epochs",
    "loss > 3 for 3 parsecs -> stop": "for 20 epochs",
    "loss > 3 for 2 epochs after 3 epochs -> stop": "before for",
    "no progress in 3 epochs -> stop": "30 s, 10 min or 2 h",
    "no luck -> stop": "no progress in 20 min",
    "no best(foo) in 3 epochs -> stop": "max(foo) or min(foo)",
    "x > best(foo) -> stop": "max(foo) or min(foo)",
    "x > bests(loss) -> stop": "best(",
    "x > best(loss, 3) -> stop": "only mean, median, slope, max, min",
    "x > best(loss + 1) -> stop": "not of an expression",
    "x > slope(loss, 1) -> stop": "a whole number",
    "x > mean(loss, 2.5) -> stop": "a whole number",
    "x > mean(loss, 1e9) -> stop": "a whole number",
    "x > slope(group, loss) -> stop": "of a group",
    "x > train/for -> stop": 'written "for"',
    "1 < x < 2 -> stop": "and between two comparisons",
    "(a > 1) > 2 -> stop": "a number here",
    "1 + (a > 1) > 2 -> stop": "a number here",
    "-(a > 1) > 2 -> stop": "a number here",
    "a and b > 1 -> stop": "a comparison",
    "a > 1 or b -> stop": "a comparison",
    "not a -> stop": "a comparison",
    "(a > 1 -> stop": "an operator or )",
    'x > "loss -> stop': "a second quotation mark",
    'x > "" -> stop': "1 to 100 characters",
    "x > 1e999 -> stop": "a number up to",
    "x > 3; rm -> stop": "character 6",
    "__import__('os') > 1 -> stop": "a function",
    "(" * 21 + "x > 1" + ")" * 21 + " -> stop": "20 levels",
    "not " * 30 + "x > 1 -> stop": "20 levels",
    "x > " + "-" * 30 + "1 -> stop": "20 levels",
    "x > " + "1 + " * 200 + "1 -> stop": "500 characters",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_rule_is_named_with_its_place_in_one_line(text):
    with pytest.raises(
        ValueError, match=r"^Received: rule hopeless, wrong at character "
    ) as caught:
        parse_rule("hopeless", text)
    assert WRONG[text] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [None, 3, ["loss > 3 -> stop"]])
def test_a_rule_that_is_no_text_is_refused(value):
    with pytest.raises(ValueError, match="Expected: a text such as"):
        parse_rule("r", value)


def test_a_long_text_shows_only_what_is_around_the_fault():
    text = "x > 1 and " * 30 + "? > 1 -> stop"
    with pytest.raises(ValueError, match=r"wrong at character 301.*\^\? > 1 -> stop"):
        parse_rule("r", text)
