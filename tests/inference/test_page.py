"""docs/predict.md lists exactly the flags of predict.py, with their defaults."""

from __future__ import annotations

import re

from tests.pages import find_row, read_page
from tests.scripts.test_flags import default_of, flags_of

PAGE = read_page("predict.md")


def test_the_table_has_every_flag_with_its_default() -> None:
    flags = flags_of("predict")
    for flag, action in flags.items():
        assert find_row(PAGE, flag).split("|")[2].strip() == default_of(action), flag
    assert set(re.findall(r"^\| `(--[\w-]+)`", PAGE, re.MULTILINE)) == set(flags)
