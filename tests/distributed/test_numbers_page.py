"""docs/numbers.md shows what the code gives."""

from __future__ import annotations

import re

import pytest

from tests.distributed import make_numbers
from tests.distributed.cases import CASES

pytestmark = pytest.mark.timeout(1800)  # alone it trains every row


def test_the_page_shows_every_row() -> None:
    page = make_numbers.PAGE.read_text()
    missing = [name for name in CASES if f"| {name} |" not in page]
    assert not missing, "run python -m tests.distributed.make_numbers"
    assert "| 0 |" not in page  # rows of the negative control that none depends on, or none caught


def test_every_figure_of_the_page_is_within_its_bound() -> None:
    pairs = [pair for line in make_numbers.PAGE.read_text().splitlines() for pair in figures(line)]
    assert len(pairs) > len(CASES)
    assert [(figure, bound) for figure, bound in pairs if figure > bound] == []


@pytest.mark.proof
def test_the_page_is_what_the_code_gives() -> None:
    """Figures differ between processors: all else is the same text."""
    shown = {make_numbers.bare(line) for line in make_numbers.PAGE.read_text().splitlines()}
    assert [line for line in make_numbers.bare_page() if line not in shown] == []


def figures(line: str) -> list[tuple[float, float]]:
    """Return the differences that a line shows, each with its bound."""
    found = re.findall(r"float\w+: (\S+?e[+-]\d\d)", line)
    bounds = line.split("|")[-2].split("<br>") if found else []
    return [(float(a), float(b)) for a, b in zip(found, bounds, strict=True)]
