"""docs/reading.md leads through few and short files."""

from __future__ import annotations

import re

from tests.launch import REPOSITORY


def test_a_training_is_understood_after_eight_short_files() -> None:
    page = (REPOSITORY / "docs" / "reading.md").read_text()
    files = re.findall(r"^\| \d \| \[.*?\]\(\.\./(.*?)\)", page, flags=re.MULTILINE)
    assert files[0] == "ddl/training/loop.py"
    assert len(files) <= 8
    assert sum(len((REPOSITORY / file).read_text().splitlines()) for file in files) < 1200


def test_the_loop_is_read_in_a_minute() -> None:
    loop = (REPOSITORY / "ddl" / "training" / "loop.py").read_text()
    assert len(loop.splitlines()) <= 150
