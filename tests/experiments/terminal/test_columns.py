"""Columns fit the terminal, keep their order, and show every character as what it is."""

from __future__ import annotations

import pytest

from ddl.experiments.terminal.columns import Column, cut, draw, place, width_of

COLUMNS = (Column("NAME", least=6), Column("N", right=True), Column("WHY", least=4))


def test_texts_stand_left_and_numbers_right():
    assert draw(COLUMNS, [("a", 1, "x"), ("bb", 22, "")]) == [
        "NAME   N  WHY",
        "a      1  x",
        "bb    22",
    ]


def test_a_column_without_any_text_is_left_out():
    assert draw(COLUMNS, [("a", None, "x"), ("b", "", "y")]) == ["NAME  WHY", "a     x", "b     y"]


def test_the_widest_column_that_may_give_gives():
    lines = draw(COLUMNS, [("n" * 30, 12345678, "w" * 10)], 36)
    assert lines[1] == "n" * 13 + "…  12345678  wwwwwwwwww"
    assert place(lines[1]) == 36


def test_columns_keep_their_least_width():
    lines = draw(COLUMNS, [("n" * 30, "1" * 40, "w" * 10)], 20)
    assert lines[1].split() == ["nnnnn…", "1" * 40, "www…"]


def test_wide_characters_take_two_places():
    assert (place("漢字"), place("é"), place("e\u0301"), place("abc")) == (4, 1, 1, 3)
    lines = draw((Column("A"), Column("B")), [("漢字", "x"), ("abcd", "y")])
    assert lines[1:] == ["漢字  x", "abcd  y"]


@pytest.mark.parametrize("width", range(8))
def test_a_cut_text_fits(width):
    for text in ("abcdefgh", "漢字漢字", "a漢b字c"):
        assert place(cut(text, width)) <= width


def test_control_characters_are_escaped_before_they_are_measured():
    assert draw((Column("A"), Column("B")), [("\x1b[1m", "x")])[1] == "\\x1b[1m  x"


def test_cells_may_be_painted_after_they_are_padded():
    lines = draw(
        COLUMNS, [("a", 1, "x")], None, lambda row, n, text: f"<{text}>" if n == 0 else text
    )
    assert lines[1] == "<a   >  1  x"


def test_a_file_has_no_width(tmp_path):
    with (tmp_path / "x").open("w") as file:
        assert width_of(file) is None
    assert width_of(file) is None  # closed
