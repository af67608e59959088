"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.spec.text.units import in_bytes, in_time, parse_bytes, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4h", 14400),
        ("90 min", 5400),
        ("30s", 30),
        ("1h30m", 5400),
        ("1d 12h", 129600),
        ("1.5h", 5400),
        ("2 Days", 172800),
        ("36:00:00", 129600),
        ("1-12:00:00", 129600),
        ("00:00:05", 5),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "4", "h", "4 x", "-4h", "0s", "1:30", "4h!", "1e3h", "00:00:00", "99999999d", "9" * 99],
)
def test_other_texts_are_no_durations(text):
    with pytest.raises(ValueError, match="a time with its unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16G", 16 << 30),
        ("16 GiB", 16 << 30),
        ("500 MB", 500 << 20),
        ("1.5g", 3 << 29),
        ("64k", 1 << 16),
    ],
)
def test_sizes_are_powers_of_1024(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "16", "G", "-1G", "0G", "16 Q", "1e9", "9" * 40 + "G"])
def test_other_texts_are_no_sizes(text):
    with pytest.raises(ValueError, match="a size with its unit"):
        parse_bytes(text)


@settings(deadline=None)
@given(st.integers(1, 10**7))
def test_a_duration_that_is_shown_can_be_read(seconds):
    shown = parse_duration(in_time(seconds))
    assert shown <= seconds
    assert seconds - shown < max(seconds / 24, 1)  # the two largest units are shown


def test_sizes_are_shown_short():
    assert [in_bytes(size) for size in (0, 512, 2048, 16 << 30, 3 << 29)] == [
        "0 bytes",
        "512 bytes",
        "2K",
        "16G",
        "1.5G",
    ]
