"""Patterns of lines: what they read, and which are refused."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.watching.reading.patterns import compile_pattern, read_pairs
from ddl.experiments.watching.reading.slow_patterns import check_regex

PAIRS = "{name} {value}"
ANYWHERE = "* {name}: {value} *"


@pytest.mark.parametrize(
    ("pattern", "line", "found"),
    [
        (PAIRS, "loss 0.31", {"loss": "0.31"}),
        (PAIRS, "  loss\t-1e-3  ", {"loss": "-1e-3"}),
        (PAIRS, "epoch 3, loss .5", {"epoch": "3", "loss": ".5"}),
        (PAIRS, "Loaded 500 images", {}),
        (PAIRS, "loss nan", {"loss": "nan"}),
        (PAIRS, "loss -inf", {"loss": "-inf"}),
        (PAIRS, "loss 0x10", {}),
        (PAIRS, "loss 1.2.3", {}),
        (PAIRS, "", {}),
        (
            ANYWHERE,
            "32/32 - 1s - 30ms/step - loss: 0.69 - val_loss: 0.6",
            {"loss": "0.69", "val_loss": "0.6"},
        ),
        ("[{step}] {name}:{value}", "[7]\ttrain-rmse:0.5\teval-rmse:0.6", None),
        ("epoch {epoch}/* loss {loss}", "epoch 3/10: loss 0.5", {"epoch": "3", "loss": "0.5"}),
        ("epoch {epoch}/* loss {loss}", "epoch 3/10: val_loss 0.5", {}),
        ("* loss {loss} *", "loss 0.5", {"loss": "0.5"}),
        ("* loss {loss} *", "12:00 loss 0.5 lr 1", {"loss": "0.5"}),
        ("* loss {loss} *", "12:00 val_loss 0.5 lr 1", {}),
        ("*loss={loss}*", "x;loss=0.5;", {"loss": "0.5"}),
        ("* '{name}': {value}*", "{'loss': 0.5, 'epoch': '1.0'}", {"loss": "0.5", "epoch": "1.0"}),
        ("<{name}={value}>", "<loss=0.5> <acc=1>", {"loss": "0.5", "acc": "1"}),
        ("{{{loss}}} **", "{0.5} *", {"loss": "0.5"}),
        ("a.b+c ({loss})", "a.b+c (3)", {"loss": "3"}),
        ("a.b+c ({loss})", "aXbbc (3)", {}),
        ("train loss: {train/loss}", "train loss: 3", {"train/loss": "3"}),
        ("acc {acc}%", "acc 93.1%", {"acc": "93.1"}),
        ("acc {acc}", "acc 93.1%", {"acc": "93.1"}),
        ("re: loss=(?P<loss>[0-9.]+)", "x loss=0.5 y", {"loss": "0.5"}),
        (r"re: (?P<name>\w+)=(?P<value>\S+)", "a=1 b=2", {"a": "1", "b": "2"}),
        ("re: (?P<a>[0-9])?(?P<b>x)", "x", {"b": "x"}),
    ],
)
def test_a_pattern_reads_a_line(pattern, line, found):
    if found is None:
        found = {"step": "7", "train-rmse": "0.5", "eval-rmse": "0.6"}
    assert compile_pattern(pattern)(line) == found


def test_of_several_patterns_the_first_that_fits_reads_a_line():
    read = compile_pattern("Epoch {epoch}/*\n\n  * {name}: {value} *\n")
    assert read("Epoch 3/10") == {"epoch": "3"}
    assert read("1s - loss: 0.5") == {"loss": "0.5"}
    assert read("nothing") == {}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Epoch 3/10", {"Epoch": "3"}),
        ("epoch: 3 - loss: 0.5", {"epoch": "3", "loss": "0.5"}),
        ("loss=0.5;acc=1", {"loss": "0.5", "acc": "1"}),
        ("Done in 3 s", {}),
        ("2026-11-27 loss 3", {}),
        ("Downloading 12%", {"Downloading": "12"}),
    ],
)
def test_lines_without_a_pattern_are_read_if_they_are_nothing_but_pairs(line, found):
    assert read_pairs(line) == found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "a text of 1 to 500"),
        ("x" * 501, "a text of 1 to 500"),
        (None, "a text of 1 to 500"),
        (3, "a text of 1 to 500"),
        ("loss", "a place such as {loss}"),
        ("{x}\n" * 9, "at most 8 patterns"),
        ("{x}\nloss", "a place such as"),
        ("{loss", "a name in each pair of braces"),
        ("loss}", "a name in each pair of braces"),
        ("{}", "a name in each pair of braces"),
        ("{a b}", "a name in each pair of braces"),
        ("{3}", "a name in each pair of braces"),
        ("{a} {a}", "{a} once"),
        ("{name}", "{name} and {value} once each"),
        ("{value} {name}", "{name}, some characters, {value}"),
        ("{name}{value}", "{name}, some characters, {value}"),
        ("{name} * {value}", "{name}, some characters, {value}"),
        ("{name} {value} {loss}", "nothing or * after {value}"),
        ("* * * * * {loss}", "at most 4 stars"),
        ("re:", "a named group"),
        ("re: [0-9]+", "a named group"),
        ("re: (?P<name>x)", "both (?P<name>...) and (?P<value>...)"),
        ("re: (?P<x>[", "a regular expression"),
        ("re: (?P<x>a+)+", "a simpler one"),
        ("re: (?P<x>(a|b)*)c", "a simpler one"),
        ("re: (?P<x>(a*){2,})c", "a simpler one"),
        ("re: (?P<x>.*.*.*.*)c", "a simpler one"),
        (r"re: (?P<x>\d+\d+\d+\d+\d+)c", "a simpler one"),
        (r"re: (?P<x>a*a?a*a?a*a?a*a?a*)b", "a simpler one"),
        (r"re: (?P<x>a)\1", "a simpler one"),
        ("re: (?P<x>a)(?P=x)", "a simpler one"),
        ("re: (?P<x>a*)" + "b*" * 30, "a simpler one"),
    ],
)
def test_a_pattern_that_means_nothing_or_takes_long_is_refused_in_one_line(pattern, reason):
    with pytest.raises(
        ValueError, match=r"^Received: pattern [^\n]* Expected: [^\n]*\.$"
    ) as caught:
        compile_pattern(pattern)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        r"(?P<epoch>\d+).*loss (?P<loss>\S+)",
        r"^\s*(?P<loss>[+-]?\d+(?:\.\d+)?)\s*$",
        r"(?i)loss: (?P<loss>[\d.e+-]+), acc: (?P<acc>[\d.e+-]+), lr: (?P<lr>[\d.e+-]+)",
        r"(?P<name>[a-z_]+)=(?P<value>[\d.]+)",
    ],
)
def test_usual_expressions_are_allowed_and_fast_on_lines_made_to_be_slow(text):
    safe = check_regex(text)
    begin = time.process_time()
    for line in ("1" * 2000, "loss " * 400, "1 loss " * 300, "a=" * 1000, " " * 2000, "1." * 1000):
        list(safe.regex.finditer(line[: safe.characters]))
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "pattern", ["* a * b * {x}", "* {name}: {value} *", "{name} {value}", "* {x} * y *"]
)
def test_patterns_with_stars_are_fast_on_lines_made_to_be_slow(pattern):
    read = compile_pattern(pattern)
    begin = time.process_time()
    for line in (
        "a b " * 500,
        "a: " * 600,
        "x" * 2000,
        "1 " * 1000,
        "x.x-x/" * 300,
        " " * 5000 + "x",
    ):
        read(line)
    assert time.process_time() - begin < 2


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abc_", max_size=8).map("x".__add__), st.floats(), max_size=5))
def test_pairs_that_are_printed_are_read_again(values):
    line = ", ".join(f"{name} {value}" for name, value in values.items())
    assert {name: repr(float(text)) for name, text in read_pairs(line).items()} == {
        name: repr(float(value)) for name, value in values.items()
    }


@settings(deadline=None)
@given(
    st.text(max_size=200),
    st.sampled_from([PAIRS, ANYWHERE, "* loss {loss} *", "[{step}] {name}:{value}"]),
)
def test_any_text_is_read_without_an_error(line, pattern):
    for value in {**compile_pattern(pattern)(line), **read_pairs(line)}.values():
        float(value)


@settings(deadline=None)
@given(st.text(alphabet="ab{}*()[]|+?.\\ re:", max_size=30))
def test_any_pattern_is_compiled_or_refused(pattern):
    try:
        read = compile_pattern(pattern)
    except ValueError:
        return
    begin = time.process_time()
    for line in ("a" * 300, "ab" * 150, "".join(random.Random(3).choices("ab{}() ", k=300))):
        read(line)
    assert time.process_time() - begin < 1
