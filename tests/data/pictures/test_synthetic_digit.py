"""Synthetic digits: the same for the same numbers, various, and large enough to be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.data.pictures.synthetic_digit import DIGITS, FONTS, digit_picture
from ddl.data.preparation.example import Example, write_example
from ddl.data.sources import open_source


def test_a_picture_depends_on_its_number_and_seed() -> None:
    first, again, other = (digit_picture(3, 16, seed)[0] for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_ten_in_a_row_have_each_digit_once() -> None:
    assert sorted(digit_picture(index, 12)[1] for index in range(30, 40)) == list(range(10))


def test_digits_are_white_in_the_middle_of_black() -> None:
    pictures = np.stack([digit_picture(index, 16)[0] for index in range(60)]).astype(float)
    assert pictures[:, [0, -1]].mean() < 10  # nearly nothing is cut off
    assert (pictures.max(axis=(1, 2)) > 120).all()
    assert (pictures > 128).mean(axis=(1, 2)).max() < 0.5
    rows = (pictures > 64).any(axis=2).sum(axis=1)
    assert rows.min() >= 6
    assert rows.mean() > 9


def test_the_same_digit_looks_otherwise_in_each_font() -> None:
    ones = {digit_picture(10 * number + 1, 24)[0].tobytes() for number in range(40)}
    assert len(ones) == 40 > len(FONTS)


def test_the_example_is_a_folder_for_each_digit(tmp_path: Path) -> None:
    write_example(Example(tmp_path / "digits", kind="digits", count=20, size=8))
    source = open_source(tmp_path / "digits")
    assert (len(source), source.class_names) == (20, DIGITS)
    assert source.read([0])["image"].shape[:3] == (1, 8, 8)
