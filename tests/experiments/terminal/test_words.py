"""Ages, numbers and sizes as people read them."""

from __future__ import annotations

import pytest

from ddl.experiments.terminal import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 s"),
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 d"),
        (8_640_000, "100 d"),
    ],
)
def test_ages(seconds, text):
    assert words.age(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (3, "3"),
        (0.1234567, "0.12346"),
        (1e-7, "1e-07"),
        ("NaN", "NaN"),
        ([1], "[1]"),
    ],
)
def test_numbers(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (31_000, "31 kB"),
        (2.5e9, "2.5 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_sizes(size_bytes, text):
    assert words.size(size_bytes) == text


def test_a_time_that_is_unknown_is_empty():
    assert (words.when(0), words.when(None)) == ("", "")


def test_only_states_that_need_a_look_have_a_colour():
    assert words.painted("failed", "failed") == "\x1b[1;31mfailed\x1b[0m"
    assert words.painted("planned", "planned") == "planned"
